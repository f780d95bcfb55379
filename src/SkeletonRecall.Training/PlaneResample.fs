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

    // Planes (channels, rows, columns) to another height and width.
    let private resizePlane
        (channels: int)
        (from: Extent)
        (size: Extent)
        (rows: int[], rowWeights: float32[])
        (columns: int[], columnWeights: float32[])
        (source: float32[])
        (result: float32[])
        : unit =
        for channel in 0 .. channels - 1 do
            for row in 0 .. size.Height - 1 do
                let start = channel * from.Height * from.Width
                let upper = start + rows[row] * from.Width
                let lower = start + min (rows[row] + 1) (from.Height - 1) * from.Width
                let y = rowWeights[row]
                let into = (channel * size.Height + row) * size.Width

                for column in 0 .. size.Width - 1 do
                    let left = columns[column]
                    let right = min (left + 1) (from.Width - 1)
                    let x = columnWeights[column]

                    let above =
                        source[upper + left] + x * (source[upper + right] - source[upper + left])

                    let below =
                        source[lower + left] + x * (source[lower + right] - source[lower + left])

                    result[into + column] <- above + y * (below - above)

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
                resizePlane channels from size rows columns plane newest

                while next.Value < size.Depth && needed next.Value <= number do
                    let first, weight = firsts[next.Value], weights[next.Value]

                    if first = number then
                        consume next.Value newest
                    elif weight = 0.0f then
                        consume next.Value previous
                    else
                        for i in 0 .. values - 1 do
                            between[i] <- previous[i] + weight * (newest[i] - previous[i])

                        consume next.Value between

                    next.Value <- next.Value + 1
