// dotnet build -c Release && dotnet fsi scripts/cross-validation.fsx ROOT [DATASET] [CONFIGURATION] [EPOCHS] [ITERATIONS] [OBJECTIVE] [MEMORY]
#load "loop.fsx"

// # Five folds
//
// Every case of a data set in ROOT/raw is predicted by the network that was not trained on it; the table has the mean over all cases
// and its 95 % interval.

open System
open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

let roots =
    Store.rootsIn (required "cross-validation.fsx" "a folder with a raw data set, ROOT/raw/DatasetNNN_NAME,")

let objectiveOf = objective (argument 5 "skeleton-recall")

let job: Job =
    {
        Roots = roots
        Dataset = Store.datasetFolder roots (argument 1 "1") |> Problem.orThrow |> Store.name
        Configuration = argument 2 "2d"
        Options =
            { TrainOptions.standard with
                Objective = objectiveOf
                Epochs = int (argument 3 "100")
                Iterations = int (argument 4 "50")
                ValidationIterations = 5
            }
        Name = "cross-validation"
        Fold = "0"
    }

prepare (real 6 "1") id job |> ignore

let ids = Store.trainingIds (raw job) (dataset job) |> Problem.orThrow
let folds = (Store.splits roots (dataset job) ids |> Problem.orThrow).Length

let perFold =
    [
        for fold in 0 .. folds - 1 do
            let trained = train true { job with Fold = string fold }
            let predictions = Path.Combine(trained.Folder, "validation")
            let truth = FinalValidation.truthFolder roots (raw job) (dataset job)
            $"fold %d{fold}", evaluate job truth predictions
    ]

table (perFold @ [ ("all", List.collect snd perFold) ])
