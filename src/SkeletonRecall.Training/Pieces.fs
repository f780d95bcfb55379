namespace SkeletonRecall.Training

open System
open System.IO
open System.Runtime.InteropServices

/// Numbers as they arrive, at most `total` of them: memory is taken for what is there, half as much again at most, and not
/// for what a header claims. `first` of them get their memory at once; where that is all, the array is never copied.
[<Sealed>]
type internal Pieces<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(total: int, first: int64) =

    let least = 65536L
    let pieces = ResizeArray<'T[]>()
    let size = int64 (Marshal.SizeOf<'T>())
    let mutable earlier = 0
    let mutable inLast = 0

    let last () : 'T[] =
        if pieces.Count = 0 || pieces[pieces.Count - 1].Length = inLast then
            let arrived = earlier + inLast
            let growth = if pieces.Count = 0 then first else int64 arrived / 2L
            let length = min (int64 (total - arrived)) (max growth (least / size))
            pieces.Add(GC.AllocateUninitializedArray<'T>(int length))
            earlier <- arrived
            inLast <- 0

        pieces[pieces.Count - 1]

    /// How many numbers are here.
    member _.Count: int = earlier + inLast

    /// Whether nothing more has room.
    member _.IsFull: bool = earlier + inLast = total

    /// Takes bytes over; throws ArgumentException where they are more than what is missing, or no whole numbers.
    member this.Write(bytes: ReadOnlySpan<byte>) : unit =
        let mutable left = bytes

        while left.Length > 0 do
            if this.IsFull then
                invalidArg (nameof bytes) $"%d{left.Length} bytes are left over behind %d{total} numbers."

            let piece = last ()
            let count = min (piece.Length - inLast) (left.Length / int size)

            if count = 0 then
                invalidArg (nameof bytes) $"%d{left.Length} bytes are no whole number of %d{size} bytes."

            left.Slice(0, count * int size).CopyTo(MemoryMarshal.AsBytes(Span<'T>(piece, inLast, count)))
            inLast <- inLast + count
            left <- left.Slice(count * int size)

    /// Reads from a stream until all numbers are here or it ends; the bytes that are here then.
    member this.Fill(stream: Stream) : int64 =
        // Large enough for the decoders, small enough to stay in the cache between them and whoever looks next.
        let most = 1048576
        let mutable rest = 0
        let mutable ended = false

        while not ended && not this.IsFull do
            let piece = last ()
            let count = min most (piece.Length - inLast)
            let bytes = MemoryMarshal.AsBytes(Span<'T>(piece, inLast, count))
            let read = stream.ReadAtLeast(bytes, bytes.Length, false)
            ended <- read < bytes.Length
            inLast <- inLast + read / int size
            rest <- read % int size

        int64 this.Count * size + int64 rest

    /// The numbers in one array.
    member this.ToArray() : 'T[] =
        if pieces.Count = 0 then
            [||]
        elif pieces.Count = 1 && pieces[0].Length = inLast then
            pieces[0]
        else
            let whole = GC.AllocateUninitializedArray<'T> this.Count
            let mutable at = 0

            for number in 0 .. pieces.Count - 1 do
                let count =
                    if number < pieces.Count - 1 then
                        pieces[number].Length
                    else
                        inLast

                Array.blit pieces[number] 0 whole at count
                at <- at + count

            whole
