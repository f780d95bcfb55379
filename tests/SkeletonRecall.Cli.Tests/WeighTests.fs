module SkeletonRecall.Cli.Tests.WeighTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall

let private writeData (root: string) : unit =
    ToyData.write (Extent.plane 64 64) 3 0 root |> ignore

[<Tests>]
let tests =
    testSequenced (
        testList
            "weigh"
            [
                test "it prints each term, suggests an objective that train takes, and writes JSON" {
                    Commands.inFolder (fun root ->
                        writeData root
                        let file = Path.Combine(root, "weights.json")

                        let outcome =
                            Commands.run
                                [
                                    "weigh"
                                    "1"
                                    "--root"
                                    root
                                    "--batches"
                                    "1"
                                    "--ratio"
                                    "0.5"
                                    "--objective"
                                    "dice + ce + 3.0*skeleton-recall"
                                    "--json"
                                    file
                                ]

                        Expect.equal outcome.Code 0 outcome.Error

                        for part in [ "dice "; "ce "; "skeleton-recall "; "w by logits" ] do
                            Expect.stringContains outcome.Output part "table"

                        let line =
                            outcome.Output.Split('\n')
                            |> Array.find (fun line -> line.StartsWith "suggested: --loss")

                        let text = line.Split('"')[1]
                        use json = JsonDocument.Parse(File.ReadAllText file)
                        let root = json.RootElement
                        Expect.equal (root.GetProperty("suggested").GetString()) text "the same in the file"
                        let terms = [ for term in root.GetProperty("terms").EnumerateArray() -> term ]
                        Expect.equal terms.Length 3 "terms"
                        let number (name: string) = terms[2].GetProperty(name).GetDouble()
                        Expect.equal (number "weight") 3.0 "weight"

                        Expect.floatClose
                            Accuracy.high
                            (number "weight_at_logits")
                            (0.5 * number "rest_logits_norm" / number "logits_norm")
                            "the weight makes the ratio"

                        match Objective.parse text with
                        | Ok objective ->
                            Expect.isLessThan
                                (abs (objective.Terms[2].Weight - number "weight_at_logits"))
                                (0.05 * number "weight_at_logits")
                                "two digits of it"
                        | Error reason -> failtest reason)
                }

                test "a checkpoint brings its objective and its network" {
                    Commands.inFolder (fun root ->
                        writeData root

                        let trained =
                            Commands.run
                                [
                                    "train"
                                    "1"
                                    "2d"
                                    "all"
                                    "--root"
                                    root
                                    "--epochs"
                                    "1"
                                    "--iterations"
                                    "1"
                                    "--validation-iterations"
                                    "0"
                                    "--base-features"
                                    "4"
                                    "--max-features"
                                    "8"
                                    "--patch-size"
                                    "32"
                                    "32"
                                    "--batch-size"
                                    "2"
                                    "--loss"
                                    "ce + 0.5*skeleton-recall"
                                ]

                        Expect.equal trained.Code 0 trained.Error

                        let folder =
                            Directory.GetFiles(root, "checkpoint_final.safetensors", SearchOption.AllDirectories)[0]
                            |> Path.GetDirectoryName

                        let outcome =
                            Commands.run
                                [
                                    "weigh"
                                    "1"
                                    "--root"
                                    root
                                    "--checkpoint"
                                    string folder
                                    "--batches"
                                    "2"
                                ]

                        Expect.equal outcome.Code 0 outcome.Error
                        Expect.stringContains outcome.Output "objective: ce + 0.5*skeleton-recall" "its own"
                        Expect.stringContains outcome.Output "the mean over 2 batches" "batches")
                }

                test "wrong command lines and files are refused in one line" {
                    Commands.inFolder (fun root ->
                        writeData root
                        let weigh (rest: string list) = [ "weigh"; "1"; "--root"; root ] @ rest
                        Commands.failed 1 (weigh [ "--batches"; "0" ]) [ "--batches"; "got 0"; "1 or more" ]
                        Commands.failed 1 (weigh [ "--ratio"; "-1" ]) [ "--ratio"; "-1"; "above 0" ]
                        Commands.failed 1 (weigh [ "--ratio"; "NaN" ]) [ "--ratio"; "NaN"; "above 0" ]
                        Commands.failed 1 (weigh [ "--threads"; "0" ]) [ "--threads"; "1 or more" ]
                        Commands.failed 1 (weigh [ "--objective"; "dice + nonsense" ]) [ "--objective"; "nonsense" ]

                        Commands.failed
                            1
                            (weigh [ "--checkpoint"; Path.Combine(root, "none") ])
                            [ "none"; "not found" ]

                        Commands.failed 1 [ "weigh"; "2"; "--root"; root ] [ "2" ]
                        Commands.failed 2 [ "weigh" ] [ "DATASET" ])
                }
            ]
    )
