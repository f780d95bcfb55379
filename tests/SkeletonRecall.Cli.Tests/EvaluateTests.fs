module SkeletonRecall.Cli.Tests.EvaluateTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

/// Six cases of truth and two folders of predictions, of which the second is better.
let private write (folder: string) : string * string * string =
    let truth, first, second =
        Path.Combine(folder, "truth"), Path.Combine(folder, "first"), Path.Combine(folder, "second")

    let put (folder: string) (number: int) (keep: int -> bool) =
        let extent = Extent.plane 24 40

        let labels =
            Array.init extent.Count (fun index ->
                let row, column = index / 40, index % 40

                if row / 4 % 2 = 1 && column > number && keep column then
                    1s
                else
                    0s)
            |> Volume.create extent

        Reader.writeLabels (Path.Combine(folder, $"case_%d{number}.png")) labels
        |> Problem.orThrow

    for number in 0..5 do
        put truth number (fun _ -> true)
        put first number (fun column -> column % 11 > number / 2 + 1)
        put second number (fun column -> column < 36 - number / 3)

    Store.writeDataset truth (Dataset.create "Dataset001_Bars" [ "grey" ] [ "background", 0; "bar", 1 ] ".png" 6)
    |> Problem.orThrow

    truth, first, second

let private failed (code: int) (arguments: string list) (parts: string list) : unit =
    let outcome = Commands.run arguments
    Expect.equal outcome.Code code $"exit code of %A{arguments}: %s{outcome.Output}%s{outcome.Error}"

    for part in parts do
        Expect.stringContains outcome.Error part "message"

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Evaluate"
        [
            test "summary, table and terminal hold the measures that were asked for" {
                Commands.inFolder (fun folder ->
                    let truth, first, _ = write folder

                    let outcome =
                        Commands.run
                            [
                                "evaluate"
                                truth
                                first
                                "--measures"
                                "cldice,b0-error"
                                "--profile"
                                "topcow"
                            ]

                    Expect.equal outcome.Code 0 outcome.Error

                    for part in [ "clDice"; "B0Error"; "median"; "95 % interval"; "profile topcow" ] do
                        Expect.stringContains outcome.Output part "terminal"

                    Expect.isFalse (outcome.Output.Contains "B1Error") "not asked for"

                    let summary =
                        File.ReadAllText(Path.Combine(first, "summary.json")).Replace("NaN", "null")

                    use document = JsonDocument.Parse summary
                    let mean = document.RootElement.GetProperty("mean").GetProperty "1"
                    let has (name: string) = fst (mean.TryGetProperty name)
                    Expect.isTrue (has "clDice" && has "Dice" && not (has "B1Error")) "nnU-Net's own are always there"
                    let table = File.ReadAllLines(Path.Combine(first, "scores.csv"))
                    Expect.equal table.Length 7 "a line per case"
                    Expect.stringContains table[0] "clDice" "heading")
            }

            test "some cases failed: 3, every one named; none could be scored: 1; wrong flags are named" {
                Commands.inFolder (fun folder ->
                    let truth, first, second = write folder
                    File.Delete(Path.Combine(first, "case_2.png"))
                    File.WriteAllText(Path.Combine(first, "case_4.png"), "no picture")
                    failed 3 [ "evaluate"; truth; first ] [ "case_2"; "case_4.png" ]

                    Expect.equal
                        (File.ReadAllLines(Path.Combine(first, "scores.csv")).Length)
                        5
                        "the others are scored"

                    failed 3 [ "evaluate"; truth; first; "--chill" ] [ "case_4.png" ]
                    failed 1 [ "evaluate"; truth; Path.Combine(folder, "nowhere") ] [ "nowhere" ]
                    failed 1 [ "evaluate"; truth; second; "--measures"; "sharpness" ] [ "sharpness"; "clDice" ]
                    failed 1 [ "evaluate"; truth; second; "--profile"; "mine" ] [ "mine"; "topcow" ]
                    failed 1 [ "evaluate"; truth; second; "--connectivity"; "5/3" ] [ "5/3"; "8/4"; "6/18" ]
                    failed 1 [ "evaluate"; truth; second; "--window"; "0" ] [ "--window"; "1 voxel" ]

                    failed
                        1
                        [
                            "evaluate"
                            truth
                            second
                            "--connectivity"
                            "18/6"
                            "--measures"
                            "BettiMatching"
                        ]
                        [ "18/6"; "BettiMatching" ])
            }

            test "each kind of bad case is named with what came and what was wanted, and the others are scored" {
                Commands.inFolder (fun folder ->
                    let truth, found = Path.Combine(folder, "truth"), Path.Combine(folder, "found")
                    let straight = [ 1.0; 0.0; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 1.0 ]
                    let turned = [ 0.0; 1.0; 0.0; 1.0; 0.0; 0.0; 0.0; 0.0; 1.0 ]

                    let put
                        (folder: string)
                        (name: string)
                        (depth: int)
                        (spacing: float)
                        (direction: float list)
                        (label: int16)
                        =
                        let extent = Extent.space depth 6 7

                        Array.init extent.Count (fun index -> if index % 3 = 0 then label else 0s)
                        |> Volume.create extent
                        |> Volume.withSpacing (Spacing.ofList [ spacing; 1.0; 1.0 ])
                        |> Reader.writeLabelsInPlace
                            (Geometry.create [ 0.0; 0.0; 0.0 ] direction)
                            (Path.Combine(folder, name + ".nii.gz"))
                        |> Problem.orThrow

                    for name in [ "alone"; "deep"; "good"; "strange"; "turned"; "wide" ] do
                        put truth name 4 1.0 straight 1s

                    put found "extra" 4 1.0 straight 1s
                    put found "deep" 5 1.0 straight 1s
                    put found "good" 4 1.0 straight 1s
                    put found "strange" 4 1.0 straight 5s
                    put found "turned" 4 1.0 turned 1s
                    put found "wide" 4 2.5 straight 1s

                    Store.writeDataset
                        truth
                        (Dataset.create "Dataset001_Bars" [ "grey" ] [ "background", 0; "bar", 1 ] ".nii.gz" 6)
                    |> Problem.orThrow

                    let outcome = Commands.run [ "evaluate"; truth; found ]
                    Expect.equal outcome.Code 3 "exit code"

                    let lines = outcome.Error.TrimEnd().Split('\n')

                    for parts in
                        [
                            [ "alone"; "not found"; "a prediction of" ]
                            [ "extra"; "not found"; "a true label map" ]
                            [ "deep.nii.gz"; "got 5 x 6 x 7"; "wanted 4 x 6 x 7" ]
                            [ "strange.nii.gz"; "the values 0, 5"; "0 and 1" ]
                            [ "turned.nii.gz"; "axes along (0, 1, 0)"; "wanted (1, 0, 0)" ]
                            [ "wide.nii.gz"; "the spacing 2.5 x 1 x 1 mm"; "wanted 1 x 1 x 1 mm" ]
                        ] do
                        let isIt (line: string) =
                            parts |> List.forall (fun part -> line.Contains part)

                        Expect.equal (lines |> Array.filter isIt).Length 1 $"one line of %A{parts} in %A{lines}"

                    Expect.equal lines.Length 6 "a line for each"
                    let table = File.ReadAllLines(Path.Combine(found, "scores.csv"))
                    Expect.equal table.Length 2 "a heading and the good case"
                    Expect.stringContains table[1] "good" "the good case")
            }

            test "compare tells which folder is better, with interval and p" {
                Commands.inFolder (fun folder ->
                    let truth, first, second = write folder
                    let json = Path.Combine(folder, "comparison.json")
                    let outcome = Commands.run [ "compare"; truth; first; second; "-o"; json ]
                    Expect.equal outcome.Code 0 outcome.Error

                    for part in [ "first"; "second"; "difference"; "95 % interval"; "0.031" ] do
                        Expect.stringContains outcome.Output part "table"

                    use document = JsonDocument.Parse(File.ReadAllText json)
                    let measures = document.RootElement.GetProperty "measures"

                    let difference =
                        measures.GetProperty("Dice").GetProperty("differences").GetProperty "second"

                    Expect.equal (difference.GetProperty("p").GetDouble()) 0.03125 "six of six: 2 / 2^6"
                    Expect.equal (difference.GetProperty("n").GetInt32()) 6 "pairs"
                    File.Delete(Path.Combine(second, "case_0.png"))
                    failed 3 [ "compare"; truth; first; second ] [ "case_0" ])
            }
        ]
