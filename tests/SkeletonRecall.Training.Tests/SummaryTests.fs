module SkeletonRecall.Tests.SummaryTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private labels (rows: string list) : LabelMap =
    let data =
        rows
        |> List.collect (fun row -> row |> Seq.map (fun c -> int16 c - int16 '0') |> List.ofSeq)

    Volume.create (Extent.plane rows.Length rows.Head.Length) (List.toArray data)

let private one (case: string) (prediction: string list) (truth: string list) : Scores =
    Evaluation.score Evaluation.standard Toy.dataset case (labels prediction) (labels truth)
    |> List.exactlyOne

let private ring = [ "000000"; "011110"; "010010"; "011110"; "000000" ]
let private broken = [ "000000"; "011110"; "000000"; "011110"; "000000" ]
let private empty = List.replicate 5 "000000"
let private scores = [ one "a" broken ring; one "b" empty empty ]
let private files (case: string) = $"/p/%s{case}.png", $"/r/%s{case}.png"

[<Tests>]
let tests =
    testList
        "Summary"
        [
            test "summary.json is nnU-Net's, with NaN as a bare token" {
                let text = Summary.json files scores
                Expect.stringContains text "        \"Dice\": 0.8888888888888888,\n" "means leave NaN out"
                Expect.stringContains text "        \"FN\": 1.0,\n" "means of counts"
                Expect.stringContains text "\"Dice\": NaN,\n" "bare NaN"
                Expect.stringContains text "\"TP\": 8,\n" "whole counts per case"
                Expect.stringContains text "\"B0Error\": 1,\n" "whole errors per case"
                use document = JsonDocument.Parse(text.Replace("NaN", "null"))
                let root = document.RootElement
                let cases = root.GetProperty "metric_per_case"
                Expect.equal (cases.GetArrayLength()) 2 "cases"
                Expect.equal (cases[0].GetProperty("prediction_file").GetString()) "/p/a.png" "prediction"
                Expect.equal (cases[1].GetProperty("reference_file").GetString()) "/r/b.png" "reference"
                let mean = root.GetProperty("mean").GetProperty "1"
                Expect.equal (mean.GetProperty("n_ref").GetDouble()) 5.0 "mean of counts over both"
                Expect.equal (mean.GetProperty("n_pred").GetDouble()) 4.0 "mean of counts over both"

                let names =
                    [
                        for field in (root.GetProperty "foreground_mean").EnumerateObject() -> field.Name
                    ]

                Expect.equal names (names |> List.sortWith (fun a b -> String.CompareOrdinal(a, b))) "keys sorted"

                for measure in Evaluation.required @ Evaluation.standard.Measures do
                    Expect.contains names (Measure.print measure) "every measure by its name"
            }

            test "a class that never occurs makes the mean over classes NaN, as nnU-Net's" {
                let text = Summary.json files [ one "a" empty empty ]
                Expect.stringContains text "\"foreground_mean\": {\n        \"B0Error\": 0.0" "counts stay"
                Expect.stringContains text "\"Dice\": NaN" "NaN"
            }

            test "what was written is read again" {
                let read, found =
                    Summary.parse "summary.json" (Summary.json files scores) |> Problem.orThrow

                Expect.equal (read |> List.map (fun score -> score.Case, score.Label)) [ "a", 1; "b", 1 ] "cases"
                Expect.equal found (Map.ofList [ "a", files "a"; "b", files "b" ]) "files"

                for written, read in List.zip scores read do
                    for measure, value in written.Values do
                        Expect.isTrue (value.Equals(read.Value measure)) $"%s{written.Case}, %s{Measure.print measure}"
            }

            test "nnU-Net's own file is read, regions and unknown names left out" {
                let text =
                    """{"foreground_mean": {"Dice": NaN}, "mean": {}, "metric_per_case": [{"metrics":
                    {"1": {"Dice": 0.5, "Sharpness": 3}, "(1, 2)": {"Dice": 0.25}},
                    "prediction_file": "/a \"NaN\"/case_1.png", "reference_file": "/b/case_1.png"}]}"""

                let scores, found = Summary.parse "summary.json" text |> Problem.orThrow

                Expect.equal
                    scores
                    [
                        {
                            Case = "case_1"
                            Label = 1
                            Members = [ 1 ]
                            Values = [ Measure.Dice, 0.5 ]
                        }
                        {
                            Case = "case_1"
                            Label = 2
                            Members = [ 1; 2 ]
                            Values = [ Measure.Dice, 0.25 ]
                        }
                    ]
                    "scores"

                Expect.equal found["case_1"] ("/a \"NaN\"/case_1.png", "/b/case_1.png") "NaN in a text stays"
            }

            test "other files are problems that name them" {
                for text in [ "no JSON"; "{}"; "[]"; "{\"metric_per_case\": [3]}" ] do
                    match Summary.parse "x/summary.json" text with
                    | Error(Unreadable(path, _)) -> Expect.equal path "x/summary.json" text
                    | other -> failtest $"%s{text}: %A{other}"
            }

            test "the table has a line per case and class, and quotes names" {
                let lines = (Summary.table [ one "a,\"b\"" broken ring ]).TrimEnd().Split '\n'
                Expect.equal lines.Length 2 "heading and one line"
                Expect.stringStarts lines[0] "case,label,Dice,IoU," "heading"
                Expect.stringStarts lines[1] "\"a,\"\"b\"\"\",1,0.8888888888888888,0.8," "values"
                Expect.equal (lines[0].Split(',').Length + 1) (lines[1].Split(',').Length) "fields"
            }
        ]
