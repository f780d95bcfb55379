namespace SkeletonRecall

open TorchSharp

/// What soft skeleton recall may be told.
type SoftRecallOptions =
    {
        /// Whether sums are taken over the batch before the ratio (true), or each sample has its own ratio and the
        /// mean is taken (false, the default).
        BatchDice: bool
        /// Added to numerator and denominator; at least 0, 1e-5 by default.
        Smooth: float
    }

/// Soft skeleton recall: -(sum(p s) + smooth) / (sum(s) + smooth) per foreground class, where s is the tubed skeleton
/// of the class and p its softmax probability (Kirchhoff et al., "Skeleton Recall Loss for Connectivity Conserving and
/// Resource Efficient Segmentation of Thin Tubular Structures", ECCV 2024, arXiv 2404.03010).
[<RequireQualifiedAccess>]
module SoftRecall =

    /// Upstream's: each sample its own ratio, smooth 1e-5.
    let standard: SoftRecallOptions = { BatchDice = false; Smooth = 1e-5 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: SoftRecallOptions) : unit =
        if not (System.Double.IsFinite options.Smooth && options.Smooth >= 0.0) then
            invalidArg (nameof options) $"Smooth is a finite number of at least 0; got %g{options.Smooth}."

    /// Soft skeleton recall of logits (B, C, spatial...) against the target's tubed skeleton: a scalar in [-1, 0],
    /// smaller is better, computed in float32 for half-precision logits. Voxels that do not count (target.Valid) are
    /// left out of both sums. A class without skeleton counts as recalled: ratio 1, no gradient.
    /// Throws ArgumentException for a target without skeleton, shapes that do not fit, ids outside 0..C-1, and logits
    /// of which NaN or infinity makes the loss NaN.
    let loss (options: SoftRecallOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.requireLogits logits
        let ids = Target.skeletonIds logits target

        Tensors.scoped (fun () ->
            let axes = SoftDice.summedAxes options.BatchDice logits
            let smooth = Scalar.op_Implicit options.Smooth
            let probabilities = (Tensors.atLeastSingle logits).softmax 1L

            let valid =
                target.Valid
                |> Option.map (fun valid -> (valid.ne (Scalar.op_Implicit 0)).``to`` probabilities.dtype)

            let skeleton = SoftDice.truthChannels 1L ids valid probabilities
            let foreground = probabilities.narrow (1L, 1L, probabilities.shape[1] - 1L)
            let recalled = (foreground * skeleton).sum(axes).add smooth
            let wanted = (skeleton.sum axes).add(smooth).clamp_min(Scalar.op_Implicit 1e-8)
            let result = (recalled / wanted).mean().neg()
            Target.requireFinite logits result
            result)
