namespace SkeletonRecall.Training

open System
open System.Buffers
open System.Runtime.Intrinsics
open SkeletonRecall

/// Gaussian blur of a channel, row by row: along slices, rows and columns before the next row is looked at.
[<RequireQualifiedAccess>]
module internal Blurring =

    /// A sampled Gaussian that sums to 1; as wide as nnU-Net's: the odd number nearest to 6 sigma + 0.5. [1] for a sigma of 0.
    let kernel (sigma: float) : float32[] =
        if sigma <= 0.0 then
            [| 1.0f |]
        else
            let wanted = 6.0 * sigma + 0.5
            let radius = max 1 (int (floor (wanted / 2.0)))

            let weights =
                Array.init (2 * radius + 1) (fun i -> exp (-0.5 * (float (i - radius) / sigma) ** 2.0))

            let sum = Array.sum weights
            Array.map (fun weight -> float32 (weight / sum)) weights

    /// An index folded back into 0 .. length - 1, the border itself not repeated.
    let rec reflect (length: int) (index: int) : int =
        if length = 1 then
            0
        elif index < 0 then
            reflect length -index
        elif index >= length then
            reflect length (2 * (length - 1) - index)
        else
            index

    // target[into + i] is the sum of weights[k] * source[places[k] + i] over k, for i below `count`. Target and source differ.
    let private weightedSum
        (weights: float32[])
        (places: int[])
        (source: float32[])
        (target: float32[])
        (into: int)
        (count: int)
        : unit =
        let taps = weights.Length
        let mutable at = 0

        while at + 64 <= count do
            let mutable a = Vector512<float32>.Zero
            let mutable b = Vector512<float32>.Zero
            let mutable c = Vector512<float32>.Zero
            let mutable d = Vector512<float32>.Zero

            for tap in 0 .. taps - 1 do
                let weight = Vector512.Create weights[tap]
                let from = places[tap] + at
                a <- Vector512.FusedMultiplyAdd(weight, Lanes.load source from, a)
                b <- Vector512.FusedMultiplyAdd(weight, Lanes.load source (from + 16), b)
                c <- Vector512.FusedMultiplyAdd(weight, Lanes.load source (from + 32), c)
                d <- Vector512.FusedMultiplyAdd(weight, Lanes.load source (from + 48), d)

            Lanes.store target (into + at) a
            Lanes.store target (into + at + 16) b
            Lanes.store target (into + at + 32) c
            Lanes.store target (into + at + 48) d
            at <- at + 64

        while at < count do
            if count >= 16 then
                // The last ones are done again with those before them.
                at <- min at (count - 16)
                let mutable sum = Vector512<float32>.Zero

                for tap in 0 .. taps - 1 do
                    sum <-
                        Vector512.FusedMultiplyAdd(
                            Vector512.Create weights[tap],
                            Lanes.load source (places[tap] + at),
                            sum
                        )

                Lanes.store target (into + at) sum
                at <- at + 16
            else
                let mutable sum = 0.0f

                for tap in 0 .. taps - 1 do
                    sum <- MathF.FusedMultiplyAdd(weights[tap], source[places[tap] + at], sum)

                target[into + at] <- sum
                at <- at + 1

    /// Blurs the channel of an extent that begins at `start`, in place, with a kernel along slices, rows and columns each.
    /// At the border the image is mirrored without repeating the border.
    let blur
        (struct (alongSlices: float32[], alongRows: float32[], alongColumns: float32[]))
        (extent: Extent)
        (values: float32[])
        (start: int)
        : unit =
        let width = extent.Width
        let area = extent.Height * width
        let result = ArrayPool<float32>.Shared.Rent extent.Count
        let plane = ArrayPool<float32>.Shared.Rent area
        let margin = alongColumns.Length / 2
        let line = Array.zeroCreate<float32>(width + 2 * margin)
        let slices = Array.zeroCreate<int> alongSlices.Length
        let rows = Array.zeroCreate<int> alongRows.Length
        let columns = Array.init alongColumns.Length id

        try
            for z in 0 .. extent.Depth - 1 do
                let struct (source, first) =
                    if slices.Length = 1 then
                        struct (values, start + z * area)
                    else
                        for tap in 0 .. slices.Length - 1 do
                            slices[tap] <- start + area * reflect extent.Depth (z + tap - slices.Length / 2)

                        weightedSum alongSlices slices values plane 0 area
                        struct (plane, 0)

                for y in 0 .. extent.Height - 1 do
                    for tap in 0 .. rows.Length - 1 do
                        rows[tap] <- first + width * reflect extent.Height (y + tap - rows.Length / 2)

                    let into = z * area + y * width

                    if margin = 0 then
                        weightedSum alongRows rows source result into width
                    else
                        weightedSum alongRows rows source line margin width

                        for beyond in 1..margin do
                            line[margin - beyond] <- line[margin + reflect width -beyond]
                            line[margin + width - 1 + beyond] <- line[margin + reflect width (width - 1 + beyond)]

                        weightedSum alongColumns columns line result into width

            Array.Copy(result, 0, values, start, extent.Count)
        finally
            ArrayPool<float32>.Shared.Return plane
            ArrayPool<float32>.Shared.Return result
