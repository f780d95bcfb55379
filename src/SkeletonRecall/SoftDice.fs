namespace SkeletonRecall

open TorchSharp

/// What soft Dice may be told.
type SoftDiceOptions =
    {
        /// Whether overlap and sizes are summed over the batch before the ratio (true), or each sample has its own
        /// ratio and the mean is taken (false, the default). nnU-Net's plans decide it per configuration.
        BatchDice: bool
        /// Whether the background counts as a class; false by default.
        Background: bool
        /// Added to numerator and denominator; at least 0, 1e-5 by default.
        Smooth: float
    }

/// Memory-efficient soft Dice as nnU-Net's: -(2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth) per class, the mean
/// over classes (Isensee et al., "nnU-Net", Nature Methods 2021; Drozdzal et al. 2016).
[<RequireQualifiedAccess>]
module SoftDice =

    /// nnU-Net's: each sample its own ratio, no background, smooth 1e-5.
    let standard: SoftDiceOptions =
        {
            BatchDice = false
            Background = false
            Smooth = 1e-5
        }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: SoftDiceOptions) : unit =
        if not (System.Double.IsFinite options.Smooth && options.Smooth >= 0.0) then
            invalidArg (nameof options) $"Smooth is a finite number of at least 0; got %g{options.Smooth}."

    /// The axes over which sums are taken: the spatial ones, and the batch where it counts as one sample.
    let internal summedAxes (batch: bool) (logits: Tensor) : int64[] =
        [|
            if batch then
                0L
            for axis in 2L .. logits.dim () - 1L do
                axis
        |]

    /// Class ids as one-hot channels from `first` on, in the type of the probabilities; 0 where a voxel is ignored.
    let internal truthChannels (first: int64) (ids: Tensor) (valid: Tensor option) (probabilities: Tensor) : Tensor =
        let classes = probabilities.shape[1]
        let all = Tensors.oneHot classes probabilities.dtype ids
        let channels = all.narrow (1L, first, classes - first)

        match valid with
        | None -> channels
        | Some valid -> channels * valid

    /// Soft Dice of logits (B, C, spatial...) against class ids: a scalar in [-1, 0], smaller is better, computed in
    /// float32 for half-precision logits. Voxels that do not count (target.Valid) are left out of all sums. A class
    /// that neither labels nor probabilities hold has the ratio smooth / smooth = 1. Throws ArgumentException for
    /// shapes that do not fit, ids outside 0..C-1, regions, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: SoftDiceOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.requireLogits logits
        let ids = Target.classIds logits target

        Tensors.scoped (fun () ->
            let first = if options.Background then 0L else 1L
            let axes = summedAxes options.BatchDice logits
            let smooth = Scalar.op_Implicit options.Smooth
            let probabilities = (Tensors.atLeastSingle logits).softmax 1L

            let valid =
                target.Valid
                |> Option.map (fun valid -> (valid.ne (Scalar.op_Implicit 0)).``to`` probabilities.dtype)

            let truth = truthChannels first ids valid probabilities
            let foreground = probabilities.narrow (1L, first, probabilities.shape[1] - first)

            let predicted =
                match valid with
                | None -> foreground.sum axes
                | Some valid -> (foreground * valid).sum axes

            let overlap = (foreground * truth).sum axes
            let sizes = (predicted + truth.sum axes).add smooth

            let ratio =
                (overlap * Scalar.op_Implicit 2.0).add(smooth)
                / sizes.clamp_min (Scalar.op_Implicit 1e-8)

            let result = ratio.mean().neg()
            Target.requireFinite logits result
            result)
