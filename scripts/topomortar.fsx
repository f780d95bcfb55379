// dotnet build -c Release && dotnet fsi scripts/topomortar.fsx TOPOMORTAR_FOLDER [MINUTES] [SIZE] [SEEDS] [OUTPUT]
#load "loop.fsx"

// # Mortar between bricks: TopoMortar
//
// Dice + CE against Dice + CE + Skeleton Recall, with several seeds, in at most MINUTES for each run, on patches of SIZE pixels. The
// folder holds {train,test}/{images,accurate}/NNN.png. The data set: Valverde et al., "TopoMortar: A dataset to evaluate image
// segmentation methods focused on topology accuracy", BMVC 2025; github.com/jmlipman/TopoMortar, MIT licence.

open System
open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

let source =
    required "topomortar.fsx" "the folder of TopoMortar, with train/ and test/,"

let minutes = real 1 "5"

let size = int (argument 2 "128")
let seeds = int (argument 3 "3")

let roots =
    Store.rootsIn (argument 4 (Path.Combine("skeleton-recall", "topomortar")))

let job: Job =
    {
        Roots = roots
        Dataset = "Dataset040_TopoMortar"
        Configuration = "2d"
        Options =
            { TrainOptions.standard with
                Iterations = 50
                ValidationIterations = 0
            }
        Name = ""
        Fold = "all"
    }

// ## Convert
let part (name: string) : ConversionPart =
    {
        Images = $"%s{name}/images/*.png"
        Masks = Some $"%s{name}/accurate/*.png"
    }

convert
    { Conversion.standard with
        Training = [ part "train" ]
        Test = [ part "test" ]
        Channels = [ "R"; "G"; "B" ]
        Labels = [ "mortar" ]
        Rule = MaskRule.Fixed [ 0, 0; 1, 1; 255, 1 ]
    }
    source
    job

// ## A network that two cores can train
prepare 1.0 (small 2 size 4) job |> ignore

// ## Both objectives for as many epochs as the dearer one has time for
let objectives =
    [
        "Dice + CE", Objective.nnunet
        "Dice + CE + Skeleton Recall", Objective.skeletonRecall
    ]

let epochs =
    epochsIn
        minutes
        { job with
            Options =
                { job.Options with
                    Objective = Objective.skeletonRecall
                }
        }

let results =
    [
        for number, (name, objective) in List.indexed objectives do
            let runs =
                [
                    for seed in 1..seeds do
                        let job =
                            { job with
                                Name = $"objective%d{number}-seed%d{seed}"
                                Options =
                                    { job.Options with
                                        Objective = objective
                                        Epochs = epochs
                                        Seed = seed
                                    }
                            }

                        let trained = train false job
                        let predictions = predict (Store.testImages (raw job)) job [ trained.Folder ]
                        evaluate job (Store.testLabels (raw job)) predictions
                ]

            name, runs
    ]

table
    [
        for name, runs in results do
            for seed, scores in List.indexed runs do
                $"%s{name}, seed %d{seed + 1}", scores

            name, List.concat runs
    ]

note ""
differences results
