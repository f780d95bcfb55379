namespace SkeletonRecall

open TorchSharp

/// What cross-entropy may be told.
type CrossEntropyOptions =
    {
        /// The share of each voxel's truth that is spread evenly over all classes (over yes and no of each region), 0
        /// (the default) to 1 (Szegedy et al., "Rethinking the Inception architecture", 2016).
        LabelSmoothing: float
    }

/// Cross-entropy: minus the log of the softmax probability of the true class, mean over the voxels that count; against
/// regions it is the binary one (`BinaryCrossEntropy`).
[<RequireQualifiedAccess>]
module CrossEntropy =

    /// nnU-Net's: no label smoothing.
    let standard: CrossEntropyOptions = { LabelSmoothing = 0.0 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: CrossEntropyOptions) : unit =
        if not (options.LabelSmoothing >= 0.0 && options.LabelSmoothing <= 1.0) then
            invalidArg (nameof options) $"LabelSmoothing lies in 0..1; got %g{options.LabelSmoothing}."

    /// Marks what the mask leaves out by the index that libtorch's cross-entropy skips.
    let internal skipped = -100L

    /// Class ids (B, spatial...) as int64, `skipped` where the mask (B, 1, spatial...) is 0.
    let internal marked (valid: Tensor) (truth: Tensor) : Tensor =
        Tensors.scoped (fun () ->
            let counts = valid.squeeze(1L).ne(KeptScalar.Of 0)
            torch.where (counts, truth, torch.full_like (truth, KeptScalar.Of skipped)))

    let private ofClasses (options: CrossEntropyOptions) (logits: Tensor) (target: Target) : Tensor =
        Target.requireLogits logits
        let ids = Target.classIds logits target

        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits
            let truth = ids.squeeze(1L).``to`` torch.int64

            let result =
                match target.Valid with
                | None -> torch.nn.functional.cross_entropy (scores, truth, label_smoothing = options.LabelSmoothing)
                | Some valid ->
                    let counts = valid.squeeze(1L).ne(KeptScalar.Of 0)

                    let total =
                        torch.nn.functional.cross_entropy (
                            scores,
                            marked valid truth,
                            ignore_index = skipped,
                            reduction = torch.nn.Reduction.Sum,
                            label_smoothing = options.LabelSmoothing
                        )

                    total / counts.sum().clamp_min(KeptScalar.Of 1).``to`` scores.dtype

            Target.requireFinite logits result
            result)

    /// Cross-entropy of logits (B, C, spatial...) against class ids; a scalar of at least 0, computed in float32 for
    /// half-precision logits. The mean goes over the voxels of the batch that count (target.Valid); 0 with a zero
    /// gradient where none counts, as in nnU-Net. Against regions it is `BinaryCrossEntropy.loss`, as in nnU-Net.
    /// Throws ArgumentException for shapes that do not fit, ids outside 0..C-1, and logits of which NaN or infinity
    /// makes the loss NaN.
    let loss (options: CrossEntropyOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options

        match target.Truth with
        | Regions _ ->
            let binary: BinaryCrossEntropyOptions =
                {
                    LabelSmoothing = options.LabelSmoothing
                }

            BinaryCrossEntropy.loss binary logits target
        | Classes _ -> ofClasses options logits target
