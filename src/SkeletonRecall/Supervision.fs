namespace SkeletonRecall

/// Which heads of a network with deep supervision learn what.
type Supervision =
    /// Every head learns all terms but skeleton recall, which stands on the finest head alone: upstream's of 2026.
    | RecallAtFull
    /// Only the finest head learns, with its own weight among the heads: the code released in 2024.
    | FullResolution
    /// Every head learns every term, each with a skeleton of its resolution.
    | AllHeads

/// The names of the ways of supervision.
[<RequireQualifiedAccess>]
module Supervision =

    /// All of them; the first is the default.
    let all: Supervision list = [ RecallAtFull; FullResolution; AllHeads ]

    /// `recall-at-full`, `full-resolution` or `all-heads`.
    let print (supervision: Supervision) : string =
        match supervision with
        | RecallAtFull -> "recall-at-full"
        | FullResolution -> "full-resolution"
        | AllHeads -> "all-heads"

    /// The supervision of a name; for any other text, an error that lists the names.
    let parse (text: string) : Result<Supervision, string> =
        match all |> List.tryFind (fun supervision -> print supervision = text) with
        | Some supervision -> Ok supervision
        | None ->
            let names = all |> List.map print |> String.concat ", "
            Error $"\"%s{text}\" is no supervision; one of %s{names} is wanted."
