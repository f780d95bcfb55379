#load "../loop.fsx"

// # The data sets of the paper, one loop
//
// Each script beside this one names a data set and where it comes from; what is done is the same for all five.

open System
open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

/// Runs the whole loop: FOLDER [OUTPUT] [EPOCHS] [ITERATIONS] [MEMORY], of which the last is the GB that plans are made for.
let run (script: string) (name: string) (configuration: string) (recipe: string -> Recipe) : unit =
    let source = required script "the folder of the data set"
    let iterations = int (argument 3 "250")
    let roots = Store.rootsIn (argument 1 (Path.Combine("skeleton-recall", name)))

    let job: Job =
        {
            Roots = roots
            Dataset = name
            Configuration = configuration
            Options =
                { TrainOptions.standard with
                    Epochs = int (argument 2 "1000")
                    Iterations = iterations
                    ValidationIterations = max 1 (iterations / 5)
                }
            Name = "nnUNetTrainerSkeletonRecall"
            Fold = "all"
        }

    // ## Convert
    convert (recipe source) source job

    // ## Plan and preprocess
    let memory = real 4 "8"

    prepare memory id job |> ignore

    // ## Train, predict and evaluate: on what is held out, or else on what was trained on.
    let trained = train false job

    let images, truth =
        let heldOut = Store.testLabels (raw job)

        if Directory.Exists heldOut then
            Store.testImages (raw job), heldOut
        else
            note "nothing with labels is held out: the scores are of the cases that were trained on"
            Path.Combine(raw job, "imagesTr"), Path.Combine(raw job, "labelsTr")

    let predictions = predict images job [ trained.Folder ]
    table [ (name, evaluate job truth predictions) ]
    note $"trained in %.1f{trained.Minutes} minutes; predictions in %s{predictions}"
