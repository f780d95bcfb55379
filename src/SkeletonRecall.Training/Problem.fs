namespace SkeletonRecall.Training

/// What can be wrong with a user's files, folders and flags. Each case holds what its one-line message needs.
type Problem =
    /// A file or folder that is not there.
    | Missing of path: string * wanted: string
    /// A file that is there but cannot be read as what it should be.
    | Unreadable of path: string * reason: string
    /// A file or folder that cannot be written.
    | Unwritable of path: string * reason: string
    /// Two things that do not fit each other, or a value outside what is allowed.
    | Mismatch of subject: string * got: string * wanted: string

/// A problem as an exception, for callers that do not look at results.
exception ProblemException of Problem with
    /// The one-line message.
    override this.Message: string =
        match this.Data0 with
        | Missing(path, wanted) -> $"%s{path}: not found; %s{wanted}."
        | Unreadable(path, reason) -> $"%s{path}: cannot be read; %s{reason}."
        | Unwritable(path, reason) -> $"%s{path}: cannot be written; %s{reason}."
        | Mismatch(subject, got, wanted) -> $"%s{subject}: got %s{got}; wanted %s{wanted}."

/// The computation expression behind `Problem.attempt`.
[<Sealed>]
type ProblemBuilder internal () =
    /// The rest of the steps, unless this one ended in a problem.
    member _.Bind(result: Result<'T, 'Error>, rest: 'T -> Result<'U, 'Error>) : Result<'U, 'Error> =
        Result.bind rest result

    /// A value.
    member _.Return(value: 'T) : Result<'T, 'Error> = Ok value

    /// A result as it is.
    member _.ReturnFrom(result: Result<'T, 'Error>) : Result<'T, 'Error> = result

    /// Nothing to do.
    member _.Zero() : Result<unit, 'Error> = Ok()

    /// One step after the other.
    member _.Combine(first: Result<unit, 'Error>, rest: unit -> Result<'T, 'Error>) : Result<'T, 'Error> =
        Result.bind rest first

    /// Steps that have not run yet.
    member _.Delay(steps: unit -> Result<'T, 'Error>) : unit -> Result<'T, 'Error> = steps

    /// Runs the steps.
    member _.Run(steps: unit -> Result<'T, 'Error>) : Result<'T, 'Error> = steps ()

    /// A step for each item, up to the first problem.
    member _.For(items: 'T seq, step: 'T -> Result<unit, 'Error>) : Result<unit, 'Error> =
        let folder (state: Result<unit, 'Error>) (item: 'T) =
            match state with
            | Ok() -> step item
            | Error _ -> state

        Seq.fold folder (Ok()) items

/// Messages of problems, and the way from results to exceptions.
[<RequireQualifiedAccess>]
module Problem =

    /// One line for a person: what, where, and what was wanted.
    let message (problem: Problem) : string = (ProblemException problem).Message

    /// The value, or a ProblemException: for scripts and for the C# façade.
    let orThrow (result: Result<'T, Problem>) : 'T =
        match result with
        | Ok value -> value
        | Error problem -> raise (ProblemException problem)

    /// All values in order, or the first problem.
    let collect (results: Result<'T, 'Error> list) : Result<'T list, 'Error> =
        let step (result: Result<'T, 'Error>) (rest: Result<'T list, 'Error>) =
            match result, rest with
            | Error problem, _ -> Error problem
            | Ok value, Ok values -> Ok(value :: values)
            | Ok _, Error problem -> Error problem

        List.foldBack step results (Ok [])

    /// The function's values of all items in order; the first problem ends it, and later items are not touched.
    let traverse (step: 'T -> Result<'U, Problem>) (items: 'T list) : Result<'U list, Problem> =
        (Ok [], items)
        ||> List.fold (fun done' item ->
            done'
            |> Result.bind (fun values -> step item |> Result.map (fun value -> value :: values)))
        |> Result.map List.rev

    /// Steps that end with their first problem: `Problem.attempt { let! dataset = ... ; return ... }`.
    let attempt: ProblemBuilder = ProblemBuilder()
