namespace SkeletonRecall

open TorchSharp

/// What binary cross-entropy may be told.
type BinaryCrossEntropyOptions =
    {
        /// The share of each truth that is spread evenly over yes and no, 0 (the default) to 1.
        LabelSmoothing: float
    }

/// Binary cross-entropy of regions: minus the log of the sigmoid probability of what is true of each voxel and region.
[<RequireQualifiedAccess>]
module BinaryCrossEntropy =

    /// nnU-Net's: no label smoothing.
    let standard: BinaryCrossEntropyOptions = { LabelSmoothing = 0.0 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: BinaryCrossEntropyOptions) : unit =
        if not (options.LabelSmoothing >= 0.0 && options.LabelSmoothing <= 1.0) then
            invalidArg (nameof options) $"LabelSmoothing lies in 0..1; got %g{options.LabelSmoothing}."

    /// Binary cross-entropy of logits (B, R, spatial...) against regions; a scalar of at least 0, computed in float32 for
    /// half-precision logits. Without validity mask the mean goes over voxels and regions. With one, the sum over the
    /// voxels that count and all regions is divided by the number of those voxels alone, as in nnU-Net: R times the
    /// mean; 0 with a zero gradient where none counts. Throws ArgumentException for classes, shapes that do not fit,
    /// regions of other values than 0 and 1, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: BinaryCrossEntropyOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.requireLogits logits
        let channels = Target.regionChannels logits target

        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits
            let sharp = channels.``to`` scores.dtype

            let truth =
                if options.LabelSmoothing = 0.0 then
                    sharp
                else
                    KeptScalar.Sum(
                        sharp * KeptScalar.Of(1.0 - options.LabelSmoothing),
                        KeptScalar.Of(0.5 * options.LabelSmoothing)
                    )

            let result =
                match Target.counts scores.dtype target with
                | None -> torch.nn.functional.binary_cross_entropy_with_logits (scores, truth)
                | Some valid ->
                    let each =
                        torch.nn.functional.binary_cross_entropy_with_logits (
                            scores,
                            truth,
                            reduction = torch.nn.Reduction.None
                        )

                    (each * valid).sum() / valid.sum().clamp_min(KeptScalar.Of 1e-8)

            Target.requireFinite logits result
            result)
