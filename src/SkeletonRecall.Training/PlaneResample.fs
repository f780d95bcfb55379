namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Resampling of logits plane by plane, as the sliding window gives them away: the same as `Resample.probabilities` with
/// splines of order 0 or 1, in the memory of a few planes.
[<RequireQualifiedAccess>]
module internal PlaneResample =

    // The first of the two inputs of each output, and the weight of the second; 0 along an axis that is not interpolated.
    let private axis (order: int) (input: int) (output: int) : int[] * float32[] =
        if order = 0 || input = output then
            (Spline.kernel 0 input output).First, Array.zeroCreate output
        else
            let places =
                Array.init output (fun o -> Spline.place input output o |> max 0.0 |> min (float (input - 1)))

            places |> Array.map (fun place -> int (floor place)),
            places |> Array.map (fun place -> float32 (place - floor place))

    // Two rows at the new width, and which rows of the plane they are: the next row of the result mostly lies between the
    // same two, or between the second and the one after it.
    [<Sealed>]
    type private Rows(width: int) =
        member val Upper: float32[] = Array.zeroCreate width with get, set
        member val Lower: float32[] = Array.zeroCreate width with get, set
        member val UpperRow: int = -1 with get, set
        member val LowerRow: int = -1 with get, set

        member this.Forget() : unit =
            this.UpperRow <- -1
            this.LowerRow <- -1

        member this.Swap() : unit =
            let array, row = this.Upper, this.UpperRow
            this.Upper <- this.Lower
            this.UpperRow <- this.LowerRow
            this.Lower <- array
            this.LowerRow <- row

    // A row (of so many values, from `start` on) at the width of the columns.
    let private widen
        (columns: int[])
        (weights: float32[])
        (source: float32[])
        (start: int)
        (width: int)
        (result: float32[])
        : unit =
        let row = ReadOnlySpan<float32>(source, start, width)

        for column in 0 .. result.Length - 1 do
            let left = columns[column]
            let value = row[left]
            let right = row[min (left + 1) (width - 1)]
            result[column] <- value + weights[column] * (right - value)

    // Planes (channels, rows, columns) to another height and width.
    let private resizePlane
        (wide: Rows)
        (channels: int)
        (from: Extent)
        (size: Extent)
        (rows: int[], rowWeights: float32[])
        (columns: int[], columnWeights: float32[])
        (source: float32[])
        (result: float32[])
        : unit =
        for channel in 0 .. channels - 1 do
            wide.Forget()

            let widen (row: int) (line: float32[]) =
                widen columns columnWeights source ((channel * from.Height + row) * from.Width) from.Width line

            for row in 0 .. size.Height - 1 do
                let upper = rows[row]
                let lower = min (upper + 1) (from.Height - 1)

                if wide.UpperRow <> upper then
                    if wide.LowerRow = upper then
                        wide.Swap()
                    else
                        widen upper wide.Upper
                        wide.UpperRow <- upper

                if wide.LowerRow <> lower then
                    widen lower wide.Lower
                    wide.LowerRow <- lower

                let into =
                    Span<float32>(result, (channel * size.Height + row) * size.Width, size.Width)

                Values.between
                    rowWeights[row]
                    (ReadOnlySpan<float32> wide.Upper)
                    (ReadOnlySpan<float32> wide.Lower)
                    into

    /// A function that takes the planes (channels, rows, columns) of an image of extent `from`, in order, and gives those of
    /// one of extent `size` to `consume`; the array is used again afterwards. `separate` is the axis that is resampled by
    /// itself (`Resample.separateAxis`). Throws ArgumentException for orders above 1.
    let stream
        (options: Resampling)
        (separate: int option)
        (channels: int)
        (from: Extent)
        (size: Extent)
        (consume: int -> float32[] -> unit)
        : int -> float32[] -> unit =
        if options.ProbabilityOrder > 1 || options.OrderAlongZ > 1 then
            invalidArg (nameof options) $"Planes are resampled by orders 0 and 1; got %d{options.ProbabilityOrder}."

        if from = size then
            consume
        else
            let along (number: int) (input: int) (output: int) =
                let order =
                    if separate = Some number then
                        options.OrderAlongZ
                    else
                        options.ProbabilityOrder

                axis order input output

            let firsts, weights = along 0 from.Depth size.Depth
            let rows = along 1 from.Height size.Height
            let columns = along 2 from.Width size.Width
            let values = channels * size.Height * size.Width
            // The newest plane and the one before, at the new height and width.
            let kept = [| Array.zeroCreate<float32> values; Array.zeroCreate<float32> values |]
            let between = Array.zeroCreate<float32> values
            let wide = Rows size.Width
            // The output that is given next.
            let next = ref 0

            // The last input that output `o` needs.
            let needed (o: int) : int =
                if weights[o] > 0.0f then
                    min (firsts[o] + 1) (from.Depth - 1)
                else
                    firsts[o]

            fun number plane ->
                let previous = kept[1]
                let newest = kept[0]
                kept[0] <- previous
                kept[1] <- newest
                resizePlane wide channels from size rows columns plane newest

                while next.Value < size.Depth && needed next.Value <= number do
                    let first, weight = firsts[next.Value], weights[next.Value]

                    if first = number then
                        consume next.Value newest
                    elif weight = 0.0f then
                        consume next.Value previous
                    else
                        Values.between
                            weight
                            (ReadOnlySpan<float32> previous)
                            (ReadOnlySpan<float32> newest)
                            (Span<float32> between)

                        consume next.Value between

                    next.Value <- next.Value + 1
