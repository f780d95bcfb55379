module SkeletonRecall.Tests.PostprocessTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private map (rows: string list) : LabelMap =
    let width = rows.Head.Length

    Volume.create
        (Extent.plane rows.Length width)
        (rows
         |> String.concat ""
         |> Seq.map (fun letter -> int16 letter - int16 '0')
         |> Array.ofSeq)

let private dataset = Toy.dataset

let private decide
    (rule: PostprocessRule)
    (dataset: Dataset)
    (prediction: LabelMap)
    (truth: LabelMap)
    : Postprocessing =
    Postprocess.determine rule dataset (fun () -> Ok(prediction, truth)) [ "case", () ]
    |> Problem.orThrow

[<Tests>]
let tests =
    testList
        "Postprocess"
        [
            test "the largest component stays, through corners, and so do all of its size" {
                let many = map [ "1100010"; "0010000"; "0001000"; "2200000" ]

                Expect.equal
                    (Postprocess.keepLargest [ 1 ] many).Data
                    (map [ "1100000"; "0010000"; "0001000"; "2200000" ]).Data
                    "one goes, the other class stays"

                let tied = map [ "1100011" ]
                Expect.equal (Postprocess.keepLargest [ 1 ] tied).Data tied.Data "tied"
                let touching = map [ "1200010" ]
                Expect.equal (Postprocess.keepLargest [ 1; 2 ] touching).Data (map [ "1200000" ]).Data "a union"
                let empty = map [ "000" ]
                Expect.equal (Postprocess.keepLargest [ 1 ] empty).Data empty.Data "nothing"
                let solid = Volume.create (Extent.space 2 1 3) [| 1s; 0s; 0s; 0s; 1s; 0s |]
                Expect.equal (Postprocess.keepLargest [ 1 ] solid).Data solid.Data "26 neighbours"
            }

            test "noise is removed by both rules" {
                let truth = map [ "1111111100"; "0000000000"; "0000000000" ]
                let prediction = map [ "1111111100"; "0000000000"; "0000000001" ]

                for rule in [ PostprocessRule.Dice; PostprocessRule.Thin ] do
                    let decision = decide rule dataset prediction truth
                    Expect.equal decision.Steps [ [ 1 ] ] $"%A{rule}"
                    Expect.equal decision.After [ [ 1 ], 1.0 ] "perfect now"
            }

            test "a rule of Dice alone costs thin trees what the other rule spares" {
                // A thick trunk with a false lump, and a thin true branch that hangs on nothing.
                let truth =
                    map
                        [
                            "1111111111111111"
                            "1111111111111111"
                            "1111111111111111"
                            "0000000000000000"
                            "1111110000000000"
                            "0000000000000000"
                            "0000000000000000"
                            "0000000000000000"
                            "0000000000000000"
                        ]

                let prediction =
                    map
                        [
                            "1111111111111111"
                            "1111111111111111"
                            "1111111111111111"
                            "0000000000000000"
                            "1111110000000000"
                            "0000000000000000"
                            "0000000000001111"
                            "0000000000001111"
                            "0000000000001111"
                        ]

                Expect.equal (decide PostprocessRule.Dice dataset prediction truth).Steps [ [ 1 ] ] "Dice rises"
                Expect.equal (decide PostprocessRule.Thin dataset prediction truth).Steps [] "the branch stays"
            }

            test "with several classes, each is decided by itself after the union" {
                let two =
                    { dataset with
                        Labels = [ "background", 0; "a", 1; "b", 2 ]
                    }

                let truth = map [ "1111110000"; "0000000000"; "0000002222" ]
                let prediction = map [ "1111110000"; "0000000000"; "2000002222" ]
                let decision = decide PostprocessRule.Dice two prediction truth
                Expect.equal decision.Steps [ [ 2 ] ] "the second class alone"
                Expect.equal (List.map snd decision.After) [ 1.0; 1.0 ] "perfect now"
            }

            test "regions that overlap are judged and kept whole" {
                let region (name: string) (labels: int list) (paint: int) : Region =
                    {
                        Name = name
                        Labels = labels
                        Paint = paint
                    }

                let regions =
                    { dataset with
                        Labels = [ "background", 0; "rim", 1; "core", 2; "other", 3 ]
                        Regions = [ region "whole" [ 1; 2; 3 ] 1; region "inner" [ 2; 3 ] 2 ]
                        Ignore = Some 4
                    }

                // A false piece of the inner region within the whole one, and noise where nobody looked.
                let truth = map [ "1111111111"; "1122331111"; "1111111114" ]
                let prediction = map [ "1111111111"; "1122331121"; "1111111112" ]
                let decision = decide PostprocessRule.Dice regions prediction truth
                Expect.equal decision.Steps [ [ 2; 3 ] ] "the inner region"
                Expect.equal (List.map fst decision.Before) [ [ 1; 2; 3 ]; [ 2; 3 ] ] "by their labels"
                Expect.isGreaterThan (snd decision.After[1]) (snd decision.Before[1]) "the inner one is better"
            }

            test "a decision is written as nnU-Net writes it and read again" {
                let decision =
                    {
                        Steps = [ [ 1; 2 ]; [ 2 ] ]
                        Before = [ [ 1; 2 ], 0.5; [ 2 ], nan ]
                        After = [ [ 1; 2 ], 0.75; [ 2 ], nan ]
                    }

                let text = PostprocessFile.print decision
                Expect.equal (PostprocessFile.parse "x" text |> Problem.orThrow) decision.Steps "steps"
                Expect.stringContains text "remove_all_but_largest_component_from_segmentation" "nnU-Net's name"
                Expect.stringContains text "NaN" "Python's token"
                Expect.stringContains text "\"(1, 2)\": {\"Dice\": 0.5}" "a region's key"

                let nested =
                    "{\"postprocessing_kwargs\": [{\"labels_or_regions\": [[1, 2], 2, 3]}]}"

                Expect.equal
                    (PostprocessFile.parse "x" nested |> Problem.orThrow)
                    [ [ 1; 2; 3 ] ]
                    "nnU-Net's union of regions"

                Expect.isError (PostprocessFile.parse "x" "{}") "no steps"
                Expect.isError (PostprocessFile.parse "x" "nonsense") "no JSON"

                let theirs =
                    Golden.sharedPath [ "data"; "nnunet-json"; "msseg_full_results"; "postprocessing.json" ]

                Expect.isOk (PostprocessFile.parse theirs (System.IO.File.ReadAllText theirs)) "nnU-Net's own"
            }
        ]
