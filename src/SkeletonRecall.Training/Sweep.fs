namespace SkeletonRecall.Training

open System
open System.Numerics
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open SkeletonRecall

/// What a row of the result runs along in the source: the position (slice, row, column) of its first voxel, and the step to
/// each next one.
[<Struct>]
type internal Course =
    {
        Slice: float
        Row: float
        Column: float
        SliceStep: float
        RowStep: float
        ColumnStep: float
    }

/// Rows of an image and its labels, read along straight courses through another: the image linearly, 0 beyond; of labels
/// the one with the largest linear weight, -1 beyond. Positions are kept in single precision, from a whole number near
/// the first one of a row on.
[<RequireQualifiedAccess>]
module internal Sweep =

    /// What a sweep keeps from row to row.
    [<Sealed>]
    type Scratch() =
        member val Corners: int16[] = Array.zeroCreate 8
        member val Weights: float32[] = Array.zeroCreate 8
        member val Places: int[] = Array.zeroCreate 32

    // Columns 0, 0, 1, 1 and so on.
    let private twice =
        Vector512.Create<float32>(Array.init 16 (fun lane -> float32 (lane / 2)))

    // The columns at which a position lies within limits, up to rounding: the first, and the one after the last.
    let private within (width: int) (low: float) (high: float) (start: float) (step: float) : struct (int * int) =
        if abs step < 1e-9 then
            struct (0, (if start >= low && start <= high then width else 0))
        else
            let a, b = (low - start) / step, (high - start) / step
            let first = max 0.0 (ceil (min a b))
            let last = min (float (width - 1)) (floor (max a b))

            if last < first then
                struct (0, 0)
            else
                struct (int first, int last + 1)

    let private meet (struct (a: int, b: int)) (struct (c: int, d: int)) : struct (int * int) =
        let first = max a c
        struct (first, max first (min b d))

    /// Linear interpolation between 4 or 8 voxels; zero beyond the array.
    let private interpolate
        (source: Canvas)
        (offset: int)
        (struct (z0: int, y0: int, x0: int))
        (struct (wz: float32, wy: float32, wx: float32))
        : float32 =
        let extent = source.Extent
        let height, width = extent.Height, extent.Width
        let data = source.Image

        let inline value (z: int) (y: int) (x: int) : float32 =
            if uint z < uint extent.Depth && uint y < uint height && uint x < uint width then
                data[offset + (z * height + y) * width + x]
            else
                0.0f

        let inline alongSlices (y: int) (x: int) : float32 =
            let front = value z0 y x

            if wz = 0.0f then
                front
            else
                MathF.FusedMultiplyAdd(wz, value (z0 + 1) y x - front, front)

        let inline alongRows (x: int) : float32 =
            let upper = alongSlices y0 x
            MathF.FusedMultiplyAdd(wy, alongSlices (y0 + 1) x - upper, upper)

        // In the order of `quickly`, so that both round alike.
        let left = alongRows x0
        MathF.FusedMultiplyAdd(wx, alongRows (x0 + 1) - left, left)

    // The label with the largest share of the weights, the smallest of several.
    let private mostWeight (corners: int16[]) (weights: float32[]) : int16 =
        let mutable best = Int16.MaxValue
        let mutable bestWeight = -1.0f

        for corner in 0..7 do
            let mutable weight = 0.0f

            for other in 0..7 do
                if corners[other] = corners[corner] then
                    weight <- weight + weights[other]

            if weight > bestWeight || weight = bestWeight && corners[corner] < best then
                best <- corners[corner]
                bestWeight <- weight

        best

    // Which corners are the later ones along columns, rows and slices.
    let private later (step: int) : Vector256<float32> =
        Vector256.Create<float32>(Array.init 8 (fun corner -> if corner &&& step <> 0 then 1.0f else 0.0f))

    let private laterColumns, laterRows, laterSlices = later 1, later 2, later 4

    // The weight along one axis of each of 8 corners.
    let inline private side (isLater: Vector256<float32>) (weight: float32) : Vector256<float32> =
        let weights = Vector256.Create weight
        let before = Vector256<float32>.One - weights
        Vector256.ConditionalSelect(Vector256.Equals(isLater, Vector256<float32>.Zero), before, weights)

    // The share of the corners that are of one label.
    let inline private share (mask: Vector128<int16>) (weights: Vector256<float32>) : float32 =
        let wide =
            Vector256.Create(Vector128.WidenLower mask, Vector128.WidenUpper mask).AsSingle()

        Vector256.Sum(wide &&& weights)

    // The vote of 8 voxels around a position: the label with the largest linear weight, the smallest of several. This is
    // nnU-Net's argmax over the interpolated map of each label, without its half precision. Nearly always there are two.
    let private vote
        (scratch: Scratch)
        (labels: Vector128<int16>)
        (struct (wz: float32, wy: float32, wx: float32))
        : int16 =
        let weights = side laterSlices wz * side laterRows wy * side laterColumns wx
        let corners = scratch.Corners
        labels.StoreUnsafe(&corners[0])
        let first = corners[0]
        let isFirst = Vector128.Equals(labels, Vector128.Create first)
        let others = ~~~(Vector128.ExtractMostSignificantBits isFirst) &&& 0xffu

        if others = 0u then
            first
        else
            let second = corners[BitOperations.TrailingZeroCount others]
            let isSecond = Vector128.Equals(labels, Vector128.Create second)

            if Vector128.ExtractMostSignificantBits isSecond = others then
                let a = share isFirst weights
                let b = share isSecond weights
                if a > b || (a = b && first < second) then first else second
            else
                weights.StoreUnsafe(&scratch.Weights[0])
                mostWeight corners scratch.Weights

    // The labels around a position, some of which may lie beyond the array. Without a next slice the one at hand stands for it.
    let private around (source: Canvas) (struct (z0: int, y0: int, x0: int)) (isFlat: bool) : Vector128<int16> =
        let extent = source.Extent
        let mutable labels = Vector128<int16>.Zero

        for corner in 0..7 do
            let z = if isFlat then z0 else z0 + (corner >>> 2)
            let y, x = y0 + ((corner >>> 1) &&& 1), x0 + (corner &&& 1)

            let label =
                if
                    uint z < uint extent.Depth
                    && uint y < uint extent.Height
                    && uint x < uint extent.Width
                then
                    source.Labels[source.LabelStart + (z * extent.Height + y) * extent.Width + x]
                else
                    Patch.Outside

            labels <- Vector128.WithElement(labels, corner, label)

        labels

    // One axis at one column: the whole part of its position and the rest.
    let inline private at (start: float) (step: float) (column: int) : struct (int * float32) =
        let whole = floor start

        let position =
            MathF.FusedMultiplyAdd(float32 column, float32 step, float32 (start - whole))

        let below = MathF.Floor position
        struct (int whole + int below, position - below)

    // Voxels one by one, wherever they lie.
    let private carefully
        (scratch: Scratch)
        (source: Canvas)
        (target: Canvas)
        (course: Course)
        (row: int)
        (first: int)
        (afterLast: int)
        : unit =
        for column in first .. afterLast - 1 do
            let struct (z, wz) = at course.Slice course.SliceStep column
            let struct (y, wy) = at course.Row course.RowStep column
            let struct (x, wx) = at course.Column course.ColumnStep column
            let place = struct (z, y, x)
            let weight = struct (wz, wy, wx)

            for channel in 0 .. target.Channels - 1 do
                target.Image[target.ImageStart + channel * target.Extent.Count + row + column] <-
                    interpolate source (source.ImageStart + channel * source.Extent.Count) place weight

            target.Labels[target.LabelStart + row + column] <- vote scratch (around source place (wz = 0.0f)) weight

    let inline private pair (image: float32[]) (places: int[]) (offset: int) (place: int) : uint64 =
        let here =
            &Unsafe.Add(&MemoryMarshal.GetArrayDataReference image, offset + places[2 * place])

        Unsafe.ReadUnaligned<uint64>(&Unsafe.As<float32, byte>(&here))

    // Each of 8 voxels and its right neighbour, for places listed from `half` on.
    let inline private pairs (image: float32[]) (places: int[]) (offset: int) (half: int) : Vector512<float32> =
        Vector512
            .Create(
                Vector256.Create(
                    pair image places offset half,
                    pair image places offset (half + 1),
                    pair image places offset (half + 2),
                    pair image places offset (half + 3)
                ),
                Vector256.Create(
                    pair image places offset (half + 4),
                    pair image places offset (half + 5),
                    pair image places offset (half + 6),
                    pair image places offset (half + 7)
                )
            )
            .AsSingle()

    let inline private mix
        (weight: Vector512<float32>)
        (a: Vector512<float32>)
        (b: Vector512<float32>)
        : Vector512<float32> =
        Vector512.FusedMultiplyAdd(weight, b - a, a)

    // Left and right neighbours side by side to what lies between them, in the lower half of each 64 bits.
    let inline private across (weight: Vector512<float32>) (sides: Vector512<float32>) : Vector512<uint64> =
        let right = Vector512.ShiftRightLogical(sides.AsUInt64(), 32).AsSingle()
        (mix weight sides right).AsUInt64()

    let inline private labelPair (labels: int16[]) (place: int) : uint32 =
        let here = &Unsafe.Add(&MemoryMarshal.GetArrayDataReference labels, place)
        Unsafe.ReadUnaligned<uint32>(&Unsafe.As<int16, byte>(&here))

    // The position along one axis of 8 columns, each twice.
    let inline private positions (start: float) (step: float) (column: int) : Vector512<float32> =
        Vector512.FusedMultiplyAdd(
            twice + Vector512.Create(float32 column),
            Vector512.Create(float32 step),
            Vector512.Create(float32 (start - floor start))
        )

    // Voxels whose neighbours all lie in the array, at least 16, 16 at a time. `isFlat`: all on one slice of the source.
    let private quickly
        (scratch: Scratch)
        (source: Canvas)
        (target: Canvas)
        (isFlat: bool)
        (course: Course)
        (row: int)
        (first: int)
        (afterLast: int)
        : unit =
        let places = scratch.Places
        let image = source.Image
        let labels = source.Labels
        let extent = source.Extent
        let width = extent.Width
        let area = extent.Height * width
        let next = if isFlat then 0 else area

        let origin =
            (int (floor course.Slice) * extent.Height + int (floor course.Row)) * width
            + int (floor course.Column)

        let mutable column = first

        while column < afterLast do
            column <- min column (afterLast - 16)
            let z0 = positions course.Slice course.SliceStep column
            let z1 = positions course.Slice course.SliceStep (column + 8)
            let y0 = positions course.Row course.RowStep column
            let y1 = positions course.Row course.RowStep (column + 8)
            let x0 = positions course.Column course.ColumnStep column
            let x1 = positions course.Column course.ColumnStep (column + 8)
            let bz0, bz1 = Vector512.Floor z0, Vector512.Floor z1
            let by0, by1 = Vector512.Floor y0, Vector512.Floor y1
            let bx0, bx1 = Vector512.Floor x0, Vector512.Floor x1
            let wz0, wz1 = z0 - bz0, z1 - bz1
            let wy0, wy1 = y0 - by0, y1 - by1
            let wx0, wx1 = x0 - bx0, x1 - bx1

            let inline place (z: Vector512<float32>) (y: Vector512<float32>) (x: Vector512<float32>) =
                Vector512.ConvertToInt32Native z * Vector512.Create area
                + Vector512.ConvertToInt32Native y * Vector512.Create width
                + Vector512.ConvertToInt32Native x
                + Vector512.Create origin

            Vector512.StoreUnsafe(place bz0 by0 bx0, &MemoryMarshal.GetArrayDataReference places)
            Vector512.StoreUnsafe(place bz1 by1 bx1, &MemoryMarshal.GetArrayDataReference places, 16un)

            for channel in 0 .. target.Channels - 1 do
                let offset = source.ImageStart + channel * source.Extent.Count
                let into = target.ImageStart + channel * target.Extent.Count + row + column

                let inline half (number: int) wz wy wx =
                    let upper = pairs image places offset number
                    let lower = pairs image places (offset + width) number

                    if isFlat then
                        across wx (mix wy upper lower)
                    else
                        let upper = mix wz upper (pairs image places (offset + area) number)
                        let lower = mix wz lower (pairs image places (offset + area + width) number)
                        across wx (mix wy upper lower)

                let low = half 0 wz0 wy0 wx0
                let high = half 8 wz1 wy1 wx1
                Lanes.store target.Image into (Vector512.Narrow(low, high).AsSingle())

            for lane in 0..15 do
                let place = source.LabelStart + places[2 * lane]
                let upper = labelPair labels place
                let lower = labelPair labels (place + width)

                // Of a flat course the next slice is the one at hand.
                let upperNext = labelPair labels (place + next)
                let lowerNext = labelPair labels (place + next + width)

                let differ =
                    (upper ^^^ lower)
                    ||| (upper ^^^ upperNext)
                    ||| (upper ^^^ lowerNext)
                    ||| (upper ^^^ BitOperations.RotateLeft(upper, 16))

                let label =
                    if differ = 0u then
                        int16 upper
                    else
                        let struct (_, wz) = at course.Slice course.SliceStep (column + lane)
                        let struct (_, wy) = at course.Row course.RowStep (column + lane)
                        let struct (_, wx) = at course.Column course.ColumnStep (column + lane)
                        let near = Vector128.Create(upper, lower, upperNext, lowerNext).AsInt16()
                        vote scratch near (struct (wz, wy, wx))

                target.Labels[target.LabelStart + row + column + lane] <- label

            column <- column + 16

    let private clear (target: Canvas) (row: int) (first: int) (afterLast: int) : unit =
        if afterLast > first then
            for channel in 0 .. target.Channels - 1 do
                let start = target.ImageStart + channel * target.Extent.Count + row + first
                Array.Clear(target.Image, start, afterLast - first)

            Array.Fill(target.Labels, Patch.Outside, target.LabelStart + row + first, afterLast - first)

    /// Fills a row of the target, given by its first voxel's index in it.
    let row (scratch: Scratch) (source: Canvas) (target: Canvas) (course: Course) (row: int) : unit =
        let extent = source.Extent
        let width = target.Extent.Width
        // A row that stays on one slice needs no other.
        let isFlat = abs course.SliceStep < 1e-9 && floor course.Slice = course.Slice

        let around (margin: float) =
            let inner (length: int) (start: float) (step: float) =
                within width margin (float (length - 1) - margin) start step

            let slices =
                if isFlat then
                    let isInside = course.Slice >= 0.0 && course.Slice < float extent.Depth
                    struct (0, (if isInside then width else 0))
                else
                    inner extent.Depth course.Slice course.SliceStep

            slices
            |> meet (inner extent.Height course.Row course.RowStep)
            |> meet (inner extent.Width course.Column course.ColumnStep)

        // Rounding moves a position by less than a hundredth.
        let struct (first, afterLast) = around -1.01
        let struct (innerFirst, innerAfterLast) = around 0.01
        clear target row 0 first
        clear target row afterLast width

        if innerAfterLast - innerFirst < 16 then
            carefully scratch source target course row first afterLast
        else
            carefully scratch source target course row first innerFirst
            quickly scratch source target isFlat course row innerFirst innerAfterLast
            carefully scratch source target course row innerAfterLast afterLast
