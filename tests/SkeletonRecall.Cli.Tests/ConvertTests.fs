module SkeletonRecall.Cli.Tests.ConvertTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "sample and convert"
        [
            test "sample, convert its files with a threshold, verify" {
                Commands.inFolder (fun root ->
                    let here = [ "--root"; root ]

                    let outcome =
                        Commands.succeeded (
                            [
                                "sample"
                                "cracks"
                                "Dataset001_Cracks"
                                "--cases"
                                "3"
                                "--size"
                                "48"
                                "--json"
                            ]
                            @ here
                        )

                    use json = JsonDocument.Parse outcome.Output
                    Expect.equal (json.RootElement.GetProperty("training").GetInt32()) 3 "training"
                    Expect.equal (json.RootElement.GetProperty("labels").GetProperty("crack").GetInt32()) 1 "labels"
                    let source = Path.Combine(root, "raw", "Dataset001_Cracks")

                    let outcome =
                        Commands.succeeded (
                            [
                                "convert"
                                "images"
                                source
                                "Dataset002_Made"
                                "--images"
                                "imagesTr/*_0000.png"
                                "--masks"
                                "labelsTr/*.png"
                                "--labels"
                                "crack"
                            ]
                            @ here
                        )

                    Expect.stringContains outcome.Output "1 -> 1 crack" "values"
                    Expect.stringContains outcome.Output "3 training cases" "cases"
                    Commands.succeeded ([ "verify"; "1"; "2" ] @ here) |> ignore

                    let map (name: string) =
                        Reader.mask (Path.Combine(root, "raw", name, "labelsTr", "cracks_000.png"))
                        |> Problem.orThrow
                        |> fst

                    Expect.isTrue (Volume.equal (map "Dataset001_Cracks") (map "Dataset002_Made")) "labels")
            }

            test "wrong kinds, names, flags and values are one line" {
                Commands.inFolder (fun root ->
                    let here = [ "--root"; root ]
                    let sample (arguments: string list) = [ "sample" ] @ arguments @ here
                    let convert (arguments: string list) = [ "convert" ] @ arguments @ here
                    Commands.failed 1 (sample [ "trees"; "Dataset001_A" ]) [ "trees"; "willis" ]
                    Commands.failed 1 (sample [ "roads"; "Roads" ]) [ "Roads"; "Dataset001_Vessels" ]
                    Commands.failed 1 (sample [ "roads"; "Dataset001_A"; "--size"; "7" ]) [ "--size"; "48" ]
                    Commands.failed 1 (sample [ "roads"; "Dataset001_A"; "--cases"; "0" ]) [ "--cases" ]
                    Commands.failed 1 (convert [ "pets"; root; "Dataset001_A" ]) [ "pets"; "toothfairy" ]

                    Commands.failed
                        1
                        (convert [ "drive"; root; "Dataset001_A"; "--threshold"; "3" ])
                        [ "--threshold"; "images" ]

                    Commands.failed 1 (convert [ "drive"; root; "Dataset001_A"; "--binary" ]) [ "--binary"; "topcow" ]
                    Commands.failed 1 (convert [ "topcow"; root; "Dataset001_A"; "--modality"; "us" ]) [ "us"; "both" ]

                    Commands.failed
                        1
                        (convert [ "images"; root; "Dataset001_A"; "--background"; "white" ])
                        [ "white"; "#rrggbb" ]

                    Commands.failed
                        1
                        (convert [ "images"; root; "Dataset001_A"; "--ending"; ".jpg" ])
                        [ ".jpg"; ".png" ]

                    Commands.failed 1 (convert [ "drive"; root; "Dataset001_A" ]) [ "training/images/*_training.tif" ])
            }
        ]
