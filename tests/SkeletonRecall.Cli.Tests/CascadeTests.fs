module SkeletonRecall.Cli.Tests.CascadeTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.space 20 36 40

// A bright rod that leans and a brighter ball, classes 1 and 2.
let private volume (number: int) : Case =
    let label (index: int) : int16 =
        let slice, row, column = index / 1440, index / 40 % 36, index % 40

        let fromBall =
            pown (slice - 10) 2 + pown (row - 25) 2 + pown (column - 8 - number) 2

        if abs (row - 8 - slice / 3) <= 2 && abs (column - 18 - number) <= 2 then
            1s
        elif fromBall <= 20 then
            2s
        else
            0s

    let labels = Array.init extent.Count label

    let grey =
        labels
        |> Array.mapi (fun index label -> float32 (40 * int label + 1 + index % 7))

    let spacing = Spacing.ofList [ 2.0; 1.0; 1.0 ]

    Case.create
        (CaseId.ofString $"rod_%d{number}")
        { Image.create 1 extent grey with
            Spacing = spacing
        }
        (Some(Volume.create extent labels |> Volume.withSpacing spacing))

let private name = "Dataset006_Cascade"

let private writeData (root: string) : string =
    let dataset =
        Dataset.create name [ "grey" ] [ "background", 0; "rod", 1; "ball", 2 ] ".nii.gz" 5

    let raw = Store.file (Store.rootsIn root).Raw dataset.Name
    Store.writeDataset raw dataset |> Problem.orThrow

    for number in 1..6 do
        Store.writeCase raw (number <= 5) (volume number) |> Problem.orThrow

    raw

// The planner's own cascade, of patches and networks that a test can train.
let private plan (root: string) : unit =
    let prepare: PrepareRequest =
        {
            Roots = Store.rootsIn root
            Dataset = name
            Workers = 1
            Memory = Preparation.standardMemory
            Clean = false
        }

    let stop = System.Threading.CancellationToken.None

    Preparation.fingerprint prepare stop ignore (fun _ _ -> ())
    |> Problem.orThrow
    |> ignore

    let plans =
        Preparation.plan
            prepare
            { Planner.standard with
                BaseFeatures = 4
                MaxFeatures = 12
                PatchSize = Some [ 8; 16; 16 ]
                BatchSize = Some 1
            }
        |> Problem.orThrow

    Expect.equal plans.Configurations["3d_lowres"].NextStages [ "3d_cascade_fullres" ] "a first stage"
    Expect.equal plans.Configurations["3d_cascade_fullres"].PreviousStage (Some "3d_lowres") "a second one"

let private output (arguments: string list) : string = (Commands.succeeded arguments).Output

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Cascade"
        [
            test "both stages are trained, validated, chosen and predicted" {
                Commands.inFolder (fun root ->
                    let raw = writeData root
                    let out (name: string) = Path.Combine(root, name)
                    let inRoot (arguments: string list) = arguments @ [ "--root"; root ]

                    let train (configuration: string) (fold: string) (more: string list) =
                        [ "train"; "6"; configuration; fold; "--epochs"; "1"; "--iterations"; "2" ]
                        @ [ "--validation-iterations"; "1"; "--mirror"; "none" ]
                        @ more
                        |> inRoot

                    let model (configuration: string) =
                        Path.Combine(
                            root,
                            "results",
                            name,
                            $"nnUNetTrainerSkeletonRecall__nnUNetPlans__%s{configuration}"
                        )

                    plan root

                    // The first fold leaves its one validation case to the second stage; the others are missed.
                    let told = output (train "3d_lowres" "0" [])
                    Expect.stringContains told "predicting the validation cases for 3d_cascade_fullres" "told"

                    let left () =
                        Directory.GetFiles(NextStage.folder (model "3d_lowres") "3d_cascade_fullres")

                    Expect.equal (left ()).Length 1 "one case"

                    Commands.failed
                        1
                        (train "3d_cascade_fullres" "0" [])
                        [ "predicted_next_stage"; "train all folds of 3d_lowres" ]

                    output (train "3d_lowres" "all" []) |> ignore
                    Expect.equal (left ()).Length 5 "all cases"

                    // In memory, and from the preprocessed folder that the second stage shares with the full resolution.
                    let told = output (train "3d_cascade_fullres" "0" [ "--npz" ])
                    Expect.stringContains told "preprocessed now" "in memory"
                    Expect.stringContains told "Mean Validation Dice" "validated"

                    output (inRoot [ "preprocess"; "-d"; "6"; "-c"; "3d_fullres" ]) |> ignore

                    let told =
                        output (train "3d_cascade_fullres" "1" [ "--skeletons"; "cached"; "--validate-every"; "1" ])

                    Expect.isFalse (told.Contains "preprocessed now") "from the store"

                    let checkpoint =
                        Path.Combine(model "3d_cascade_fullres", "fold_0", RunFolder.final)
                        |> Checkpoint.load
                        |> Problem.orThrow

                    Expect.equal checkpoint.Configuration.PreviousStage (Some "3d_lowres") "the checkpoint says it"
                    Expect.equal checkpoint.Weights.Head.Shape[1] 3 "the image and two labels"

                    // What the first stage left is the size of the case that the second sees.
                    let stage = left () |> Array.head |> PreprocessedStore.openCase |> Problem.orThrow
                    let file = Path.GetFileName stage.Path |> string

                    let case =
                        Path.Combine(root, "preprocessed", name, "nnUNetPlans_3d_fullres", file)
                        |> PreprocessedStore.openCase
                        |> Problem.orThrow

                    Expect.equal stage.Extent case.Extent "size"
                    Expect.equal stage.Spacing case.Spacing "spacing"

                    let images = Path.Combine(raw, "imagesTs")

                    let predict (configuration: string) (output: string) (more: string list) =
                        [ "predict"; "-i"; images; "-o"; out output; "-d"; "6"; "-c"; configuration ]
                        @ more
                        |> inRoot

                    Commands.failed
                        1
                        (predict "3d_cascade_fullres" "alone" [ "-f"; "0" ])
                        [ "3d_lowres"; "-prev_stage_predictions" ]

                    Commands.failed
                        1
                        (predict "3d_lowres" "odd" [ "-f"; "0"; "-prev_stage_predictions"; out "low" ])
                        [ "no second stage" ]

                    Commands.failed
                        1
                        (predict "3d_cascade_fullres" "odd" [ "-f"; "0"; "-prev_stage_predictions"; out "nothing" ])
                        [ "rod_6.nii.gz"; "first stage" ]

                    output (predict "3d_lowres" "low" [ "-f"; "0" ]) |> ignore

                    let second (from: string) (output: string) =
                        predict
                            "3d_cascade_fullres"
                            output
                            [ "-f"; "0"; "-prev_stage_predictions"; from; "--save_probabilities" ]

                    output (second (out "low") "second") |> ignore
                    output (second (Path.Combine(raw, "labelsTs")) "other") |> ignore

                    let probabilities (folder: string) =
                        (ProbabilityFile.load (Path.Combine(out folder, "rod_6.npz")) |> Problem.orThrow).Data

                    Expect.notEqual (probabilities "second") (probabilities "other") "the first stage is looked at"

                    let labels, place, _ =
                        Reader.maskInPlace (Path.Combine(out "second", "rod_6.nii.gz"))
                        |> Problem.orThrow

                    Expect.equal labels.Extent extent "the source's grid"

                    let source =
                        Reader.image [ Path.Combine(images, "rod_6_0000.nii.gz") ] |> Problem.orThrow

                    Expect.isTrue (Geometry.near 1e-6 source.Geometry place) "the source's place"

                    // How to predict names both stages.
                    output (inRoot [ "find-best-configuration"; "6"; "-f"; "0"; "-c"; "3d_cascade_fullres" ])
                    |> ignore

                    let instructions =
                        File.ReadAllLines(Path.Combine(root, "results", name, "inference_instructions.txt"))

                    Expect.stringContains instructions[0] "-c 3d_lowres" "the first stage first"

                    Expect.stringContains
                        instructions[1]
                        "-c 3d_cascade_fullres -f 0 -prev_stage_predictions OUTPUT_3d_lowres"
                        "then the second"

                    Commands.failed
                        1
                        (inRoot
                            [
                                "weigh"
                                "6"
                                "--checkpoint"
                                Path.Combine(model "3d_cascade_fullres", "fold_0", RunFolder.final)
                            ])
                        [ "second stage" ])
            }
        ]
