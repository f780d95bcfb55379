namespace SkeletonRecall

open System
open TorchSharp

/// What the precision guard may be told.
type PrecisionGuardOptions =
    {
        /// How far from the labels foreground costs nothing, in voxels; finite, at least 0, 3 by default.
        Margin: float
        /// Added to the predicted foreground below the line; finite, at least 0, 1 voxel by default.
        Smooth: float
    }

/// A guard against extra foreground, which skeleton recall never punishes: the share of the predicted foreground that
/// lies farther than a margin from the labels. It is this library's own; no recipe has it unless it is asked for.
[<RequireQualifiedAccess>]
module PrecisionGuard =

    /// 3 voxels of margin, smooth 1.
    let standard: PrecisionGuardOptions = { Margin = 3.0; Smooth = 1.0 }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: PrecisionGuardOptions) : unit =
        let least (name: string) (value: float) =
            if not (Double.IsFinite value && value >= 0.0) then
                invalidArg (nameof options) $"%s{name} is a finite number of at least 0; got %g{value}."

        least "Margin" options.Margin
        least "Smooth" options.Smooth

    /// 1 where the mask is farther away than the margin, everywhere where it is empty.
    let private far (margin: float) (mask: Mask) : float[] =
        (Distance.toMask mask).Data
        |> Array.map (fun distance -> if distance > margin then 1.0 else 0.0)

    /// The guard of logits (B, C, spatial...) of planes and volumes: a scalar in [0, 1], computed in float32 for half
    /// precision. Of classes, all foreground is one (what is given to the wrong class is not extra); of regions, each is
    /// alone. Each sample (and region) has its own share, and the mean is taken. Distances are Euclidean, in voxels, and
    /// made in each call from the labels, on the CPU. Voxels that do not count (target.Valid) are left out.
    /// Throws ArgumentException for options out of range, shapes, ids and channels that do not fit, other than two or three
    /// spatial axes, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: PrecisionGuardOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let all = Target.probabilities logits target
            let valid = Target.counts all.dtype target

            let counted (channels: Tensor) : Tensor =
                match valid with
                | None -> channels
                | Some valid -> channels * valid

            let foreground, truth =
                match target.Truth with
                | Classes ids ->
                    counted (KeptScalar.Sum(all.narrow(1L, 0L, 1L).neg(), KeptScalar.Of 1.0)),
                    counted ((ids.ne (KeptScalar.Of 0)).``to`` all.dtype)
                | Regions _ -> counted all, counted (Target.truthChannels all target)

            let axes = SoftDice.summedAxes false logits
            let extra = ChannelMaps.map (far options.Margin) all truth

            let share =
                (foreground * extra).sum axes
                / KeptScalar.Sum(foreground.sum axes, KeptScalar.Of options.Smooth).clamp_min(KeptScalar.Of 1e-8)

            let result = share.mean ()
            Target.requireFinite logits result
            result)
