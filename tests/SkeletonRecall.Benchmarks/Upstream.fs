namespace SkeletonRecall.Benchmarks

open TorchSharp
open SkeletonRecall

/// Upstream's losses as they are composed there, operation by operation, of this process's libtorch: what the fast forms
/// are measured against. Logits (B, C, spatial...), label maps and skeletons (B, 1, spatial...) as int16.
[<RequireQualifiedAccess>]
module Upstream =

    let private smooth: Scalar = Scalar.op_Implicit 1e-5
    let private least: Scalar = Scalar.op_Implicit 1e-8

    let private spatial (logits: Tensor) : int64[] = [| 2L .. logits.dim () - 1L |]

    let private oneHot (kind: torch.ScalarType) (logits: Tensor) (ids: Tensor) : Tensor =
        let indices = ids.``to`` torch.int64
        let zeros = torch.zeros (logits.shape, dtype = kind)
        let all = zeros.scatter_ (1L, indices, torch.ones_like (indices, dtype = kind))
        all.narrow (1L, 1L, logits.shape[1] - 1L)

    let private foreground (logits: Tensor) : Tensor =
        let probabilities = logits.softmax 1L
        probabilities.narrow (1L, 1L, logits.shape[1] - 1L)

    /// MemoryEfficientSoftDiceLoss, each sample its own ratio.
    let dice (logits: Tensor) (ids: Tensor) : Tensor =
        let axes = spatial logits
        let predicted = foreground logits
        let truth = oneHot torch.bool logits ids
        let overlap = (predicted * truth).sum axes
        let sizes = truth.sum axes + predicted.sum axes

        let ratio =
            (overlap * Scalar.op_Implicit 2).add(smooth) / sizes.add(smooth).clamp_min least

        ratio.mean().neg()

    /// Cross-entropy.
    let crossEntropy (logits: Tensor) (ids: Tensor) : Tensor =
        torch.nn.functional.cross_entropy (logits, ids.squeeze(1L).``to`` torch.int64)

    /// SoftSkeletonRecallLoss, each sample its own ratio.
    let recall (logits: Tensor) (skeleton: Tensor) : Tensor =
        let axes = spatial logits
        let predicted = foreground logits
        let tube = oneHot torch.int16 logits skeleton
        let recalled = (predicted * tube).sum(axes).add smooth
        (recalled / tube.sum(axes).add(smooth).clamp_min(least)).mean().neg()
