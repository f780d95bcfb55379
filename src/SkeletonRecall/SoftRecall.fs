namespace SkeletonRecall

open TorchSharp

/// Soft skeleton recall: -(sum(p s) + smooth) / (sum(s) + smooth) per foreground class or region, where s is its tubed
/// skeleton and p its probability (Kirchhoff et al., "Skeleton Recall Loss for Connectivity Conserving and
/// Resource Efficient Segmentation of Thin Tubular Structures", ECCV 2024, arXiv 2404.03010).
[<RequireQualifiedAccess>]
module SoftRecall =

    /// Upstream's: each sample its own ratio, smooth 1e-5, all classes.
    let standard: SoftRecallOptions =
        {
            BatchDice = false
            Smooth = 1e-5
            PresentOnly = false
        }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: SoftRecallOptions) : unit =
        if not (System.Double.IsFinite options.Smooth && options.Smooth >= 0.0) then
            invalidArg (nameof options) $"Smooth is a finite number of at least 0; got %g{options.Smooth}."

    /// The loss as a composition of libtorch's operations, on any device; the arguments must have been checked.
    let internal composed (options: SoftRecallOptions) (logits: Tensor) (target: Target) : Tensor =
        Tensors.scoped (fun () ->
            let first = Target.firstForeground target

            let foreground (channels: Tensor) = Target.channelsFrom first channels

            let axes = SoftDice.summedAxes options.BatchDice logits
            let smooth = KeptScalar.Of options.Smooth
            let probabilities = Target.probabilities logits target
            let channels = foreground (Target.skeletonChannels probabilities target)

            let skeleton =
                match Target.counts probabilities.dtype target with
                | None -> channels
                | Some valid -> channels * valid

            let wanted = skeleton.sum axes

            let recalled =
                KeptScalar.Sum((foreground probabilities * skeleton).sum axes, smooth)

            let ratio = recalled / KeptScalar.Sum(wanted, smooth).clamp_min(KeptScalar.Of 1e-8)
            (SoftDice.average options.PresentOnly wanted ratio).neg())

    /// Soft skeleton recall of logits (B, C, spatial...) against the target's tubed skeleton: a scalar in [-1, 0],
    /// smaller is better, computed in float32 for half-precision logits. p is the softmax where the target holds
    /// classes, the sigmoid where it holds regions, all of which are foreground. Voxels that do not count
    /// (target.Valid) are left out of both sums. On the CPU, where the skeleton is of ids, only the skeleton's voxels are
    /// looked at, and the loss can be differentiated once. A class
    /// without skeleton counts as recalled: ratio 1, no gradient.
    /// Throws ArgumentException for a target without skeleton, shapes that do not fit, ids outside 0..C-1, channels of
    /// other values than 0 and 1, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: SoftRecallOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.requireLogits logits
        Target.skeleton logits target |> ignore

        let result =
            Tensors.scoped (fun () ->
                let scores = Tensors.atLeastSingle logits

                if SparseRecall.serves scores target then
                    SparseRecall.loss options scores target
                else
                    composed options scores target)

        Target.requireFinite logits result
        result
