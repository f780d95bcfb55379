namespace SkeletonRecall

open System
open TorchSharp

/// The boundary loss: the mean of probability times signed distance to the label's boundary, so that foreground costs
/// the more the farther it lies outside, and earns the more the deeper it lies inside (H. Kervadec et al., "Boundary loss
/// for highly unbalanced segmentation", MIDL 2019). It says little where nothing is right yet: give it a warm-up.
[<RequireQualifiedAccess>]
module Boundary =

    /// Outside, the distance to the nearest voxel of the mask; inside, 1 less the distance to the nearest voxel that is
    /// not, as in the authors' code: 0 in the voxels along the boundary's inner side. 0 everywhere without boundary.
    let internal signed (mask: Mask) : float[] =
        let inside = (Distance.toBackground mask).Data
        let outside = (Distance.toMask mask).Data

        Array.map2
            (fun inside outside ->
                if not (Double.IsFinite inside && Double.IsFinite outside) then
                    0.0
                elif inside > 0.0 then
                    1.0 - inside
                else
                    outside)
            inside
            outside

    /// The boundary loss of logits (B, C, spatial...) of planes and volumes against classes (softmax) or regions
    /// (sigmoid): the mean over foreground channels and the voxels that count (target.Valid), computed in float32 for half
    /// precision; below 0 for a good prediction. Distances are Euclidean, in voxels, and are made in each call from the
    /// labels, on the CPU; a class that fills the patch or is not in it adds 0, and labels that do not count are
    /// background. Throws ArgumentException for shapes, ids and channels that do not fit, other than two or three spatial
    /// axes, and logits of which NaN or infinity makes the loss NaN.
    let loss (logits: Tensor) (target: Target) : Tensor =
        Target.require logits target

        Tensors.scoped (fun () ->
            let all = Target.probabilities logits target
            let first = Target.firstForeground target
            let valid = Target.counts all.dtype target

            let counted (channels: Tensor) : Tensor =
                let foreground = Target.channelsFrom first channels

                match valid with
                | None -> foreground
                | Some valid -> foreground * valid

            let distances =
                ChannelMaps.map signed all (counted (Target.truthChannels all target))

            let result = Target.meanOfCounted valid (counted all * distances)
            Target.requireFinite logits result
            result)
