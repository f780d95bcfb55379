namespace SkeletonRecall.Training

open System

/// A seed that splits: children are independent of their parent and of each other, so that the random numbers of a
/// batch depend on its number alone and not on who makes it, or when.
[<Struct>]
type Seed = private Seed of uint64

/// Random numbers from a seed: xoshiro256** (Blackman and Vigna, 2018). Not shared between threads.
[<Sealed>]
type Rng internal (s0: uint64, s1: uint64, s2: uint64, s3: uint64) =
    let mutable s0 = s0
    let mutable s1 = s1
    let mutable s2 = s2
    let mutable s3 = s3
    let mutable spare = nan

    /// 64 random bits.
    member _.NextBits() : uint64 =
        let result = Numerics.BitOperations.RotateLeft(s1 * 5UL, 7) * 9UL
        let t = s1 <<< 17
        s2 <- s2 ^^^ s0
        s3 <- s3 ^^^ s1
        s1 <- s1 ^^^ s2
        s0 <- s0 ^^^ s3
        s2 <- s2 ^^^ t
        s3 <- Numerics.BitOperations.RotateLeft(s3, 45)
        result

    /// Uniform in [0, 1).
    member this.NextDouble() : float =
        float (this.NextBits() >>> 11) * (1.0 / 9007199254740992.0)

    /// Uniform in [low, high).
    member this.Uniform(low: float, high: float) : float = low + (high - low) * this.NextDouble()

    /// A whole number, uniform in [0, count). Throws ArgumentException when count is below 1.
    member this.NextInt(count: int) : int =
        if count < 1 then
            invalidArg (nameof count) $"A range needs at least one number; got %d{count}."

        // The high half of a 64 x 64 bit product: the bias is below 2^-33 for any count.
        int (Math.BigMul(this.NextBits(), uint64 count) >>> 64)

    /// True with the given probability.
    member this.Chance(probability: float) : bool = this.NextDouble() < probability

    /// Normal with mean 0 and standard deviation 1 (Marsaglia's polar method).
    member this.Gaussian() : float =
        if not (Double.IsNaN spare) then
            let value = spare
            spare <- nan
            value
        else
            let mutable u = 0.0
            let mutable v = 0.0
            let mutable s = 0.0

            while s >= 1.0 || s = 0.0 do
                u <- this.Uniform(-1.0, 1.0)
                v <- this.Uniform(-1.0, 1.0)
                s <- u * u + v * v

            let factor = sqrt (-2.0 * log s / s)
            spare <- v * factor
            u * factor

/// Splitting seeds.
[<RequireQualifiedAccess>]
module Seed =

    // SplitMix64's finalizer (Steele, Lea and Flood, 2014).
    let internal mix (value: uint64) : uint64 =
        let z = (value ^^^ (value >>> 30)) * 0xBF58476D1CE4E5B9UL
        let z = (z ^^^ (z >>> 27)) * 0x94D049BB133111EBUL
        z ^^^ (z >>> 31)

    /// The seed of a run.
    let ofInt (value: int) : Seed =
        Seed(mix (uint64 (uint32 value) + 0x9E3779B97F4A7C15UL))

    /// The seed of the n-th part of what this seed stands for.
    let child (number: int) (Seed value: Seed) : Seed =
        Seed(mix (value + 0x9E3779B97F4A7C15UL * (uint64 (uint32 number) + 2UL)))

    /// A fresh stream of random numbers; the same seed gives the same numbers.
    let rng (Seed value: Seed) : Rng =
        let state (number: uint64) =
            mix (value + 0x9E3779B97F4A7C15UL * number)

        Rng(state 1UL, state 2UL, state 3UL, state 4UL)

/// The random numbers of numpy's RandomState, where a choice of nnU-Net's must be repeated.
[<Sealed>]
type NumpyRandom(seed: uint32) =
    let state = Array.zeroCreate<uint32> 624
    let mutable position = 624

    do
        state[0] <- seed

        for i in 1..623 do
            state[i] <- 1812433253u * (state[i - 1] ^^^ (state[i - 1] >>> 30)) + uint32 i

    // The state's numbers as they are given out.
    let tempered = Array.zeroCreate<uint32> 624

    let refill () =
        for i in 0..623 do
            let y = (state[i] &&& 0x80000000u) ||| (state[(i + 1) % 624] &&& 0x7fffffffu)
            let twist = if y &&& 1u = 0u then 0u else 0x9908b0dfu
            state[i] <- state[(i + 397) % 624] ^^^ (y >>> 1) ^^^ twist

        let lanes = Numerics.Vector<uint32>.Count

        // 624 is a multiple of any number of lanes.
        for i in 0..lanes..623 do
            let y = Numerics.Vector<uint32>(state, i)
            let y = y ^^^ (y >>> 11)
            let y = y ^^^ ((y <<< 7) &&& Numerics.Vector<uint32> 0x9d2c5680u)
            let y = y ^^^ ((y <<< 15) &&& Numerics.Vector<uint32> 0xefc60000u)
            (y ^^^ (y >>> 18)).CopyTo(tempered, i)

        position <- 0

    /// 32 random bits (MT19937, Matsumoto and Nishimura, 1998).
    member _.NextBits() : uint32 =
        if position = 624 then
            refill ()

        position <- position + 1
        tempered[position - 1]

    /// A whole number, uniform in [0, last], by masked rejection.
    member this.NextInclusive(last: uint32) : uint32 =
        if last = 0u then
            0u
        else
            let mask = UInt32.MaxValue >>> Numerics.BitOperations.LeadingZeroCount last
            let mutable value = this.NextBits() &&& mask

            while value > last do
                value <- this.NextBits() &&& mask

            value

    /// How often each of the numbers 0 to `counts.Length - 1` comes in so many draws of `NextInclusive`, added to `counts`.
    member internal this.Tally(draws: int, counts: int[]) : unit =
        if counts.Length = 1 then
            counts[0] <- counts[0] + draws
        else
            let last = uint32 (counts.Length - 1)
            let mask = UInt32.MaxValue >>> Numerics.BitOperations.LeadingZeroCount last
            let mutable left = draws

            while left > 0 do
                if position = 624 then
                    refill ()

                let mutable at = position

                while at < 624 && left > 0 do
                    let value = tempered[at] &&& mask
                    at <- at + 1

                    if value <= last then
                        counts[int value] <- counts[int value] + 1
                        left <- left - 1

                position <- at

    /// 0 .. count - 1 in shuffled order, as `permutation(count)`.
    member this.Permutation(count: int) : int[] =
        let order = Array.init count id

        for i in count - 1 .. -1 .. 1 do
            let j = int (this.NextInclusive(uint32 i))
            let kept = order[i]
            order[i] <- order[j]
            order[j] <- kept

        order
