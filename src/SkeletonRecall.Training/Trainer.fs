namespace SkeletonRecall.Training

open System.Threading
open SkeletonRecall

/// Training: the single step, and the run around it (nnU-Net's trainer with the Skeleton Recall objective).
[<RequireQualifiedAccess>]
module Trainer =

    /// nnU-Net's options with the Skeleton Recall objective; see `TrainOptions.standard`.
    let standard: TrainOptions = TrainOptions.standard

    /// One iteration; see `TrainingStep.run`.
    let step (learningRate: float) (network: Network) (optimizer: Optimizer) (loss: HeadLoss) (batch: Batch) : float =
        TrainingStep.run learningRate network optimizer loss batch

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

    // Weights and momentum of a checkpoint, or weights to begin with.
    let private restore
        (setup: TrainSetup)
        (resume: Checkpoint option)
        (network: Network)
        (optimizer: Optimizer)
        : Result<Position, Problem> =
        match resume, setup.Pretrained with
        | Some checkpoint, _ ->
            Problem.attempt {
                do! Checkpoint.requireSame setup.Configuration setup.Dataset checkpoint
                do! Checkpoint.into network checkpoint
                do! Checkpoint.intoOptimizer optimizer checkpoint

                return
                    {
                        Epoch = checkpoint.Epoch
                        Iteration = checkpoint.Iteration
                        LossSum = checkpoint.LossSum
                        History = checkpoint.History
                        Scale = LossScale.start
                    }
            }
        | None, Some weights -> Pretrained.into weights network |> Result.map (fun () -> TrainingRun.start)
        | None, None -> Ok TrainingRun.start

    let private sources
        (setup: TrainSetup)
        (objective: Objective)
        (heads: Extent list)
        (training: Prepared[])
        (validation: Prepared[])
        : BatchSource * BatchSource option =
        let options, configuration = setup.Options, setup.Configuration

        let batch =
            {
                Tube = (Objective.needs objective).Tube
                CoarseTube = Batch.coarseTube objective.Supervision
                HeadExtents = heads
                Regions = TrainSetup.regions setup
                Ignore = setup.Dataset.Ignore
            }

        let augment =
            { setup.Augment with
                MirrorAxes = Some(TrainSetup.mirrorAxes setup)
            }

        // What the first stage of a cascade said becomes channels when the patch is augmented.
        let labels = FirstStage.labels setup.Dataset

        let behind (change: Augment) (source: BatchSource) : BatchSource =
            { source with
                Augment = fun rng patch -> source.Augment rng patch |> change rng |> FirstStage.attach labels
                // Made in place, a patch has the channels of its image alone.
                InPlace =
                    if source.Cases |> Array.exists _.FirstStage.IsSome then
                        None
                    else
                        source.InPlace
            }

        Loader.training augment options.Oversampling batch configuration training
        |> behind (FirstStageAugment.apply FirstStageAugment.standard labels),
        if Array.isEmpty validation || options.ValidationIterations = 0 then
            None
        else
            Loader.validation options.Oversampling batch configuration validation
            |> behind (fun _ patch -> patch)
            |> Some

    // The network of a second stage has channels for what the first says.
    let private requireFirstStage (configuration: Configuration) (cases: Prepared[]) : unit =
        match configuration.PreviousStage with
        | None -> ()
        | Some previous ->
            match cases |> Array.tryFind (fun case -> case.FirstStage.IsNone) with
            | None -> ()
            | Some case ->
                invalidArg
                    (nameof cases)
                    $"The second stage of a cascade trains on what %s{previous} says of each case (`NextStage.attach`); case %s{CaseId.value case.Id} lacks it."

    /// Trains a network on prepared cases and leaves in the folder: checkpoint_latest (every SaveEvery epochs, removed at
    /// the end), checkpoint_best, checkpoint_final, training_log.txt, run.json (options and history) and progress.csv. Every
    /// ValidateEvery epochs the validation cases are labelled whole and measured.
    /// `resume` goes on from a checkpoint, bit for bit as if the run had not been stopped when options and number of torch's
    /// threads are the same. `report` is called in this thread. A folder into which another run trains is a problem.
    /// A loss that is not finite ends in a problem that says where it came from, and leaves the checkpoints of before.
    /// Cancellation saves checkpoint_latest and throws OperationCanceledException. Throws ArgumentException for options
    /// out of range, cases of other channels than the data set's, no training case, and for the second stage of a cascade cases without
    /// a first stage; ProblemException for a device that is not there.
    let train
        (setup: TrainSetup)
        (folder: string)
        (resume: Checkpoint option)
        (cancellation: CancellationToken)
        (report: Progress -> unit)
        (training: Prepared[])
        (validation: Prepared[])
        : Result<Checkpoint, Problem> =
        let options, configuration = setup.Options, setup.Configuration
        TrainOptions.check options
        Device.require options.Device |> Problem.orThrow

        if Array.isEmpty training then
            invalidArg (nameof training) "Training needs at least one case."

        if options.BestBy.IsSome && Array.isEmpty validation then
            invalidArg (nameof validation) "BestBy needs validation cases; there is none."

        requireFirstStage configuration (Array.append training validation)

        let seed = Seed.ofInt options.Seed
        let objective = effectiveObjective configuration options.Objective
        let patch = Extent.ofShape configuration.PatchSize
        let heads = Batch.headExtents configuration.Architecture.Strides patch

        let network =
            Network.create
                configuration.Architecture
                (FirstStage.inputs configuration setup.Dataset)
                (TrainSetup.outputs setup)
                (Seed.child 0 seed)
            |> Network.toDevice (Device.toTorch options.Device)
            |> Network.inPrecision options.Precision

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

        let trainingSource, validationSource =
            sources setup objective heads training validation

        let go (position: Position) : Result<Checkpoint, Problem> =
            use trainingBatches =
                Loader.batches
                    (loader (position.Epoch * options.Iterations + position.Iteration))
                    trainingSource
                    (Seed.child 1 seed)

            use validationBatches =
                validationSource
                |> Option.map (fun source ->
                    Loader.batches (loader (position.Epoch * options.ValidationIterations)) source (Seed.child 2 seed))
                |> Option.toObj

            let run =
                {
                    Setup = setup
                    Options = options
                    Objective = objective
                    HeadWeights = Loss.headWeights heads.Length
                    Folder = folder
                    Network = network
                    Optimizer = optimizer
                    Training = trainingBatches
                    Validation = Option.ofObj validationBatches
                    ValidationCases = validation
                    Cancellation = cancellation
                    Report = report
                }

            TrainingRun.epochs run position |> Result.bind (TrainingRun.finish run)

        match RunFolder.occupy folder with
        | Error problem -> Error problem
        | Ok held ->
            use _held = held
            restore setup resume network optimizer |> Result.bind go

    /// The same on cases as they were read, held in memory and normalized here; their grid stays as it is. Throws
    /// ArgumentException also for cases without labels.
    let trainCases
        (setup: TrainSetup)
        (folder: string)
        (resume: Checkpoint option)
        (cancellation: CancellationToken)
        (report: Progress -> unit)
        (training: Case list)
        (validation: Case list)
        : Result<Checkpoint, Problem> =
        let prepared = prepare setup.Options setup.Configuration setup.Dataset
        train setup folder resume cancellation report (prepared training) (prepared validation)

    /// The same by options, plan and data set alone.
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
        trainCases
            (TrainSetup.create options configuration dataset)
            folder
            resume
            cancellation
            report
            training
            validation
