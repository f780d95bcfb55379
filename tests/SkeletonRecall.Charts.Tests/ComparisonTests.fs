module SkeletonRecall.Tests.ComparisonTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Charts

/// Scores of a case of which only Dice and the B0 error matter.
let private score (case: string) (label: int) (dice: float) (b0Error: int) : Scores =
    {
        Case = case
        Label = label
        Members = [ label ]
        Values = [ Measure.Dice, dice; Measure.B0Error, float b0Error ]
    }

let private row (name: string) (comparison: Comparison) : MeasureRow =
    comparison.Rows |> List.find (fun row -> row.Measure = name)

let private interval (low: float) (high: float) : Interval =
    {
        Mean = 0.5 * (low + high)
        Low = low
        High = high
        Count = 5
    }

[<Tests>]
let tests: Test =
    testList
        "Comparison"
        [
            test "means over cases, differences over pairs" {
                let comparison =
                    Comparison.ofScores
                        1
                        [
                            "a", [ score "x" 1 0.5 4; score "y" 1 0.7 2; score "z" 1 nan 0 ]
                            "b", [ score "y" 1 0.8 1; score "x" 1 0.6 1; score "z" 1 0.9 0 ]
                        ]

                let dice = row "Dice" comparison
                Expect.equal comparison.Cases 3 "cases"
                Expect.floatClose Accuracy.high (snd dice.Means[0]) 0.6 "NaN is left out"
                Expect.floatClose Accuracy.high (snd dice.Means[1]) (2.3 / 3.0) "second mean"
                let name, difference = List.exactlyOne dice.Differences
                Expect.equal (name, difference.Count) ("b", 2) "pairs with both values"
                Expect.floatClose Accuracy.high difference.Mean 0.1 "paired by name, not by place"

                let _, errors = List.exactlyOne (row "B0Error" comparison).Differences
                Expect.floatClose Accuracy.high errors.Mean (-4.0 / 3.0) "b0 error"
                Expect.equal errors.Count 3 "all cases"
            }

            test "classes of a case count as one value" {
                Expect.equal
                    (Comparison.perCase _.Dice [ score "x" 1 0.25 0; score "x" 2 0.75 0; score "y" 1 0.5 0 ])
                    [ "x", 0.5; "y", 0.5 ]
                    "means"
            }

            test "the same seed gives the same interval" {
                let runs =
                    [ "a", 0.1; "b", 0.3 ]
                    |> List.map (fun (run, step) ->
                        run, List.init 6 (fun index -> score (string index) 1 (step * float (index % 4)) index))

                let again = Comparison.ofScores 9 runs
                let once = Comparison.ofScores 9 runs
                Expect.equal (row "Dice" again).Differences (row "Dice" once).Differences "equal"
            }

            test "verdicts fall both ways" {
                Expect.equal (Comparison.verdict true (interval 0.1 0.2)) Better "higher, and higher is better"
                Expect.equal (Comparison.verdict true (interval -0.2 -0.1)) Worse "lower, and higher is better"
                Expect.equal (Comparison.verdict false (interval 0.1 0.2)) Worse "higher, and lower is better"
                Expect.equal (Comparison.verdict false (interval -0.2 -0.1)) Better "lower, and lower is better"
                Expect.equal (Comparison.verdict true (interval -0.1 0.2)) Unclear "0 inside"
                Expect.equal (Comparison.verdict true (interval nan nan)) Unclear "nothing compared"
            }

            test "each pair of runs has its signed-rank test" {
                let runs =
                    [
                        "a", List.init 5 (fun index -> score (string index) 1 (0.1 * float index) 0)
                        "b", List.init 5 (fun index -> score (string index) 1 (0.11 * float index + 0.01) 0)
                    ]

                let _, test = List.exactlyOne (row "Dice" (Comparison.ofScores 0 runs)).Tests
                Expect.equal (test.Count, test.P) (5, 0.0625) "all five are higher: 2 / 2^5"
            }

            test "rows are the measures that were scored and say good or bad" {
                let scores (b2: float) =
                    {
                        Case = "x"
                        Label = 1
                        Members = [ 1 ]
                        Values =
                            [
                                Measure.B2Error, b2
                                Measure.TruePositives, 5.0
                                Measure.Dice, 0.5
                                Measure.FalseNegatives, 1.0
                                Measure.B0True, 1.0
                            ]
                    }

                let names (scores: Scores) =
                    Comparison.measures [ scores ] |> List.map (fun (name, _, _, _) -> name)

                Expect.equal (names (scores 0.0)) [ "Dice" ] "no cavity anywhere"
                Expect.equal (names (scores 1.0)) [ "Dice"; "B2Error" ] "cavities"
            }

            test "one run has no differences, none has no rows" {
                Expect.isEmpty (row "Dice" (Comparison.ofScores 0 [ "a", [ score "x" 1 0.5 0 ] ])).Differences "one"
                Expect.isEmpty (Comparison.ofScores 0 []).Rows "none"
            }
        ]
