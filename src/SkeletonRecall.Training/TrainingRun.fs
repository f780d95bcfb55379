namespace SkeletonRecall.Training

open System
open System.Diagnostics
open System.Threading
open TorchSharp
open SkeletonRecall

/// Whatever a run needs that does not change while it goes on.
type internal Run =
    {
        Setup: TrainSetup
        Options: TrainOptions
        Objective: Objective
        HeadWeights: float list
        Folder: string
        Network: Network
        Optimizer: Optimizer
        Training: Loader<Batch>
        Validation: Loader<Batch> option
        /// The whole cases that measures are taken on.
        ValidationCases: Prepared[]
        Cancellation: CancellationToken
        Report: Progress -> unit
    }

/// Where a run stands.
type internal Position =
    {
        Epoch: int
        Iteration: int
        LossSum: float
        History: EpochReport list
        /// What the loss is multiplied by in half precision. A run that goes on begins with the first scale again, which
        /// finds its way within some steps.
        Scale: LossScale
    }

/// The loop over epochs and iterations, and what it leaves in the folder.
[<RequireQualifiedAccess>]
module internal TrainingRun =

    /// The beginning of a run.
    let start: Position =
        {
            Epoch = 0
            Iteration = 0
            LossSum = 0.0
            History = []
            Scale = LossScale.start
        }

    let private snapshot (run: Run) (position: Position) : Checkpoint =
        {
            Path = ""
            Weights = Network.weights run.Network
            Momentum = Optimizer.state run.Optimizer
            ConfigurationName = run.Setup.Name
            Configuration = run.Setup.Configuration
            Transpose = run.Setup.Transpose
            Dataset = run.Setup.Dataset
            Options = run.Options
            Epoch = position.Epoch
            Iteration = position.Iteration
            LossSum = position.LossSum
            History = position.History
            MirrorAxes = TrainSetup.mirrorAxes run.Setup
            Threads = torch.get_num_threads ()
            MemoryFormat = Network.memoryFormat
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

    let private diverged (run: Run) (position: Position) (batch: Batch) (loss: float) : Problem =
        let good =
            RunFolder.lastGood run.Folder
            |> Option.map (fun path -> $"; the last good checkpoint is %s{path}")
            |> Option.defaultValue ""

        let reason =
            TrainingStep.cause (Objective.at position.Epoch run.Objective) run.Network batch

        Mismatch(
            $"loss at epoch %d{position.Epoch}, iteration %d{position.Iteration}",
            $"%g{loss}: %s{reason}",
            $"a finite number (a lower learning rate may help%s{good})"
        )

    let rec private iterate (run: Run) (rate: float) (loss: HeadLoss) (position: Position) : Result<Position, Problem> =
        if position.Iteration >= run.Options.Iterations then
            Ok position
        elif run.Cancellation.IsCancellationRequested then
            stop run position
        else
            let batch = Loader.next run.Training

            let struct (value, scale) =
                match run.Options.Precision with
                | Precision.Float16 -> TrainingStep.scaled rate position.Scale run.Network run.Optimizer loss batch
                | Precision.Float32
                | Precision.Bfloat16 ->
                    struct (TrainingStep.run rate run.Network run.Optimizer loss batch, position.Scale)

            if Double.IsFinite value then
                Batch.recycle batch
                run.Report(Step(position.Epoch, position.Iteration, value))

                iterate
                    run
                    rate
                    loss
                    { position with
                        Iteration = position.Iteration + 1
                        LossSum = position.LossSum + value
                        Scale = scale
                    }
            else
                Error(diverged run position batch value)

    // What an epoch makes small: the objective, or a loss of the caller's own.
    let private loss (run: Run) (epoch: int) : HeadLoss =
        match run.Setup.Loss with
        | Some own -> own run.HeadWeights
        | None -> Objective.loss (Objective.at epoch run.Objective) run.HeadWeights

    let private validation (run: Run) (epoch: int) : Validation =
        let batches =
            match run.Validation with
            | None -> Seq.empty
            | Some loader ->
                Seq.init run.Options.ValidationIterations (fun _ ->
                    run.Cancellation.ThrowIfCancellationRequested()
                    Loader.next loader)

        Validation.measureBy
            (loss run epoch)
            (Objective.at epoch run.Objective)
            (TrainSetup.outputs run.Setup)
            run.Network
            batches

    // Measures on whole cases, by the sliding window without mirroring, in the epochs that have them. The last epoch leaves
    // the cases in the folder.
    let private wholeCases (run: Run) (epoch: int) : Result<MeasureValues, Problem> =
        let every = run.Options.ValidateEvery
        let isLast = epoch + 1 = run.Options.Epochs
        let due = every > 0 && ((epoch + 1) % every = 0 || isLast)

        if not due || Array.isEmpty run.ValidationCases then
            Ok []
        else
            Problem.attempt {
                let measures = TrainOptions.measured run.Options

                let! scores =
                    CaseValidation.scores
                        measures
                        run.Setup.Dataset
                        (CaseValidation.labels run.Setup.Configuration run.Setup.Dataset run.Network)
                        run.Cancellation
                        (if isLast then
                             ValidatedCase.write run.Folder
                         else
                             (fun _ -> Ok()))
                        run.ValidationCases

                if isLast then
                    do! ValidatedCase.writeScores run.Folder scores

                return CaseValidation.mean measures scores
            }

    // Everything that an epoch leaves in the folder.
    let private record (run: Run) (position: Position) : Result<unit, Problem> =
        Problem.attempt {
            do! RunFolder.record run.Folder run.Options position.History

            if
                position.Epoch % run.Options.SaveEvery = 0
                && position.Epoch < run.Options.Epochs
            then
                do! save run RunFolder.latest position |> Result.map ignore

            if EpochReport.isBestBy run.Options.BestBy position.History then
                do! save run RunFolder.best position |> Result.map ignore
        }

    let private epoch (run: Run) (start: Position) : Result<Position, Problem> =
        let clock = Stopwatch.StartNew()

        let rate =
            Schedule.polynomial run.Options.LearningRate run.Options.Epochs start.Epoch

        let loss = loss run start.Epoch

        Problem.attempt {
            let! trained = iterate run rate loss start

            let! validated, measures =
                try
                    let patches = validation run start.Epoch
                    wholeCases run start.Epoch |> Result.map (fun measures -> patches, measures)
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
                    Measures = measures
                    Seconds = clock.Elapsed.TotalSeconds
                }

            let position =
                {
                    Epoch = start.Epoch + 1
                    Iteration = 0
                    LossSum = 0.0
                    History = start.History @ [ report ]
                    Scale = trained.Scale
                }

            do! record run position
            run.Report(Epoch report)
            return position
        }

    /// The epochs that are left; the position after the last.
    let rec epochs (run: Run) (position: Position) : Result<Position, Problem> =
        if position.Epoch >= run.Options.Epochs then
            Ok position
        else
            match epoch run position with
            | Ok next -> epochs run next
            | Error problem -> Error problem

    /// Writes the last checkpoint, with no latest beside it.
    let finish (run: Run) (position: Position) : Result<Checkpoint, Problem> =
        Problem.attempt {
            let! checkpoint = save run RunFolder.final position
            do! RunFolder.removeLatest run.Folder
            return checkpoint
        }
