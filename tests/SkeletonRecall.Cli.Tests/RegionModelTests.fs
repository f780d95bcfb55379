module SkeletonRecall.Cli.Tests.RegionModelTests

open System
open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private name = "Dataset007_Regions"

// A trunk of label 1 with a core of label 2 in it, a tip of label 3, and a corner that nobody annotated (4).
let private case (number: int) : Case =
    let extent = Extent.plane 48 48

    let label (index: int) : int16 =
        let row, column = index / 48, index % 48

        if row < 8 && column < 8 then 4s
        elif abs (row - 20 - number) <= 1 && column < 40 then 2s
        elif abs (row - 20 - number) <= 4 && column < 40 then 1s
        elif abs (row - 20 - number) <= 2 && column < 45 then 3s
        else 0s

    let labels = Array.init extent.Count label

    let grey =
        labels
        |> Array.mapi (fun index label -> float32 (60 * int (label % 4s) + index % 5))

    Case.create (CaseId.ofString $"tree_%d{number}") (Image.create 1 extent grey) (Some(Volume.create extent labels))

let private region (name: string) (labels: int list) (paint: int) : Region =
    {
        Name = name
        Labels = labels
        Paint = paint
    }

// Regions that overlap, in the order in which they are painted over one another.
let private dataset: Dataset =
    { Dataset.create name [ "grey" ] [ "background", 0; "label 1", 1; "core", 2; "label 3", 3 ] ".png" 5 with
        Regions =
            [
                region "tree" [ 1; 2; 3 ] 1
                region "inner" [ 2; 3 ] 3
                region "core" [ 2 ] 2
            ]
        Ignore = Some 4
    }

// The same tree through every slice of a volume.
let private volume (number: int) : Case =
    let plane = case number
    let extent = Extent.space 12 48 48
    let slices (data: 'T[]) = Array.concat (Array.replicate 12 data)

    Case.create
        plane.Id
        (Image.create 1 extent (slices plane.Image.Data))
        (Some(Volume.create extent (slices plane.Labels.Value.Data)))

let private output (arguments: string list) : string = (Commands.succeeded arguments).Output

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Models of regions"
        [
            test "overlapping regions with an ignore label are trained, chosen, averaged and postprocessed" {
                Commands.inFolder (fun root ->
                    let raw = Store.file (Store.rootsIn root).Raw name
                    Store.writeDataset raw dataset |> Problem.orThrow

                    for number in 1..6 do
                        Store.writeCase raw (number < 6) (case number) |> Problem.orThrow

                    let inRoot (arguments: string list) = arguments @ [ "--root"; root ]

                    let train (fold: string) (trainer: string) =
                        [
                            "train"
                            "7"
                            "2d"
                            fold
                            "-tr"
                            trainer
                            "--epochs"
                            "3"
                            "--iterations"
                            "25"
                        ]
                        @ [
                            "--validation-iterations"
                            "1"
                            "--patch-size"
                            "32"
                            "32"
                            "--batch-size"
                            "4"
                        ]
                        @ [ "--base-features"; "8"; "--max-features"; "16"; "--npz"; "--threads"; "1" ]
                        |> inRoot
                        |> output
                        |> ignore

                    for fold in [ "0"; "1" ] do
                        train fold "nnUNetTrainer"
                        train fold "nnUNetTrainerSkeletonRecall"

                    let told =
                        output (inRoot [ "find-best-configuration"; "7"; "-f"; "0"; "1"; "--rule"; "dice" ])

                    Expect.stringContains told "ensemble___nnUNetTrainer" "the pair"
                    let results = Path.Combine(root, "results", name)

                    use information =
                        JsonDocument.Parse(
                            File
                                .ReadAllText(Path.Combine(results, "inference_information.json"))
                                .Replace("NaN", "null")
                        )

                    let best = information.RootElement.GetProperty "best_model_or_ensemble"
                    let file = best.GetProperty("postprocessing_file").GetString() |> string
                    use decision = JsonDocument.Parse((File.ReadAllText file).Replace("NaN", "null"))

                    Expect.equal
                        [
                            for entry in
                                decision.RootElement.GetProperty("input_folder").GetProperty("mean").EnumerateObject() ->
                                entry.Name
                        ]
                        [ "(1, 2, 3)"; "(2, 3)"; "2" ]
                        "regions under nnU-Net's keys"

                    let all =
                        [
                            for entry in information.RootElement.GetProperty("all_results").EnumerateObject() ->
                                entry.Value.GetDouble()
                        ]

                    Expect.equal all.Length 3 "two models and a pair"
                    Expect.all all (fun dice -> dice > 0.3 && dice <= 1.0) $"they have learned: %A{all}"

                    // What is painted are labels of the data set, and never the ignore label.
                    let predict (trainer: string) (folder: string) =
                        [
                            "predict"
                            "-i"
                            Path.Combine(raw, "imagesTs")
                            "-o"
                            Path.Combine(root, folder)
                        ]
                        @ [ "-d"; "7"; "-tr"; trainer; "-f"; "0"; "--save_probabilities" ]
                        |> inRoot
                        |> output
                        |> ignore

                    predict "nnUNetTrainer" "one"
                    predict "nnUNetTrainerSkeletonRecall" "two"
                    let both = Path.Combine(root, "both")

                    output
                        [
                            "ensemble"
                            "-i"
                            Path.Combine(root, "one")
                            Path.Combine(root, "two")
                            "-o"
                            both
                        ]
                    |> ignore

                    let labels =
                        Reader.mask (Path.Combine(both, "tree_6.png")) |> Problem.orThrow |> fst

                    Expect.all labels.Data (fun label -> label >= 0s && label <= 3s) "labels"
                    Expect.contains labels.Data 2s "the core is found"

                    // A false piece of the core, far from the rest.
                    let noisy =
                        labels.Data
                        |> Array.mapi (fun index label -> if index / 48 >= 46 && index % 48 < 3 then 2s else label)

                    Reader.writeLabels (Path.Combine(both, "tree_6.png")) (Volume.create labels.Extent noisy)
                    |> Problem.orThrow

                    let truth = Path.Combine(raw, "labelsTs")

                    let told = output [ "postprocess"; "-i"; both; "-ref"; truth; "--rule"; "dice" ]

                    Expect.stringContains told "all but the largest component" "noise goes"
                    Expect.stringContains told "class (2, 3)" "by region"

                    let cleaned =
                        Reader.mask (Path.Combine(both, "postprocessed", "tree_6.png"))
                        |> Problem.orThrow
                        |> fst

                    Expect.equal cleaned.Data[47 * 48] 0s "it is gone"
                    let again = Path.Combine(root, "again")
                    let steps = Path.Combine(both, "postprocessing.json")
                    output [ "postprocess"; "-i"; both; "--steps"; steps; "-o"; again ] |> ignore

                    Expect.equal
                        (Reader.mask (Path.Combine(again, "tree_6.png")) |> Problem.orThrow |> fst).Data
                        cleaned.Data
                        "the decision is followed")
            }

            test "overlapping regions with an ignore label are trained and predicted in volumes" {
                Commands.inFolder (fun root ->
                    let dataset = { dataset with FileEnding = ".nii.gz" }
                    let raw = Store.file (Store.rootsIn root).Raw name
                    Store.writeDataset raw dataset |> Problem.orThrow

                    for number in 1..6 do
                        Store.writeCase raw (number < 6) (volume number) |> Problem.orThrow

                    let request: PrepareRequest =
                        {
                            Roots = Store.rootsIn root
                            Dataset = name
                            Workers = 1
                            Memory = Preparation.standardMemory
                            Clean = false
                        }

                    Preparation.fingerprint request Threading.CancellationToken.None ignore (fun _ _ -> ())
                    |> Problem.orThrow
                    |> ignore

                    Preparation.plan
                        request
                        { Planner.standard with
                            BaseFeatures = 8
                            MaxFeatures = 16
                            PatchSize = Some [ 8; 32; 32 ]
                            BatchSize = Some 2
                        }
                    |> Problem.orThrow
                    |> ignore

                    let told =
                        [ "train"; "7"; "3d_fullres"; "all"; "--epochs"; "3"; "--iterations"; "20" ]
                        @ [
                            "--validation-iterations"
                            "1"
                            "--threads"
                            "1"
                            "--root"
                            root
                            "--mirror"
                            "none"
                        ]
                        |> output

                    Expect.stringContains told "Mean Validation Dice" "validated"

                    [
                        "predict"
                        "-i"
                        Path.Combine(raw, "imagesTs")
                        "-o"
                        Path.Combine(root, "labels")
                    ]
                    @ [ "-d"; "7"; "-c"; "3d_fullres"; "-f"; "all"; "--root"; root ]
                    |> output
                    |> ignore

                    let labels =
                        Reader.mask (Path.Combine(root, "labels", "tree_6.nii.gz"))
                        |> Problem.orThrow
                        |> fst

                    Expect.all labels.Data (fun label -> label >= 0s && label <= 3s) "labels"

                    let scores =
                        Evaluation.score Evaluation.standard dataset "tree_6" labels (volume 6).Labels.Value

                    Expect.isGreaterThan scores.Head.Dice 0.5 "the tree is found")
            }
        ]
