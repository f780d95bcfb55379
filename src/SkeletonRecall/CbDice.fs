namespace SkeletonRecall

open System
open TorchSharp

/// What centreline boundary Dice may be told.
type CbDiceOptions =
    {
        /// Rounds of erosion of the soft skeletons, at least 0; 10 by default, the authors'.
        Iterations: int
        /// Added to numerators and denominators; at least 0, 1e-3 by default, as the authors train.
        Smooth: float
    }

/// Centreline boundary Dice (cbDice): clDice whose skeletons and volumes are weighted by distances to the boundary and
/// radii, so that thin and thick branches count alike (P. Shi et al., "Centerline Boundary Dice Loss for Vascular
/// Segmentation", MICCAI 2024). As in the authors' code (of commit a970c1d), classes are merged into one foreground, sums
/// go over the batch, and skeletons, distances and radii are of hard masks and have no gradient.
[<RequireQualifiedAccess>]
module CbDice =

    /// The authors' training: 10 iterations, smooth 1e-3.
    let standard: CbDiceOptions = { Iterations = 10; Smooth = 1e-3 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: CbDiceOptions) : unit =
        SoftSkeleton.requireIterations options.Iterations

        if not (Double.IsFinite options.Smooth && options.Smooth >= 0.0) then
            invalidArg (nameof options) $"Smooth is a finite number of at least 0; got %g{options.Smooth}."

    /// What a mask and its skeleton weigh.
    type private Weights =
        {
            /// Distance to the background, at most the largest radius of the skeleton, over that radius, times the mask.
            Volume: Tensor
            /// The same on the skeleton alone: its radii, times the mask.
            Radius: Tensor
            /// The skeleton times the mask, heavier where the radius is small: 1 less the radius plus one voxel over the
            /// largest radius (squared in volumes).
            Line: Tensor
        }

    // A mask that fills the patch has no background: every voxel counts as 1 from it.
    let private distances (mask: Mask) : float[] =
        (Distance.toBackground mask).Data
        |> Array.map (fun distance -> if Double.IsFinite distance then distance else 1.0)

    let private weigh (iterations: int) (mask: Tensor) : Weights =
        let hard = mask.detach().gt(KeptScalar.Of 0.5).``to`` mask.dtype
        let line = SoftSkeleton.ofProbabilities iterations hard
        let depth = ChannelMaps.map distances mask hard
        let radius = depth * line
        let spatial = [| for axis in 2L .. mask.dim () - 1L -> axis |]
        let largest = radius.amax(spatial, keepdim = true).clamp_min(KeptScalar.Of 1.0)
        let slimness = KeptScalar.Sum(largest - radius, KeptScalar.Of 1.0) / largest
        let inverse = if spatial.Length = 2 then slimness else slimness * slimness

        {
            Volume = torch.minimum (depth, largest) / largest * mask
            Radius = radius / largest * mask
            Line = inverse * line * mask
        }

    /// What a line could reach: where the other side has no radius, the own one.
    let private reach (own: Tensor) (other: Tensor) (line: Tensor) : Tensor =
        let nothing = KeptScalar.Of 0
        let alone = own.ne(nothing).logical_and(other.eq nothing)
        torch.where (alone, own * line, other * line)

    /// cbDice of foreground probabilities and truth (B, K, spatial...), the mean over K.
    let private compare (options: CbDiceOptions) (prediction: Tensor) (truth: Tensor) : Tensor =
        let smooth = KeptScalar.Of options.Smooth
        let axes = SoftDice.summedAxes true prediction
        let wanted = weigh options.Iterations truth
        let predicted = weigh options.Iterations prediction

        let share (line: Tensor) (volume: Tensor) (own: Tensor) (other: Tensor) : Tensor =
            KeptScalar.Sum((line * volume).sum axes, smooth)
            / KeptScalar.Sum((reach own other line).sum axes, smooth).clamp_min(KeptScalar.Of 1e-8)

        let precision = share predicted.Line wanted.Volume predicted.Radius wanted.Radius

        let sensitivity = share wanted.Line predicted.Volume wanted.Radius predicted.Radius

        (precision * sensitivity * KeptScalar.Of -2.0
         / KeptScalar.Sum(precision, sensitivity).clamp_min(KeptScalar.Of 1e-8))
            .mean()

    /// cbDice of logits (B, C, spatial...) of planes and volumes against classes (the softmax of background and the
    /// largest other logit) or regions (the sigmoid of each alone, and their mean): minus the harmonic mean of both shares,
    /// smaller is better, computed in float32 for half precision. Voxels that do not count (target.Valid) are background
    /// on both sides. Distances, in voxels, are made in each call, on the CPU.
    /// Throws ArgumentException for options out of range, shapes, ids and channels that do not fit, other than two or three
    /// spatial axes, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: CbDiceOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits

            let counted (channels: Tensor) : Tensor =
                match Target.counts scores.dtype target with
                | None -> channels
                | Some valid -> channels * valid

            let prediction, truth =
                match target.Truth with
                | Classes ids ->
                    let foreground =
                        scores.narrow(1L, 1L, scores.shape[1] - 1L).amax([| 1L |], keepdim = true)

                    (foreground - scores.narrow (1L, 0L, 1L)).sigmoid(), (ids.ne (KeptScalar.Of 0)).``to`` scores.dtype
                | Regions _ -> scores.sigmoid (), Target.truthChannels scores target

            let result = compare options (counted prediction) (counted truth)
            Target.requireFinite logits result
            result)
