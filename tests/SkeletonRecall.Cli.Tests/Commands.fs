namespace SkeletonRecall.Cli.Tests

open System
open System.IO
open SkeletonRecall.Cli

/// What a command did: exit code and the text on both streams.
type Outcome =
    {
        Code: int
        Output: string
        Error: string
    }

/// Running commands in this process, in folders that are gone afterwards.
[<RequireQualifiedAccess>]
module Commands =

    /// Runs a command line.
    let run (arguments: string list) : Outcome =
        use output = new StringWriter()
        use error = new StringWriter()

        let terminal =
            {
                Output = output
                Error = error
                Interactive = false
                Stop = Threading.CancellationToken.None
            }

        let code = Program.run terminal (List.toArray arguments)

        {
            Code = code
            Output = output.ToString()
            Error = error.ToString()
        }

    /// Calls the function with a fresh folder.
    let inFolder (work: string -> 'T) : 'T =
        let folder = Directory.CreateTempSubdirectory("skeleton-recall-").FullName

        try
            work folder
        finally
            Directory.Delete(folder, true)
