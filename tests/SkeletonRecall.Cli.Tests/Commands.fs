namespace SkeletonRecall.Cli.Tests

open System
open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Cli
open SkeletonRecall.Training

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

    /// Runs a command line that must succeed.
    let succeeded (arguments: string list) : Outcome =
        let outcome = run arguments
        Expect.equal outcome.Code 0 $"%A{arguments}: %s{outcome.Error}"
        outcome

    /// Runs a command line that must end with this code and one line on the error stream, with these parts in it.
    let failed (code: int) (arguments: string list) (parts: string list) : unit =
        let outcome = run arguments
        Expect.equal outcome.Code code $"exit code of %A{arguments}: %s{outcome.Output}%s{outcome.Error}"
        Expect.equal (outcome.Error.TrimEnd().Split('\n').Length) 1 $"one line: %s{outcome.Error}"

        for part in parts do
            Expect.stringContains outcome.Error part "message"

/// A small data set of vessels.
[<RequireQualifiedAccess>]
module ToyData =

    /// Writes raw/Dataset001_Toy with training and held-out cases below the root; its folder.
    let write (extent: Extent) (training: int) (test: int) (root: string) : string =
        let folder = Path.Combine(root, "raw", "Dataset001_Toy")

        Synthetic.writeDataset
            { Synthetic.standard with
                Extent = extent
                Trees = 1
                Blobs = 2
            }
            (Seed.ofInt 3)
            training
            test
            folder
        |> Problem.orThrow
        |> ignore

        folder
