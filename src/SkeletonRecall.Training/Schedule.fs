namespace SkeletonRecall.Training

/// Learning rates as functions of the epoch, so that a resumed run needs no state for them.
[<RequireQualifiedAccess>]
module Schedule =

    /// nnU-Net's polynomial decay: initial * (1 - epoch / epochs)^0.9, for epochs 0 .. epochs - 1.
    /// Throws ArgumentException when the epoch is outside of that.
    let polynomial (initial: float) (epochs: int) (epoch: int) : float =
        if epoch < 0 || epoch >= epochs then
            invalidArg (nameof epoch) $"Epochs run from 0 to %d{epochs - 1}; got %d{epoch}."

        initial * (1.0 - float epoch / float epochs) ** 0.9
