namespace SkeletonRecall

/// How the weight of a term moves over the epochs of a run.
[<RequireQualifiedAccess>]
type WeightSchedule =
    /// The same from the first epoch to the last.
    | Constant
    /// `warm-up=n`: the weight's share `epoch / n`, from 0 at epoch 0 to all of it from epoch n on; n is at least 1.
    | WarmUp of epochs: int
    /// `after=n`: nothing before epoch n, all of it from then on; n is at least 0.
    | After of epoch: int

/// Weights over the epochs.
[<RequireQualifiedAccess>]
module WeightSchedule =

    /// What is wrong with a schedule: what came and what is wanted; None for a good one.
    let problem (schedule: WeightSchedule) : string option =
        match schedule with
        | WeightSchedule.WarmUp epochs when epochs < 1 -> Some $"A warm-up takes 1 epoch or more; got %d{epochs}."
        | WeightSchedule.After epoch when epoch < 0 -> Some $"A term begins after 0 epochs or more; got %d{epoch}."
        | _ -> None

    /// The share of the weight, 0 to 1, that counts in an epoch, the first of which is 0.
    let factor (epoch: int) (schedule: WeightSchedule) : float =
        match schedule with
        | WeightSchedule.Constant -> 1.0
        | WeightSchedule.WarmUp epochs when epoch >= epochs -> 1.0
        | WeightSchedule.WarmUp epochs -> float (max 0 epoch) / float epochs
        | WeightSchedule.After first -> if epoch >= first then 1.0 else 0.0
