// dotnet build -c Release && dotnet fsi scripts/vesselnn.fsx VESSELNN_FOLDER [OUTPUT] [EPOCHS] [OBJECTIVE]
#load "loop.fsx"

// # Vessels of the brain in stacks: vesselNN
//
// The folder holds images/NAME.tif and labels/NAME.tif: stacks of two-photon microscopy, and every vessel in them. Three stacks
// train a small 3d_fullres network, the fourth judges it. The data set: Teikari et al., "Deep learning convolutional
// networks for multiphoton microscopy vasculature segmentation", 2016.

open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

let source =
    required "vesselnn.fsx" "the folder of vesselNN, with images/ and labels/,"

let objectiveOf = objective (argument 3 "skeleton-recall")
let heldOut = "burgess2014_lowerRes_hiSNR"

let job: Job =
    {
        Roots = Store.rootsIn (argument 1 (Path.Combine("skeleton-recall", "vesselnn")))
        Dataset = "Dataset030_VesselNN"
        Configuration = "3d_fullres"
        Options =
            { TrainOptions.standard with
                Objective = objectiveOf
                Epochs = int (argument 2 "10")
                Iterations = 25
                ValidationIterations = 4
                SaveEvery = 5
                Seed = 1
            }
        Name =
            if Objective.needsSkeleton objectiveOf then
                "nnUNetTrainerSkeletonRecall"
            else
                "nnUNetTrainer"
        Fold = "0"
    }

// ## Convert: stacks become volumes, masks of any two values become 0 and 1.

let names =
    Directory.GetFiles(Path.Combine(source, "images"), "*.tif")
    |> Array.map (Path.GetFileNameWithoutExtension >> string)
    |> Array.sort
    |> List.ofArray

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
    |> Store.writeCase (raw job) true
    |> Problem.orThrow

Dataset.create job.Dataset [ "two-photon" ] [ "background", 0; "vessel", 1 ] ".nii.gz" names.Length
|> Store.writeDataset (raw job)
|> Problem.orThrow

// ## Plan and preprocess, with a split of our own

let chosen (wanted: string -> bool) =
    names |> List.filter wanted |> List.map CaseId.ofString

Store.writeText
    (Path.Combine(Store.preprocessedFolder job.Roots job.Dataset, "splits_final.json"))
    (Splits.print
        [
            {
                Train = chosen ((<>) heldOut)
                Validation = chosen ((=) heldOut)
            }
        ])
|> Problem.orThrow

prepare
    1.0
    (fun options ->
        { options with
            BaseFeatures = 8
            MaxFeatures = 64
            PatchSize = Some [ 8; 128; 128 ]
            BatchSize = Some 2
        })
    job
|> ignore

// ## Train, predict and evaluate

let trained = train true job

evaluate
    job
    (FinalValidation.truthFolder job.Roots (raw job) (dataset job))
    (Path.Combine(trained.Folder, "validation"))
|> fun scores -> table [ (job.Name, scores) ]

note $"trained in %.1f{trained.Minutes} minutes, %.0f{1000.0 * trained.SecondsPerStep} ms a step"
