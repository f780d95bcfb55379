// dotnet build -c Release && dotnet fsi scripts/compare-losses.fsx ROOT DATASET CONFIGURATION EPOCHS ITERATIONS SEEDS [SIZE] [OBJECTIVE ...]
#load "loop.fsx"

// # Objectives against each other
//
// On the first fold of a data set in ROOT/raw, each objective with several seeds: means over the validation cases, differences from
// the first objective paired by case, and what a step costs. SIZE is the side of a patch of a small plan (see `small` in loop.fsx); 0 leaves
// the plan to the planner, for 1 GB. The circle of Willis, 13 classes, with soft clDice beside the others:
//   skeleton-recall sample willis Dataset003_Willis --cases 15 --size 64 --root ROOT
//   dotnet fsi scripts/compare-losses.fsx ROOT 3 3d_fullres 2 30 1 32

open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

let roots =
    Store.rootsIn (required "compare-losses.fsx" "a folder with a raw data set, ROOT/raw/DatasetNNN_NAME,")

let seeds = int (argument 5 "3")

let texts =
    match fsi.CommandLineArgs |> Array.skip 1 |> List.ofArray with
    | several when several.Length > 7 -> List.skip 7 several
    | _ -> [ "dice + ce"; "dice + ce + 1.0*skeleton-recall"; "dice + ce + 1.0*cldice" ]

let objectives = texts |> List.map (fun text -> text, objective text)

let job: Job =
    {
        Roots = roots
        Dataset = Store.datasetFolder roots (argument 1 "1") |> Problem.orThrow |> Store.name
        Configuration = argument 2 "2d"
        Options =
            { TrainOptions.standard with
                Epochs = int (argument 3 "100")
                Iterations = int (argument 4 "50")
                ValidationIterations = 5
            }
        Name = ""
        Fold = "0"
    }

let axes = if job.Configuration = "2d" then 2 else 3
prepare 1.0 (small axes (int (argument 6 "0")) 2) job |> ignore
let truth = FinalValidation.truthFolder roots (raw job) (dataset job)

let results =
    [
        for number, (text, objective) in List.indexed objectives do
            let runs =
                [
                    for seed in 1..seeds do
                        let trained =
                            train
                                true
                                { job with
                                    Name = $"objective%d{number}-seed%d{seed}"
                                    Options =
                                        { job.Options with
                                            Objective = objective
                                            Seed = seed
                                        }
                                }

                        trained, evaluate job truth (Path.Combine(trained.Folder, "validation"))
                ]

            text, runs
    ]

table
    [
        for text, runs in results do
            text, List.collect snd runs
    ]

note ""
differences [ for text, runs in results -> text, List.map snd runs ]
note ""

for text, runs in results do
    let seconds =
        runs
        |> List.map (fun (trained, _) -> trained.SecondsPerStep)
        |> Statistics.median

    let peak = runs |> List.map (fun (trained, _) -> trained.PeakMebibytes) |> List.max
    note $"%s{text}: %.0f{1000.0 * seconds} ms a step, process at most %.0f{peak} MiB"
