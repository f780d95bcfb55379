/// The smallest run in 3D: for tests that stop it, kill it and go on.
module SkeletonRecall.Tests.TinyRun

open System
open System.Threading
open SkeletonRecall
open SkeletonRecall.Training

/// A residual network for flat patches, so that what planes never meet takes part.
let configuration: Configuration =
    {
        DataIdentifier = "nnUNetPlans_3d_fullres"
        PatchSize = [ 4; 8; 8 ]
        MedianSize = [ 6.0; 12.0; 12.0 ]
        BatchSize = 2
        Spacing = [ 1.0; 1.0; 1.0 ]
        Normalization = [ ZScore; ZScore ]
        Resampling = Resampling.standard
        BatchDice = false
        Architecture =
            {
                Blocks = Residual
                FeaturesPerStage = [ 4; 6; 8 ]
                KernelSizes = [ [ 1; 3; 3 ]; [ 3; 3; 3 ]; [ 3; 3; 3 ] ]
                Strides = [ [ 1; 1; 1 ]; [ 1; 2; 2 ]; [ 2; 2; 2 ] ]
                ConvsPerStage = [ 1; 1; 1 ]
                ConvsPerStageDecoder = [ 1; 1 ]
            }
        InheritsFrom = None
        PreviousStage = None
        NextStages = []
    }

/// Two channels, a rod and a ball.
let dataset: Dataset =
    { Toy.dataset with
        ChannelNames = [ "first"; "second" ]
        Labels = [ "background", 0; "rod", 1; "ball", 2 ]
    }

/// Epochs of two iterations, a checkpoint after each.
let options (epochs: int) : TrainOptions =
    { Trainer.standard with
        Epochs = epochs
        Iterations = 2
        ValidationIterations = 1
        SaveEvery = 1
        Seed = 5
    }

/// Trains in the folder, on one thread.
let run
    (options: TrainOptions)
    (folder: string)
    (resume: Checkpoint option)
    (stop: CancellationToken)
    (report: Progress -> unit)
    : Result<Checkpoint, Problem> =
    Toy.oneThread ()

    Trainer.run options configuration dataset folder resume stop report [ Toy.rod 6 12 12 ] [ Toy.rod 5 10 12 ]

/// The first argument of a process that trains until it is done or killed.
let childCommand: string = "train-until-killed"

/// Goes on with the run in the folder and writes a line after each step. The exit
/// code; a problem goes to the error stream and gives 1.
let child (folder: string) (epochs: int) : int =
    let resume = RunFolder.tryResume folder |> Problem.orThrow

    let told (progress: Progress) =
        match progress with
        | Step _ ->
            Console.Out.WriteLine "step"
            Console.Out.Flush()
        | Epoch _ -> ()

    match run (options epochs) folder resume CancellationToken.None told with
    | Ok _ -> 0
    | Error problem ->
        Console.Error.WriteLine(Problem.message problem)
        1
