namespace SkeletonRecall.Training

open System
open System.Buffers
open System.Runtime.Intrinsics
open SkeletonRecall

/// A channel at a lower resolution and back.
[<RequireQualifiedAccess>]
module internal LowResolution =

    // The place in a longer axis that each place of a shorter one is taken from.
    let private nearest (length: int) (size: int) : int[] =
        Array.init size (fun index -> min (length - 1) (int (floor ((float index + 0.5) * float length / float size))))

    // The first of the two places in a shorter axis that each place of a longer one lies between, and the weight of the
    // second.
    let private linear (length: int) (size: int) : struct (int[] * float32[]) =
        let position (index: int) =
            max 0.0 ((float index + 0.5) * float length / float size - 0.5)

        let first = Array.init size (fun index -> min (length - 1) (int (position index)))
        struct (first, Array.init size (fun index -> float32 (position index - float first[index])))

    // target[into + i] lies between source[a + i] and source[b + i].
    let private between
        (weight: float32)
        (source: float32[])
        (a: int)
        (b: int)
        (target: float32[])
        (count: int)
        : unit =
        let weights = Vector512.Create weight
        let mutable at = 0

        while at + 16 <= count do
            let first = Lanes.load source (a + at)
            let second = Lanes.load source (b + at)
            Lanes.store target at (Vector512.FusedMultiplyAdd(weights, second - first, first))
            at <- at + 16

        while at < count do
            let first = source[a + at]
            target[at] <- MathF.FusedMultiplyAdd(weight, source[b + at] - first, first)
            at <- at + 1

    /// Brings the channel of an extent that begins at `start` down to the smaller extent by the nearest voxel, and up again
    /// linearly, in place.
    let simulate (extent: Extent) (small: Extent) (values: float32[]) (start: int) : unit =
        let width = extent.Width
        let smallArea = small.Height * small.Width
        let low = ArrayPool<float32>.Shared.Rent small.Count
        let plane = ArrayPool<float32>.Shared.Rent smallArea
        // One more, for the neighbour of the last one.
        let line = Array.zeroCreate<float32>(small.Width + 1)

        try
            let slices = nearest extent.Depth small.Depth
            let rows = nearest extent.Height small.Height
            let columns = nearest width small.Width

            for z in 0 .. small.Depth - 1 do
                for y in 0 .. small.Height - 1 do
                    let from = start + Extent.index extent slices[z] rows[y] 0
                    let into = z * smallArea + y * small.Width

                    for x in 0 .. columns.Length - 1 do
                        low[into + x] <- values[from + columns[x]]

            let struct (slices, sliceWeights) = linear small.Depth extent.Depth
            let struct (rows, rowWeights) = linear small.Height extent.Height
            let struct (columns, columnWeights) = linear small.Width width

            for z in 0 .. extent.Depth - 1 do
                let slice = slices[z]
                let next = min (slice + 1) (small.Depth - 1)

                let struct (source, first) =
                    if sliceWeights[z] = 0.0f || next = slice then
                        struct (low, slice * smallArea)
                    else
                        between sliceWeights[z] low (slice * smallArea) (next * smallArea) plane smallArea
                        struct (plane, 0)

                for y in 0 .. extent.Height - 1 do
                    let upper = first + rows[y] * small.Width
                    let lower = first + min (rows[y] + 1) (small.Height - 1) * small.Width
                    between rowWeights[y] source upper lower line small.Width
                    line[small.Width] <- line[small.Width - 1]
                    let into = Span<float32>(values, start + Extent.index extent z y 0, width)

                    for x in 0 .. into.Length - 1 do
                        let left = line[columns[x]]
                        into[x] <- MathF.FusedMultiplyAdd(columnWeights[x], line[columns[x] + 1] - left, left)
        finally
            ArrayPool<float32>.Shared.Return plane
            ArrayPool<float32>.Shared.Return low
