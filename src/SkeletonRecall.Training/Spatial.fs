namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Rotating, scaling and mirroring patches.
[<RequireQualifiedAccess>]
module Spatial =

    /// A linear map of (z, y, x) offsets from the centre of the result to offsets from the centre of the source, in voxels.
    /// Row-major, 9 entries; a plane's has (1, 0, 0) as its first row and column.
    type Transform = private Transform of float[]

    let private multiply (left: float[]) (right: float[]) : float[] =
        Array.init 9 (fun i ->
            let row, column = i / 3, i % 3

            left[3 * row] * right[column]
            + left[3 * row + 1] * right[3 + column]
            + left[3 * row + 2] * right[6 + column])

    /// The map that changes nothing.
    let identity: Transform =
        Transform [| 1.0; 0.0; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 1.0 |]

    /// Rotation within the planes of rows and columns, by an angle in radians.
    let inPlane (angle: float) : Transform =
        let c, s = cos angle, sin angle
        Transform [| 1.0; 0.0; 0.0; 0.0; c; -s; 0.0; s; c |]

    /// Rotations about the axis of slices, then rows, then columns, by angles in radians.
    let rotation (aboutSlices: float) (aboutRows: float) (aboutColumns: float) : Transform =
        let (Transform first) = inPlane aboutSlices
        let c, s = cos aboutRows, sin aboutRows
        let second = [| c; 0.0; s; 0.0; 1.0; 0.0; -s; 0.0; c |]
        let c, s = cos aboutColumns, sin aboutColumns
        let third = [| c; -s; 0.0; s; c; 0.0; 0.0; 0.0; 1.0 |]
        Transform(multiply third (multiply second first))

    /// The map followed by a scaling: above 1 a larger area of the source is shrunk into the result. With `slices`
    /// false the axis of slices is left alone.
    let scaled (factor: float) (slices: bool) (Transform entries: Transform) : Transform =
        let factors = [| (if slices then factor else 1.0); factor; factor |]
        Transform(Array.mapi (fun i entry -> entry * factors[i % 3]) entries)

    /// Linear interpolation at (z, y, x); zero beyond the array. `strideY` is the row length.
    let private interpolate
        (data: float32[])
        (offset: int)
        (extent: Extent)
        (z0: int)
        (y0: int)
        (x0: int)
        (wz: float32)
        (wy: float32)
        (wx: float32)
        : float32 =
        let height, width = extent.Height, extent.Width

        let inline row (z: int) (y: int) : float32 =
            if uint y >= uint height then
                0.0f
            else
                let start = offset + (z * height + y) * width + x0
                let left = if uint x0 < uint width then data[start] else 0.0f
                let right = if uint (x0 + 1) < uint width then data[start + 1] else 0.0f
                left + wx * (right - left)

        let inline plane (z: int) : float32 =
            if uint z >= uint extent.Depth then
                0.0f
            else
                let upper = row z y0
                upper + wy * (row z (y0 + 1) - upper)

        let front = plane z0

        if wz = 0.0f then
            front
        else
            front + wz * (plane (z0 + 1) - front)

    /// The label with the largest share of the linear weights around (z, y, x); the smallest label on ties;
    /// -1 beyond the array. This is nnU-Net's argmax over the interpolated map of each label, without its half precision.
    let private vote
        (data: int16[])
        (extent: Extent)
        (z0: int)
        (y0: int)
        (x0: int)
        (wz: float32)
        (wy: float32)
        (wx: float32)
        (labels: Span<int16>)
        (weights: Span<float32>)
        : int16 =
        let corners = if wz = 0.0f then 4 else 8
        let mutable same = true

        for corner in 0 .. corners - 1 do
            let dz, dy, dx = corner >>> 2, (corner >>> 1) &&& 1, corner &&& 1
            let z, y, x = z0 + dz, y0 + dy, x0 + dx

            labels[corner] <-
                if
                    uint z < uint extent.Depth
                    && uint y < uint extent.Height
                    && uint x < uint extent.Width
                then
                    data[(z * extent.Height + y) * extent.Width + x]
                else
                    Patch.Outside

            same <- same && labels[corner] = labels[0]

        if same then
            labels[0]
        else
            for corner in 0 .. corners - 1 do
                let z = if corner >= 4 then wz else 1.0f - wz
                let y = if corner &&& 2 <> 0 then wy else 1.0f - wy
                let x = if corner &&& 1 <> 0 then wx else 1.0f - wx
                weights[corner] <- z * y * x

            let mutable best = Int16.MaxValue
            let mutable bestWeight = -1.0f

            for corner in 0 .. corners - 1 do
                let mutable weight = 0.0f

                for other in 0 .. corners - 1 do
                    if labels[other] = labels[corner] then
                        weight <- weight + weights[other]

                if weight > bestWeight || weight = bestWeight && labels[corner] < best then
                    best <- labels[corner]
                    bestWeight <- weight

            best

    /// The map that undoes another one.
    let private inverse (m: float[]) : float[] =
        let minor (a: int) (b: int) (c: int) (d: int) : float = m[a] * m[b] - m[c] * m[d]
        let determinant = m[0] * minor 4 8 5 7 - m[1] * minor 3 8 5 6 + m[2] * minor 3 7 4 6

        [|
            minor 4 8 5 7
            minor 2 7 1 8
            minor 1 5 2 4
            minor 5 6 3 8
            minor 0 8 2 6
            minor 2 3 0 5
            minor 3 7 4 6
            minor 1 6 0 7
            minor 0 4 1 3
        |]
        |> Array.map (fun entry -> entry / determinant)

    /// One row of the result: the source positions start at (z, y, x) and advance by the step.
    let private sampleRow
        (patch: Patch)
        (struct (z: float, y: float, x: float))
        (struct (stepZ: float, stepY: float, stepX: float))
        (target: Extent)
        (row: int)
        (image: float32[])
        (labels: int16[])
        (voteLabels: Span<int16>)
        (voteWeights: Span<float32>)
        : unit =
        let source = patch.Image.Extent

        for column in 0 .. target.Width - 1 do
            let z = z + float column * stepZ
            let y = y + float column * stepY
            let x = x + float column * stepX
            let fz, fy, fx = floor z, floor y, floor x
            let z0, y0, x0 = int fz, int fy, int fx
            let wz, wy, wx = float32 (z - fz), float32 (y - fy), float32 (x - fx)
            let position = row * target.Width + column

            if
                z0 >= -1
                && y0 >= -1
                && x0 >= -1
                && z0 < source.Depth
                && y0 < source.Height
                && x0 < source.Width
            then
                for channel in 0 .. patch.Image.Channels - 1 do
                    image[channel * target.Count + position] <-
                        interpolate patch.Image.Data (channel * source.Count) source z0 y0 x0 wz wy wx

                labels[position] <- vote patch.Labels.Data source z0 y0 x0 wz wy wx voteLabels voteWeights

    /// The patch seen through a transform: a result of `size` around the centre. Images are interpolated linearly and are 0
    /// beyond the patch; each voxel's label is the one with the largest linear weight, -1 beyond the patch. The skeleton
    /// of the case moves along; a first stage is left out (`FirstStage.along` brings it).
    let resample (size: Extent) (Transform entries: Transform) (patch: Patch) : Patch =
        let source = patch.Image.Extent

        if size.Rank <> source.Rank then
            invalidArg (nameof size) $"A patch of %O{source} cannot be resampled to %O{size}."

        let image = Array.zeroCreate<float32>(patch.Image.Channels * size.Count)
        let labels = Array.create size.Count Patch.Outside
        let voteLabels = Array.zeroCreate<int16> 8
        let voteWeights = Array.zeroCreate<float32> 8
        let middle (length: int) : float = float (length - 1) / 2.0

        for row in 0 .. size.Depth * size.Height - 1 do
            let z = float (row / size.Height) - middle size.Depth
            let y = float (row % size.Height) - middle size.Height
            let x = -(middle size.Width)

            let inline at (axis: int) (length: int) : float =
                entries[3 * axis] * z
                + entries[3 * axis + 1] * y
                + entries[3 * axis + 2] * x
                + middle length

            sampleRow
                patch
                (struct (at 0 source.Depth, at 1 source.Height, at 2 source.Width))
                (struct (entries[2], entries[5], entries[8]))
                size
                row
                image
                labels
                (voteLabels.AsSpan())
                (voteWeights.AsSpan())

        {
            Image =
                { patch.Image with
                    Extent = size
                    Data = image
                }
            Labels = Volume.create size labels |> Volume.withSpacing patch.Labels.Spacing
            Skeleton = patch.Skeleton |> Option.map (PatchSkeleton.map (inverse entries))
            FirstStage = None
        }

    let private mirrorInto (extent: Extent) (flips: bool[]) (source: 'T[]) (offset: int) (result: 'T[]) : unit =
        for z in 0 .. extent.Depth - 1 do
            let fromZ = if flips[0] then extent.Depth - 1 - z else z

            for y in 0 .. extent.Height - 1 do
                let fromY = if flips[1] then extent.Height - 1 - y else y
                let into = offset + Extent.index extent z y 0
                Array.Copy(source, offset + Extent.index extent fromZ fromY 0, result, into, extent.Width)

                if flips[2] then
                    Array.Reverse(result, into, extent.Width)

    /// The patch, without its first stage, reversed along each axis whose entry is true (slowest first, one entry per axis).
    let mirror (axes: bool list) (patch: Patch) : Patch =
        let extent = patch.Image.Extent

        if List.length axes <> extent.Rank then
            invalidArg (nameof axes) $"%O{extent} has %d{extent.Rank} axes; got %A{axes}."

        if not (List.contains true axes) then
            patch
        else
            let flips = Array.ofList (List.replicate (3 - extent.Rank) false @ axes)
            let image = Array.zeroCreate<float32> patch.Image.Data.Length

            for channel in 0 .. patch.Image.Channels - 1 do
                mirrorInto extent flips patch.Image.Data (channel * extent.Count) image

            let labels = Array.zeroCreate<int16> extent.Count
            mirrorInto extent flips patch.Labels.Data 0 labels

            {
                Image = { patch.Image with Data = image }
                Labels = Volume.create extent labels |> Volume.withSpacing patch.Labels.Spacing
                Skeleton = patch.Skeleton |> Option.map (PatchSkeleton.mirror flips)
                FirstStage = None
            }
