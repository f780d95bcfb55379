// dotnet build -c Release && dotnet fsi scripts/vesselnn.fsx VESSELNN_FOLDER [OUTPUT] [EPOCHS] [OBJECTIVE]
#load "init.fsx"

// # Vessels of the brain in stacks: vesselNN
//
// The folder holds images/NAME.tif and labels/NAME.tif: stacks of two-photon microscopy, and every vessel in them. Three stacks
// train a small 3d_fullres network, the fourth judges it. The data set: Teikari et al., "Deep learning convolutional
// networks for multiphoton microscopy vasculature segmentation", 2016.

open System
open System.IO
open System.Threading
open SkeletonRecall
open SkeletonRecall.Training

let arguments = fsi.CommandLineArgs |> Array.skip 1

let argument (number: int) (standard: string) =
    arguments |> Array.tryItem number |> Option.defaultValue standard

if arguments.Length = 0 then
    eprintfn "vesselnn.fsx: the folder of vesselNN is wanted, with images/ and labels/"
    exit 2

let source = arguments[0]
let output = argument 1 (Path.Combine("skeleton-recall", "vesselnn"))
let epochs = int (argument 2 "10")

let objective =
    match Objective.parse (argument 3 "skeleton-recall") with
    | Ok objective -> objective
    | Error message ->
        eprintfn "vesselnn.fsx: %s" message
        exit 2

let note (text: string) = printfn "%s" text
let roots = Store.rootsIn output
let heldOut = "burgess2014_lowerRes_hiSNR"

// ## Convert: stacks become volumes, masks of any two values become 0 and 1.

let names =
    Directory.GetFiles(Path.Combine(source, "images"), "*.tif")
    |> Array.map (Path.GetFileNameWithoutExtension >> string)
    |> Array.sort
    |> List.ofArray

let dataset =
    Dataset.create "Dataset030_VesselNN" [ "two-photon" ] [ "background", 0; "vessel", 1 ] ".nii.gz" names.Length

let raw = Path.Combine(roots.Raw, dataset.Name)

for name in names do
    let file (kind: string) =
        Path.Combine(source, kind, $"%s{name}.tif")

    let image = Reader.image [ file "images" ] |> Problem.orThrow

    let labels =
        Reader.mask (file "labels")
        |> Problem.orThrow
        |> fst
        |> Volume.map (fun value -> if value > 0s then 1s else 0s)

    // A stack does not say how far apart its slices are; both are taken as voxels of 1 mm.
    Case.create
        (CaseId.ofString name)
        { Image.create 1 image.Extent image.Data with
            Spacing = Spacing.unit 3
        }
        (Some(Volume.create labels.Extent labels.Data))
    |> Store.writeCase raw true
    |> Problem.orThrow

Store.writeDataset raw dataset |> Problem.orThrow

// ## Plan and preprocess, with a split of our own

let prepare: PrepareRequest =
    {
        Roots = roots
        Dataset = dataset.Name
        Workers = 1
        Memory = Preparation.standardMemory
        Clean = false
    }

Preparation.fingerprint prepare CancellationToken.None note (fun _ _ -> ())
|> Problem.orThrow
|> ignore

let plans =
    Preparation.plan
        prepare
        { Planner.standard with
            BaseFeatures = 8
            MaxFeatures = 64
            PatchSize = Some [ 8; 128; 128 ]
            BatchSize = Some 2
        }
    |> Problem.orThrow

let chosen (wanted: string -> bool) =
    names |> List.filter wanted |> List.map CaseId.ofString

Store.writeText
    (Path.Combine(Store.preprocessedFolder roots dataset.Name, "splits_final.json"))
    (Splits.print
        [
            {
                Train = chosen ((<>) heldOut)
                Validation = chosen ((=) heldOut)
            }
        ])
|> Problem.orThrow

Preparation.preprocess prepare plans.PlansName [ "3d_fullres" ] CancellationToken.None note (fun _ _ -> ())
|> Problem.orThrow
|> ignore

// ## Train, predict and evaluate

let clock = Diagnostics.Stopwatch.StartNew()

let request: TrainRequest =
    {
        Roots = roots
        Dataset = dataset.Name
        Configuration = "3d_fullres"
        Fold = "0"
        Trainer =
            if Objective.needsSkeleton objective then
                "nnUNetTrainerSkeletonRecall"
            else
                "nnUNetTrainer"
        PlansName = plans.PlansName
        Plan = Planner.standard
        Train =
            { TrainOptions.standard with
                Objective = objective
                Epochs = epochs
                Iterations = 25
                ValidationIterations = 4
                SaveEvery = 5
                Seed = 1
            }
        MirrorAxes = None
        Pretrained = None
        Continue = false
        Validate = true
        SaveProbabilities = false
    }

let fold =
    Pipeline.train request CancellationToken.None note (fun progress ->
        match progress with
        | Step _ -> ()
        | Epoch report ->
            printfn
                $"epoch %d{report.Epoch}, loss %.4f{report.TrainLoss}, pseudo Dice %.4f{EpochReport.meanDice report}, %.0f{clock.Elapsed.TotalSeconds} s")
    |> Problem.orThrow

let summary = LabelFolder.summary (Path.Combine(fold, "validation"))

let scores, _ = File.ReadAllText summary |> Summary.parse summary |> Problem.orThrow

for score in scores do
    printfn
        $"%s{score.Case}: Dice %.4f{score.Dice}, clDice %.4f{score.ClDice}, b0 error %.0f{score.Value Measure.B0Error}, %.1f{clock.Elapsed.TotalMinutes} min"
