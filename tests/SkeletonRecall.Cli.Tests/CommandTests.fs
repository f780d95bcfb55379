module SkeletonRecall.Cli.Tests.CommandTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Cli
open SkeletonRecall.Training

let private extent = Extent.plane 64 64

/// A data set of five training cases and one held-out case.
let private writeData (root: string) : string = ToyData.write extent 5 1 root

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

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Commands"
        [
            test "train --skeletons cached keeps the skeletons, and says so in the record" {
                Commands.inFolder (fun root ->
                    writeData root |> ignore

                    let train =
                        [ "train"; "1"; "2d"; "0"; "--root"; root; "--skeletons"; "cached" ] @ quick

                    Commands.succeeded train |> ignore

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
                    Commands.succeeded train |> ignore
                    Expect.equal (kept ()) first "made once"

                    Commands.failed
                        1
                        ([ "train"; "1"; "2d"; "0"; "--root"; root; "--skeletons"; "case" ] @ quick)
                        [ "--skeletons"; "patch or cached" ]

                    Commands.failed
                        1
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

                    Commands.succeeded ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick)
                    |> ignore

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
                    Commands.succeeded [ "report"; run; run; "-o"; two ] |> ignore
                    Expect.isTrue (File.Exists two) "the report of two runs"
                    Commands.failed 1 [ "report"; run; run; run ] [ "3 runs"; "one run or two" ]
                    Commands.failed 1 [ "report"; root ] [ "run.json" ]

                    let labels = Path.Combine(root, "labels")
                    let input = Path.Combine(data, "imagesTs")

                    Commands.succeeded [ "predict"; "-i"; input; "-o"; labels; "-d"; "1"; "-f"; "0"; "--root"; root ]
                    |> ignore

                    for file in [ "dataset.json"; "plans.json"; "predict_from_raw_data_args.json" ] do
                        Expect.isTrue (File.Exists(Path.Combine(labels, file))) $"%s{file}, as nnU-Net writes it"

                    let outcome =
                        Commands.succeeded [ "evaluate"; Path.Combine(data, "labelsTs"); labels ]

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

                    Commands.succeeded [ "predict"; "-i"; image; "-o"; again; "-m"; model ]
                    |> ignore

                    Expect.equal
                        (File.ReadAllBytes(Directory.GetFiles(again, "*.png")[0]))
                        (File.ReadAllBytes(Directory.GetFiles(labels, "*.png")[0]))
                        "the same labels")
            }

            test "train says in one line what is wrong with the data" {
                Commands.inFolder (fun root ->
                    Commands.failed 1 ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick) [ "Dataset001_" ]
                    let data = writeData root
                    let labels = Directory.GetFiles(Path.Combine(data, "labelsTr")) |> Array.sort
                    let moved = labels[0] + ".away"
                    File.Move(labels[0], moved)

                    Commands.failed
                        1
                        ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick)
                        [ Path.GetFileName labels[0] |> string ]

                    File.Move(moved, labels[0])

                    let strange = Volume.create extent (Array.create extent.Count 5s)
                    Reader.writeLabels labels[1] strange |> Problem.orThrow

                    Commands.failed
                        1
                        ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick)
                        [ Path.GetFileName labels[1] |> string; "5" ]

                    let small = Volume.create (Extent.plane 8 8) (Array.zeroCreate 64)
                    Reader.writeLabels labels[1] small |> Problem.orThrow
                    Commands.failed 1 ([ "train"; "1"; "2d"; "0"; "--root"; root ] @ quick) [ "8 x 8"; "64 x 64" ])
            }

            test "train says in one line that plans, memory or a checkpoint do not fit" {
                Commands.inFolder (fun root ->
                    let data = writeData root

                    let train (more: string list) =
                        [ "train"; "1"; "2d"; "0"; "--root"; root ] @ more

                    Commands.failed
                        1
                        (train [ "--patch-size"; "32768"; "32768"; "--batch-size"; "12" ])
                        [ "32768 x 32768, 12 in a batch"; "GB of memory at least" ]

                    Commands.succeeded (train quick) |> ignore

                    // The labels get other names, and the run is to go on.
                    let description = Path.Combine(data, "dataset.json")
                    let text = File.ReadAllText description
                    File.WriteAllText(description, text.Replace("\"vessel\"", "\"nerve\""))
                    Commands.failed 1 (train ("--c" :: quick)) [ "checkpoint_final"; "vessel 1"; "nerve 1" ]
                    File.WriteAllText(description, text)

                    Commands.succeeded [ "plan-and-preprocess"; "-d"; "1"; "--no_pp"; "--root"; root ]
                    |> ignore

                    let path =
                        Store.file (Store.preprocessedFolder (Store.rootsIn root) "Dataset001_Toy") "nnUNetPlans.json"

                    let plans = File.ReadAllText path |> Plans.parse path |> Problem.orThrow

                    // Plans for images of two channels.
                    let other =
                        { plans.Configurations["2d"] with
                            Normalization = [ ZScore; ZScore ]
                        }

                    { plans with
                        Configurations = Map.ofList [ "2d", other ]
                    }
                    |> Plans.print
                    |> fun text -> File.WriteAllText(path, text)

                    Commands.failed 1 (train [ "--epochs"; "1"; "--iterations"; "1" ]) [ "2, as the plans have" ])
            }

            test "train says where a run goes on with other threads or another memory format" {
                Commands.inFolder (fun root ->
                    writeData root |> ignore

                    let train (epochs: string) (more: string list) =
                        [ "train"; "1"; "2d"; "0"; "--root"; root; "--epochs"; epochs ]
                        @ List.skip 2 quick
                        @ more

                    Commands.succeeded (train "1" []) |> ignore

                    let path =
                        Directory.GetFiles(root, "checkpoint_final*", SearchOption.AllDirectories)
                        |> Array.exactlyOne

                    let checkpoint = Checkpoint.load path |> Problem.orThrow

                    Checkpoint.save
                        path
                        { checkpoint with
                            MemoryFormat = "channels last"
                            Threads = checkpoint.Threads + 1
                        }
                    |> Problem.orThrow

                    let told = (Commands.succeeded (train "2" [ "--c" ])).Output

                    for part in
                        [
                            "feature maps contiguous"
                            "channels last so far"
                            $"it had %d{checkpoint.Threads + 1}"
                        ] do
                        Expect.stringContains told part "what changes")
            }

            test "predict says in one line what is wrong with the checkpoint" {
                Commands.inFolder (fun root ->
                    let data = writeData root
                    let input = Path.Combine(data, "imagesTs")
                    let model = Path.Combine(root, "model.safetensors")
                    let output = Path.Combine(root, "labels")
                    Commands.failed 1 [ "predict"; "-i"; input; "-o"; output; "-m"; model ] [ "model.safetensors" ]
                    File.WriteAllText(model, "not a checkpoint at all")

                    Commands.failed
                        1
                        [ "predict"; "-i"; input; "-o"; output; "-m"; model ]
                        [ "model.safetensors"; "cannot be read" ]

                    Commands.failed 1 [ "predict"; "-i"; input; "-o"; output ] [ "-m CHECKPOINT" ]
                    Expect.isFalse (Directory.Exists output) "nothing written")
            }

            test "a reduced demo writes checkpoints, labels, scores and a report" {
                Commands.inFolder (fun folder ->
                    let outcome =
                        Commands.succeeded
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
