namespace SkeletonRecall.Training

open System

/// What reading and writing PNG share: the signature, check sums, the length of a row.
[<RequireQualifiedAccess>]
module internal PngFormat =

    /// The first 8 bytes.
    let signature = [| 137uy; 80uy; 78uy; 71uy; 13uy; 10uy; 26uy; 10uy |]

    let private table =
        Array.init 256 (fun i ->
            let mutable c = uint32 i

            for _ in 1..8 do
                c <- if c &&& 1u = 1u then 0xEDB88320u ^^^ (c >>> 1) else c >>> 1

            c)

    /// CRC-32 as in ISO/IEC 15948, annex D.
    let crc (bytes: ReadOnlySpan<byte>) : uint32 =
        let mutable c = UInt32.MaxValue

        for i in 0 .. bytes.Length - 1 do
            c <- table[int ((c ^^^ uint32 bytes[i]) &&& 0xFFu)] ^^^ (c >>> 8)

        ~~~c

    /// Bytes of one row without its filter byte.
    let bytesPerRow (width: int) (channels: int) (depth: int) : int64 =
        (int64 width * int64 (channels * depth) + 7L) / 8L
