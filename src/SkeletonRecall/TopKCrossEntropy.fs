namespace SkeletonRecall

open TorchSharp

/// What top-k cross-entropy may be told.
type TopKCrossEntropyOptions =
    {
        /// The share of voxels, in percent, that count: those of the largest cross-entropy. Above 0, at most 100; 10 by
        /// default.
        Percent: float
        /// As in `CrossEntropyOptions`; 0 by default.
        LabelSmoothing: float
    }

/// Cross-entropy of the hardest voxels: the mean over the k percent of the batch's voxels where it is largest, as
/// nnU-Net's TopKLoss (Wu et al., "Bridging Category-level and Instance-level Semantic Image Segmentation", 2016).
[<RequireQualifiedAccess>]
module TopKCrossEntropy =

    /// nnU-Net's: 10 percent, no label smoothing.
    let standard: TopKCrossEntropyOptions = { Percent = 10.0; LabelSmoothing = 0.0 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: TopKCrossEntropyOptions) : unit =
        if not (options.Percent > 0.0 && options.Percent <= 100.0) then
            invalidArg (nameof options) $"Percent is above 0 and at most 100; got %g{options.Percent}."

        if not (options.LabelSmoothing >= 0.0 && options.LabelSmoothing <= 1.0) then
            invalidArg (nameof options) $"LabelSmoothing lies in 0..1; got %g{options.LabelSmoothing}."

    /// Top-k cross-entropy of logits (B, C, spatial...) against class ids; a scalar of at least 0, computed in float32
    /// for half-precision logits. The share is of all voxels of the batch, rounded down to whole voxels but at least
    /// one; voxels that do not count (target.Valid) are among them, with 0, as in nnU-Net. 0 with a zero gradient where
    /// none counts. Throws ArgumentException for shapes that do not fit, ids outside 0..C-1, regions (as nnU-Net), and
    /// logits of which NaN or infinity makes the loss NaN.
    let loss (options: TopKCrossEntropyOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.requireLogits logits
        let ids = Target.classIds logits target

        Tensors.scoped (fun () ->
            let truth = ids.squeeze(1L).``to`` torch.int64

            let marked =
                match target.Valid with
                | None -> truth
                | Some valid -> CrossEntropy.marked valid truth

            let each =
                torch.nn.functional.cross_entropy (
                    Tensors.atLeastSingle logits,
                    marked,
                    ignore_index = CrossEntropy.skipped,
                    reduction = torch.nn.Reduction.None,
                    label_smoothing = options.LabelSmoothing
                )

            let voxels = each.numel ()

            let hardest =
                int (float voxels * options.Percent / 100.0) |> max 1 |> min (int voxels)

            let struct (largest, _) = each.flatten().topk(hardest, sorted = false)
            let result = largest.mean ()
            Target.requireFinite logits result
            result)
