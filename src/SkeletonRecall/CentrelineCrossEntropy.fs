namespace SkeletonRecall

open TorchSharp

/// What centreline cross-entropy may be told.
type CentrelineCrossEntropyOptions =
    {
        /// Rounds of erosion of the soft skeletons, at least 0; 3 by default, the authors'. It should reach the largest
        /// radius in voxels.
        Iterations: int
    }

/// Centreline cross-entropy (clCE): the mean of each voxel's cross-entropy times the soft skeleton of the labels, plus
/// the same with the prediction's (C. Acebes et al., "The Centerline-Cross Entropy Loss for Vessel-Like Structure
/// Segmentation: Better Topology Consistency Without Sacrificing Accuracy", MICCAI 2024). The authors' code is for one
/// class; here it is the mean over the foreground classes or regions.
[<RequireQualifiedAccess>]
module CentrelineCrossEntropy =

    /// The authors': 3 iterations.
    let standard: CentrelineCrossEntropyOptions = { Iterations = 3 }

    /// Cross-entropy of each voxel: one channel of classes, one per region of regions.
    let private each (scores: Tensor) (target: Target) : Tensor =
        match target.Truth with
        | Classes ids -> (scores.log_softmax 1L).gather(1L, ids.``to`` torch.int64).neg()
        | Regions channels ->
            torch.nn.functional.binary_cross_entropy_with_logits (
                scores,
                channels.``to`` scores.dtype,
                reduction = torch.nn.Reduction.None
            )

    /// Centreline cross-entropy of logits (B, C, spatial...) of planes and volumes against classes (softmax) or regions
    /// (sigmoid): at least 0, computed in float32 for half precision; gradients flow through the prediction's skeleton as
    /// well. Voxels that do not count (target.Valid) are background for the skeletons and left out of the means.
    /// Throws ArgumentException for a negative number of iterations, shapes, ids and channels that do not fit, other than
    /// two or three spatial axes, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: CentrelineCrossEntropyOptions) (logits: Tensor) (target: Target) : Tensor =
        SoftSkeleton.requireIterations options.Iterations
        Target.require logits target

        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits
            let first = Target.firstForeground target
            let valid = Target.counts scores.dtype target

            let counted (values: Tensor) : Tensor =
                match valid with
                | None -> values
                | Some valid -> values * valid

            let skeleton (channels: Tensor) : Tensor =
                Target.channelsFrom first channels
                |> counted
                |> SoftSkeleton.ofProbabilities options.Iterations

            let wanted = skeleton (Target.truthChannels scores target)
            let predicted = skeleton (Target.probabilities logits target)

            let result =
                Target.meanOfCounted valid (counted (each scores target) * KeptScalar.Sum(wanted, predicted))

            Target.requireFinite logits result
            result)
