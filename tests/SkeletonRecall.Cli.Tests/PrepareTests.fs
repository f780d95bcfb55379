module SkeletonRecall.Cli.Tests.PrepareTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// Two small volumes: the fewest that can be measured, planned and preprocessed.
let private makeDataset (root: string) (number: int) : unit =
    let extent = Extent.space 16 20 24

    let dataset =
        Dataset.create $"Dataset%03d{number}_Rods" [ "nonorm" ] [ "background", 0; "rod", 1 ] ".nii.gz" 2

    let raw = Store.file (Store.rootsIn root).Raw dataset.Name
    Store.writeDataset raw dataset |> Problem.orThrow

    for case in 1..2 do
        let labels =
            Array.init extent.Count (fun i -> if i / 24 % 20 = 7 + case && i % 24 = 9 then 1s else 0s)

        Case.create
            (CaseId.ofString $"case_%d{case}")
            (Image.create 1 extent (Array.init extent.Count (fun i -> float32 (1 + i % 11))))
            (Some(Volume.create extent labels))
        |> Store.writeCase raw true
        |> Problem.orThrow

[<Tests>]
let tests =
    testList
        "Prepare"
        [
            test "plan-and-preprocess with nnU-Net's flags, and the parts of it" {
                Commands.inFolder (fun root ->
                    makeDataset root 3

                    let all =
                        Commands.run
                            [
                                "plan-and-preprocess"
                                "-d"
                                "3"
                                "-c"
                                "2d"
                                "3d_fullres"
                                "-np"
                                "1"
                                "2"
                                "-pl"
                                "ExperimentPlanner"
                                "-gpu_memory_target"
                                "4.5"
                                "-overwrite_target_spacing"
                                "1"
                                "1.5"
                                "1"
                                "-overwrite_plans_name"
                                "fewer"
                                "-npfp"
                                "2"
                                "--verbose"
                                "--root"
                                root
                            ]

                    Expect.equal all.Error "" "no error"
                    Expect.equal all.Code 0 "code"
                    Expect.stringContains all.Output "plans fewer by ExperimentPlanner" "plans"
                    Expect.stringContains all.Output "fewer_3d_fullres: 2 cases preprocessed, 0 kept" "made"
                    Expect.stringContains all.Output "2 cases are too few for five folds: train fold all" "folds"
                    let folder = Path.Combine(root, "preprocessed", "Dataset003_Rods")
                    let there (name: string) = File.Exists(Path.Combine(folder, name))
                    Expect.isTrue (there "fewer.json") "plans file"
                    Expect.isTrue (there (Path.Combine("fewer_2d", "case_2.safetensors"))) "a case"

                    let parts =
                        [
                            [ "fingerprint"; "-d"; "Dataset003_Rods"; "-np"; "1" ]
                            [ "plan"; "-d"; Path.Combine(root, "raw", "Dataset003_Rods") ]
                            [ "preprocess"; "-d"; "003"; "-plans_name"; "nnUNetPlans"; "-c"; "3d_fullres" ]
                        ]
                        |> List.map (fun arguments -> Commands.run (arguments @ [ "--root"; root ]))

                    for part in parts do
                        Expect.equal (part.Code, part.Error) (0, "") part.Output

                    Expect.stringContains parts[0].Output "--clean measures again" "used again"
                    Expect.isTrue (there (Path.Combine("nnUNetPlans_3d_fullres", "case_1.safetensors"))) "a case")
            }

            test "folds that a data set brings are used, however few its cases, and checked" {
                Commands.inFolder (fun root ->
                    makeDataset root 3
                    let raw = Store.file (Store.rootsIn root).Raw "Dataset003_Rods"
                    let splits = Store.file raw "splits_final.json"

                    let prepare () =
                        Commands.run [ "plan-and-preprocess"; "-d"; "3"; "-c"; "2d"; "--root"; root ]

                    let ids = [ CaseId.ofString "case_1"; CaseId.ofString "case_2" ]

                    let fold (train: CaseId) (validation: CaseId) : Fold =
                        {
                            Train = [ train ]
                            Validation = [ validation ]
                        }

                    File.WriteAllText(splits, Splits.print [ fold ids[0] ids[1]; fold ids[1] ids[0] ])
                    let good = prepare ()
                    Expect.equal (good.Code, good.Error) (0, "") good.Output
                    Expect.isFalse (good.Output.Contains "too few") good.Output
                    Directory.Delete(Path.Combine(root, "preprocessed"), true)
                    File.WriteAllText(splits, Splits.print [ fold ids[0] (CaseId.ofString "case_9") ])
                    let bad = prepare ()
                    Expect.equal bad.Code 1 bad.Output
                    Expect.stringContains bad.Error "splits_final.json: got the case case_9" "message")
            }

            test "a data set that does not verify is not measured" {
                Commands.inFolder (fun root ->
                    makeDataset root 3

                    let good =
                        Commands.run [ "fingerprint"; "-d"; "3"; "--verify_dataset_integrity"; "--root"; root ]

                    Expect.equal (good.Code, good.Error) (0, "") good.Output
                    File.Delete(Path.Combine(root, "raw", "Dataset003_Rods", "labelsTr", "case_2.nii.gz"))

                    let bad =
                        Commands.run
                            [
                                "plan-and-preprocess"
                                "-d"
                                "3"
                                "--verify_dataset_integrity"
                                "--clean"
                                "--root"
                                root
                            ]

                    Expect.equal bad.Code 1 bad.Output
                    Expect.stringContains bad.Output "case_2" "the finding"
                    Expect.stringContains bad.Error "wanted one that verify finds nothing wrong with" "the end")
            }

            test "--json leaves one JSON text on the output" {
                Commands.inFolder (fun root ->
                    makeDataset root 3
                    makeDataset root 4

                    let both =
                        Commands.run [ "plan-and-preprocess"; "-d"; "3"; "4"; "-c"; "2d"; "--json"; "--root"; root ]

                    Expect.equal both.Code 0 both.Error
                    use json = JsonDocument.Parse both.Output
                    Expect.equal (json.RootElement.GetArrayLength()) 2 "data sets"
                    let second = json.RootElement[1]
                    let text (key: string) = (second.GetProperty key).GetRawText()
                    Expect.equal (text "dataset") "\"Dataset004_Rods\"" "name"
                    Expect.equal (text "cases") "2" "cases"
                    Expect.stringContains (text "preprocessed") "\"made\": 2" "made"
                    Expect.stringContains (text "configurations") "\"patch_size\"" "patch"
                    Expect.stringContains both.Error "measuring: 100 %" "progress is elsewhere")
            }

            test "every wrong flag is named with what is wanted" {
                let refused (arguments: string list) (wanted: string) =
                    let outcome = Commands.run arguments
                    Expect.notEqual outcome.Code 0 wanted
                    Expect.stringContains outcome.Error wanted "message"
                    Expect.equal (outcome.Error.TrimEnd().Split('\n').Length) 1 "one line"

                Commands.inFolder (fun root ->
                    makeDataset root 3
                    let at = [ "--root"; root ]
                    refused ([ "fingerprint" ] @ at) "--dataset"
                    refused ([ "fingerprint"; "-d"; "9" ] @ at) "the folder of data set 9 is wanted"
                    refused ([ "fingerprint"; "-d"; "3"; "-np"; "0" ] @ at) "-np: got 0; wanted 1 or more"

                    refused
                        ([ "fingerprint"; "-d"; "3"; "-fpe"; "Mine" ] @ at)
                        "-fpe: got 'Mine'; wanted DatasetFingerprintExtractor"

                    refused ([ "plan"; "-d"; "3"; "-pl"; "Mine" ] @ at) "-pl: got 'Mine'; wanted ExperimentPlanner"
                    refused ([ "plan"; "-d"; "3"; "-gpu_memory_target"; "0" ] @ at) "a number of GB above 0"

                    refused
                        ([ "plan"; "-d"; "3"; "-overwrite_target_spacing"; "1"; "2" ] @ at)
                        "-overwrite_target_spacing: got 1 2; wanted three numbers of mm above 0"

                    refused
                        ([ "plan"; "-d"; "3"; "-preprocessor_name"; "Mine" ] @ at)
                        "-preprocessor_name: got 'Mine'; wanted DefaultPreprocessor"

                    refused ([ "plan"; "-d"; "3"; "-overwrite_plans_name"; "a/b" ] @ at) "a name that can be a file's"
                    refused ([ "plan"; "-d"; "3" ] @ at) "run fingerprint"

                    refused
                        ([ "preprocess"; "-d"; "3"; "-p"; "none" ] @ at)
                        "run plan, or name others than none with -p"

                    refused
                        ([ "preprocess"; "-d"; "3"; "-c"; "2d"; "-np"; "1"; "2" ] @ at)
                        "-np: got 2 numbers for 1 configurations; wanted one number, or one for each"

                    refused
                        ([ "preprocess"; "-d"; "3"; "--memory"; "-1" ] @ at)
                        "--memory: got -1; wanted a number of GB"

                    refused ([ "preprocess"; "-d"; "3"; "--unknown" ] @ at) "unrecognized argument: '--unknown'"

                    refused ([ "preprocess"; "-d"; "3"; "-c"; "2d"; "-x" ] @ at) "unrecognized argument: '-x'")
            }
        ]
