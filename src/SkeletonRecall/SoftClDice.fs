namespace SkeletonRecall

open TorchSharp

/// What soft clDice may be told.
type SoftClDiceOptions =
    {
        /// Rounds of erosion of the soft skeletons, at least 0; 10 by default, which upstream's code uses whatever it is
        /// told. It should reach the largest radius in voxels.
        Iterations: int
        /// Added to numerators and denominators; at least 0, 1 by default.
        Smooth: float
        /// Whether the background counts as a class; false by default. Regions have none.
        Background: bool
        /// The share of soft Dice (over the same channels, smooth 1) in the loss, 0 to 1: 0, clDice alone, by default; 1
        /// minus the alpha of upstream's soft_dice_cldice, which has 0.5.
        DiceShare: float
    }

/// Soft clDice: 1 - 2 Tp Ts / (Tp + Ts), where Tp is the share of the prediction's soft skeleton that lies in the labels
/// and Ts the share of the labels' soft skeleton that lies in the prediction (Shit et al., CVPR 2021, arXiv 2003.07311;
/// the reference code's sums over batch and channels at once).
[<RequireQualifiedAccess>]
module SoftClDice =

    /// 10 iterations, smooth 1, no background, no Dice.
    let standard: SoftClDiceOptions =
        {
            Iterations = 10
            Smooth = 1.0
            Background = false
            DiceShare = 0.0
        }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: SoftClDiceOptions) : unit =
        if options.Iterations < 0 then
            invalidArg (nameof options) $"Iterations number at least 0; got %d{options.Iterations}."

        if not (System.Double.IsFinite options.Smooth && options.Smooth >= 0.0) then
            invalidArg (nameof options) $"Smooth is a finite number of at least 0; got %g{options.Smooth}."

        if not (options.DiceShare >= 0.0 && options.DiceShare <= 1.0) then
            invalidArg (nameof options) $"DiceShare lies in 0..1; got %g{options.DiceShare}."

    /// Soft clDice of probabilities against channels of 0 and 1 (or of probabilities), both (B, C, spatial...) and of one
    /// type, all channels counted, whatever the options say of the background. A scalar in [0, 1].
    /// Throws ArgumentException for shapes that differ and for other than two or three spatial axes.
    let ofProbabilities (options: SoftClDiceOptions) (prediction: Tensor) (truth: Tensor) : Tensor =
        requireOptions options

        if prediction.shape <> truth.shape then
            invalidArg
                (nameof truth)
                $"The shape is %s{Tensors.shapeText truth.shape} where %s{Tensors.shapeText prediction.shape} is wanted, to fit the prediction."

        Tensors.scoped (fun () ->
            let smooth = KeptScalar.Of options.Smooth

            let share (skeleton: Tensor) (other: Tensor) : Tensor =
                KeptScalar.Sum((skeleton * other).sum(), smooth)
                / KeptScalar.Sum(skeleton.sum (), smooth).clamp_min(KeptScalar.Of 1e-8)

            let precision =
                share (SoftSkeleton.ofProbabilities options.Iterations prediction) truth

            let sensitivity =
                share (SoftSkeleton.ofProbabilities options.Iterations truth) prediction

            let both = KeptScalar.Sum(precision, sensitivity).clamp_min(KeptScalar.Of 1e-8)
            let one = KeptScalar.Of 1.0

            let clDice =
                KeptScalar.Sum((precision * sensitivity * KeptScalar.Of 2.0 / both).neg(), one)

            if options.DiceShare = 0.0 then
                clDice
            else
                let overlap = (prediction * truth).sum()
                let sizes = KeptScalar.Sum(prediction.sum (), truth.sum ())

                let ratio =
                    KeptScalar.Sum(overlap * KeptScalar.Of 2.0, one) / KeptScalar.Sum(sizes, one)

                let dice = KeptScalar.Sum(ratio.neg (), one)

                KeptScalar.Sum(dice * KeptScalar.Of options.DiceShare, clDice * KeptScalar.Of(1.0 - options.DiceShare)))

    /// Soft clDice of logits (B, C, spatial...) against class ids (softmax) or regions (sigmoid): a scalar in [0, 1],
    /// smaller is better, computed in float32 for half-precision logits. Voxels that do not count (target.Valid) are
    /// background in prediction and labels. The skeletons of labels are made anew in each call, by the same soft way.
    /// Throws ArgumentException for shapes that do not fit, other than two or three spatial axes, ids outside 0..C-1,
    /// regions of other values than 0 and 1, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: SoftClDiceOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let first =
                if options.Background then
                    0L
                else
                    Target.firstForeground target

            let probabilities = Target.probabilities logits target
            let valid = Target.counts probabilities.dtype target

            let counted (channels: Tensor) : Tensor =
                let foreground = Target.channelsFrom first channels

                match valid with
                | None -> foreground
                | Some valid -> foreground * valid

            let truth = counted (Target.truthChannels probabilities target)
            let result = ofProbabilities options (counted probabilities) truth
            Target.requireFinite logits result
            result)
