namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// How a run trains.
type TrainOptions =
    {
        /// What is made small.
        Objective: Objective
        /// What tubes are grown from.
        Skeletons: SkeletonSource
        /// Epochs of the whole run; the learning rate falls to 0 over them.
        Epochs: int
        /// Training iterations per epoch; an epoch is no pass over the data.
        Iterations: int
        /// Validation iterations per epoch; 0 leaves validation out.
        ValidationIterations: int
        /// Learning rate of the first epoch.
        LearningRate: float
        /// Nesterov momentum.
        Momentum: float
        /// Weight decay (L2) on all parameters.
        WeightDecay: float
        /// Longest gradient (L2 over all parameters).
        Clip: float
        /// Share of each batch's patches that must show foreground; see `Sampler.forced`.
        Oversampling: float
        /// Whether training mirrors along all axes, and prediction may.
        Mirror: bool
        /// Seed of weights, patches and augmentation.
        Seed: int
        /// Threads that prepare batches.
        Workers: int
        /// Epochs between two checkpoint_latest files.
        SaveEvery: int
        /// Epochs between two validations on whole cases, which the last epoch has too; 0 leaves them out.
        ValidateEvery: int
        /// What validations on whole cases measure, by the paper's profile; Dice is always among it.
        Measures: Measure list
        /// The measure on whole validation cases that decides which weights are the best, among those whose Dice is within
        /// `EpochReport.guard` of the best one; None leaves it to the moving pseudo-Dice of patches.
        BestBy: Measure option
        /// Where it is computed.
        Device: Device
        /// What convolutions are computed in.
        Precision: Precision
    }

/// Making and checking options.
[<RequireQualifiedAccess>]
module TrainOptions =

    /// nnU-Net's values with the Skeleton Recall objective: 1000 epochs of 250 iterations and 50 validation iterations,
    /// learning rate 0.01, momentum 0.99, weight decay 3e-5, gradients no longer than 12, oversampling 0.33, mirroring,
    /// a checkpoint every 50 epochs; seed 0 and 1 worker; tubes from the skeleton of each patch. No validation on whole
    /// cases; once asked for, it measures Dice, clDice and the errors of B0 and B1. On the processor, in single precision.
    let standard: TrainOptions =
        {
            Objective = Objective.skeletonRecall
            Skeletons = SkeletonSource.Patch
            Epochs = 1000
            Iterations = 250
            ValidationIterations = 50
            LearningRate = 0.01
            Momentum = 0.99
            WeightDecay = 3e-5
            Clip = 12.0
            Oversampling = 0.33
            Mirror = true
            Seed = 0
            Workers = 1
            SaveEvery = 50
            ValidateEvery = 0
            Measures = [ Measure.Dice; Measure.ClDice; Measure.B0Error; Measure.B1Error ]
            BestBy = None
            Device = Device.Cpu
            Precision = Precision.Float32
        }

    /// What validations on whole cases measure: Dice, the chosen measures, and the one that decides on the best weights.
    let measured (options: TrainOptions) : Measure list =
        Measure.Dice :: options.Measures @ Option.toList options.BestBy |> List.distinct

    /// Throws ArgumentException, naming the value and its range, when one is out of range.
    let check (options: TrainOptions) : unit =
        let count (name: string) (least: int) (value: int) =
            if value < least then
                invalidArg (nameof options) $"%s{name} counts from %d{least}; got %d{value}."

        let number (name: string) (allowed: float -> bool) (range: string) (value: float) =
            if not (Double.IsFinite value && allowed value) then
                invalidArg (nameof options) $"%s{name} must be %s{range}; got %g{value}."

        count "Epochs" 1 options.Epochs
        count "Iterations" 1 options.Iterations
        count "ValidationIterations" 0 options.ValidationIterations
        count "Workers" 0 options.Workers
        count "SaveEvery" 1 options.SaveEvery
        count "ValidateEvery" 0 options.ValidateEvery

        match options.BestBy with
        | Some measure when options.ValidateEvery = 0 ->
            invalidArg
                (nameof options)
                $"BestBy %s{Measure.print measure} needs validations on whole cases; ValidateEvery is 0."
        | Some measure when Measure.better measure = Better.Neither ->
            invalidArg
                (nameof options)
                $"BestBy must be a measure that is better when higher or lower; got %s{Measure.print measure}."
        | _ -> ()

        match Precision.require options.Device options.Precision with
        | Ok() -> ()
        | Error _ ->
            invalidArg
                (nameof options)
                $"Precision %s{Precision.print options.Precision} is not served; Device is %s{Device.print options.Device}."

        number "LearningRate" (fun value -> value > 0.0) "above 0" options.LearningRate
        number "Momentum" (fun value -> value >= 0.0 && value < 1.0) "in [0, 1)" options.Momentum
        number "WeightDecay" (fun value -> value >= 0.0) "0 or more" options.WeightDecay
        number "Clip" (fun value -> value > 0.0) "above 0" options.Clip
        number "Oversampling" (fun value -> value >= 0.0 && value <= 1.0) "in [0, 1]" options.Oversampling
