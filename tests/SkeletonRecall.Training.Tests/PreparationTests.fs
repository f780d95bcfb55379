module SkeletonRecall.Tests.PreparationTests

open System
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Tests.Rods

// As Python's json.dumps prints it, near enough: other white space and other spellings of numbers.
let private reformatted (json: string) : string =
    json.Replace("\n", "\r\n").Replace("    ", "  ")

[<Tests>]
let tests =
    testList
        "Preparation"
        [
            test "fingerprint, plans, folds, truth and cases are those of their own functions" {
                inFolder (fun _ request ->
                    let fingerprint = measured request

                    let wanted =
                        List.init 5 caseOf
                        |> List.map (Fingerprint.ofCase 5)
                        |> Fingerprint.ofMeasures dataset.Name
                        |> Problem.orThrow

                    Expect.equal fingerprint.Shapes wanted.Shapes "shapes"
                    Expect.equal fingerprint.Intensities wanted.Intensities "intensities"
                    let plans = planned request

                    Expect.equal
                        (Plans.print plans)
                        (Plans.print (Planner.ofFingerprint Planner.standard dataset fingerprint |> Problem.orThrow))
                        "plans"

                    Expect.equal
                        (counts (preprocessed request [ "2d"; "3d_fullres"; "3d_lowres" ]))
                        [ 5, 0; 5, 0 ]
                        "cases"

                    let names = [ for number in 0..4 -> $"rod_%d{number}" ]

                    Expect.equal
                        (files (target request))
                        ([ "dataset.json"; "dataset_fingerprint.json" ]
                         @ [ for name in names -> $"gt_segmentations/%s{name}.nii.gz" ]
                         @ [ "nnUNetPlans.json" ]
                         @ [ for name in names -> $"nnUNetPlans_2d/%s{name}.safetensors" ]
                         @ [ for name in names -> $"nnUNetPlans_3d_fullres/%s{name}.safetensors" ]
                         @ [ "skeleton-recall.json"; "splits_final.json" ])
                        "files, none of which Python's nnU-Net lists as a case"

                    for configuration in [ "2d"; "3d_fullres" ] do
                        let configuration = plans.Configurations[configuration]

                        for number in 0..4 do
                            // As it was read: the file holds its spacing in 32 bits.
                            let case, _ =
                                Store.readTrainingCase
                                    (Store.file request.Roots.Raw dataset.Name)
                                    dataset
                                    (CaseId.ofString $"rod_%d{number}")
                                |> Problem.orThrow

                            let wanted =
                                Preprocess.case plans.Transpose configuration dataset case |> Problem.orThrow

                            let found =
                                Store.file (target request) configuration.DataIdentifier
                                |> fun folder -> Store.labelFile folder PreprocessedStore.ending case.Id
                                |> PreprocessedStore.openCase
                                |> Result.bind PreprocessedStore.load
                                |> Problem.orThrow

                            Expect.equal found.Image wanted.Image "image"
                            Expect.equal (Option.get found.Labels).Data (Option.get wanted.Labels).Data "labels"
                            Expect.equal found.Properties wanted.Properties "properties"
                            Expect.equal found.Locations wanted.Locations "locations"

                    let folds =
                        File.ReadAllText(Store.file (target request) "splits_final.json")
                        |> Splits.parse "splits"
                        |> Problem.orThrow

                    Expect.equal folds (Splits.fiveFold (List.map CaseId.ofString names)) "folds")
            }

            test "plans of another program are left alone: the same ones are used, others are refused with the cure" {
                inFolder (fun _ request ->
                    let plans = planned request
                    let path = Store.file (target request) "nnUNetPlans.json"
                    let text = reformatted (File.ReadAllText path)
                    File.WriteAllText(path, text)
                    planned request |> ignore
                    Expect.equal (File.ReadAllText path) text "the same, written otherwise"

                    let own =
                        { plans with
                            Configurations =
                                plans.Configurations
                                |> Map.add
                                    "3d_small"
                                    { plans.Configurations["3d_fullres"] with
                                        BatchSize = 3
                                    }
                        }

                    File.WriteAllText(path, Plans.print own)
                    let kept = planned request

                    Expect.isTrue
                        (kept.Configurations.ContainsKey "3d_small")
                        "a configuration of a user's own is kept"

                    Expect.equal (File.ReadAllText path) (Plans.print own) "untouched"

                    let other =
                        { plans with
                            Configurations =
                                plans.Configurations
                                |> Map.add
                                    "3d_fullres"
                                    { plans.Configurations["3d_fullres"] with
                                        BatchSize = 7
                                    }
                        }

                    File.WriteAllText(path, Plans.print other)

                    Expect.stringContains
                        (message (Preparation.plan request Planner.standard))
                        "another name: -overwrite_plans_name when planning and -p from then on; or another --root"
                        "refused"

                    Expect.equal (File.ReadAllText path) (Plans.print other) "untouched again"

                    // The cure.
                    let named =
                        { Planner.standard with
                            PlansName = Some "ourPlans"
                        }

                    let ours = Preparation.plan request named |> Problem.orThrow
                    Expect.equal ours.Configurations["2d"].DataIdentifier "ourPlans_2d" "its own folder")
            }

            test "plans cannot lead out of the data set's folder" {
                inFolder (fun _ request ->
                    let plans = planned request
                    let path = Store.file (target request) "nnUNetPlans.json"

                    for identifier in [ "../elsewhere"; "/tmp/elsewhere"; "CON"; "a:b"; "" ] do
                        { plans with
                            Configurations =
                                plans.Configurations
                                |> Map.map (fun _ configuration ->
                                    { configuration with
                                        DataIdentifier = identifier
                                    })
                        }
                        |> Plans.print
                        |> fun text -> File.WriteAllText(path, text)

                        Expect.stringContains
                            (message (tryPreprocess request "nnUNetPlans" [ "2d" ]))
                            "wanted a name that every system takes for a file or folder"
                            identifier)
            }

            test "a fold that another program trained is refused with the cure" {
                inFolder (fun folder _ ->
                    let fold = Path.Combine(folder, "fold_0")
                    Directory.CreateDirectory fold |> ignore
                    let checkpoint = Path.Combine(fold, "checkpoint_final.pth")
                    File.WriteAllText(checkpoint, "theirs")

                    Expect.stringContains
                        (message (RunFolder.occupy fold))
                        "got checkpoint_final.pth, a model of Python's nnU-Net; wanted a folder of its own: plans of another name with -p, or another --root"
                        "refused"

                    Expect.equal (files fold) [ "checkpoint_final.pth" ] "untouched"
                    File.Delete checkpoint
                    use _free = RunFolder.occupy fold |> Problem.orThrow
                    Expect.equal (files fold) [ RunFolder.hold ] "held")
            }

            test "a fingerprint is used again, measured again on demand, and another program's is kept" {
                inFolder (fun _ request ->
                    let first = measured request
                    let path = Store.file (target request) "dataset_fingerprint.json"
                    let written = File.GetLastWriteTimeUtc path
                    Expect.equal (measured request).Shapes first.Shapes "again"
                    Expect.equal (File.GetLastWriteTimeUtc path) written "not written again"

                    let fewer =
                        { first with
                            Spacings = first.Spacings.Tail
                            Shapes = first.Shapes.Tail
                        }

                    File.WriteAllText(path, Fingerprint.print fewer)

                    Expect.stringContains
                        (message (Preparation.fingerprint request CancellationToken.None silent still))
                        "got the measures of 4 cases; wanted those of the data set's 5: measure them again with --clean"
                        "of other cases"

                    Expect.stringContains
                        (message (
                            Preparation.fingerprint { request with Clean = true } CancellationToken.None silent still
                        ))
                        "another --root"
                        "not written over")
            }

            test "what stands in the way of a plan is named with its cure" {
                inFolder (fun _ request ->
                    File.Delete(Store.file (target request) "dataset_fingerprint.json")

                    Expect.stringContains
                        (message (Preparation.plan request Planner.standard))
                        "run fingerprint"
                        "no fingerprint"

                    Expect.stringContains
                        (message (tryPreprocess request "nnUNetPlans" [ "2d" ]))
                        "run plan, or name others than nnUNetPlans with -p"
                        "no plans"

                    Expect.stringContains
                        (message (tryPreprocess request "../nnUNetPlans" [ "2d" ]))
                        "-p: got '../nnUNetPlans'; wanted a name that every system takes for a file or folder"
                        "a path for a name"

                    let raw = Store.file request.Roots.Raw dataset.Name
                    File.Delete(Path.Combine(raw, "imagesTr", "rod_2_0001.nii.gz"))

                    Expect.stringContains
                        (message (Preparation.fingerprint request CancellationToken.None silent still))
                        "rod_2"
                        "a channel is missing")
            }

            test "a data set can be named by number, name or folder" {
                inFolder (fun _ request ->
                    for name in [ "7"; "007"; dataset.Name; Store.file request.Roots.Raw dataset.Name ] do
                        let _, found =
                            Preparation.dataset { request with Dataset = name } |> Problem.orThrow

                        Expect.equal found.Name dataset.Name name)
            }

            test "fewer than five cases have no folds, and a note says so" {
                inFolder (fun _ request ->
                    let raw = Store.file request.Roots.Raw dataset.Name

                    for number in 2..4 do
                        for channel in 0..1 do
                            File.Delete(Path.Combine(raw, "imagesTr", $"rod_%d{number}_%04d{channel}.nii.gz"))

                    Store.writeDataset raw { dataset with TrainingCount = 2 } |> Problem.orThrow
                    Directory.Delete(target request, true)
                    planned request |> ignore
                    let notes = ResizeArray<string>()

                    Preparation.preprocess request "nnUNetPlans" [ "2d" ] CancellationToken.None notes.Add still
                    |> Problem.orThrow
                    |> ignore

                    Expect.contains notes "2 cases are too few for five folds: train fold all" "note"
                    Expect.isFalse (File.Exists(Store.file (target request) "splits_final.json")) "no folds")
            }
        ]
