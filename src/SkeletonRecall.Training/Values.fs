namespace SkeletonRecall.Training

open System
open System.Numerics
open System.Runtime.InteropServices

/// Simple statistics of one channel's values, summed in double precision, and limits.
[<RequireQualifiedAccess>]
module internal Values =

    let mean (values: ReadOnlySpan<float32>) : float =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let mutable low = Vector<float>.Zero
        let mutable high = Vector<float>.Zero

        for i in 0 .. vectors.Length - 1 do
            let mutable first = Vector<float>.Zero
            let mutable second = Vector<float>.Zero
            Vector.Widen(vectors[i], &first, &second)
            low <- low + first
            high <- high + second

        let mutable sum = Vector.Sum(low + high)

        for i in vectors.Length * lanes .. values.Length - 1 do
            sum <- sum + float values[i]

        sum / float values.Length

    /// Sum of squared differences from the mean.
    let scatter (values: ReadOnlySpan<float32>) (mean: float) : float =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let means = Vector<float> mean
        let mutable low = Vector<float>.Zero
        let mutable high = Vector<float>.Zero

        for i in 0 .. vectors.Length - 1 do
            let mutable first = Vector<float>.Zero
            let mutable second = Vector<float>.Zero
            Vector.Widen(vectors[i], &first, &second)
            first <- first - means
            second <- second - means
            low <- low + first * first
            high <- high + second * second

        let mutable sum = Vector.Sum(low + high)

        for i in vectors.Length * lanes .. values.Length - 1 do
            let difference = float values[i] - mean
            sum <- sum + difference * difference

        sum

    /// The least and the greatest value; there is at least one.
    let range (values: ReadOnlySpan<float32>) : struct (float32 * float32) =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let mutable lows = Vector<float32> values[0]
        let mutable highs = lows

        for i in 0 .. vectors.Length - 1 do
            lows <- Vector.Min(lows, vectors[i])
            highs <- Vector.Max(highs, vectors[i])

        let mutable low = values[0]
        let mutable high = values[0]

        for lane in 0 .. lanes - 1 do
            low <- min low lows[lane]
            high <- max high highs[lane]

        for i in vectors.Length * lanes .. values.Length - 1 do
            low <- min low values[i]
            high <- max high values[i]

        struct (low, high)

    /// Each value brought within the limits, in place.
    let clip (low: float32) (high: float32) (values: Span<float32>) : unit =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let lows = Vector<float32> low
        let highs = Vector<float32> high

        for i in 0 .. vectors.Length - 1 do
            vectors[i] <- Vector.Min(Vector.Max(vectors[i], lows), highs)

        for i in vectors.Length * lanes .. values.Length - 1 do
            values[i] <- min (max values[i] low) high

    /// Adds values to as many sums.
    let add (values: ReadOnlySpan<float32>) (sums: Span<float32>) : unit =
        let lanes = Vector<float32>.Count
        let into = MemoryMarshal.Cast<float32, Vector<float32>> sums
        let from = MemoryMarshal.Cast<float32, Vector<float32>> values

        for i in 0 .. into.Length - 1 do
            into[i] <- into[i] + from[i]

        for i in into.Length * lanes .. sums.Length - 1 do
            sums[i] <- sums[i] + values[i]

    /// value -> value * factor, in place.
    let multiply (factor: float32) (values: Span<float32>) : unit =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let factors = Vector<float32> factor

        for i in 0 .. vectors.Length - 1 do
            vectors[i] <- vectors[i] * factors

        for i in vectors.Length * lanes .. values.Length - 1 do
            values[i] <- values[i] * factor

    /// a + weight * (b - a) of two rows, place by place.
    let between (weight: float32) (a: ReadOnlySpan<float32>) (b: ReadOnlySpan<float32>) (result: Span<float32>) : unit =
        let lanes = Vector<float32>.Count
        let into = MemoryMarshal.Cast<float32, Vector<float32>> result
        let first = MemoryMarshal.Cast<float32, Vector<float32>> a
        let second = MemoryMarshal.Cast<float32, Vector<float32>> b
        let weights = Vector<float32> weight

        for i in 0 .. into.Length - 1 do
            into[i] <- first[i] + weights * (second[i] - first[i])

        for i in into.Length * lanes .. result.Length - 1 do
            result[i] <- a[i] + weight * (b[i] - a[i])

    /// value -> (value - shift) / divisor, in place.
    let rescale (shift: float32) (divisor: float32) (values: Span<float32>) : unit =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let shifts = Vector<float32> shift
        let divisors = Vector<float32> divisor

        for i in 0 .. vectors.Length - 1 do
            vectors[i] <- (vectors[i] - shifts) / divisors

        for i in vectors.Length * lanes .. values.Length - 1 do
            values[i] <- (values[i] - shift) / divisor

    /// The place of the first value that is NaN or infinite; -1 where there is none.
    let firstNotFinite (values: ReadOnlySpan<float32>) : int =
        let lanes = Vector<float32>.Count
        let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
        let most = Vector<float32> Single.MaxValue
        let mutable clean = 0

        while clean < vectors.Length
              && Vector.LessThanOrEqualAll(Vector.Abs vectors[clean], most) do
            clean <- clean + 1

        let mutable at = clean * lanes

        while at < values.Length && Single.IsFinite values[at] do
            at <- at + 1

        if at < values.Length then at else -1
