module SkeletonRecall.Tests.EvaluationTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private dataset = Toy.dataset
let private pair = ConnectivityPair.standard 2

let private labels (rows: string list) : LabelMap =
    let data =
        rows
        |> List.collect (fun row -> row |> Seq.map (fun c -> int16 c - int16 '0') |> List.ofSeq)

    Volume.create (Extent.plane rows.Length rows.Head.Length) (List.toArray data)

let private one (prediction: string list) (truth: string list) : Scores =
    Evaluation.score pair dataset "case" (labels prediction) (labels truth)
    |> List.exactlyOne

let private ring = [ "000000"; "011110"; "010010"; "011110"; "000000" ]
let private broken = [ "000000"; "011110"; "000000"; "011110"; "000000" ]
let private empty = List.replicate 5 "000000"

[<Tests>]
let tests =
    testList
        "Evaluation"
        [
            test "a perfect prediction" {
                let scores = one ring ring

                let ratios =
                    [ scores.Dice; scores.Precision; scores.Recall; scores.IoU; scores.ClDice ]

                Expect.equal ratios (List.replicate 5 1.0) "ratios"
                Expect.equal scores.Truth { B0 = 1; B1 = 1; B2 = 0 } "one component, one hole"
                Expect.equal (scores.B0Error, scores.B1Error, scores.B2Error) (0, 0, 0) "errors"
            }

            test "a broken ring" {
                let scores = one broken ring
                Expect.equal scores.Overlap.TruePositives 8L "hits"
                Expect.equal scores.Overlap.FalseNegatives 2L "misses"
                Expect.floatClose Accuracy.high scores.Dice (16.0 / 18.0) "Dice"
                Expect.equal (scores.Precision, scores.Recall, scores.IoU) (1.0, 0.8, 0.8) "ratios"
                Expect.equal (scores.B0Error, scores.B1Error) (1, 1) "one piece more, one hole fewer"
            }

            test "both empty gives NaN, one empty gives 0" {
                let ratios (scores: Scores) =
                    [ scores.Dice; scores.Precision; scores.Recall; scores.IoU; scores.ClDice ]

                Expect.isTrue (ratios (one empty empty) |> List.forall Double.IsNaN) "both"
                Expect.equal (ratios (one empty ring)) (List.replicate 5 0.0) "nothing predicted"
                Expect.equal (ratios (one ring empty)) (List.replicate 5 0.0) "nothing there"
                Expect.equal (one empty ring).B0Error 1 "component missed"
            }

            test "centrelines that miss each other give 0" {
                let scores = one [ "1111"; "0000"; "0000" ] [ "0000"; "0000"; "1111" ]
                Expect.equal scores.ClDice 0.0 "clDice"
            }

            test "ignored voxels count nowhere" {
                let ignoring = { dataset with Ignore = Some 2 }
                let truth = labels [ "1122"; "0022" ]
                let prediction = labels [ "1111"; "0011" ]

                let scores =
                    Evaluation.score pair ignoring "case" prediction truth |> List.exactlyOne

                Expect.equal
                    scores.Overlap
                    {
                        TruePositives = 2L
                        FalsePositives = 0L
                        FalseNegatives = 0L
                        TrueNegatives = 2L
                    }
                    "counts"

                Expect.equal scores.Dice 1.0 "Dice"
            }

            test "one score per class, in order" {
                let two =
                    { dataset with
                        Labels = [ "background", 0; "artery", 1; "vein", 2 ]
                    }

                let scores =
                    Evaluation.score pair two "case" (labels [ "12"; "00" ]) (labels [ "11"; "00" ])

                Expect.equal (scores |> List.map (fun score -> score.Label)) [ 1; 2 ] "labels"
                Expect.equal (scores |> List.map (fun score -> score.Dice)) [ 2.0 / 3.0; 0.0 ] "Dice"
            }

            test "summary.json is nnU-Net's, with NaN as a bare token" {
                let named name (scores: Scores) = { scores with Case = name }
                let scores = [ named "a" (one broken ring); named "b" (one empty empty) ]

                let text =
                    Evaluation.summaryJson (fun case -> $"/p/%s{case}.png", $"/r/%s{case}.png") scores

                let start =
                    "{\n    \"foreground_mean\": {\n        \"B0Error\": 0.5,\n        \"B1Error\": 0.5,\n        \"B2Error\": 0.0,\n        \"Dice\": 0.8888888888888888,\n        \"FN\": 1.0,\n"

                Expect.stringStarts text start "indent, order, means"
                Expect.stringContains text "\"Dice\": NaN,\n" "bare NaN"
                Expect.stringContains text "\"TP\": 8,\n" "whole counts per case"
                use document = JsonDocument.Parse(text.Replace("NaN", "null"))
                let root = document.RootElement
                let cases = root.GetProperty "metric_per_case"
                Expect.equal (cases.GetArrayLength()) 2 "cases"
                Expect.equal (cases[0].GetProperty("prediction_file").GetString()) "/p/a.png" "prediction"
                Expect.equal (cases[1].GetProperty("reference_file").GetString()) "/r/b.png" "reference"
                let mean = root.GetProperty("mean").GetProperty "1"
                Expect.equal (mean.GetProperty("n_ref").GetDouble()) 5.0 "mean of counts over both"

                let names =
                    [
                        for field in (root.GetProperty "foreground_mean").EnumerateObject() -> field.Name
                    ]

                Expect.equal names (names |> List.sortWith (fun a b -> String.CompareOrdinal(a, b))) "keys sorted"
            }

            test "a class that never occurs makes the mean over classes NaN, as nnU-Net's" {
                let text = Evaluation.summaryJson (fun case -> case, case) [ one empty empty ]
                Expect.stringContains text "\"foreground_mean\": {\n        \"B0Error\": 0.0" "counts stay"
                Expect.stringContains text "\"Dice\": NaN" "NaN"
            }
        ]
