namespace SkeletonRecall

open System
open TorchSharp

/// What the Tversky loss may be told.
type TverskyOptions =
    {
        /// Weight of false positives in the denominator; finite, at least 0, 0.3 by default.
        FalsePositives: float
        /// Weight of false negatives in the denominator; finite, at least 0, 0.7 by default: above the other one it
        /// favours recall.
        FalseNegatives: float
        /// The focal exponent is 1 / gamma; finite, above 0. 1, the default, is the plain loss; 4/3 is the published
        /// focal one.
        Gamma: float
        /// Whether sums are taken over the batch before the ratio (true), or each sample has its own ratio and the mean
        /// is taken (false, the default).
        BatchDice: bool
        /// Whether the background counts as a class; false by default. Regions have none.
        Background: bool
        /// Added to numerator and denominator; at least 0, 1e-5 by default.
        Smooth: float
    }

/// The Tversky loss: the mean over classes or regions of (1 - TP / (TP + a FP + b FN))^(1 / gamma) (S. Salehi et al.,
/// "Tversky loss function for image segmentation using 3D fully convolutional deep networks", 2017; with gamma, N. Abraham
/// and N. Khan, "A novel focal Tversky loss function with improved attention U-Net for lesion segmentation", ISBI 2019).
[<RequireQualifiedAccess>]
module Tversky =

    /// The paper's best: 0.3 for false positives, 0.7 for false negatives; each sample its own ratio, no background.
    let standard: TverskyOptions =
        {
            FalsePositives = 0.3
            FalseNegatives = 0.7
            Gamma = 1.0
            BatchDice = false
            Background = false
            Smooth = 1e-5
        }

    /// The focal one as published: gamma 4/3.
    let focal: TverskyOptions = { standard with Gamma = 4.0 / 3.0 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: TverskyOptions) : unit =
        let least (name: string) (value: float) =
            if not (Double.IsFinite value && value >= 0.0) then
                invalidArg (nameof options) $"%s{name} is a finite number of at least 0; got %g{value}."

        least "FalsePositives" options.FalsePositives
        least "FalseNegatives" options.FalseNegatives
        least "Smooth" options.Smooth

        if not (Double.IsFinite options.Gamma && options.Gamma > 0.0) then
            invalidArg (nameof options) $"Gamma is a finite number above 0; got %g{options.Gamma}."

    /// The Tversky loss of logits (B, C, spatial...) against classes (softmax) or regions (sigmoid): a scalar in [0, 1],
    /// computed in float32 for half precision. Voxels that do not count (target.Valid) are left out of all sums.
    /// Throws ArgumentException for options out of range, shapes, ids and channels that do not fit, and logits of which
    /// NaN or infinity makes the loss NaN.
    let loss (options: TverskyOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let all = Target.probabilities logits target

            let first =
                if options.Background then
                    0L
                else
                    Target.firstForeground target

            let channels (values: Tensor) =
                values.narrow (1L, first, values.shape[1] - first)

            let counted (values: Tensor) : Tensor =
                match Target.counts all.dtype target with
                | None -> channels values
                | Some valid -> channels values * valid

            let predicted = counted all
            let truth = counted (Target.truthChannels all target)
            let axes = SoftDice.summedAxes options.BatchDice logits
            let hits = (predicted * truth).sum axes
            let extra = predicted.sum axes - hits
            let missed = truth.sum axes - hits
            let smooth = KeptScalar.Of options.Smooth

            let wanted =
                let false' =
                    KeptScalar.Sum(
                        extra * KeptScalar.Of options.FalsePositives,
                        missed * KeptScalar.Of options.FalseNegatives
                    )

                KeptScalar.Sum(KeptScalar.Sum(hits, false'), smooth).clamp_min(KeptScalar.Of 1e-8)

            let lost =
                KeptScalar.Sum((KeptScalar.Sum(hits, smooth) / wanted).neg(), KeptScalar.Of 1.0)

            let result =
                if options.Gamma = 1.0 then
                    lost.mean ()
                else
                    // The slope of a root has no bound at 0.
                    lost.clamp_min(KeptScalar.Of 1e-7).pow(KeptScalar.Of(1.0 / options.Gamma)).mean()

            Target.requireFinite logits result
            result)
