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

    /// Fails where a file or folder below this one has a name that Windows does not take: a character that it forbids, a dot or a
    /// space at the end, a device, capitals alone that tell two names apart, or a path too long for a folder of 60 letters.
    let expectPortable (folder: string) : unit =
        let paths =
            Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories)
            |> Array.map (fun path -> Path.GetRelativePath(folder, path).Replace('\\', '/'))

        Expect.isNonEmpty paths "what was written"

        let devices =
            set
                [
                    "CON"
                    "PRN"
                    "AUX"
                    "NUL"
                    for number in 0..9 do
                        $"COM%d{number}"
                        $"LPT%d{number}"
                ]

        for path in paths do
            Expect.isLessThan path.Length 200 path

            for part in path.Split '/' do
                let isForbidden (letter: char) =
                    Char.IsControl letter || "<>:\"|?*\\".Contains letter

                Expect.isFalse (Seq.exists isForbidden part) $"characters of %s{path}"
                Expect.isFalse (part.EndsWith '.' || part.EndsWith ' ' || part.StartsWith ' ') $"ends of %s{path}"
                let stem = (Array.head (part.Split '.')).ToUpperInvariant()
                Expect.isFalse (devices.Contains stem) $"a device in %s{path}"

        let twins =
            paths
            |> Array.countBy (fun path -> path.ToUpperInvariant())
            |> Array.filter (fun (_, count) -> count > 1)

        Expect.isEmpty twins "names that differ in capitals alone"

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
