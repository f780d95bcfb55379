module SkeletonRecall.Cli.Tests.ModelTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.space 10 18 20

// A rod that leans, brighter than what is around it, of a given class.
let private volume (number: int) : Case =
    let isRod (index: int) =
        let slice, row, column = index / 360, index / 20 % 18, index % 20
        abs (row - 5 - number - slice / 3) <= 1 && abs (column - 9) <= 1

    let labels = Array.init extent.Count (fun index -> if isRod index then 1s else 0s)

    let image =
        Image.create
            1
            extent
            (labels
             |> Array.mapi (fun index label -> float32 (40 * int label + 1 + index % 7)))

    let spacing = Spacing.ofList [ 2.0; 1.0; 1.0 ]

    Case.create
        (CaseId.ofString $"rod_%d{number}")
        { image with Spacing = spacing }
        (Some(Volume.create extent labels |> Volume.withSpacing spacing))

let private writeData (root: string) : string =
    let dataset =
        Dataset.create "Dataset004_Rods" [ "nonorm" ] [ "background", 0; "rod", 1 ] ".nii.gz" 5

    let raw = Store.file (Store.rootsIn root).Raw dataset.Name
    Store.writeDataset raw dataset |> Problem.orThrow

    for number in 1..6 do
        Store.writeCase raw (number <= 5) (volume number) |> Problem.orThrow

    raw

// The planner's network with few features, so that a test can train it.
let private shrink (root: string) : unit =
    let path =
        Store.file (Store.preprocessedFolder (Store.rootsIn root) "Dataset004_Rods") "nnUNetPlans.json"

    let plans = File.ReadAllText path |> Plans.parse path |> Problem.orThrow

    let small (configuration: Configuration) =
        { configuration with
            Architecture =
                { configuration.Architecture with
                    FeaturesPerStage = configuration.Architecture.FeaturesPerStage |> List.mapi (fun i _ -> 4 + 2 * i)
                }
        }

    { plans with
        Configurations = plans.Configurations |> Map.map (fun _ -> small)
    }
    |> Plans.print
    |> fun text -> File.WriteAllText(path, text)

let private succeeded (arguments: string list) : string =
    let outcome = Commands.run arguments
    Expect.equal outcome.Error "" $"%A{arguments}"
    Expect.equal outcome.Code 0 $"%A{arguments}"
    outcome.Output

let private failed (arguments: string list) : string =
    let outcome = Commands.run arguments
    Expect.equal outcome.Code 1 $"%A{arguments}"
    Expect.equal (outcome.Error.TrimEnd().Split('\n').Length) 1 outcome.Error
    outcome.Error

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Models of volumes"
        [
            test "planned, preprocessed, trained, validated, predicted, averaged and postprocessed" {
                Commands.inFolder (fun root ->
                    let raw = writeData root
                    let out (name: string) = Path.Combine(root, name)
                    let inRoot (arguments: string list) = arguments @ [ "--root"; root ]

                    let train (fold: string) (more: string list) =
                        [ "train"; "4"; "3d_fullres"; fold; "--epochs"; "1"; "--iterations"; "2" ]
                        @ [ "--validation-iterations"; "1"; "--batch-size"; "1" ]
                        @ more
                        |> inRoot

                    Expect.stringContains (failed (train "0" [])) "run plan-and-preprocess first" "no plans yet"

                    succeeded (inRoot [ "plan-and-preprocess"; "-d"; "4"; "-c"; "3d_fullres"; "--no_pp" ])
                    |> ignore

                    shrink root

                    // Without a preprocessed folder, cases are prepared in memory.
                    let told = succeeded (train "0" [ "--npz" ])
                    Expect.stringContains told "preprocessed now" "in memory"
                    Expect.stringContains told "Mean Validation Dice" "validation"

                    succeeded (inRoot [ "preprocess"; "-d"; "4"; "-c"; "3d_fullres" ]) |> ignore
                    let told = succeeded (train "1" [ "--mirror"; "0,1" ])
                    Expect.isFalse (told.Contains "preprocessed now") "from the store"

                    Expect.stringContains
                        (failed (inRoot [ "predict"; "-i"; raw; "-o"; out "none"; "-d"; "4" ]))
                        "trained are -tr nnUNetTrainerSkeletonRecall -p nnUNetPlans -c 3d_fullres"
                        "2d was not trained"

                    Expect.stringContains told "mirroring along axes 0, 1" "mirroring"

                    let fold =
                        Path.Combine(
                            root,
                            "results",
                            "Dataset004_Rods",
                            "nnUNetTrainerSkeletonRecall__nnUNetPlans__3d_fullres",
                            "fold_0"
                        )

                    Expect.isTrue (File.Exists(Path.Combine(fold, "validation", "summary.json"))) "summary"

                    Expect.equal
                        (Directory.GetFiles(Path.Combine(fold, "validation"), "*.npz").Length)
                        1
                        "probabilities"

                    Expect.stringContains
                        (failed (train "0" [ "--patch-size"; "16"; "16" ]))
                        "--patch-size"
                        "plans decide"

                    // Two models by the validation cases of two folds, alone and averaged.
                    succeeded (train "1" [ "--npz" ]) |> ignore

                    for fold in [ "0"; "1" ] do
                        succeeded (train fold [ "-tr"; "nnUNetTrainer"; "--npz" ]) |> ignore

                    let told = succeeded (inRoot [ "find-best-configuration"; "4"; "-f"; "0"; "1" ])
                    Expect.stringContains told "ensemble___nnUNetTrainer" "the pair"
                    Expect.stringContains told "best: " "a best one"
                    let results = Path.Combine(root, "results", "Dataset004_Rods")

                    Expect.stringContains
                        (File.ReadAllText(Path.Combine(results, "inference_instructions.txt")))
                        "skeleton-recall predict -i IMAGES"
                        "instructions"

                    use information =
                        JsonDocument.Parse(
                            File
                                .ReadAllText(Path.Combine(results, "inference_information.json"))
                                .Replace("NaN", "null")
                        )

                    Expect.equal
                        (Seq.length (information.RootElement.GetProperty("all_results").EnumerateObject()))
                        3
                        "two models and a pair"

                    Expect.stringContains
                        (failed (inRoot [ "find-best-configuration"; "4"; "-f"; "0"; "3" ]))
                        "fold 3"
                        "a fold that was not trained"

                    // The first fold again, from its own weights.
                    let weights = Path.Combine(fold, "checkpoint_final.safetensors")

                    succeeded (train "2" [ "-pretrained_weights"; weights; "--no-validation" ])
                    |> ignore

                    let images = Path.Combine(raw, "imagesTs")

                    let predict (output: string) (more: string list) =
                        [ "predict"; "-i"; images; "-o"; out output; "-d"; "4"; "-c"; "3d_fullres" ]
                        @ more
                        |> inRoot
                        |> succeeded

                    let told = predict "both" [ "-f"; "0"; "1"; "--save_probabilities" ]
                    Expect.stringContains told "fold_1" "the folds are named"
                    let file = Path.Combine(out "both", "rod_6.nii.gz")
                    let labels, place, _ = Reader.maskInPlace file |> Problem.orThrow
                    Expect.equal labels.Extent extent "the source's grid"
                    Expect.equal labels.Spacing (volume 6).Image.Spacing "the source's spacing"
                    let source = Path.Combine(images, "rod_6_0000.nii.gz")
                    let image = Reader.image [ source ] |> Problem.orThrow
                    Expect.isTrue (Geometry.near 1e-6 image.Geometry place) "the source's place"

                    let probabilities =
                        ProbabilityFile.load (Path.Combine(out "both", "rod_6.npz")) |> Problem.orThrow

                    Expect.equal (Ensemble.decide Outputs.Classes probabilities).Data labels.Data "they agree"

                    // What is there is left alone; another part has nothing to do.
                    File.WriteAllText(file, "mine")

                    predict "both" [ "-f"; "0"; "1"; "--save_probabilities"; "--continue_prediction" ]
                    |> ignore

                    Expect.equal (File.ReadAllText file) "mine" "left alone"

                    Expect.stringContains
                        (predict "part" [ "-num_parts"; "2"; "-part_id"; "1" ])
                        "0 label maps"
                        "a part"

                    predict "one" [ "-f"; "0"; "--save_probabilities" ] |> ignore
                    succeeded [ "ensemble"; "-i"; out "one"; out "one"; "-o"; out "same" ] |> ignore

                    Expect.equal
                        (Reader.mask (Path.Combine(out "same", "rod_6.nii.gz")) |> Problem.orThrow |> fst).Data
                        (Reader.mask (Path.Combine(out "one", "rod_6.nii.gz")) |> Problem.orThrow |> fst).Data
                        "an average of one"

                    let truth = Path.Combine(raw, "labelsTs")
                    succeeded [ "postprocess"; "-i"; out "one"; "-ref"; truth ] |> ignore
                    Expect.isTrue (File.Exists(Path.Combine(out "one", "postprocessed", "rod_6.nii.gz"))) "written"

                    let steps = Path.Combine(out "one", "postprocessing.json")

                    succeeded [ "postprocess"; "-i"; out "one"; "--steps"; steps; "-o"; out "again" ]
                    |> ignore

                    Expect.equal
                        (File.ReadAllBytes(Path.Combine(out "again", "rod_6.nii.gz")))
                        (File.ReadAllBytes(Path.Combine(out "one", "postprocessed", "rod_6.nii.gz")))
                        "the same again"

                    Expect.stringContains (failed [ "postprocess"; "-i"; out "one" ]) "-ref" "no use"

                    Expect.stringContains
                        (failed [ "ensemble"; "-i"; raw; "-o"; out "x" ])
                        "--save_probabilities"
                        "none"

                    Commands.expectPortable root)
            }
        ]
