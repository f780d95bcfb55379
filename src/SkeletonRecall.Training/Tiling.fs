namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// How an image is covered with overlapping tiles, and how much each voxel of a tile counts.
[<RequireQualifiedAccess>]
module Tiling =

    /// Where tiles of length `patch` begin along an axis of length `size` (at least `patch`): evenly spread, at most
    /// step * patch apart, the last one ending with the axis. Throws ArgumentException when the axis is too short.
    let positions (step: float) (patch: int) (size: int) : int list =
        if not (step > 0.0 && step <= 1.0) then
            invalidArg (nameof step) $"A step is a share of the patch in (0, 1]; got %g{step}."

        if patch < 1 || size < patch then
            invalidArg (nameof size) $"An axis of %d{size} is shorter than the patch's %d{patch}."

        let count = int (ceil (float (size - patch) / (float patch * step))) + 1

        let apart =
            if count > 1 then
                float (size - patch) / float (count - 1)
            else
                0.0

        // Ties go to the even neighbour, as numpy rounds.
        List.init count (fun index -> int (Math.Round(float index * apart, MidpointRounding.ToEven)))

    // A Gaussian around the centre of an axis, cut off at 4 standard deviations and normalized, as scipy filters a
    // single one at patch / 2.
    let private bell (size: int) : float[] =
        let deviation = float size / 8.0
        let radius = int (4.0 * deviation + 0.5)

        let value (distance: int) =
            exp (-0.5 * float (distance * distance) / (deviation * deviation))

        let total = Seq.sumBy value (seq { -radius .. radius })

        Array.init size (fun index ->
            let distance = index - size / 2

            if abs distance > radius then
                0.0
            else
                value distance / total)

    let private made (patch: Extent) : float32[] =
        let axes = patch.Shape |> List.map bell |> List.toArray
        let slices = if patch.Rank = 3 then axes[0] else [| 1.0 |]
        let rows = axes[patch.Rank - 2]
        let columns = axes[patch.Rank - 1]

        let raw =
            Array.init patch.Count (fun index ->
                let column = index % patch.Width
                let row = index / patch.Width % patch.Height
                slices[index / (patch.Width * patch.Height)] * rows[row] * columns[column])

        let scale = Array.max raw / 10.0

        let halves =
            raw |> Array.map (fun value -> float32 (Half.op_Explicit (value / scale): Half))

        let smallest = halves |> Array.filter (fun value -> value > 0.0f) |> Array.min
        halves |> Array.map (fun value -> if value > 0.0f then value else smallest)

    // The last one made: whoever predicts many images asks for the same one again and again, and a large one takes as long as
    // a layer of tiles to blend.
    let mutable private last: (Extent * float32[]) option = None

    /// How much each voxel of a tile counts, row-major: a Gaussian with a standard deviation of an eighth of the patch
    /// and the peak 10, in half precision, zeros replaced by the smallest value above zero (nnU-Net's importance map). The array is
    /// shared and must not be changed.
    let importance (patch: Extent) : float32[] =
        match last with
        | Some(known, weights) when known = patch -> weights
        | _ ->
            let weights = made patch
            last <- Some(patch, weights)
            weights
