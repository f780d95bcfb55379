// dotnet build -c Release && dotnet fsi scripts/train.fsx [OUTPUT] [EPOCHS] [ITERATIONS]
#load "init.fsx"

// # Training, the whole loop in view
//
// What `skeleton-recall train` does, written out: cases, plan, batches, network, steps, checkpoint, prediction, scores.

open System.IO
open SkeletonRecall
open SkeletonRecall.Training

let argument (number: int) (standard: string) =
    fsi.CommandLineArgs
    |> Array.tryItem (number + 1)
    |> Option.defaultValue standard

let output = argument 0 (Path.Combine("skeleton-recall", "train"))
let epochs = int (argument 1 "6")
let iterations = int (argument 2 "40")
let seed = Seed.ofInt 7

// Cases: generated vessels, the last two held out. `Reader.image` and `Reader.labels` read your own.

let cases =
    [
        for number in 0..9 do
            let case = Synthetic.vessels Synthetic.standard (Seed.child number seed)

            { case with
                Id = CaseId.ofString $"vessels_%02d{number}"
            }
    ]

let training, heldOut = List.splitAt 8 cases

let dataset: Dataset =
    Dataset.create "Vessels" [ "grey" ] [ ("background", 0); ("vessel", 1) ] ".png" training.Length

// Plan: which patches are cut and which network sees them.

let configuration =
    let options =
        { Planner.standard with
            BaseFeatures = 16
            MaxFeatures = 64
            PatchSize = Some [ 128; 128 ]
            BatchSize = Some 4
        }

    (Planner.plan2d options dataset (training |> List.map (fun case -> case.Image.Extent))
     |> Problem.orThrow)
        .Configurations["2d"]

// Objective: text in, loss over all heads out. The loader is told whether to make skeletons.

let objective =
    match Objective.parse "dice + ce + 1.0*skeleton-recall" with
    | Ok objective -> Objective.withBatchDice configuration.BatchDice objective
    | Error message -> invalidOp message

let heads =
    Batch.headExtents configuration.Architecture.Strides (Extent.ofShape configuration.PatchSize)

let loss: HeadLoss = Objective.loss objective (Loss.headWeights heads.Length)

// Batches: patches are cut, augmented and given their tubes by a worker that runs ahead.

let source =
    let prepare (case: Case) =
        { case with
            Image = Normalize.image configuration.Normalization case.Image
        }
        |> Sampler.prepare dataset.Ignore

    let batch: BatchOptions =
        {
            Tube = Some objective.Tube
            CoarseTube = None
            HeadExtents = heads
            Regions = []
            Ignore = dataset.Ignore
        }

    training
    |> List.map prepare
    |> List.toArray
    |> Loader.training Augment.options 0.33 batch configuration

// The loop.

let network =
    Network.create
        configuration.Architecture
        dataset.ChannelNames.Length
        (Dataset.classes dataset)
        (Seed.child 100 seed)

let optimizer =
    Optimizer.create
        { Optimizer.standard with
            Momentum = 0.95
        }
        network

let loader = Loader.batches Loader.standard source (Seed.child 101 seed)

printfn
    $"%d{Network.parameterCount network} parameters; patch %A{configuration.PatchSize}, batch %d{configuration.BatchSize}"

let history =
    [
        for epoch in 0 .. epochs - 1 do
            let clock = System.Diagnostics.Stopwatch.StartNew()
            let rate = Schedule.polynomial 0.01 epochs epoch

            let losses =
                [
                    for _ in 1..iterations -> Trainer.step rate network optimizer loss (Loader.next loader)
                ]

            printfn
                $"epoch %d{epoch}: learning rate %.4f{rate}, loss %.4f{List.average losses}, %.1f{clock.Elapsed.TotalSeconds} s"

            {
                Epoch = epoch
                LearningRate = rate
                TrainLoss = List.average losses
                ValidationLoss = nan
                Terms = []
                PseudoDice = []
                Measures = []
                Seconds = clock.Elapsed.TotalSeconds
            }
    ]

(loader :> System.IDisposable).Dispose()

// A checkpoint is one file and enough alone to predict.

let checkpoint: Checkpoint =
    {
        Path = ""
        Weights = Network.weights network
        Momentum = Optimizer.state optimizer
        ConfigurationName = "2d"
        Configuration = configuration
        Transpose = [ 0; 1; 2 ]
        Dataset = dataset
        Options =
            { TrainOptions.standard with
                Objective = objective
                Epochs = epochs
                Iterations = iterations
            }
        Epoch = epochs
        Iteration = 0
        LossSum = 0.0
        History = history
        MirrorAxes = [ 0; 1 ]
        Threads = TorchSharp.torch.get_num_threads ()
        MemoryFormat = Network.memoryFormat
    }

let file = Path.Combine(output, RunFolder.final)
Checkpoint.save file checkpoint |> Problem.orThrow
printfn $"checkpoint: %s{file}"

// Prediction reads it back.

let trained =
    Checkpoint.load file |> Result.bind Checkpoint.network |> Problem.orThrow

for case in heldOut do
    let labels =
        Inference.labels
            Inference.standard
            configuration
            (Dataset.classes dataset)
            (Inference.ofNetwork trained)
            case.Image

    Reader.writeLabels (Path.Combine(output, $"%s{CaseId.value case.Id}.png")) labels
    |> Problem.orThrow

    for scores in Evaluation.score Evaluation.standard dataset (CaseId.value case.Id) labels case.Labels.Value do
        printfn
            $"%s{scores.Case}: Dice %.3f{scores.Dice}, clDice %.3f{scores.ClDice}, b0 error %g{scores.Value Measure.B0Error}, b1 error %g{scores.Value Measure.B1Error}"
