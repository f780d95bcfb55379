namespace SkeletonRecall

open System
open System.Buffers.Binary
open System.Numerics

/// The hash SHA-256 (FIPS 180-4). .NET's own is OpenSSL's on Linux and ends the process where there is no OpenSSL, as in a bare
/// Debian; nothing here needs it for secrecy.
[<RequireQualifiedAccess>]
module internal Sha256 =

    /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
    let private constants: uint32[] =
        let isPrime (number: int) =
            seq { 2 .. int (sqrt (float number)) }
            |> Seq.forall (fun divisor -> number % divisor <> 0)

        // The integer cube root of prime * 2^96, of which the low 32 bits are those of the fraction.
        let fraction (prime: int) : uint32 =
            let target = BigInteger prime <<< 96

            let rec search (low: BigInteger) (high: BigInteger) : BigInteger =
                if high - low <= BigInteger.One then
                    low
                else
                    let middle = (low + high) >>> 1

                    if middle * middle * middle <= target then
                        search middle high
                    else
                        search low middle

            uint32 (search BigInteger.Zero (BigInteger.One <<< 40) &&& BigInteger UInt32.MaxValue)

        Seq.initInfinite (fun index -> index + 2)
        |> Seq.filter isPrime
        |> Seq.take 64
        |> Seq.map fraction
        |> Seq.toArray

    let private start: uint32[] =
        [|
            0x6a09e667u
            0xbb67ae85u
            0x3c6ef372u
            0xa54ff53au
            0x510e527fu
            0x9b05688cu
            0x1f83d9abu
            0x5be0cd19u
        |]

    let private turned (value: uint32) (bits: int) : uint32 = BitOperations.RotateRight(value, bits)

    // One block of 64 bytes into the state.
    let private compress (state: uint32[]) (words: uint32[]) (block: ReadOnlySpan<byte>) : unit =
        for at in 0..15 do
            words[at] <- BinaryPrimitives.ReadUInt32BigEndian(block.Slice(4 * at))

        for at in 16..63 do
            let early, late = words[at - 15], words[at - 2]
            let first = turned early 7 ^^^ turned early 18 ^^^ (early >>> 3)
            let second = turned late 17 ^^^ turned late 19 ^^^ (late >>> 10)
            words[at] <- words[at - 16] + first + words[at - 7] + second

        let mutable a, b, c, d = state[0], state[1], state[2], state[3]
        let mutable e, f, g, h = state[4], state[5], state[6], state[7]

        for at in 0..63 do
            let sum = turned e 6 ^^^ turned e 11 ^^^ turned e 25
            let choice = (e &&& f) ^^^ (~~~e &&& g)
            let one = h + sum + choice + constants[at] + words[at]
            let other = turned a 2 ^^^ turned a 13 ^^^ turned a 22
            let majority = (a &&& b) ^^^ (a &&& c) ^^^ (b &&& c)
            h <- g
            g <- f
            f <- e
            e <- d + one
            d <- c
            c <- b
            b <- a
            a <- one + other + majority

        state[0] <- state[0] + a
        state[1] <- state[1] + b
        state[2] <- state[2] + c
        state[3] <- state[3] + d
        state[4] <- state[4] + e
        state[5] <- state[5] + f
        state[6] <- state[6] + g
        state[7] <- state[7] + h

    /// The hash as 64 hexadecimal digits in lower case.
    let hex (bytes: byte[]) : string =
        let state = Array.copy start
        let words = Array.zeroCreate<uint32> 64
        let whole = bytes.Length / 64 * 64

        for at in 0..64 .. whole - 64 do
            compress state words (ReadOnlySpan(bytes, at, 64))

        // A bit, zeros, and the length in bits fill the last block or two.
        let left = bytes.Length - whole
        let tail = Array.zeroCreate<byte>(if left < 56 then 64 else 128)
        Array.blit bytes whole tail 0 left
        tail[left] <- 0x80uy
        BinaryPrimitives.WriteInt64BigEndian(Span(tail, tail.Length - 8, 8), 8L * int64 bytes.Length)

        for at in 0..64 .. tail.Length - 64 do
            compress state words (ReadOnlySpan(tail, at, 64))

        state |> Array.map (fun word -> word.ToString "x8") |> String.concat ""
