module SkeletonRecall.Cli.Tests.CommandTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Cli
open SkeletonRecall.Training

let private extent = Extent.plane 64 64

/// A data set of five training cases and one held-out case.
let private writeData (root: string) : string =
    let folder = Path.Combine(root, "raw", "Dataset001_Toy")

    Synthetic.writeDataset
        { Synthetic.standard with
            Extent = extent
            Trees = 1
            Blobs = 2
        }
        (Seed.ofInt 3)
        5
        1
        folder
    |> Problem.orThrow
    |> ignore

    folder

let private quick: string list =
    [
        "--epochs"
        "1"
        "--iterations"
        "2"
        "--validation-iterations"
        "1"
        "--base-features"
        "4"
        "--max-features"
        "8"
        "--patch-size"
        "32"
        "32"
        "--batch-size"
        "2"
    ]

let private failed (arguments: string list) (parts: string list) : unit =
    let outcome = Commands.run arguments
    Expect.equal outcome.Code 1 $"exit code of %A{arguments}: %s{outcome.Output}%s{outcome.Error}"
    Expect.equal (outcome.Error.TrimEnd().Split('\n').Length) 1 $"one line: %s{outcome.Error}"

    for part in parts do
        Expect.stringContains outcome.Error part "message"

let private succeeded (arguments: string list) : Outcome =
    let outcome = Commands.run arguments
    Expect.equal outcome.Code 0 $"%A{arguments}: %s{outcome.Error}"
    outcome

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Commands"
        [
            test "skeletonize makes upstream's tube of a PNG, and the bare skeleton at radius 0" {
                Commands.inFolder (fun folder ->
                    let labels =
                        (Synthetic.vessels
                            { Synthetic.standard with
                                Extent = extent
                            }
                            (Seed.ofInt 1))
                            .Labels.Value

                    let input = Path.Combine(folder, "mask.png")
                    Reader.writeLabels input labels |> Problem.orThrow

                    for radius, wanted in
                        [
                            2, Tube.ofLabels Tube.standard labels
                            0, labels |> Tube.binarize |> Skeleton.thin |> Tube.assignClasses labels
                        ] do
                        for ending in [ "png"; "npy" ] do
                            let output = Path.Combine(folder, "tube." + ending)

                            succeeded [ "skeletonize"; input; output; "--tube-radius"; string radius ]
                            |> ignore

                            let written = Reader.mask output |> Problem.orThrow |> fst
                            Expect.isTrue (Volume.equal wanted written) $"radius %d{radius}, %s{ending}")
            }

            test "skeletonize says in one line what is wrong" {
                Commands.inFolder (fun folder ->
                    let input = Path.Combine(folder, "mask.png")
                    let output = Path.Combine(folder, "tube.png")
                    failed [ "skeletonize"; input; output ] [ "mask.png"; "not found" ]
                    File.WriteAllBytes(input, [| 137uy; 80uy; 78uy; 71uy; 13uy; 10uy; 26uy; 10uy; 0uy |])
                    failed [ "skeletonize"; input; output ] [ "mask.png"; "cannot be read" ]
                    failed [ "skeletonize"; input; Path.Combine(folder, "tube.gif") ] [ "one of .png" ]
                    failed [ "skeletonize"; input; output; "--tube-radius"; "-1" ] [ "--tube-radius" ]
                    failed [ "skeletonize"; input; output; "--method"; "magic" ] [ "magic"; "zhang or lee" ]
                    Expect.isFalse (File.Exists output) "nothing half-written")
            }

            test "skeletonize --graph writes tables and JSON beside the output" {
                Commands.inFolder (fun folder ->
                    let input = Path.Combine(folder, "mask.npy")
                    let output = Path.Combine(folder, "tube.npy")
                    // A bar of three rows with a bar of two columns that stands on it.
                    let labels =
                        Volume.create
                            (Extent.plane 30 40)
                            (Array.init 1200 (fun at ->
                                let row, column = at / 40, at % 40

                                if row >= 20 && row <= 22 && column >= 2 && column <= 37 then
                                    1s
                                elif row >= 4 && row < 20 && column >= 18 && column <= 20 then
                                    2s
                                else
                                    0s))

                    Reader.writeLabels input labels |> Problem.orThrow

                    let outcome =
                        succeeded [ "skeletonize"; input; output; "--graph"; "--spacing"; "0.5x0.25" ]

                    Expect.stringContains outcome.Output "3 branches" "summary"
                    Expect.stringContains outcome.Output "1 junctions, 3 ends" "summary"

                    use document =
                        JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "tube.graph.json")))

                    let branches = document.RootElement.GetProperty "branches"
                    Expect.equal (branches.GetArrayLength()) 3 "branches"

                    let wanted =
                        labels
                        |> Volume.withSpacing (Spacing.ofList [ 0.5; 0.25 ])
                        |> TubeGraph.ofLabels Tube.standard

                    Expect.equal
                        (File.ReadAllText(Path.Combine(folder, "tube.branches.csv")))
                        (GraphText.branches wanted)
                        "branches"

                    Expect.equal
                        (File.ReadAllText(Path.Combine(folder, "tube.nodes.csv")))
                        (GraphText.nodes wanted)
                        "nodes"

                    let tube, _ = Reader.mask output |> Problem.orThrow
                    Expect.equal tube.Data (Tube.ofLabels Tube.standard labels).Data "the tube itself")
            }

            test "skeletonize makes what the options of tubes say" {
                Commands.inFolder (fun folder ->
                    let input = Path.Combine(folder, "mask.npy")
                    let output = Path.Combine(folder, "tube.npy")

                    let labels =
                        Volume.create
                            (Extent.plane 40 60)
                            (Array.init 2400 (fun at ->
                                let row, column = at / 60, at % 60

                                if row >= 10 && row <= 14 then
                                    (if column < 40 then 1s else 3s)
                                elif row >= 15 && row <= 19 then
                                    2s
                                elif row >= 6 && row < 10 && column >= 20 && column <= 22 then
                                    1s
                                elif row >= 30 && row <= 31 && column >= 30 && column <= 31 then
                                    1s
                                else
                                    0s))

                    Reader.writeLabels input labels |> Problem.orThrow

                    for flags, options in
                        [
                            [ "--per-class" ],
                            { Tube.standard with
                                SkeletonOf = SkeletonOf.EachClass
                            }
                            [ "--ignore"; "3" ], { Tube.standard with Ignore = Some 3s }
                            [ "--guard" ], { Tube.standard with Guard = true }
                            [ "--prune"; "4.5"; "--tube-radius"; "0" ],
                            { Tube.standard with
                                Prune = 4.5
                                Radius = TubeRadius.Steps 0
                            }
                            [ "--tube-ball"; "2.5" ],
                            { Tube.standard with
                                Radius = TubeRadius.Ball 2.5
                            }
                            [ "--method"; "lee" ],
                            { Tube.standard with
                                Thinning = Some Thinning.Lee
                            }
                        ] do
                        succeeded ([ "skeletonize"; input; output ] @ flags) |> ignore
                        let tube, _ = Reader.mask output |> Problem.orThrow
                        Expect.equal tube.Data (Tube.ofLabels options labels).Data $"%A{flags}"

                    for flags, parts in
                        [
                            [ "--tube-radius"; "17" ], [ "--tube-radius"; "0 to 16" ]
                            [ "--tube-ball"; "0" ], [ "--tube-ball"; "above 0" ]
                            [ "--tube-ball"; "2"; "--tube-radius"; "2" ], [ "one of the two" ]
                            [ "--ignore"; "0" ], [ "--ignore"; "1 to 32767" ]
                            [ "--prune"; "-1" ], [ "--prune"; "0 mm or more" ]
                            [ "--spacing"; "1x0" ], [ "--spacing"; "1x0" ]
                            [ "--spacing"; "1x1x1" ], [ "--spacing"; "2"; "40 x 60" ]
                        ] do
                        failed ([ "skeletonize"; input; output ] @ flags) parts)
            }

            test "train --skeletons cached keeps the skeletons, and says so in the record" {
                Commands.inFolder (fun root ->
                    writeData root |> ignore

                    let train =
                        [ "train"; "1"; "2d"; "0"; "--root"; root; "--skeletons"; "cached" ] @ quick

                    succeeded train |> ignore

                    let kept () =
                        Directory.GetFiles(Path.Combine(root, "preprocessed", "Dataset001_Toy", "skeletons"))
                        |> Array.map (fun file -> file, File.GetLastWriteTimeUtc file)
                        |> Array.sort

                    let first = kept ()
                    Expect.equal first.Length 5 "a file for each case"

                    let record =
                        Directory.GetFiles(root, "run.json", SearchOption.AllDirectories)
                        |> Array.exactlyOne

                    Expect.stringContains (File.ReadAllText record) "\"skeletons\": \"cached\"" "record"
                    succeeded train |> ignore
                    Expect.equal (kept ()) first "made once"

                    failed
                        ([ "train"; "1"; "2d"; "0"; "--root"; root; "--skeletons"; "case" ] @ quick)
                        [ "--skeletons"; "patch or cached" ]

                    failed
                        ([
                            "train"
                            "1"
                            "2d"
                            "0"
                            "--root"
                            root
                            "--skeletons"
                            "cached"
                            "--loss"
                            "dice + ce"
                         ]
                         @ quick)
                        [ "--skeletons"; "no such term" ])
            }

            test "train, predict and evaluate go through a data set" {
                Commands.inFolder (fun root ->
                    let data = writeData root
                    succeeded ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick) |> ignore

                    let run =
                        Path.Combine(
                            root,
                            "results",
                            "Dataset001_Toy",
                            "nnUNetTrainerSkeletonRecall__nnUNetPlans__2d",
                            "fold_0"
                        )

                    let page = File.ReadAllText(Path.Combine(run, "report.html"))
                    Expect.stringContains page "1 validation case, whole" "training leaves its report"
                    let two = Path.Combine(root, "two.html")
                    succeeded [ "report"; run; run; "-o"; two ] |> ignore
                    Expect.isTrue (File.Exists two) "the report of two runs"
                    failed [ "report"; run; run; run ] [ "3 runs"; "one run or two" ]
                    failed [ "report"; root ] [ "run.json" ]

                    let labels = Path.Combine(root, "labels")
                    let input = Path.Combine(data, "imagesTs")

                    succeeded [ "predict"; "-i"; input; "-o"; labels; "-d"; "1"; "-f"; "0"; "--root"; root ]
                    |> ignore

                    for file in [ "dataset.json"; "plans.json"; "predict_from_raw_data_args.json" ] do
                        Expect.isTrue (File.Exists(Path.Combine(labels, file))) $"%s{file}, as nnU-Net writes it"

                    let outcome = succeeded [ "evaluate"; Path.Combine(data, "labelsTs"); labels ]
                    Expect.stringContains outcome.Output "clDice" "table"
                    // NaN is a bare token in nnU-Net's file, which JSON readers may refuse.
                    let summary =
                        File.ReadAllText(Path.Combine(labels, "summary.json")).Replace("NaN", "null")

                    use document = JsonDocument.Parse summary
                    Expect.equal (document.RootElement.GetProperty("metric_per_case").GetArrayLength()) 1 "one case"

                    // A checkpoint file alone is enough, and one image file too.
                    let model = Path.Combine(run, "checkpoint_final.safetensors")

                    let image = Directory.GetFiles(input)[0]
                    let again = Path.Combine(root, "again")
                    succeeded [ "predict"; "-i"; image; "-o"; again; "-m"; model ] |> ignore

                    Expect.equal
                        (File.ReadAllBytes(Directory.GetFiles(again, "*.png")[0]))
                        (File.ReadAllBytes(Directory.GetFiles(labels, "*.png")[0]))
                        "the same labels")
            }

            test "train says in one line what is wrong with the data" {
                Commands.inFolder (fun root ->
                    failed ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick) [ "Dataset001_" ]
                    let data = writeData root
                    let labels = Directory.GetFiles(Path.Combine(data, "labelsTr")) |> Array.sort
                    let moved = labels[0] + ".away"
                    File.Move(labels[0], moved)

                    failed
                        ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick)
                        [ Path.GetFileName labels[0] |> string ]

                    File.Move(moved, labels[0])

                    let strange = Volume.create extent (Array.create extent.Count 5s)
                    Reader.writeLabels labels[1] strange |> Problem.orThrow

                    failed
                        ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick)
                        [ Path.GetFileName labels[1] |> string; "5" ]

                    let small = Volume.create (Extent.plane 8 8) (Array.zeroCreate 64)
                    Reader.writeLabels labels[1] small |> Problem.orThrow
                    failed ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick) [ "8 x 8"; "64 x 64" ])
            }

            test "predict says in one line what is wrong with the checkpoint" {
                Commands.inFolder (fun root ->
                    let data = writeData root
                    let input = Path.Combine(data, "imagesTs")
                    let model = Path.Combine(root, "model.safetensors")
                    let output = Path.Combine(root, "labels")
                    failed [ "predict"; "-i"; input; "-o"; output; "-m"; model ] [ "model.safetensors" ]
                    File.WriteAllText(model, "not a checkpoint at all")

                    failed
                        [ "predict"; "-i"; input; "-o"; output; "-m"; model ]
                        [ "model.safetensors"; "cannot be read" ]

                    failed [ "predict"; "-i"; input; "-o"; output ] [ "-m CHECKPOINT" ]
                    Expect.isFalse (Directory.Exists output) "nothing written")
            }

            test "a reduced demo writes checkpoints, labels, scores and a report" {
                Commands.inFolder (fun folder ->
                    let outcome =
                        succeeded
                            [
                                "demo"
                                "--output"
                                folder
                                "--images"
                                "2"
                                "--size"
                                "64"
                                "--epochs"
                                "1"
                                "--iterations"
                                "2"
                            ]

                    for measure in [ "Dice"; "Precision"; "clDice"; "B0Error"; "B1Error" ] do
                        Expect.stringContains outcome.Output measure "table"

                    let found (pattern: string) =
                        Directory.GetFiles(folder, pattern, SearchOption.AllDirectories).Length

                    Expect.equal (found "checkpoint_final.safetensors") 2 "checkpoints"
                    Expect.equal (found "summary.json") 2 "summaries"
                    Expect.equal (found "scores.json") 1 "scores"
                    Expect.equal (found "report.html") 1 "report"

                    Expect.equal
                        (Directory
                            .GetFiles(Path.Combine(folder, "predictions"), "*.png", SearchOption.AllDirectories)
                            .Length)
                        4
                        "labels")
            }
        ]
