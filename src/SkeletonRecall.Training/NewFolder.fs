namespace SkeletonRecall.Training

open System
open System.IO

/// Folders that are there whole or not at all.
[<RequireQualifiedAccess>]
module internal NewFolder =

    let private requireAbsent (target: string) : Result<unit, Problem> =
        let isFull () =
            Directory.Exists target
            && not (Seq.isEmpty (Directory.EnumerateFileSystemEntries target))

        if File.Exists target || isFull () then
            Error(Unwritable(target, "it is there already; give another name, or remove it first"))
        else
            Ok()

    let private move (from: string) (target: string) : Result<unit, Problem> =
        try
            if Directory.Exists target then
                Directory.Delete target

            Directory.Move(from, target)
            Ok()
        with
        | :? UnauthorizedAccessException -> Error(Unwritable(target, "there is no permission to write there"))
        | :? IOException as error -> Error(Unwritable(target, error.Message.TrimEnd '.'))

    let private remove (folder: string) : unit =
        try
            if Directory.Exists folder then
                Directory.Delete(folder, true)
        with
        | :? IOException
        | :? UnauthorizedAccessException -> ()

    /// Calls `write` with a folder beside the target's place and gives it the target's name when the work is done; after a
    /// problem or an exception nothing is left. A target that holds anything already is a problem.
    let create (target: string) (write: string -> Result<'T, Problem>) : Result<'T, Problem> =
        let target = Path.TrimEndingDirectorySeparator(Path.GetFullPath target)
        let unique = Guid.NewGuid().ToString("N").Substring(0, 8)
        let beside = $"%s{target}.%s{unique}.partial"

        try
            Problem.attempt {
                do! requireAbsent target
                let! result = write beside
                do! move beside target
                return result
            }
        finally
            remove beside
