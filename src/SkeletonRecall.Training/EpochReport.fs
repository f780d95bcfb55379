namespace SkeletonRecall.Training

open System

/// What one epoch of training came to.
type EpochReport =
    {
        /// 0 for the first epoch.
        Epoch: int
        /// The learning rate of the whole epoch.
        LearningRate: float
        /// Mean loss of the training iterations, all heads.
        TrainLoss: float
        /// Mean loss of the validation iterations, all heads; NaN without validation.
        ValidationLoss: float
        /// Each term of the objective by name: its mean over the validation iterations on the finest head, unweighted.
        Terms: (string * float) list
        /// Dice of each foreground class over all validation patches of the epoch together, counted as one;
        /// NaN where the class is neither there nor predicted. Patches, not whole cases: a running measure only.
        PseudoDice: float list
        /// Wall time of the epoch.
        Seconds: float
    }

/// What a run tells while it goes on.
type Progress =
    /// One training iteration is done; both numbers count from 0.
    | Step of epoch: int * iteration: int * loss: float
    /// One epoch, validation included, is done.
    | Epoch of EpochReport

/// Measures over epochs.
[<RequireQualifiedAccess>]
module EpochReport =

    /// Mean pseudo-Dice over the classes that have one; NaN when none has.
    let meanDice (report: EpochReport) : float =
        match report.PseudoDice |> List.filter (Double.IsNaN >> not) with
        | [] -> nan
        | values -> List.average values

    /// The exponential moving average of the mean pseudo-Dice after each epoch, oldest first: the first value as it is,
    /// then 0.9 of the previous average and 0.1 of the new value. An epoch without a value leaves the average as it
    /// was (nnU-Net's average stays NaN from there on).
    let movingDice (history: EpochReport list) : float list =
        let step (average: float) (report: EpochReport) =
            let value = meanDice report

            if Double.IsNaN value then average
            elif Double.IsNaN average then value
            else 0.9 * average + 0.1 * value

        history |> List.scan step nan |> List.tail

    /// Whether the newest moving average is above every earlier one, which makes its weights the best so far.
    let isBest (history: EpochReport list) : bool =
        match List.rev (movingDice history) with
        | newest :: earlier when not (Double.IsNaN newest) ->
            earlier |> List.forall (fun value -> Double.IsNaN value || newest > value)
        | _ -> false
