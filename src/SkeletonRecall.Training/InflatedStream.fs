namespace SkeletonRecall.Training

open System
open System.IO
open System.IO.Compression

/// Deflated bytes as a stream that can be sought without holding what they inflate to: going back inflates anew, and the
/// last bytes, where an archive has its list of files, are kept. Reading from front to back costs one pass.
/// Refused, as `Elements.refuse` does, where there are fewer bytes or more than `length`.
[<Sealed>]
type internal InflatedStream(packed: unit -> Stream, length: int64) =
    inherit ReadOnlyStream(length)

    // Larger than the list of files of any model.
    let kept = min length (4L <<< 20)
    let tailStart = length - kept
    let mutable tail: byte[] option = None
    let mutable source: Stream option = None
    // Where the source stands.
    let mutable at = 0L

    let close () =
        source |> Option.iter _.Dispose()
        source <- None
        at <- 0L

    let opened () : Stream =
        match source with
        | Some stream -> stream
        | None ->
            let stream = new DeflateStream(packed (), CompressionMode.Decompress) :> Stream
            source <- Some stream
            stream

    let next (buffer: byte[]) (offset: int) (count: int) : int =
        let read = (opened ()).Read(buffer, offset, count)

        if read = 0 then
            Elements.refuse $"it inflates to %d{at} bytes where its entry says %d{length}"

        at <- at + int64 read
        read

    let goTo (position: int64) : unit =
        if position < at then
            close ()

        if position > at then
            let buffer = Array.zeroCreate<byte> 65536

            while at < position do
                next buffer 0 (int (min (int64 buffer.Length) (position - at))) |> ignore

    // The last bytes, and that there are no more.
    let readTail () : byte[] =
        goTo tailStart
        let bytes = Array.zeroCreate<byte>(int kept)
        let mutable filled = 0

        while filled < bytes.Length do
            filled <- filled + next bytes filled (bytes.Length - filled)

        if (opened ()).Read(Array.zeroCreate<byte> 1, 0, 1) > 0 then
            Elements.refuse $"it inflates to more than the %d{length} bytes that its entry says"

        close ()
        tail <- Some bytes
        bytes

    override _.Fill(position: int64, buffer: byte[], offset: int, count: int) : int =
        if position >= tailStart then
            let bytes = tail |> Option.defaultWith readTail
            let from = int (position - tailStart)
            let taken = min count (bytes.Length - from)
            Array.blit bytes from buffer offset taken
            taken
        else
            goTo position
            next buffer offset (int (min (int64 count) (tailStart - position)))

    override _.Dispose(disposing: bool) : unit =
        close ()
        base.Dispose disposing
