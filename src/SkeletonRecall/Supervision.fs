namespace SkeletonRecall

/// Which heads of a network with deep supervision learn what.
type Supervision =
    /// Every head learns all terms but skeleton recall, which stands on the finest head alone: upstream's of 2026.
    | RecallAtFull
    /// Only the finest head learns, with its own weight among the heads: the code released in 2024.
    | FullResolution
    /// Every head learns every term, each with labels and a tubed skeleton of its resolution: labels by the nearest voxel,
    /// the tube where any voxel under the coarser one is of it, so that it hangs together as it did.
    | AllHeads
    /// The same with the tube by the nearest voxel, as upstream's DS variant means it. A thin tube falls to pieces.
    | AllHeadsNearest

/// The names of the ways of supervision.
[<RequireQualifiedAccess>]
module Supervision =

    /// All of them; the first is the default.
    let all: Supervision list =
        [ RecallAtFull; FullResolution; AllHeads; AllHeadsNearest ]

    /// `recall-at-full`, `full-resolution`, `all-heads` or `all-heads-nearest`.
    let print (supervision: Supervision) : string =
        match supervision with
        | RecallAtFull -> "recall-at-full"
        | FullResolution -> "full-resolution"
        | AllHeads -> "all-heads"
        | AllHeadsNearest -> "all-heads-nearest"

    /// The supervision of a name; for any other text, an error that lists the names.
    let parse (text: string) : Result<Supervision, string> =
        match all |> List.tryFind (fun supervision -> print supervision = text) with
        | Some supervision -> Ok supervision
        | None ->
            let names = all |> List.map print |> String.concat ", "
            Error $"\"%s{text}\" is no supervision; one of %s{names} is wanted."
