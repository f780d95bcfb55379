namespace SkeletonRecall

open System
open TorchSharp

/// What the same-class neighbour penalty may be told.
type ScnpOptions =
    {
        /// Voxels of the neighbourhood along each axis; odd, at least 3, the default.
        Window: int
    }

/// Same-class neighbour penalty: each logit becomes the worst one of the same truth in its neighbourhood, so that a loss
/// sees a voxel as good as its worst neighbour. Of a channel, that is the smallest logit among neighbours that are of the
/// class where the voxel is, and the largest among those that are not where it is not (J. M. Valverde et al., "Towards
/// High-Quality Image Segmentation: Improving Topology Accuracy by Penalizing Neighbor Pixels", CVPR 2026).
[<RequireQualifiedAccess>]
module Scnp =

    /// The paper's: 3 voxels along each axis.
    let standard: ScnpOptions = { Window = 3 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: ScnpOptions) : unit =
        if options.Window < 3 || options.Window % 2 = 0 then
            invalidArg (nameof options) $"Window is an odd number of voxels of at least 3; got %d{options.Window}."

    let private largest (window: int) (values: Tensor) : Tensor =
        let size = int64 window

        match values.dim () - 2L with
        | 2L -> torch.nn.functional.max_pool2d (values, kernel_size = size, stride = 1L, padding = size / 2L)
        | 3L ->
            torch.nn.functional.max_pool3d (
                values,
                kernel_size = Array.create 3 size,
                strides = Array.create 3 1L,
                padding = Array.create 3 (size / 2L)
            )
        | _ ->
            invalidArg
                "logits"
                $"Neighbourhoods are of 2 or 3 spatial axes; the shape is %s{Tensors.shapeText values.shape}."

    /// The penalized logits, in the shape of the logits (B, C, spatial...), float32 for half precision, for planes and
    /// volumes, classes and regions. A voxel that does not count (target.Valid) keeps its logits and penalizes no other.
    /// Throws ArgumentException for options out of range and for shapes, ids and channels that do not fit.
    let penalize (options: ScnpOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits
            let never = KeptScalar.Of Double.NegativeInfinity
            let inside = (Target.truthChannels scores target).ne(KeptScalar.Of 0)

            let left (isLeft: Tensor) : Tensor =
                match target.Valid with
                | None -> isLeft
                | Some valid -> isLeft.logical_or (valid.eq (KeptScalar.Of 0))

            let smallest =
                (scores.neg().masked_fill(left (inside.logical_not ()), never)
                 |> largest options.Window)
                    .neg()

            let greatest = scores.masked_fill (left inside, never) |> largest options.Window
            let worst = torch.where (inside, smallest, greatest)

            match target.Valid with
            | None -> worst
            | Some valid -> torch.where (valid.ne (KeptScalar.Of 0), worst, scores))

    /// A loss of the penalized logits alone; the paper's sum of raw and penalized is `loss` + this.
    let loss (options: ScnpOptions) (inner: Loss) (logits: Tensor) (target: Target) : Tensor =
        Loss.mapLogits (penalize options) inner logits target
