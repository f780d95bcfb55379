namespace SkeletonRecall.Training

open System
open System.IO

/// What a read-only stream with a length is: the rest of `Stream` made of `Length`, `Position` and `Read`.
[<AbstractClass>]
type internal ReadOnlyStream(length: int64) =
    inherit Stream()
    let mutable position = 0L
    override _.CanRead = true
    override _.CanSeek = true
    override _.CanWrite = false
    override _.Length = length

    override _.Position
        with get () = position
        and set (value: int64) = position <- value

    override this.Seek(offset: int64, origin: SeekOrigin) : int64 =
        position <-
            match origin with
            | SeekOrigin.Current -> position + offset
            | SeekOrigin.End -> length + offset
            | _ -> offset

        position

    override _.Flush() : unit = ()
    override _.SetLength(_: int64) : unit = raise (NotSupportedException())
    override _.Write(_: byte[], _: int, _: int) : unit = raise (NotSupportedException())

    /// Bytes from the position on, which it moves by their number; at most as many as are left, 0 at the end alone.
    override this.Read(buffer: byte[], offset: int, count: int) : int =
        let wanted = int (min (int64 count) (max 0L (length - position)))

        if wanted = 0 then
            0
        else
            let read = this.Fill(position, buffer, offset, wanted)
            position <- position + int64 read
            read

    /// Up to `count` bytes, at least 1, from this position on, all of which lie before the end.
    abstract Fill: position: int64 * buffer: byte[] * offset: int * count: int -> int

/// A part of a stream that can be sought, as a stream of its own. The one below must outlive it; parts may be read in turn.
[<Sealed>]
type internal PartStream(below: Stream, first: int64, length: int64) =
    inherit ReadOnlyStream(length)

    override _.Fill(position: int64, buffer: byte[], offset: int, count: int) : int =
        below.Position <- first + position
        below.Read(buffer, offset, count)
