namespace SkeletonRecall.Training

open System.Runtime.CompilerServices
open System.Runtime.Intrinsics

/// Normal noise, 32 numbers at a time: eight streams of xoshiro256++ (Blackman and Vigna, 2018) side by side, seeded by one
/// number of the caller's stream, and the transform of Box and Muller (1958).
[<RequireQualifiedAccess>]
module internal NormalNoise =

    let private shift = 0x9E3779B97F4A7C15UL

    // Word `word` of the state of each of eight streams.
    let private state (seed: uint64) (word: int) : Vector512<uint64> =
        Vector512.Create<uint64>(Array.init 8 (fun stream -> Seed.mix (seed + shift * uint64 (8 * word + stream + 1))))

    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let private rotate (value: Vector512<uint64>) (by: int) : Vector512<uint64> =
        Vector512.ShiftLeft(value, by) ||| Vector512.ShiftRightLogical(value, 64 - by)

    /// Adds normal noise of the given standard deviation to `count` values from `start` on, independent for each. Takes one
    /// number of the stream, whatever the count. No number is further out than 5.77 deviations.
    let add (deviation: float32) (rng: Rng) (values: float32[]) (start: int) (count: int) : unit =
        let seed = rng.NextBits()
        let mutable s0 = state seed 0
        let mutable s1 = state seed 1
        let mutable s2 = state seed 2
        let mutable s3 = state seed 3
        // The last values, less than 32, are changed in here.
        let tail = Array.zeroCreate<float32> 32
        let wholes = count / 32
        let scale = Vector512.Create(-2.0f * deviation * deviation)
        let quarter = Vector512.Create(float32 (System.Math.PI / 4.0 / 2147483648.0))

        for block in 0..wholes do
            let sum = s0 + s3
            let first = rotate sum 23 + s0
            let t = Vector512.ShiftLeft(s1, 17)
            s2 <- s2 ^^^ s0
            s3 <- s3 ^^^ s1
            s1 <- s1 ^^^ s2
            s0 <- s0 ^^^ s3
            s2 <- s2 ^^^ t
            s3 <- rotate s3 45
            let sum = s0 + s3
            let second = rotate sum 23 + s0
            let t = Vector512.ShiftLeft(s1, 17)
            s2 <- s2 ^^^ s0
            s3 <- s3 ^^^ s1
            s1 <- s1 ^^^ s2
            s0 <- s0 ^^^ s3
            s2 <- s2 ^^^ t
            s3 <- rotate s3 45

            // In (0, 1], of 24 bits.
            let uniform =
                Vector512.ConvertToSingle(
                    Vector512.ShiftRightLogical(first.AsUInt32(), 8).AsInt32() + Vector512<int>.One
                )
                * Vector512.Create(1.0f / 16777216.0f)

            let radius = Vector512.Sqrt(scale * Lanes.log uniform)
            // An angle within a quarter turn; the lowest bits, which do not reach the angle, choose the quarter.
            let bits = second.AsInt32()
            let angle = Vector512.ConvertToSingle bits * quarter
            let sign = Vector512.ShiftLeft(bits, 31).AsSingle()
            let cosine = (Lanes.cosine angle ^^^ sign) * radius
            let sine = Lanes.sine angle * radius

            let swapped =
                Vector512.Equals(bits &&& Vector512.Create 2, Vector512<int>.Zero).AsSingle()

            let one = Vector512.ConditionalSelect(swapped, sine, cosine)
            let other = Vector512.ConditionalSelect(swapped, cosine, sine)

            if block < wholes then
                let at = start + 32 * block
                Lanes.store values at (Lanes.load values at + one)
                Lanes.store values (at + 16) (Lanes.load values (at + 16) + other)
            else
                Lanes.store tail 0 one
                Lanes.store tail 16 other

        for rest in 0 .. count - 32 * wholes - 1 do
            let at = start + 32 * wholes + rest
            values[at] <- values[at] + tail[rest]
