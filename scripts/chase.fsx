// dotnet build -c Release && dotnet fsi scripts/chase.fsx CHASE_DB1_FOLDER [OUTPUT] [EPOCHS] [OBJECTIVE]
#load "init.fsx"

// # Retinal vessels: CHASE_DB1
//
// The folder holds images/Image_01L.jpg ..., 1stHO/Image_01L_1stHO.png ... and 2ndHO/ with a second observer's vessels.
// Patients 06 and 07 (both eyes) are held out; the first observer is the truth.
// The data set: Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel segmentation",
// IEEE Transactions on Biomedical Engineering, 2012.

open System
open System.IO
open System.Threading
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Charts

let arguments = fsi.CommandLineArgs |> Array.skip 1

let argument (number: int) (standard: string) =
    arguments |> Array.tryItem number |> Option.defaultValue standard

if arguments.Length = 0 then
    eprintfn "chase.fsx: the folder of CHASE_DB1 is wanted, with images/, 1stHO/ and 2ndHO/"
    exit 2

let source = arguments[0]
let output = argument 1 (Path.Combine("skeleton-recall", "chase"))
let epochs = int (argument 2 "40")

let objectives =
    match argument 3 "both" with
    | "both" -> [ "dice + ce", Objective.nnunet; "+ skeleton recall", Objective.skeletonRecall ]
    | text ->
        match Objective.parse text with
        | Ok objective -> [ text, objective ]
        | Error message ->
            eprintfn "chase.fsx: %s" message
            exit 2

let roots = Store.rootsIn output
let folder = Path.Combine(roots.Raw, "Dataset020_CHASE")
let seed = 1

// ## Into nnU-Net's raw layout
//
// JPEG becomes PNG and each mask one of 0 and 1; held-out patients go to imagesTs and labelsTs.

let names =
    Directory.GetFiles(Path.Combine(source, "images"), "*.jpg")
    |> Array.map (Path.GetFileNameWithoutExtension >> string)
    |> Array.sort
    |> Array.toList

let isHeldOut (name: string) =
    name.Contains "_06" || name.Contains "_07"

let observer (number: string) (name: string) : LabelMap =
    Path.Combine(source, number, $"%s{name}_%s{number}.png")
    |> Reader.mask
    |> Problem.orThrow
    |> fst

let dataset: Dataset =
    Dataset.create
        (Store.name folder)
        [ "R"; "G"; "B" ]
        [ ("background", 0); ("vessel", 1) ]
        ".png"
        (names |> List.filter (isHeldOut >> not) |> List.length)

for name in names do
    let image =
        Reader.image [ Path.Combine(source, "images", name + ".jpg") ]
        |> Problem.orThrow

    Case.create (CaseId.ofString name) image (Some(observer "1stHO" name))
    |> Store.writeCase folder (not (isHeldOut name))
    |> Problem.orThrow

Store.writeDataset folder dataset |> Problem.orThrow
printfn $"%d{names.Length} images in %s{folder}, %d{dataset.TrainingCount} to train on"

// ## Training
//
// A 2D U-Net that two cores can train: 16 to 128 features, patches of 256 x 256, 4 in a batch.

let request (objective: Objective) : TrainRequest =
    {
        Roots = roots
        Dataset = dataset.Name
        Configuration = "2d"
        Fold = "all"
        Trainer =
            if Objective.needsSkeleton objective then
                "nnUNetTrainerSkeletonRecall"
            else
                "nnUNetTrainer"
        PlansName = "nnUNetPlans"
        Plan =
            { Planner.standard with
                BaseFeatures = 16
                MaxFeatures = 128
                PatchSize = Some [ 256; 256 ]
                BatchSize = Some 4
            }
        Train =
            { TrainOptions.standard with
                Objective = objective
                Epochs = epochs
                Iterations = 50
                ValidationIterations = 4
                SaveEvery = 10
                Seed = seed
            }
        MirrorAxes = None
        Pretrained = None
        Continue = false
        Validate = false
        SaveProbabilities = false
    }

let ids = names |> List.filter isHeldOut

let train (name: string, objective: Objective) : string * Scores list =
    let clock = Diagnostics.Stopwatch.StartNew()
    let request = request objective

    let report (progress: Progress) =
        match progress with
        | Step _ -> ()
        | Epoch report ->
            printfn
                $"%s{name}: epoch %d{report.Epoch}, loss %.4f{report.TrainLoss}, pseudo Dice %.4f{EpochReport.meanDice report}, %.0f{clock.Elapsed.TotalSeconds} s"

    let fold =
        Pipeline.train request CancellationToken.None (printfn "%s") report
        |> Problem.orThrow

    let minutes = clock.Elapsed.TotalMinutes
    let predictions = LabelFolder.ofRun output request.Trainer

    Pipeline.predict
        (PredictFolder.request [ Store.file fold RunFolder.final ] (Store.testImages folder) predictions)
        CancellationToken.None
        (fun _ _ -> ())
    |> Problem.orThrow
    |> ignore

    printfn $"%s{name}: trained in %.1f{minutes} minutes"

    name,
    [
        for id in ids do
            let prediction =
                Path.Combine(predictions, id + ".png")
                |> Reader.labels dataset
                |> Problem.orThrow
                |> fst

            yield! Evaluation.score Evaluation.standard dataset id prediction (observer "1stHO" id)
    ]

let results = objectives |> List.map train

// ## Scores on the held-out patients, and how the second observer does

let second =
    [
        for id in ids do
            yield! Evaluation.score Evaluation.standard dataset id (observer "2ndHO" id) (observer "1stHO" id)
    ]

printfn ""
printfn "%-20s  Dice    precision  recall  clDice  b0 error  b1 error" "mean of 4 images"

for name, scores in results @ [ "second observer", second ] do
    let mean (measure: Scores -> float) = Evaluation.mean measure scores

    printfn
        "%-20s  %.4f  %.4f     %.4f  %.4f  %8.2f  %8.2f"
        name
        (mean _.Dice)
        (mean _.Precision)
        (mean _.Recall)
        (mean _.ClDice)
        (mean (fun scores -> scores.Value Measure.B0Error))
        (mean (fun scores -> scores.Value Measure.B1Error))

if results.Length > 1 then
    printfn ""

    for row in (Comparison.ofScores seed results).Rows do
        for run, difference in row.Differences do
            printfn
                "%-10s %s minus baseline: %+.4f [%+.4f, %+.4f], n = %d"
                row.Measure
                run
                difference.Mean
                difference.Low
                difference.High
                difference.Count
