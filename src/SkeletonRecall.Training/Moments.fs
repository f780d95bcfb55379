namespace SkeletonRecall.Training

open System.Runtime.Intrinsics

/// Least, greatest and mean value and the sum of squared differences from the mean, of at least one value.
[<Struct>]
type internal Moments =
    {
        Low: float32
        High: float32
        Mean: float
        Scatter: float
    }

/// Gathering moments.
[<RequireQualifiedAccess>]
module internal Moments =

    /// Of `count` values from `start` on, in one pass: sums in double precision about the first value, so that little is lost
    /// where values lie far from 0.
    let ofValues (values: float32[]) (start: int) (count: int) : Moments =
        let near = float values[start]
        let shift = Vector512.Create near
        let mutable lows = Vector512.Create infinityf
        let mutable highs = Vector512.Create -infinityf
        let mutable sum = Vector512<float>.Zero
        let mutable otherSum = Vector512<float>.Zero
        let mutable squares = Vector512<float>.Zero
        let mutable otherSquares = Vector512<float>.Zero
        let stop = start + (count &&& ~~~15)
        let mutable at = start

        while at < stop do
            let lanes = Lanes.load values at
            at <- at + 16
            lows <- Vector512.MinNative(lows, lanes)
            highs <- Vector512.MaxNative(highs, lanes)
            let first = Vector512.WidenLower lanes - shift
            let second = Vector512.WidenUpper lanes - shift
            sum <- sum + first
            otherSum <- otherSum + second
            squares <- Vector512.FusedMultiplyAdd(first, first, squares)
            otherSquares <- Vector512.FusedMultiplyAdd(second, second, otherSquares)

        let mutable low = infinityf
        let mutable high = -infinityf

        for lane in 0..15 do
            low <- min low lows[lane]
            high <- max high highs[lane]

        let mutable sum = Vector512.Sum(sum + otherSum)
        let mutable squares = Vector512.Sum(squares + otherSquares)

        for at in stop .. start + count - 1 do
            let value = values[at]
            low <- min low value
            high <- max high value
            let difference = float value - near
            sum <- sum + difference
            squares <- squares + difference * difference

        let mean = sum / float count

        {
            Low = low
            High = high
            Mean = near + mean
            Scatter = max 0.0 (squares - sum * mean)
        }
