namespace SkeletonRecall.Training

open System
open System.IO
open System.Runtime.InteropServices
open System.Text.RegularExpressions
open BitMiracle.LibTiff.Classic
open SkeletonRecall

/// TIFF files through BitMiracle.LibTiff.NET. Pages of one size are the slices of a volume, as nnU-Net's Tiff3DIO and
/// ImageJ have them. Indices of a palette stay indices.
[<RequireQualifiedAccess>]
module Tiff =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    // The library writes its complaints to the console otherwise.
    type private Silent() =
        inherit TiffErrorHandler()
        override _.WarningHandler(_: Tiff, _: string, _: string, _: obj[]) : unit = ()
        override _.WarningHandlerExt(_: Tiff, _: obj, _: string, _: string, _: obj[]) : unit = ()
        override _.ErrorHandler(_: Tiff, _: string, _: string, _: obj[]) : unit = ()
        override _.ErrorHandlerExt(_: Tiff, _: obj, _: string, _: string, _: obj[]) : unit = ()

    let private silenced = lazy (Tiff.SetErrorHandler(new Silent()) |> ignore)

    let private number (tiff: Tiff) (tag: TiffTag) : int =
        match tiff.GetFieldDefaulted tag with
        | null -> 0
        | values when values.Length = 0 -> 0
        | values -> values[0].ToInt()

    type private Page =
        {
            Width: int
            Height: int
            Samples: int
            Bits: int
            Format: int
            Separate: bool
            Compression: int
        }

    let private page (tiff: Tiff) : Page =
        {
            Width = number tiff TiffTag.IMAGEWIDTH
            Height = number tiff TiffTag.IMAGELENGTH
            Samples = max 1 (number tiff TiffTag.SAMPLESPERPIXEL)
            Bits = number tiff TiffTag.BITSPERSAMPLE
            Format = number tiff TiffTag.SAMPLEFORMAT
            Separate = number tiff TiffTag.PLANARCONFIG = int PlanarConfig.SEPARATE
            Compression = number tiff TiffTag.COMPRESSION
        }

    let private element (page: Page) : NumberType =
        match page.Format, page.Bits with
        | _, 1 when page.Samples = 1 -> NumberType.UInt8
        | (0 | 1 | 4), 8 -> NumberType.UInt8
        | 2, 8 -> NumberType.Int8
        | (0 | 1 | 4), 16 -> NumberType.UInt16
        | 2, 16 -> NumberType.Int16
        | (0 | 1 | 4), 32 -> NumberType.UInt32
        | 2, 32 -> NumberType.Int32
        | 3, 32 -> NumberType.Float32
        | 3, 64 -> NumberType.Float64
        | format, bits ->
            refuse
                $"its samples of %d{bits} bits (sample format %d{format}) are not served; 8, 16 and 32 bits are, and floats of 64"

    // Bytes out of one byte in, at most.
    let private ratio (page: Page) : int64 =
        match enum<Compression> page.Compression with
        | Compression.NONE -> 1L
        | Compression.PACKBITS -> 128L
        | Compression.LZW -> 2800L
        | Compression.DEFLATE
        | Compression.ADOBE_DEFLATE -> 1040L
        | _ -> 2800L

    let private checkColours (tiff: Tiff) : unit =
        match enum<Photometric>(number tiff TiffTag.PHOTOMETRIC) with
        | Photometric.YCBCR
        | Photometric.CIELAB
        | Photometric.ICCLAB
        | Photometric.LOGL
        | Photometric.LOGLUV -> refuse "its colours are not RGB; save it as grey or RGB"
        | _ -> ()

    let private unpacked (width: int) (row: byte[]) : byte[] =
        Array.init width (fun column -> (row[column / 8] >>> (7 - column % 8)) &&& 1uy)

    // Hands the rows of a page to `put` as they are decoded, the first `count` bytes of an array each: nothing is held for
    // rows that never come. Sample planes come one after the other where they are separate.
    let private rows (tiff: Tiff) (page: Page) (put: byte[] -> int -> unit) : unit =
        let planes = if page.Separate then page.Samples else 1
        let inRow = if page.Separate then 1 else page.Samples
        let rowBytes = (int64 page.Width * int64 inRow * int64 page.Bits + 7L) / 8L

        if rowBytes > int64 Array.MaxLength then
            refuse "one of its rows is larger than 2 GB"

        let rowBytes = int rowBytes

        let damaged () =
            refuse "its compressed data are damaged or truncated"

        if tiff.IsTiled() then
            let tileWidth = number tiff TiffTag.TILEWIDTH
            let tileHeight = number tiff TiffTag.TILELENGTH
            let tileBytes = tiff.TileSize()
            let bandBytes = int64 rowBytes * int64 tileHeight

            if
                tileWidth < 1
                || tileHeight < 1
                || page.Bits < 8
                || tileBytes > 16777216
                || bandBytes > int64 Array.MaxLength
            then
                refuse "its tiles are not served; save it in strips"

            let pixel = inRow * page.Bits / 8
            let tile = Array.zeroCreate<byte> tileBytes
            let row = Array.zeroCreate<byte> rowBytes
            let mutable band = Array.zeroCreate<byte> 0

            for plane in 0 .. planes - 1 do
                for top in 0..tileHeight .. page.Height - 1 do
                    let height = min tileHeight (page.Height - top)

                    for left in 0..tileWidth .. page.Width - 1 do
                        if tiff.ReadTile(tile, 0, left, top, 0, int16 plane) < 0 then
                            damaged ()

                        // The first tile is there before a band of them is held.
                        if band.Length = 0 then
                            band <- Array.zeroCreate<byte>(int bandBytes)

                        let wide = min tileWidth (page.Width - left) * pixel

                        for row in 0 .. height - 1 do
                            let from = row * tileWidth * pixel

                            if from + wide > tile.Length then
                                damaged ()

                            Buffer.BlockCopy(tile, from, band, row * rowBytes + left * pixel, wide)

                    for number in 0 .. height - 1 do
                        Buffer.BlockCopy(band, number * rowBytes, row, 0, rowBytes)
                        put row rowBytes
        else
            let row = Array.zeroCreate<byte>(max rowBytes (tiff.ScanlineSize()))

            for plane in 0 .. planes - 1 do
                for line in 0 .. page.Height - 1 do
                    if not (tiff.ReadScanline(row, 0, line, int16 plane)) then
                        damaged ()

                    if page.Bits = 1 then
                        put (unpacked page.Width row) page.Width
                    else
                        put row rowBytes

    // What ImageJ says about the stack in the first page's description.
    let private checkStack (tiff: Tiff) (pages: int) : unit =
        let text =
            match tiff.GetField TiffTag.IMAGEDESCRIPTION with
            | null -> ""
            | values -> values[0].ToString() |> string

        let says (key: string) : int =
            let found = Regex.Match(text, $"(?m)^%s{key}=([0-9]{{1,6}})")
            if found.Success then int found.Groups[1].Value else 1

        let images = says "images"

        if text.StartsWith("ImageJ", StringComparison.Ordinal) then
            if says "channels" > 1 || says "frames" > 1 then
                refuse "it is an ImageJ stack of several channels or frames; save one channel of one frame"
            elif images > pages then
                refuse $"it is an ImageJ stack of %d{images} slices in %d{pages} pages; save it again as a plain TIFF"

    let private isThumbnail (tiff: Tiff) : bool =
        number tiff TiffTag.SUBFILETYPE &&& int FileType.REDUCEDIMAGE <> 0

    // Takes bytes, and gives all numbers in the end; `certain` bytes of them get their memory at once.
    let private gathered<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (total: int)
        (certain: int64)
        (wrap: 'T[] -> NpyValues)
        : (byte[] -> int -> unit) * (unit -> NpyValues) =
        let pieces = Pieces<'T>(total, certain / int64 (Marshal.SizeOf<'T>()))

        let put (bytes: byte[]) (count: int) : unit =
            pieces.Write(ReadOnlySpan(bytes, 0, count))

        let values () : NpyValues =
            if not pieces.IsFull then
                refuse "its pages differ in size"

            wrap (pieces.ToArray())

        put, values

    let private typed (kind: NumberType) (total: int) (certain: int64) : (byte[] -> int -> unit) * (unit -> NpyValues) =
        match kind with
        | NumberType.Int8 -> gathered<sbyte> total certain Int8s
        | NumberType.UInt8 -> gathered<byte> total certain UInt8s
        | NumberType.Int16 -> gathered<int16> total certain Int16s
        | NumberType.UInt16 -> gathered<uint16> total certain UInt16s
        | NumberType.Int32 -> gathered<int32> total certain Int32s
        | NumberType.UInt32 -> gathered<uint32> total certain UInt32s
        | NumberType.Float32 -> gathered<float32> total certain Float32s
        | _ -> gathered<float> total certain Float64s

    let private voxels (asVolume: bool) (tiff: Tiff) (size: int64) : ImageFile =
        // Page by page, without the pixels: how many there are and whether they agree.
        let first = page tiff
        let directories = ResizeArray<int16>()
        let mutable more = true

        while more do
            if not (isThumbnail tiff) then
                let next = page tiff

                if next.Width < 1 || next.Height < 1 then
                    refuse $"its header declares %d{next.Width} x %d{next.Height} pixels"

                if
                    { next with
                        Compression = first.Compression
                    }
                    <> first
                then
                    refuse
                        $"its pages differ in size or type (%d{first.Width} x %d{first.Height} and %d{next.Width} x %d{next.Height} pixels); save them as files of their own"

                checkColours tiff
                directories.Add(tiff.CurrentDirectory())

            // The library is content with the pages that it finds.
            let isLast = tiff.LastDirectory()
            more <- not isLast && directories.Count < 32767

            if more && not (tiff.ReadDirectory()) then
                refuse $"it is truncated or damaged after page %d{int (tiff.CurrentDirectory()) + 1}"

        if directories.Count = 0 then
            refuse "it has no page of full size"

        let kind = element first
        let depth = directories.Count

        let total =
            Elements.count [ int64 first.Samples; int64 depth; int64 first.Height; int64 first.Width ]

        let claimed = int64 total * int64 first.Bits / 8L

        if claimed > ratio first * size then
            refuse $"its header declares %d{claimed} bytes of pixels, which the file's %d{size} bytes cannot hold"

        if first.Separate && first.Samples > 1 && depth > 1 then
            refuse "its pages hold their channels one after the other; save them side by side"

        tiff.SetDirectory 0s |> ignore
        checkStack tiff depth
        let put, values = typed kind total (min claimed size)

        for slice in 0 .. depth - 1 do
            if not (tiff.SetDirectory directories[slice]) then
                refuse "it is damaged: a page cannot be found again"

            rows tiff first put

        let values = values ()

        let extent =
            if depth > 1 || asVolume then
                Extent.space depth first.Height first.Width
            else
                Extent.plane first.Height first.Width

        {
            Channels = first.Samples
            Extent = extent
            Spacing = Spacing.unit extent.Rank
            Geometry = Geometry.standard extent.Rank
            Values =
                if first.Separate then
                    values
                else
                    Elements.rearrange (Elements.transpose first.Samples) values
        }

    /// What a TIFF file holds: one page is a plane or, where `asVolume` says so, a volume of one slice; several are a volume.
    /// Uncompressed, LZW, deflate and what else the library reads; 1, 8, 16 and 32 bits and floats. An error is one reason
    /// that follows "cannot be read".
    let decode (asVolume: bool) (bytes: byte[]) : Result<ImageFile, string> =
        silenced.Force()

        Elements.guard (fun () ->
            if bytes.Length = 0 then
                refuse "the file is empty"

            TiffDirectories.validate bytes

            try
                use stream = new MemoryStream(bytes, false)

                match Tiff.ClientOpen("image", "r", stream, TiffStream()) with
                | null -> refuse "it is not a TIFF file, or its first page is damaged"
                | tiff ->
                    use tiff = tiff
                    voxels asVolume tiff bytes.LongLength
            with
            | RefusedFile reason -> refuse reason
            // The library tells of damage by exceptions of many types.
            | error -> refuse $"it is damaged (%s{error.Message.TrimEnd('.')})")

    let private format (kind: NumberType) : SampleFormat =
        match kind with
        | NumberType.UInt8
        | NumberType.UInt16
        | NumberType.UInt32 -> SampleFormat.UINT
        | NumberType.Int8
        | NumberType.Int16
        | NumberType.Int32 -> SampleFormat.INT
        | NumberType.Float32
        | NumberType.Float64 -> SampleFormat.IEEEFP
        | NumberType.Int64
        | NumberType.UInt64 -> invalidArg "file" "A TIFF file holds no whole numbers of 64 bits."

    /// A TIFF file, deflated, a page per slice. Spacing and geometry have no place in it. Throws ArgumentException for whole
    /// numbers of 64 bits.
    let encode (file: ImageFile) : byte[] =
        silenced.Force()
        let kind = Elements.kind file.Values
        let format = format kind
        use raw = new MemoryStream()
        Elements.write raw (Elements.rearrange (Elements.transpose file.Extent.Count) file.Values)
        let width, height, depth = file.Extent.Width, file.Extent.Height, file.Extent.Depth
        let rowBytes = width * file.Channels * Elements.size kind
        let perStrip = max 1 (min height (262144 / rowBytes))
        use stream = new MemoryStream()

        do
            use tiff =
                match Tiff.ClientOpen("image", "w", stream, TiffStream()) with
                | null -> invalidOp "The TIFF library opens no file in memory."
                | tiff -> tiff

            let set (tag: TiffTag) (value: obj) : unit = tiff.SetField(tag, value) |> ignore
            let buffer = raw.GetBuffer()

            for slice in 0 .. depth - 1 do
                set TiffTag.IMAGEWIDTH width
                set TiffTag.IMAGELENGTH height
                set TiffTag.SAMPLESPERPIXEL file.Channels
                set TiffTag.BITSPERSAMPLE (8 * Elements.size kind)
                set TiffTag.SAMPLEFORMAT format
                set TiffTag.PLANARCONFIG PlanarConfig.CONTIG
                set TiffTag.COMPRESSION Compression.ADOBE_DEFLATE
                set TiffTag.ROWSPERSTRIP perStrip

                let colours = file.Channels = 3 || file.Channels = 4
                set TiffTag.PHOTOMETRIC (if colours then Photometric.RGB else Photometric.MINISBLACK)

                let extra = file.Channels - (if colours then 3 else 1)

                if extra > 0 then
                    tiff.SetField(TiffTag.EXTRASAMPLES, extra, Array.create extra (int16 ExtraSample.UNSPECIFIED))
                    |> ignore

                for strip in 0 .. (height + perStrip - 1) / perStrip - 1 do
                    let rows = min perStrip (height - strip * perStrip)
                    let start = int64 (slice * height + strip * perStrip) * int64 rowBytes
                    let part = Array.sub buffer (int start) (rows * rowBytes)
                    tiff.WriteEncodedStrip(strip, part, part.Length) |> ignore

                tiff.WriteDirectory() |> ignore

        stream.ToArray()
