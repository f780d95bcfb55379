module SkeletonRecall.Tests.CurvesTests

open System.Text.Json
open Expecto
open SkeletonRecall.Training
open SkeletonRecall.Charts

let private run (name: string) (terms: string list) : Run =
    {
        Name = name
        Objective = "dice + ce"
        History = Samples.history 3 4 terms
    }

let private traces (curve: Curve) : JsonElement list =
    use document = JsonDocument.Parse(Curves.json curve.Chart)

    [
        for trace in document.RootElement.GetProperty("data").EnumerateArray() -> trace.Clone()
    ]

let private drawn (curve: Curve option) : Curve = Expect.wantSome curve "a chart"

let private single (curves: Curve list) : Curve =
    Expect.hasLength curves 1 "charts"
    curves.Head

let private names (curve: Curve) : string list =
    traces curve
    |> List.map (fun trace -> trace.GetProperty("name").GetString() |> string)

[<Tests>]
let tests: Test =
    testList
        "Curves"
        [
            test "loss has training and validation of each run" {
                let curve = single (Curves.loss [ run "a" []; run "b" [] ])
                Expect.equal (names curve) [ "a, training"; "a, validation"; "b, training"; "b, validation" ] "names"
            }

            test "values and epochs arrive as they are" {
                let run = run "a" []
                let trace = traces (single (Curves.loss [ run ])) |> List.head

                let numbers (key: string) =
                    [ for value in trace.GetProperty(key).EnumerateArray() -> value.GetDouble() ]

                Expect.equal (numbers "x") [ 1.0; 2.0; 3.0; 4.0 ] "epochs from 1"
                Expect.equal (numbers "y") (run.History |> List.map _.TrainLoss) "losses"
            }

            test "a run without validation has no dashed line" {
                let silent =
                    { run "a" [] with
                        History =
                            Samples.history 1 3 []
                            |> List.map (fun report -> { report with ValidationLoss = nan })
                    }

                let curve = single (Curves.loss [ silent ])
                Expect.equal (names curve) [ "a, training" ] "names"
                Expect.isFalse (curve.Caption.Contains "Dashed") "no word of a dashed line"
            }

            test "losses of different objectives are apart" {
                let other =
                    { run "c" [] with
                        Objective = "dice + cldice"
                    }

                let curves = Curves.loss [ run "a" []; other; run "b" [] ]

                Expect.equal
                    (curves |> List.map (fun curve -> curve.Title, names curve))
                    [
                        "Loss: dice + ce", [ "a, training"; "a, validation"; "b, training"; "b, validation" ]
                        "Loss: dice + cldice", [ "c, training"; "c, validation" ]
                    ]
                    "charts"
            }

            test "a chart per term, with the runs that have it" {
                let curves =
                    Curves.terms [ run "a" [ "dice"; "ce" ]; run "b" [ "dice"; "skeleton-recall" ] ]

                Expect.equal
                    (curves |> List.map (fun curve -> curve.Title, names curve))
                    [
                        "Term: dice", [ "a"; "b" ]
                        "Term: ce", [ "a" ]
                        "Term: skeleton-recall", [ "b" ]
                    ]
                    "terms"
            }

            test "a run keeps its colour in every chart" {
                let curves = Curves.all [ run "a" [ "dice" ]; run "b" [ "skeleton-recall" ] ]

                for curve in curves do
                    for trace in traces curve do
                        let name = trace.GetProperty("name").GetString() |> string
                        let colour = trace.GetProperty("line").GetProperty("color").GetString() |> string

                        let wanted =
                            if name.StartsWith 'a' then
                                "rgba(47, 134, 201, 1.0)"
                            else
                                "rgba(207, 110, 20, 1.0)"

                        Expect.equal colour wanted $"%s{curve.Title}, %s{name}"
            }

            test "colours start again after the last, and never fail" {
                Expect.equal (Curves.colour 0) (Curves.colour 4) "again"
                Expect.stringStarts (Curves.colour -1) "#" "negative"
            }

            test "no history, no charts" { Expect.isEmpty (Curves.all [ { run "a" [] with History = [] } ]) "charts" }

            test "names cannot leave the script element, nor be markup in the chart" {
                let text = Curves.json (drawn (Curves.pseudoDice [ run "</script><b>x" [] ])).Chart
                Expect.isFalse (text.Contains '<') "no angle bracket"
                Expect.equal (names (drawn (Curves.pseudoDice [ run "<b>x" [] ]))) [ "&lt;b&gt;x" ] "encoded for plotly"
            }

            test "values that are not finite still make JSON" {
                let broken =
                    { run "a" [] with
                        History =
                            Samples.history 1 3 []
                            |> List.mapi (fun index report ->
                                { report with
                                    TrainLoss = (if index = 1 then nan else 0.5)
                                })
                    }

                Expect.hasLength (traces (single (Curves.loss [ broken ]))) 2 "both lines"
            }

            test "a description tells first and last value" {
                let history = Samples.history 1 3 []
                let curve = drawn (Curves.pseudoDice [ { run "a" [] with History = history } ])
                Expect.stringContains curve.Description "at epoch 1" "first"
                Expect.stringContains curve.Description "at epoch 3." "last"
            }
        ]
