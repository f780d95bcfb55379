namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open StbImageSharp

/// Windows bitmaps, read through StbImageSharp, which writes none.
[<RequireQualifiedAccess>]
module Bmp =

    /// What the library makes of a file. It tells of damage by exceptions of many types, which become one reason: what the
    /// file is then, and the cure.
    let internal load (what: string) (cure: string) (bytes: byte[]) : ImageResult =
        try
            ImageResult.FromMemory(bytes, ColorComponents.Default)
        with error ->
            Elements.refuse $"it is %s{what} (%s{error.Message.TrimEnd('.')})%s{cure}"

    /// Pixels as one grey channel where all of a palette image are grey; alpha that is opaque everywhere is left out.
    let internal raster (mayBeGrey: bool) (image: ImageResult) : Raster =
        let count = image.Width * image.Height
        let stored = int image.Comp
        let data = image.Data

        let all (test: int -> bool) : bool =
            let mutable at = 0

            while at < count && test (at * stored) do
                at <- at + 1

            at = count

        let colours =
            if stored = 4 && all (fun start -> data[start + 3] = 255uy) then
                3
            else
                stored

        let channels =
            if
                mayBeGrey
                && colours = 3
                && all (fun start -> data[start] = data[start + 1] && data[start] = data[start + 2])
            then
                1
            else
                colours

        {
            Width = image.Width
            Height = image.Height
            Channels = channels
            BitDepth = 8
            Samples = Array.init (count * channels) (fun at -> uint16 data[at / channels * stored + at % channels])
            Palette = None
        }

    let private check (bytes: byte[]) : int =
        if bytes.Length < 26 then
            Elements.refuse (
                if bytes.Length = 0 then
                    "the file is empty"
                else
                    "it is truncated in its header"
            )

        let word (at: int) =
            int (BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(bytes, at, 2)))

        let long (at: int) =
            int64 (BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan(bytes, at, 4)))

        let start = long 10

        let width, height, bits =
            if long 14 = 12L then
                int64 (word 18), int64 (word 20), word 24
            elif bytes.Length < 30 then
                Elements.refuse "it is truncated in its header"
            else
                long 18, abs (long 22), word 28

        let needed = (width * int64 bits + 31L) / 32L * 4L * height

        if width < 1L || height < 1L then
            Elements.refuse $"its header declares %d{width} x %d{height} pixels"

        if start < 0L || needed > int64 bytes.Length - start then
            Elements.refuse
                $"it is truncated: its header declares %d{width} x %d{height} pixels of %d{bits} bits, and %d{bytes.Length} bytes are there"

        bits

    /// The pixels of a .bmp file, uncompressed, of 1 to 32 bits; a palette gives its colours, or one channel where they are
    /// all grey. An error is one reason that follows "cannot be read".
    let decode (bytes: byte[]) : Result<Raster, string> =
        Elements.guard (fun () ->
            let bits = check bytes

            load "damaged or compressed" "; save it as PNG" bytes |> raster (bits <= 8))

    /// A .bmp file of 8 bits a channel: one channel as a palette of greys, three as colours. Throws ArgumentException for
    /// another number of channels, for a depth that is not 8 and for a palette.
    let encode (raster: Raster) : byte[] =
        if
            raster.BitDepth <> 8
            || raster.Palette.IsSome
            || not (List.contains raster.Channels [ 1; 3 ])
        then
            invalidArg
                (nameof raster)
                $"A bitmap is written with 1 or 3 channels of 8 bits; got %d{raster.Channels} channels of %d{raster.BitDepth} bits. Use .png."

        let greys = if raster.Channels = 1 then 1024 else 0
        let start = 54 + greys
        let rowBytes = (raster.Width * raster.Channels + 3) / 4 * 4
        let bytes = Array.zeroCreate<byte>(start + rowBytes * raster.Height)

        let word (at: int) (value: int) : unit =
            BinaryPrimitives.WriteUInt16LittleEndian(Span(bytes, at, 2), uint16 value)

        let long (at: int) (value: int) : unit =
            BinaryPrimitives.WriteInt32LittleEndian(Span(bytes, at, 4), value)

        word 0 0x4D42
        long 2 bytes.Length
        long 10 start
        long 14 40
        long 18 raster.Width
        long 22 raster.Height
        word 26 1
        word 28 (8 * raster.Channels)
        long 34 (rowBytes * raster.Height)

        for grey in 0 .. greys / 4 - 1 do
            Array.fill bytes (54 + 4 * grey) 3 (byte grey)

        // Rows from the bottom up, colours as blue, green, red.
        for row in 0 .. raster.Height - 1 do
            for column in 0 .. raster.Width - 1 do
                for channel in 0 .. raster.Channels - 1 do
                    let from = (row * raster.Width + column) * raster.Channels + channel
                    let column = column * raster.Channels + raster.Channels - 1 - channel
                    bytes[start + (raster.Height - 1 - row) * rowBytes + column] <- byte raster.Samples[from]

        bytes
