namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.IO.Compression
open System.Text

/// The reading half of `Png`.
[<RequireQualifiedAccess>]
module internal PngDecoder =

    /// Ends decoding from any depth; never leaves this module.
    exception private Refused of reason: string

    let private refuse (reason: string) : 'T = raise (Refused reason)

    type private Header =
        {
            Columns: int
            Rows: int
            Depth: int
            Colour: int
            Interlaced: bool
        }

    let private channelsOf (colour: int) : int =
        match colour with
        | 2 -> 3
        | 4 -> 2
        | 6 -> 4
        | _ -> 1

    let private header (data: ReadOnlySpan<byte>) : Header =
        if data.Length <> 13 then
            refuse $"its header is %d{data.Length} bytes long, not 13"

        let width = BinaryPrimitives.ReadUInt32BigEndian data
        let height = BinaryPrimitives.ReadUInt32BigEndian(data.Slice 4)
        let depth = int data[8]
        let colour = int data[9]

        let depths =
            match colour with
            | 0 -> [ 1; 2; 4; 8; 16 ]
            | 3 -> [ 1; 2; 4; 8 ]
            | 2
            | 4
            | 6 -> [ 8; 16 ]
            | _ -> []

        if width = 0u || height = 0u || width > 0x7FFFFFFFu || height > 0x7FFFFFFFu then
            refuse $"its header declares %d{width} x %d{height} pixels"

        if not (List.contains depth depths) then
            refuse $"its header declares colour type %d{colour} with %d{depth} bits, which PNG does not have"

        if data[10] <> 0uy || data[11] <> 0uy || data[12] > 1uy then
            refuse "its header names an unknown compression, filter or interlace method"

        {
            Columns = int width
            Rows = int height
            Depth = depth
            Colour = colour
            Interlaced = data[12] = 1uy
        }

    /// The sub-images that the pixel data hold, one after the other: first column and row, and the steps between.
    let private passes (interlaced: bool) : struct (int * int * int * int) list =
        if interlaced then
            [
                struct (0, 0, 8, 8)
                struct (4, 0, 8, 8)
                struct (0, 4, 4, 8)
                struct (2, 0, 4, 4)
                struct (0, 2, 2, 4)
                struct (1, 0, 2, 2)
                struct (0, 1, 1, 2)
            ]
        else
            [ struct (0, 0, 1, 1) ]

    let private sizeOfPass
        (width: int)
        (height: int)
        (struct (x, y, dx, dy): struct (int * int * int * int))
        : struct (int * int) =
        let along (size: int) (first: int) (step: int) =
            if size > first then (size - first - 1) / step + 1 else 0

        struct (along width x dx, along height y dy)

    let private paeth (left: int) (up: int) (corner: int) : int =
        let estimate = left + up - corner
        let a = abs (estimate - left)
        let b = abs (estimate - up)
        let c = abs (estimate - corner)

        if a <= b && a <= c then left
        elif b <= c then up
        else corner

    /// Undoes the filter of one row in place. `above` is the row before, or empty for the first one.
    let private unfilter (kind: byte) (step: int) (row: Span<byte>) (above: ReadOnlySpan<byte>) : unit =
        for i in 0 .. row.Length - 1 do
            let left = if i >= step then int row[i - step] else 0
            let up = if above.IsEmpty then 0 else int above[i]

            let corner =
                if i >= step && not above.IsEmpty then
                    int above[i - step]
                else
                    0

            let guess =
                match kind with
                | 1uy -> left
                | 2uy -> up
                | 3uy -> (left + up) / 2
                | _ -> paeth left up corner

            row[i] <- byte (int row[i] + guess)

    let private sample (row: ReadOnlySpan<byte>) (depth: int) (position: int) : uint16 =
        match depth with
        | 8 -> uint16 row[position]
        | 16 -> BinaryPrimitives.ReadUInt16BigEndian(row.Slice(2 * position))
        | _ ->
            let bit = position * depth
            let shift = 8 - depth - (bit &&& 7)
            uint16 ((int row[bit >>> 3] >>> shift) &&& ((1 <<< depth) - 1))

    /// Inflates exactly `wanted` bytes.
    let private inflate (parts: ResizeArray<struct (int * int)>) (bytes: byte[]) (wanted: int) : byte[] =
        use source =
            if parts.Count = 1 then
                let struct (start, length) = parts[0]
                new MemoryStream(bytes, start, length)
            else
                let joined = new MemoryStream()

                for struct (start, length) in parts do
                    joined.Write(bytes, start, length)

                joined.Position <- 0L
                joined

        use stream = new ZLibStream(source, CompressionMode.Decompress)
        // Memory grows with what really comes out, whatever the header declares.
        let pixels = Pieces<byte>(wanted, source.Length)

        try
            pixels.Fill stream |> ignore

            // The read past the end makes the stream compare its check sum.
            stream.ReadByte() |> ignore
        with :? InvalidDataException ->
            refuse "its pixel data are damaged"

        if not pixels.IsFull then
            refuse $"it is truncated: its pixel data end after %d{pixels.Count} of %d{wanted} bytes"

        pixels.ToArray()

    let private pixels (header: Header) (parts: ResizeArray<struct (int * int)>) (bytes: byte[]) : uint16[] =
        let channels = channelsOf header.Colour
        let count = int64 header.Columns * int64 header.Rows * int64 channels
        let passes = passes header.Interlaced

        let wanted =
            passes
            |> List.sumBy (fun pass ->
                let struct (width, height) = sizeOfPass header.Columns header.Rows pass

                if width = 0 then
                    0L
                else
                    int64 height * (1L + PngFormat.bytesPerRow width channels header.Depth))

        let stored =
            let mutable sum = 0L

            for struct (_, length) in parts do
                sum <- sum + int64 length

            sum

        if count > int64 Array.MaxLength || wanted > int64 Array.MaxLength then
            refuse $"its %d{header.Columns} x %d{header.Rows} pixels are more than one array holds"

        // Deflate shrinks to no less than 1/1032: a header that declares more is wrong, and nothing is allocated for it.
        if wanted > 1032L * stored + 1032L then
            refuse
                $"its header declares %d{header.Columns} x %d{header.Rows} pixels, but it holds only %d{stored} bytes of them"

        let data = inflate parts bytes (int wanted)
        let samples = Array.zeroCreate<uint16>(int count)
        let step = max 1 (channels * header.Depth / 8)
        let mutable position = 0

        for pass in passes do
            let struct (x, y, dx, dy) = pass
            let struct (width, height) = sizeOfPass header.Columns header.Rows pass

            if width > 0 then
                let length = int (PngFormat.bytesPerRow width channels header.Depth)

                for row in 0 .. height - 1 do
                    let kind = data[position]
                    let current = Span<byte>(data, position + 1, length)

                    let above =
                        if row = 0 then
                            ReadOnlySpan<byte>.Empty
                        else
                            ReadOnlySpan<byte>(data, position - length, length)

                    if kind > 4uy then
                        refuse $"its pixel data are damaged (row filter %d{kind})"

                    if kind > 0uy then
                        unfilter kind step current above

                    let target = (y + row * dy) * header.Columns

                    for column in 0 .. width - 1 do
                        for channel in 0 .. channels - 1 do
                            samples[(target + x + column * dx) * channels + channel] <-
                                sample (Span.op_Implicit current) header.Depth (column * channels + channel)

                    position <- position + 1 + length

        samples

    let private parse (bytes: byte[]) : Raster =
        if bytes.Length = 0 then
            refuse "the file is empty"

        if not (bytes.AsSpan().StartsWith(ReadOnlySpan PngFormat.signature)) then
            refuse "it is not a PNG file"

        let parts = ResizeArray<struct (int * int)>()
        let mutable found: Header option = None
        let mutable palette: struct (byte * byte * byte)[] option = None
        let mutable position = 8
        let mutable ended = false

        while not ended do
            if bytes.Length - position < 12 then
                refuse $"it is truncated after %d{bytes.Length} bytes"

            let length = BinaryPrimitives.ReadUInt32BigEndian(ReadOnlySpan(bytes, position, 4))

            if int64 length > int64 (bytes.Length - position - 12) then
                refuse $"it is truncated: a chunk of %d{length} bytes begins at byte %d{position} of %d{bytes.Length}"

            let length = int length
            let body = ReadOnlySpan(bytes, position + 8, length)
            let name = Encoding.Latin1.GetString(bytes, position + 4, 4)

            if
                Checksum.ofBytes (ReadOnlySpan(bytes, position + 4, length + 4))
                <> BinaryPrimitives.ReadUInt32BigEndian(ReadOnlySpan(bytes, position + 8 + length, 4))
            then
                refuse $"it is damaged: a check sum is wrong in the chunk at byte %d{position}"

            match name, found with
            | "IHDR", None -> found <- Some(header body)
            | _, None -> refuse "it does not begin with a header"
            | "IHDR", Some _ -> refuse "it holds two headers"
            | "PLTE", _ ->
                if length % 3 <> 0 || length = 0 || length > 768 then
                    refuse $"its palette is %d{length} bytes long"

                let colours = body.ToArray()

                palette <-
                    Some(
                        Array.init (length / 3) (fun i ->
                            struct (colours[3 * i], colours[3 * i + 1], colours[3 * i + 2]))
                    )
            | "IDAT", _ -> parts.Add(struct (position + 8, length))
            | "IEND", _ -> ended <- true
            | _ when Char.IsAsciiLetterUpper name[0] -> refuse $"it needs the unknown chunk %s{name}"
            | _ -> ()

            position <- position + 12 + length

        match found with
        | None -> refuse "it has no header"
        | Some header ->
            if parts.Count = 0 then
                refuse "it holds no pixel data"

            let colours =
                match header.Colour, palette with
                | 3, None -> refuse "its palette is missing"
                | 3, Some colours -> Some colours
                | _ -> None

            let samples = pixels header parts bytes

            match colours with
            | Some colours when samples |> Array.exists (fun index -> int index >= colours.Length) ->
                refuse $"a pixel lies outside its palette of %d{colours.Length} colours"
            | _ -> ()

            {
                Width = header.Columns
                Height = header.Rows
                Channels = channelsOf header.Colour
                BitDepth = header.Depth
                Samples = samples
                Palette = colours
            }

    /// As `Png.decode`.
    let decode (bytes: byte[]) : Result<Raster, string> =
        try
            Ok(parse bytes)
        with Refused reason ->
            Error reason
