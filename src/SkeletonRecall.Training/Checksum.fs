namespace SkeletonRecall.Training

open System
open System.Buffers.Binary

/// CRC-32 as in ISO/IEC 15948, annex D: of PNG's chunks and of the files in zip archives.
[<RequireQualifiedAccess>]
module internal Checksum =

    // Table n takes a byte n places further on, so that 8 bytes are taken at once.
    let private tables =
        let first =
            Array.init 256 (fun i ->
                let mutable c = uint32 i

                for _ in 1..8 do
                    c <- if c &&& 1u = 1u then 0xEDB88320u ^^^ (c >>> 1) else c >>> 1

                c)

        let next (table: uint32[]) : uint32[] =
            table |> Array.map (fun c -> first[int (c &&& 0xFFu)] ^^^ (c >>> 8))

        Array.init 8 (fun n -> List.fold (fun table _ -> next table) first [ 1..n ])

    /// The sum of what came before and these bytes; 0 where nothing came before.
    let add (before: uint32) (bytes: ReadOnlySpan<byte>) : uint32 =
        let mutable c = ~~~before
        let mutable at = 0
        let look (table: int) (value: uint32) = tables[table][int (value &&& 0xFFu)]

        while bytes.Length - at >= 8 do
            let low = c ^^^ BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(at, 4))
            let high = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(at + 4, 4))

            c <-
                look 7 low
                ^^^ look 6 (low >>> 8)
                ^^^ look 5 (low >>> 16)
                ^^^ look 4 (low >>> 24)
                ^^^ look 3 high
                ^^^ look 2 (high >>> 8)
                ^^^ look 1 (high >>> 16)
                ^^^ look 0 (high >>> 24)

            at <- at + 8

        while at < bytes.Length do
            c <- look 0 (c ^^^ uint32 bytes[at]) ^^^ (c >>> 8)
            at <- at + 1

        ~~~c

    /// The sum of these bytes.
    let ofBytes (bytes: ReadOnlySpan<byte>) : uint32 = add 0u bytes
