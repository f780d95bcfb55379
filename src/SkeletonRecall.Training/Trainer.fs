namespace SkeletonRecall.Training

open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Threading
open TorchSharp
open SkeletonRecall

/// Training: the single step, and the run around it (nnU-Net's trainer with the Skeleton Recall objective).
[<RequireQualifiedAccess>]
module Trainer =

    /// nnU-Net's options with the Skeleton Recall objective; see `TrainOptions.standard`.
    let standard: TrainOptions = TrainOptions.standard

    /// One iteration: forward, loss, backward, gradients shortened, one step of the optimizer. Returns the loss before
    /// the step. When the loss or the gradient is not finite the result is not finite either and no weight is changed.
    /// No tensor outlives the call but weights, gradients and momentum.
    let step (learningRate: float) (network: Network) (optimizer: Optimizer) (loss: HeadLoss) (batch: Batch) : float =
        use _scope = torch.NewDisposeScope()
        let images, targets = Batch.toTensors (Validation.device network) batch
        Optimizer.clear optimizer

        match Validation.tryLoss loss (network.Forward images) targets with
        | None -> nan
        | Some value ->
            let number = Tensors.item value

            if not (Double.IsFinite number) then
                number
            else
                value.backward ()

                if Double.IsFinite(Optimizer.step learningRate optimizer) then
                    number
                else
                    nan

    /// Whatever a run needs that does not change while it goes on.
    type private Run =
        {
            Options: TrainOptions
            Objective: Objective
            HeadWeights: float list
            Configuration: Configuration
            Dataset: Dataset
            Folder: string
            Network: Network
            Optimizer: Optimizer
            Training: Loader<Batch>
            Validation: Loader<Batch> option
            Cancellation: CancellationToken
            Report: Progress -> unit
        }

    /// Where a run stands.
    type private Position =
        {
            Epoch: int
            Iteration: int
            LossSum: float
            History: EpochReport list
        }

    let private snapshot (run: Run) (position: Position) : Checkpoint =
        {
            Path = ""
            Weights = Network.weights run.Network
            Momentum = Optimizer.state run.Optimizer
            Configuration = run.Configuration
            Dataset = run.Dataset
            Options = run.Options
            Epoch = position.Epoch
            Iteration = position.Iteration
            LossSum = position.LossSum
            History = position.History
            MirrorAxes =
                if run.Options.Mirror then
                    [ 0 .. run.Configuration.PatchSize.Length - 1 ]
                else
                    []
        }

    let private save (run: Run) (name: string) (position: Position) : Result<Checkpoint, Problem> =
        let path = Store.file run.Folder name

        let checkpoint =
            { snapshot run position with
                Path = path
            }

        Checkpoint.save path checkpoint |> Result.map (fun () -> checkpoint)

    // Cancellation leaves checkpoint_latest, from which the very next iteration goes on, then ends in the usual exception.
    let private stop (run: Run) (position: Position) : Result<'T, Problem> =
        save run RunFolder.latest position
        |> Result.bind (fun _ -> raise (OperationCanceledException run.Cancellation))

    let private diverged (run: Run) (epoch: int) (place: string) (loss: float) : Problem =
        let good =
            RunFolder.lastGood run.Folder
            |> Option.map (fun path -> $"; the last good checkpoint is %s{path}")
            |> Option.defaultValue ""

        Mismatch(
            $"loss at epoch %d{epoch}, %s{place}",
            $"%g{loss}",
            $"a finite number (a lower learning rate may help%s{good})"
        )

    let rec private iterate (run: Run) (rate: float) (loss: HeadLoss) (position: Position) : Result<Position, Problem> =
        if position.Iteration >= run.Options.Iterations then
            Ok position
        elif run.Cancellation.IsCancellationRequested then
            stop run position
        else
            let value = step rate run.Network run.Optimizer loss (Loader.next run.Training)

            if Double.IsFinite value then
                run.Report(Step(position.Epoch, position.Iteration, value))

                iterate
                    run
                    rate
                    loss
                    { position with
                        Iteration = position.Iteration + 1
                        LossSum = position.LossSum + value
                    }
            else
                Error(diverged run position.Epoch $"iteration %d{position.Iteration}" value)

    let private validation (run: Run) (epoch: int) : Validation =
        let batches =
            match run.Validation with
            | None -> Seq.empty
            | Some loader ->
                Seq.init run.Options.ValidationIterations (fun _ ->
                    run.Cancellation.ThrowIfCancellationRequested()
                    Loader.next loader)

        Validation.measure
            (Objective.at epoch run.Objective)
            run.HeadWeights
            (Dataset.classes run.Dataset)
            run.Network
            batches

    // Everything that an epoch leaves in the folder.
    let private record (run: Run) (position: Position) : Result<unit, Problem> =
        Problem.attempt {
            do! RunFolder.record run.Folder run.Options position.History

            if
                position.Epoch % run.Options.SaveEvery = 0
                && position.Epoch < run.Options.Epochs
            then
                do! save run RunFolder.latest position |> Result.map ignore

            if EpochReport.isBest position.History then
                do! save run RunFolder.best position |> Result.map ignore
        }

    let private epoch (run: Run) (start: Position) : Result<Position, Problem> =
        let clock = Stopwatch.StartNew()

        let rate =
            Schedule.polynomial run.Options.LearningRate run.Options.Epochs start.Epoch

        let loss = Objective.loss (Objective.at start.Epoch run.Objective) run.HeadWeights

        Problem.attempt {
            let! trained = iterate run rate loss start

            let! validated =
                try
                    Ok(validation run start.Epoch)
                with :? OperationCanceledException ->
                    stop run trained

            let report =
                {
                    Epoch = start.Epoch
                    LearningRate = rate
                    TrainLoss = trained.LossSum / float run.Options.Iterations
                    ValidationLoss = validated.Loss
                    Terms = validated.Terms
                    PseudoDice = validated.PseudoDice
                    Seconds = clock.Elapsed.TotalSeconds
                }

            let position =
                {
                    Epoch = start.Epoch + 1
                    Iteration = 0
                    LossSum = 0.0
                    History = start.History @ [ report ]
                }

            do! record run position
            run.Report(Epoch report)
            return position
        }

    let rec private epochs (run: Run) (position: Position) : Result<Position, Problem> =
        if position.Epoch >= run.Options.Epochs then
            Ok position
        else
            match epoch run position with
            | Ok next -> epochs run next
            | Error problem -> Error problem

    // The last checkpoint, and no latest beside it.
    let private finish (run: Run) (position: Position) : Result<Checkpoint, Problem> =
        Problem.attempt {
            let! checkpoint = save run RunFolder.final position
            do! RunFolder.removeLatest run.Folder
            return checkpoint
        }

    // With its skeleton where tubes are to come from it, and without where they are not.
    let private withSource
        (options: TrainOptions)
        (configuration: Configuration)
        (dataset: Dataset)
        (case: Case)
        : Case =
        match options.Skeletons with
        | SkeletonSource.Cached when Objective.needsSkeleton options.Objective ->
            Case.skeletonize options.Objective.Tube dataset.Ignore configuration.PatchSize.Length case
        | _ -> { case with Skeleton = None }

    let private prepare
        (options: TrainOptions)
        (configuration: Configuration)
        (dataset: Dataset)
        (cases: Case list)
        : Prepared[] =
        cases
        |> List.map (fun case ->
            if case.Image.Channels <> dataset.ChannelNames.Length then
                invalidArg
                    (nameof cases)
                    $"Case %s{CaseId.value case.Id} has %d{case.Image.Channels} channels; the data set has %d{dataset.ChannelNames.Length}."

            { case with
                Image = Normalize.image configuration.Normalization case.Image
            }
            |> withSource options configuration dataset
            |> Sampler.prepare dataset.Ignore)
        |> List.toArray

    /// The objective as a configuration wants it: Dice and recall sum over the batch where the plan says so.
    let effectiveObjective (configuration: Configuration) (objective: Objective) : Objective =
        if configuration.BatchDice then
            Objective.withBatchDice true objective
        else
            objective

    /// Trains a network on cases as they were read (they are normalized here) and leaves in the folder: checkpoint_latest
    /// (every SaveEvery epochs, removed at the end), checkpoint_best, checkpoint_final, training_log.txt, run.json (options
    /// and history) and progress.csv. `resume` goes on from a checkpoint, bit for bit as if the run had not been stopped
    /// when options and number of torch's threads are the same. `report` is called in this thread.
    /// A loss that is not finite ends in a problem that says where, and leaves the checkpoints of before. Cancellation saves
    /// checkpoint_latest and throws OperationCanceledException. Throws ArgumentException for options out of range, cases
    /// without labels or of other channels than the data set's, and no training case.
    let run
        (options: TrainOptions)
        (configuration: Configuration)
        (dataset: Dataset)
        (folder: string)
        (resume: Checkpoint option)
        (cancellation: CancellationToken)
        (report: Progress -> unit)
        (training: Case list)
        (validation: Case list)
        : Result<Checkpoint, Problem> =
        TrainOptions.check options

        if training.IsEmpty then
            invalidArg (nameof training) "Training needs at least one case."

        let seed = Seed.ofInt options.Seed
        let objective = effectiveObjective configuration options.Objective
        let needs = Objective.needs objective
        let patch = Extent.ofShape configuration.PatchSize
        let heads = Batch.headExtents configuration.Architecture.Strides patch

        let batch =
            {
                Tube = needs.Tube
                CoarseTube = Batch.coarseTube objective.Supervision
                HeadExtents = heads
                Regions = []
                Ignore = dataset.Ignore
            }

        let augment =
            { Augment.options with
                Mirror = if options.Mirror then Augment.options.Mirror else 0.0
            }

        let position =
            match resume with
            | None ->
                {
                    Epoch = 0
                    Iteration = 0
                    LossSum = 0.0
                    History = []
                }
            | Some checkpoint ->
                {
                    Epoch = checkpoint.Epoch
                    Iteration = checkpoint.Iteration
                    LossSum = checkpoint.LossSum
                    History = checkpoint.History
                }

        let network =
            Network.create
                configuration.Architecture
                dataset.ChannelNames.Length
                (Dataset.classes dataset)
                (Seed.child 0 seed)

        use _parameters = network.Module

        use optimizer =
            Optimizer.create
                {
                    Momentum = options.Momentum
                    WeightDecay = options.WeightDecay
                    Clip = options.Clip
                }
                network

        let loader (first: int) =
            { Loader.standard with
                Workers = options.Workers
                First = first
            }

        let restored =
            Problem.attempt {
                do! Files.createFolder folder

                match resume with
                | None -> ()
                | Some checkpoint ->
                    do! Checkpoint.into network checkpoint
                    do! Checkpoint.intoOptimizer optimizer checkpoint
            }

        match restored with
        | Error problem -> Error problem
        | Ok() ->
            use trainingBatches =
                Loader.batches
                    (loader (position.Epoch * options.Iterations + position.Iteration))
                    (prepare options configuration dataset training
                     |> Loader.training augment options.Oversampling batch configuration)
                    (Seed.child 1 seed)

            let validationSource =
                if validation.IsEmpty || options.ValidationIterations = 0 then
                    None
                else
                    prepare options configuration dataset validation
                    |> Loader.validation options.Oversampling batch configuration
                    |> Some

            use validationBatches =
                validationSource
                |> Option.map (fun source ->
                    Loader.batches (loader (position.Epoch * options.ValidationIterations)) source (Seed.child 2 seed))
                |> Option.toObj

            {
                Options = options
                Objective = objective
                HeadWeights = Loss.headWeights heads.Length
                Configuration = configuration
                Dataset = dataset
                Folder = folder
                Network = network
                Optimizer = optimizer
                Training = trainingBatches
                Validation = Option.ofObj validationBatches
                Cancellation = cancellation
                Report = report
            }
            |> fun run -> epochs run position |> Result.bind (finish run)
