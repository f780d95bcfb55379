module SkeletonRecall.Tests.PredictionRecordTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "PredictionRecord"
        [
            test "arguments under nnU-Net's keys, in its order" {
                let text =
                    PredictionRecord.printArguments
                        {
                            Input = "images \"a\""
                            Output = "labels"
                            SaveProbabilities = true
                            Overwrite = false
                            Parts = 3
                            Part = 1
                        }

                use json = JsonDocument.Parse text
                let keys = [ for entry in json.RootElement.EnumerateObject() -> entry.Name ]

                // Those of nnU-Net 2.5's predict_from_files, as Python's sort_keys writes them.
                Expect.equal
                    keys
                    [
                        "folder_with_segs_from_prev_stage"
                        "list_of_lists_or_source_folder"
                        "num_parts"
                        "num_processes_preprocessing"
                        "num_processes_segmentation_export"
                        "output_folder_or_list_of_truncated_output_files"
                        "overwrite"
                        "part_id"
                        "save_probabilities"
                    ]
                    "keys"

                let value (key: string) = json.RootElement.GetProperty key
                Expect.equal ((value "list_of_lists_or_source_folder").GetString()) "images \"a\"" "input"
                Expect.equal ((value "num_parts").GetInt32(), (value "part_id").GetInt32()) (3, 1) "parts"
                Expect.isFalse ((value "overwrite").GetBoolean()) "overwrite"
                Expect.stringContains text "\n    \"num_parts\": 3" "an indent of 4"
            }

            test "the three files can be read again, without the training's files" {
                Toy.inFolder (fun folder ->
                    let dataset = { Toy.dataset with Files = Some [] }

                    let plans =
                        Planner.plan2d Planner.standard Toy.dataset [ Extent.plane 64 64 ]
                        |> Problem.orThrow

                    PredictionRecord.write
                        dataset
                        plans
                        {
                            Input = "images"
                            Output = folder
                            SaveProbabilities = false
                            Overwrite = true
                            Parts = 1
                            Part = 0
                        }
                    |> Problem.orThrow

                    let read = Store.readDataset folder |> Problem.orThrow
                    Expect.equal (read.Labels, read.Files) (Toy.dataset.Labels, None) "dataset.json"
                    let path = Path.Combine(folder, "plans.json")
                    Expect.equal (Plans.parse path (File.ReadAllText path)) (Ok plans) "plans.json"

                    Expect.isTrue
                        (File.Exists(Path.Combine(folder, "predict_from_raw_data_args.json")))
                        "predict_from_raw_data_args.json")
            }
        ]
