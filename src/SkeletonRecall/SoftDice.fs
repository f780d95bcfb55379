namespace SkeletonRecall

open TorchSharp

/// What soft Dice may be told.
type SoftDiceOptions =
    {
        /// Whether overlap and sizes are summed over the batch before the ratio (true), or each sample has its own
        /// ratio and the mean is taken (false, the default). nnU-Net's plans decide it per configuration.
        BatchDice: bool
        /// Whether the background counts as a class; false by default. Regions have none.
        Background: bool
        /// Added to numerator and denominator; at least 0, 1e-5 by default.
        Smooth: float
        /// Whether sums are taken of true positives, false positives and false negatives, as nnU-Net's SoftDiceLoss
        /// does, or of less (false, the default), as its MemoryEfficientSoftDiceLoss does. The results are the same up
        /// to rounding.
        Plain: bool
        /// Whether a class that the labels do not hold is left out of the mean (per sample, or per batch with
        /// `BatchDice`). False, upstream's, by default: such a class adds a ratio near 0, which moves nothing.
        PresentOnly: bool
    }

/// Soft Dice as nnU-Net's: -(2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth) per class or region, the mean
/// over them (Isensee et al., "nnU-Net", Nature Methods 2021; Drozdzal et al. 2016).
[<RequireQualifiedAccess>]
module SoftDice =

    /// nnU-Net's: each sample its own ratio, no background, smooth 1e-5, all classes, memory-efficient.
    let standard: SoftDiceOptions =
        {
            BatchDice = false
            Background = false
            Smooth = 1e-5
            Plain = false
            PresentOnly = false
        }

    /// The defaults of nnU-Net's SoftDiceLoss: true and false positives and false negatives, with the background,
    /// smooth 1.
    let plain: SoftDiceOptions =
        { standard with
            Background = true
            Smooth = 1.0
            Plain = true
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

    /// The mean of ratios, of those alone whose class is present (`wanted` above 0) if asked for; 0 where none is.
    let internal average (presentOnly: bool) (wanted: Tensor) (ratio: Tensor) : Tensor =
        if presentOnly then
            let present = wanted.gt(KeptScalar.Of 0).``to`` ratio.dtype
            (ratio * present).sum() / present.sum().clamp_min(KeptScalar.Of 1)
        else
            ratio.mean ()

    /// Soft Dice of logits (B, C, spatial...) against class ids (softmax) or regions (sigmoid): a scalar in [-1, 0],
    /// smaller is better, computed in float32 for half-precision logits. Voxels that do not count (target.Valid) are
    /// left out of all sums. A class that neither labels nor probabilities hold has the ratio smooth / smooth = 1.
    /// Throws ArgumentException for shapes that do not fit, ids outside 0..C-1, regions of other values than 0 and 1,
    /// and logits of which NaN or infinity makes the loss NaN.
    let loss (options: SoftDiceOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let first =
                if options.Background then
                    0L
                else
                    Target.firstForeground target

            let foreground (channels: Tensor) = Target.channelsFrom first channels

            let axes = summedAxes options.BatchDice logits
            let smooth = KeptScalar.Of options.Smooth
            let probabilities = Target.probabilities logits target
            let valid = Target.counts probabilities.dtype target

            let counted (channels: Tensor) : Tensor =
                match valid with
                | None -> channels
                | Some valid -> channels * valid

            let truth = counted (foreground (Target.truthChannels probabilities target))
            let predicted = foreground probabilities
            let wanted = truth.sum axes

            let struct (above, below) =
                if options.Plain then
                    let positive = counted predicted
                    let truePositive = (positive * truth).sum axes

                    let falsePositive =
                        (positive * truth.neg().add(KeptScalar.Of 1, KeptScalar.Of 1)).sum axes

                    let falseNegative =
                        (truth * predicted.neg().add(KeptScalar.Of 1, KeptScalar.Of 1)).sum axes

                    let above = truePositive * KeptScalar.Of 2.0
                    struct (above, KeptScalar.Sum(KeptScalar.Sum(above, falsePositive), falseNegative))
                else
                    struct ((predicted * truth).sum(axes) * KeptScalar.Of 2.0,
                            KeptScalar.Sum((counted predicted).sum axes, wanted))

            let ratio =
                KeptScalar.Sum(above, smooth)
                / KeptScalar.Sum(below, smooth).clamp_min(KeptScalar.Of 1e-8)

            let result = (average options.PresentOnly wanted ratio).neg()
            Target.requireFinite logits result
            result)
