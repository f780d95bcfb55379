namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Text

/// A file in a zip archive, as the archive's list of files has it.
type internal ArchiveEntry =
    {
        /// With `/` between folders.
        Name: string
        /// 0 as it is, 8 deflated; others are refused when they are read.
        Method: int
        /// Its bytes in the archive.
        Packed: int64
        /// Its own bytes.
        Length: int64
        /// Their CRC-32.
        Checksum: uint32
        /// Where its header begins.
        Header: int64
    }

/// A zip archive that is open for reading.
type internal Archive =
    {
        Stream: Stream
        Entries: Map<string, ArchiveEntry>
    }

/// Reading zip archives without trust (PKWARE's APPNOTE 6.3). Nothing is ever written. Every claim is checked against the
/// stream's length before memory is taken for it; what is wrong is refused, as `Elements.refuse` does.
[<RequireQualifiedAccess>]
module internal Archive =

    // A model has some thousands at most; each costs memory.
    let private mostEntries = 100_000L

    // Weights do not deflate, and texts do so less.
    let private mostInflation = 50L

    // Beyond which that is asked.
    let private smallLength = 16L <<< 20

    /// Whether a stream begins as zip archives do; it stands at its beginning afterwards.
    let isArchive (stream: Stream) : bool =
        let first = Array.zeroCreate<byte> 4
        stream.Position <- 0L
        let read = stream.ReadAtLeast(Span first, 4, false)
        stream.Position <- 0L

        read = 4
        && BinaryPrimitives.ReadUInt32LittleEndian(ReadOnlySpan first) = 0x04034b50u

    let private short (bytes: byte[]) (at: int) : int =
        int (BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(bytes, at, 2)))

    let private word (bytes: byte[]) (at: int) : uint32 =
        BinaryPrimitives.ReadUInt32LittleEndian(ReadOnlySpan(bytes, at, 4))

    // As a signed number, so that a claim beyond all files is negative or too large, and refused as such.
    let private long (bytes: byte[]) (at: int) : int64 =
        BinaryPrimitives.ReadInt64LittleEndian(ReadOnlySpan(bytes, at, 8))

    let private take (stream: Stream) (position: int64) (count: int) : byte[] =
        let bytes = Array.zeroCreate<byte> count
        stream.Position <- position

        if stream.ReadAtLeast(Span bytes, count, false) < count then
            Elements.refuse "it is truncated"

        bytes

    // The number of entries, and where their list begins and how long it is.
    let private directory (stream: Stream) : int64 * int64 * int64 =
        let length = stream.Length
        let held = int (min length 65557L)
        let tail = take stream (length - int64 held) held

        let isEnd (at: int) =
            word tail at = 0x06054b50u && at + 22 + short tail (at + 20) = held

        match Seq.tryFind isEnd (seq { held - 22 .. -1 .. 0 }) with
        | None -> Elements.refuse "it is no whole zip archive: its list of files is missing (is it truncated?)"
        | Some at ->
            if short tail (at + 4) <> 0 || short tail (at + 6) <> 0 then
                Elements.refuse "it is one of several parts of a zip archive"

            let finish = length - int64 held + int64 at
            let count = int64 (short tail (at + 10))
            let size, first = int64 (word tail (at + 12)), int64 (word tail (at + 16))

            let count, size, first, finish =
                if count = 0xFFFFL || size = 0xFFFFFFFFL || first = 0xFFFFFFFFL then
                    if at < 20 || word tail (at - 20) <> 0x07064b50u then
                        Elements.refuse "its list of files is damaged"

                    let place = long tail (at - 12)

                    if place < 0L || place > finish - 76L then
                        Elements.refuse "its list of files is damaged"

                    let large = take stream place 56

                    if word large 0 <> 0x06064b50u then
                        Elements.refuse "its list of files is damaged"

                    long large 32, long large 40, long large 48, place
                else
                    count, size, first, finish

            if
                count < 0L
                || size < 0L
                || first < 0L
                || size > finish
                || first > finish - size
                || count > size / 46L
            then
                Elements.refuse "its list of files lies about its size"

            if count > mostEntries then
                Elements.refuse $"it holds %d{count} files; a model has fewer than %d{mostEntries}"

            count, first, size

    let private checkName (name: string) : unit =
        let parts = name.Split '/'

        let leaves (part: string) =
            part = ".." || part.Contains '\\' || part.Contains ':'

        if name = "" || name.StartsWith '/' || Array.exists leaves parts then
            Elements.refuse $"it holds a file named '%s{name}', which leads out of its folder"

    // Sizes and place of an entry that are too large for their fields stand in an extra field.
    let private enlarged (extra: ReadOnlySpan<byte>) (small: int64 list) : int64 list =
        let mutable at = 0
        let mutable found = ReadOnlySpan<byte>.Empty

        while at + 4 <= extra.Length do
            let kind = BinaryPrimitives.ReadUInt16LittleEndian(extra.Slice at)
            let size = int (BinaryPrimitives.ReadUInt16LittleEndian(extra.Slice(at + 2)))

            if kind = 1us && at + 4 + size <= extra.Length then
                found <- extra.Slice(at + 4, size)

            at <- at + 4 + size

        let mutable used = 0
        let result = Array.ofList small

        for index in 0 .. result.Length - 1 do
            if result[index] = 0xFFFFFFFFL && used + 8 <= found.Length then
                result[index] <- BinaryPrimitives.ReadInt64LittleEndian(found.Slice used)
                used <- used + 8

        List.ofArray result

    // The entry at a place of the list, and where the next one begins.
    let private entry (list: byte[]) (at: int) (limit: int64) : ArchiveEntry * int =
        if at + 46 > list.Length || word list at <> 0x02014b50u then
            Elements.refuse "its list of files is damaged"

        let nameLength, extraLength, commentLength =
            short list (at + 28), short list (at + 30), short list (at + 32)

        let finish = at + 46 + nameLength + extraLength + commentLength

        if finish > list.Length then
            Elements.refuse "its list of files is damaged"

        let name = Encoding.UTF8.GetString(list, at + 46, nameLength)
        checkName name

        if short list (at + 8) &&& 1 = 1 then
            Elements.refuse $"%s{name} in it is encrypted"

        let small = [ word list (at + 24); word list (at + 20); word list (at + 42) ]

        match enlarged (ReadOnlySpan(list, at + 46 + nameLength, extraLength)) (List.map int64 small) with
        | [ length; packed; header ] ->
            let kind = short list (at + 10)

            if
                length < 0L
                || packed < 0L
                || header < 0L
                || packed > limit
                || header > limit - packed
                || (kind = 0 && packed <> length)
            then
                Elements.refuse $"%s{name} in it claims %d{length} bytes, which it cannot have"

            {
                Name = name
                Method = kind
                Packed = packed
                Length = length
                Checksum = word list (at + 16)
                Header = header
            },
            finish
        | _ -> Elements.refuse "its list of files is damaged"

    // Files that share bytes are how a small archive pretends to be a large one.
    let private checkApart (entries: ArchiveEntry list) : unit =
        for before, after in entries |> List.sortBy _.Header |> List.pairwise do
            if after.Header < before.Header + 30L + before.Packed then
                Elements.refuse $"%s{before.Name} and %s{after.Name} in it overlap"

    /// The archive in a stream that can be sought, which must outlive it. Folders are left out.
    let read (stream: Stream) : Archive =
        let count, first, size = directory stream
        let list = take stream first (int (min size (int64 Array.MaxLength)))

        let entries =
            (0, [ 1L .. count ]) ||> List.mapFold (fun at _ -> entry list at first) |> fst

        checkApart entries

        let files = entries |> List.filter (fun entry -> not (entry.Name.EndsWith '/'))

        match files |> List.countBy _.Name |> List.tryFind (fun (_, count) -> count > 1) with
        | Some(name, _) -> Elements.refuse $"it holds %s{name} twice"
        | None ->
            {
                Stream = stream
                Entries = files |> List.map (fun entry -> entry.Name, entry) |> Map.ofList
            }

    /// The bytes of a file in the archive, as a stream that can be sought. Inflated, it never gives more than the length
    /// that its entry says, nor is it held as a whole.
    let stream (archive: Archive) (entry: ArchiveEntry) : Stream =
        let header = take archive.Stream entry.Header 30

        if word header 0 <> 0x04034b50u then
            Elements.refuse $"%s{entry.Name} in it is not where its list of files says"

        let first = entry.Header + 30L + int64 (short header 26) + int64 (short header 28)

        if first + entry.Packed > archive.Stream.Length then
            Elements.refuse "it is truncated"

        let packed () : Stream =
            new PartStream(archive.Stream, first, entry.Packed)

        match entry.Method with
        | 0 -> packed ()
        | 8 when entry.Length > smallLength && entry.Length / mostInflation > entry.Packed ->
            Elements.refuse
                $"%s{entry.Name} in it claims %d{entry.Length} bytes of %d{entry.Packed} compressed ones, more than any model's"
        | 8 -> new InflatedStream(packed, entry.Length)
        | other ->
            Elements.refuse $"%s{entry.Name} in it is compressed by method %d{other}; 0 (none) and 8 (deflate) are read"

    /// Gives a file's bytes to `consume` from front to back in parts (their place in the file, an array that is used again,
    /// and how many it holds: a multiple of 8, but for the last), and refuses the file at the end where they do not have its
    /// checksum.
    let inParts (archive: Archive) (entry: ArchiveEntry) (consume: int64 -> byte[] -> int -> unit) : unit =
        use stream = stream archive entry
        let buffer = Array.zeroCreate<byte>(int (min 131072L (max 1L entry.Length)))
        let mutable at = 0L
        let mutable sum = 0u

        while at < entry.Length do
            // Whole parts, so that no number lies in two.
            let wanted = int (min (int64 buffer.Length) (entry.Length - at))
            let read = stream.ReadAtLeast(Span(buffer, 0, wanted), wanted, false)

            if read < wanted then
                Elements.refuse "it is truncated"

            sum <- Checksum.add sum (ReadOnlySpan(buffer, 0, read))
            consume at buffer read
            at <- at + int64 read

        if sum <> entry.Checksum then
            Elements.refuse $"%s{entry.Name} in it is damaged: its checksum is not the one in the list of files"

    /// A file's bytes; refused where they are more than `most`.
    let bytes (most: int64) (archive: Archive) (entry: ArchiveEntry) : byte[] =
        if entry.Length > most then
            Elements.refuse $"%s{entry.Name} in it has %d{entry.Length} bytes; at most %d{most} are read"

        let result = Array.zeroCreate<byte>(int entry.Length)
        inParts archive entry (fun at part count -> Array.blit part 0 result (int at) count)
        result
