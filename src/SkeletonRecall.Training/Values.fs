namespace SkeletonRecall.Training

open System

/// Simple statistics of one channel's values, summed in double precision, and limits.
[<RequireQualifiedAccess>]
module internal Values =

    let mean (values: ReadOnlySpan<float32>) : float =
        let mutable sum = 0.0

        for value in values do
            sum <- sum + float value

        sum / float values.Length

    /// Sum of squared differences from the mean.
    let scatter (values: ReadOnlySpan<float32>) (mean: float) : float =
        let mutable sum = 0.0

        for value in values do
            let difference = float value - mean
            sum <- sum + difference * difference

        sum

    /// The least and the greatest value; there is at least one.
    let range (values: ReadOnlySpan<float32>) : struct (float32 * float32) =
        let mutable low = values[0]
        let mutable high = values[0]

        for value in values do
            low <- min low value
            high <- max high value

        struct (low, high)

    /// Each value brought within the limits, in place.
    let clip (low: float32) (high: float32) (values: Span<float32>) : unit =
        for i in 0 .. values.Length - 1 do
            values[i] <- min (max values[i] low) high
