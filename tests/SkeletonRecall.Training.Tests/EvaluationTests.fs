module SkeletonRecall.Tests.EvaluationTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private dataset = Toy.dataset
let private options = Evaluation.standard

let private labels (rows: string list) : LabelMap =
    let data =
        rows
        |> List.collect (fun row -> row |> Seq.map (fun c -> int16 c - int16 '0') |> List.ofSeq)

    Volume.create (Extent.plane rows.Length rows.Head.Length) (List.toArray data)

let private one (prediction: string list) (truth: string list) : Scores =
    Evaluation.score options dataset "case" (labels prediction) (labels truth)
    |> List.exactlyOne

let private values (measures: Measure list) (scores: Scores) : float list = measures |> List.map scores.Value

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
                Expect.equal (values [ Measure.B0True; Measure.B1True ] scores) [ 1.0; 1.0 ] "one component, one hole"

                Expect.equal
                    (values [ Measure.B0Error; Measure.B1Error; Measure.B2Error ] scores)
                    [ 0.0; 0.0; 0.0 ]
                    "errors"
            }

            test "a broken ring" {
                let scores = one broken ring
                Expect.equal scores.Overlap.TruePositives 8L "hits"
                Expect.equal scores.Overlap.FalseNegatives 2L "misses"
                Expect.floatClose Accuracy.high scores.Dice (16.0 / 18.0) "Dice"
                Expect.equal (scores.Precision, scores.Recall, scores.IoU) (1.0, 0.8, 0.8) "ratios"

                Expect.equal
                    (values [ Measure.B0Error; Measure.B1Error ] scores)
                    [ 1.0; 1.0 ]
                    "one piece more, one hole fewer"
            }

            test "both empty gives NaN, one empty gives 0" {
                let ratios (scores: Scores) =
                    [ scores.Dice; scores.Precision; scores.Recall; scores.IoU; scores.ClDice ]

                Expect.isTrue (ratios (one empty empty) |> List.forall Double.IsNaN) "both"
                Expect.equal (ratios (one empty ring)) (List.replicate 5 0.0) "nothing predicted"
                Expect.equal (ratios (one ring empty)) (List.replicate 5 0.0) "nothing there"
                Expect.equal ((one empty ring).Value Measure.B0Error) 1.0 "component missed"
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
                    Evaluation.score options ignoring "case" prediction truth |> List.exactlyOne

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
                    Evaluation.score options two "case" (labels [ "12"; "00" ]) (labels [ "11"; "00" ])

                Expect.equal (scores |> List.map (fun score -> score.Label)) [ 1; 2 ] "labels"
                Expect.equal (scores |> List.map (fun score -> score.Dice)) [ 2.0 / 3.0; 0.0 ] "Dice"
            }

            test "only what is asked for is measured, and nnU-Net's own" {
                let asked =
                    { options with
                        Measures = [ Measure.ClDice ]
                    }

                let scores =
                    Evaluation.score asked dataset "case" (labels broken) (labels ring)
                    |> List.exactlyOne

                Expect.equal (List.map fst scores.Values) (Measure.ClDice :: Evaluation.required) "measures"
                Expect.isTrue (Double.IsNaN(scores.Value Measure.B0Error)) "not asked for"
            }

            test "a profile decides on empty masks and connectivity" {
                let scores (options: EvaluationOptions) prediction truth =
                    Evaluation.score options dataset "case" (labels prediction) (labels truth)
                    |> List.exactlyOne

                let topcow =
                    { options with
                        Profile = Profile.topcow
                    }

                Expect.equal (scores topcow empty empty).Dice 0.0 "nothing counts 0"
                let four = Evaluation.withPair (ConnectivityPair.dual Connectivity.Four)
                let diagonal = [ "10"; "01" ]
                Expect.equal ((scores four diagonal diagonal).Value Measure.B0True) 2.0 "corners do not join"
                Expect.equal ((scores options diagonal diagonal).Value Measure.B0True) 1.0 "corners join"
            }

            test "regions are scored whole, and stand in the summary under their labels" {
                let region name labels paint : Region =
                    {
                        Name = name
                        Labels = labels
                        Paint = paint
                    }

                let dataset =
                    { Dataset.create "Dataset001_R" [ "grey" ] [ "background", 0; "rim", 1; "core", 2 ] ".png" 1 with
                        Regions = [ region "whole" [ 1; 2 ] 1; region "core" [ 2 ] 2 ]
                    }

                let row (labels: int16 list) =
                    Volume.create (Extent.plane 1 labels.Length) (Array.ofList labels)

                let truth = row [ 0s; 1s; 2s; 2s; 1s; 0s ]
                let prediction = row [ 0s; 1s; 1s; 2s; 1s; 0s ]

                let scores = Evaluation.score Evaluation.standard dataset "case_1" prediction truth

                Expect.equal
                    (scores |> List.map (fun score -> score.Label, score.Members, score.Dice))
                    [ 1, [ 1; 2 ], 1.0; 2, [ 2 ], 2.0 / 3.0 ]
                    "Dice of regions"

                let text = Summary.json (fun case -> case + ".png", case + ".png") scores
                Expect.stringContains text "\"(1, 2)\": {" "a tuple"
                let back, _ = Summary.parse "summary.json" text |> Problem.orThrow

                Expect.equal
                    (back |> List.map (fun score -> score.Label, score.Members))
                    [ 1, [ 1; 2 ]; 2, [ 2 ] ]
                    "read again"
            }

            test "values of cases are means over their classes" {
                let score case label dice =
                    {
                        Case = case
                        Label = label
                        Members = [ label ]
                        Values = [ Measure.Dice, dice ]
                    }

                Expect.equal
                    (Evaluation.perCase _.Dice [ score "x" 1 0.25; score "x" 2 0.75; score "y" 1 0.5; score "y" 2 nan ])
                    [ "x", 0.5; "y", 0.5 ]
                    "means"
            }
        ]
