namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.Collections.Generic

/// A look at the directories of a TIFF file before the library reads it: damaged counts keep the library busy for minutes
/// or make it take memory that the file does not account for.
[<RequireQualifiedAccess>]
module internal TiffDirectories =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    // Bytes of a value by its type, 1 (byte) to 18 (8-byte offset).
    let private sizes = [| 0; 1; 1; 2; 4; 8; 1; 1; 2; 4; 8; 4; 8; 4; 0; 0; 8; 8; 8 |]

    type private Layout =
        {
            Bytes: byte[]
            BigEndian: bool
            /// BigTIFF, with counts and offsets of 8 bytes.
            Big: bool
        }

    let private number (layout: Layout) (start: int64) (size: int) : int64 =
        if start < 0L || start + int64 size > layout.Bytes.LongLength then
            refuse "it is truncated or damaged: a directory points outside the file"

        let span = ReadOnlySpan(layout.Bytes, int start, size)

        match size, layout.BigEndian with
        | 1, _ -> int64 span[0]
        | 2, false -> int64 (BinaryPrimitives.ReadUInt16LittleEndian span)
        | 2, true -> int64 (BinaryPrimitives.ReadUInt16BigEndian span)
        | 4, false -> int64 (BinaryPrimitives.ReadUInt32LittleEndian span)
        | 4, true -> int64 (BinaryPrimitives.ReadUInt32BigEndian span)
        | _, false -> BinaryPrimitives.ReadInt64LittleEndian span
        | _, true -> BinaryPrimitives.ReadInt64BigEndian span

    /// Where the values of an entry lie.
    type private Entry =
        {
            Count: int64
            Size: int
            Place: int64
        }

    // An entry, whose values must lie in the file.
    let private entry (layout: Layout) (start: int64) : Entry =
        let wide = if layout.Big then 8 else 4
        let kind = int (number layout (start + 2L) 2)
        let count = number layout (start + 4L) wide
        let size = if kind < sizes.Length then sizes[kind] else 0

        if size = 0 then
            // The library leaves out entries of unknown types.
            { Count = 0L; Size = 0; Place = 0L }
        else
            if count < 0L || count > layout.Bytes.LongLength then
                refuse "it is damaged: an entry of a directory is larger than the file"

            let place = start + 4L + int64 wide

            let place =
                if count * int64 size <= int64 wide then
                    place
                else
                    number layout place wide

            if place < 0L || place + count * int64 size > layout.Bytes.LongLength then
                refuse "it is truncated or damaged: an entry of a directory points outside the file"

            {
                Count = count
                Size = size
                Place = place
            }

    let private value (layout: Layout) (at: int64) (entry: Entry) : int64 =
        number layout (entry.Place + at * int64 entry.Size) entry.Size

    // Whether the numbers of a page agree with each other.
    let private check (layout: Layout) (entries: Dictionary<int, Entry>) : unit =
        let first (tag: int) (otherwise: int64) : int64 =
            match entries.TryGetValue tag with
            | true, entry when entry.Count > 0L -> value layout 0L entry
            | _ -> otherwise

        let count (tag: int) : int64 =
            match entries.TryGetValue tag with
            | true, entry -> entry.Count
            | _ -> 0L

        let width, height = first 256 0L, first 257 0L
        let samples = first 277 1L
        let bits = first 258 1L

        if width < 1L || height < 1L then
            refuse $"its header declares %d{width} x %d{height} pixels"

        if samples < 1L || samples > 256L || bits < 1L || bits > 64L then
            refuse $"its header declares %d{samples} samples of %d{bits} bits"

        // No compression gives more.
        if bigint width * bigint height * bigint (samples * bits) / 8I > 2800I * bigint layout.Bytes.LongLength then
            refuse
                $"its header declares %d{width} x %d{height} pixels, which the file's %d{layout.Bytes.LongLength} bytes cannot hold"

        let planes = if first 284 1L = 2L then samples else 1L

        let parts =
            if entries.ContainsKey 324 then
                let tileWidth, tileHeight = first 322 0L, first 323 0L

                if
                    tileWidth < 1L
                    || tileHeight < 1L
                    || tileWidth > width + 65536L
                    || tileHeight > height + 65536L
                then
                    refuse $"its header declares tiles of %d{tileWidth} x %d{tileHeight} pixels"

                (width + tileWidth - 1L) / tileWidth
                * ((height + tileHeight - 1L) / tileHeight)
                * planes
            else
                let rows = min height (first 278 height)

                if rows < 1L then
                    refuse $"its header declares strips of %d{rows} rows"

                (height + rows - 1L) / rows * planes

        let offsetTag, lengthTag = if entries.ContainsKey 324 then 324, 325 else 273, 279
        let offsets, lengths = count offsetTag, count lengthTag

        if offsets < parts || (lengths < parts && not (lengths = 0L && parts = 1L)) then
            refuse $"it is damaged: a page of %d{parts} parts says where %d{min offsets lengths} of them are"

        // The library takes the memory that a length asks for before it looks whether the bytes are there.
        if lengths >= parts then
            for part in 0L .. parts - 1L do
                let start = value layout part entries[offsetTag]
                let length = value layout part entries[lengthTag]

                if start < 0L || length < 0L || start > layout.Bytes.LongLength - length then
                    refuse "it is truncated: some of its pixels lie outside the file"

    /// Refuses a file whose directories run in circles, lead outside or do not agree with themselves.
    let validate (bytes: byte[]) : unit =
        if bytes.Length < 8 then
            refuse "it is not a TIFF file"

        let bigEndian =
            match bytes[0], bytes[1] with
            | 0x49uy, 0x49uy -> false
            | 0x4Duy, 0x4Duy -> true
            | _ -> refuse "it is not a TIFF file"

        let small =
            {
                Bytes = bytes
                BigEndian = bigEndian
                Big = false
            }

        let layout =
            match number small 2L 2 with
            | 42L -> small
            | 43L -> { small with Big = true }
            | _ -> refuse "it is not a TIFF file"

        let wide, entrySize, countSize = if layout.Big then 8, 20L, 8 else 4, 12L, 2
        let visited = HashSet<int64>()

        let mutable at = number layout (if layout.Big then 8L else 4L) wide

        if at = 0L then
            refuse "it has no page"

        while at <> 0L do
            if not (visited.Add at) then
                refuse "it is damaged: its pages run in circles"

            let count = number layout at countSize

            if count < 1L || count > 4096L then
                refuse $"it is damaged: a directory of %d{count} entries"

            let entries = Dictionary<int, Entry>()

            for number' in 0L .. count - 1L do
                let start = at + int64 countSize + number' * entrySize
                entries[int (number layout start 2)] <- entry layout start

            check layout entries
            at <- number layout (at + int64 countSize + count * entrySize) wide
