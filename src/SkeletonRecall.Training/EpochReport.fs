namespace SkeletonRecall.Training

open System
open SkeletonRecall

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
        /// Measures on whole validation cases: the mean over cases of each class, then over classes, NaN left out, as the
        /// `foreground_mean` of summary.json; empty where the epoch had no such validation.
        Measures: MeasureValues
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

    /// An epoch in a line: its number, the training loss, and the mean pseudo Dice where there is one.
    let print (report: EpochReport) : string =
        let dice = meanDice report

        $"epoch %d{report.Epoch}, loss %.4f{report.TrainLoss}"
        + (if Double.IsNaN dice then
               ""
           else
               $", pseudo Dice %.4f{dice}")

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

    /// By how much the Dice on whole cases may lie below the best one where another measure decides: 0.01, one point.
    let guard: float = 0.01

    let private measured (measure: Measure) (report: EpochReport) : float =
        report.Measures
        |> List.tryPick (fun (known, value) -> if known = measure then Some value else None)
        |> Option.defaultValue nan

    /// The epoch whose weights are held as the best by a measure on whole cases. Only one epoch's weights are held: the newest
    /// takes their place when its Dice is within `guard` of the highest Dice so far and its value is better (the higher Dice
    /// among equals), or when those held have fallen out of the guard. So no later epoch within the guard is better than the one
    /// held; an earlier one can be, whose weights were never held. None without an epoch that has both values.
    let bestBy (measure: Measure) (history: EpochReport list) : EpochReport option =
        let dice = measured Measure.Dice

        let value (report: EpochReport) =
            match Measure.better measure with
            | Better.Lower -> -(measured measure report)
            | _ -> measured measure report

        let step (held: EpochReport option, highest: float) (report: EpochReport) =
            if Double.IsNaN(dice report) || Double.IsNaN(value report) then
                held, highest
            else
                let highest = max highest (dice report)

                let serves (report: EpochReport) = dice report >= highest - guard

                match held with
                | Some best when
                    serves best
                    && (not (serves report)
                        || value report < value best
                        || (value report = value best && dice report <= dice best))
                    ->
                    held, highest
                | _ -> Some report, highest

        history |> List.fold step (None, -infinity) |> fst

    /// Whether the newest epoch's weights are the best so far: by a measure on whole cases, see `bestBy`, or by `isBest`.
    let isBestBy (measure: Measure option) (history: EpochReport list) : bool =
        match measure, List.tryLast history with
        | None, _ -> isBest history
        | Some measure, Some newest ->
            match bestBy measure history with
            | Some best -> best.Epoch = newest.Epoch
            | None -> false
        | Some _, None -> false
