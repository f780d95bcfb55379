namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.IO.Compression
open System.Text

/// Portable Network Graphics (ISO/IEC 15948). Written here because no library of the package feed keeps 16 bits: they
/// return 8, or 16-bit greys as 8. Transparency (tRNS), gamma and colour profiles leave the values alone.
[<RequireQualifiedAccess>]
module Png =

    /// The pixels of a PNG file of any kind: grey, palette, RGB, with or without alpha, 1 to 16 bits, interlaced or not.
    /// Check sums are checked. An error is one reason that follows "cannot be read", whatever the bytes are, and no more
    /// memory is taken than the pixels that are really there need.
    let decode (bytes: byte[]) : Result<Raster, string> = PngDecoder.decode bytes

    let private chunk (target: Stream) (name: string) (data: byte[]) : unit =
        let body = Array.append (Encoding.ASCII.GetBytes name) data
        let number = Array.zeroCreate<byte> 4
        BinaryPrimitives.WriteUInt32BigEndian(Span number, uint32 data.Length)
        target.Write(number, 0, 4)
        target.Write(body, 0, body.Length)
        BinaryPrimitives.WriteUInt32BigEndian(Span number, Checksum.ofBytes (ReadOnlySpan body))
        target.Write(number, 0, 4)

    let private pack (raster: Raster) (row: int) : byte[] =
        let count = raster.Width * raster.Channels

        let bytes =
            Array.zeroCreate<byte>(int (PngFormat.bytesPerRow raster.Width raster.Channels raster.BitDepth))

        for i in 0 .. count - 1 do
            let value = raster.Samples[row * count + i]

            match raster.BitDepth with
            | 8 -> bytes[i] <- byte value
            | 16 -> BinaryPrimitives.WriteUInt16BigEndian(Span(bytes, 2 * i, 2), value)
            | depth ->
                let bit = i * depth
                let shift = 8 - depth - (bit &&& 7)
                bytes[bit >>> 3] <- bytes[bit >>> 3] ||| byte (int value <<< shift)

        bytes

    let private checkRaster (raster: Raster) : unit =
        let depths =
            match raster.Channels, raster.Palette with
            | 1, None -> [ 1; 2; 4; 8; 16 ]
            | 1, Some _ -> [ 1; 2; 4; 8 ]
            | (2 | 3 | 4), None -> [ 8; 16 ]
            | _ -> []

        if not (List.contains raster.BitDepth depths) then
            invalidArg
                (nameof raster)
                $"A PNG file does not hold %d{raster.Channels} channels of %d{raster.BitDepth} bits."

        if
            raster.Width < 1
            || raster.Height < 1
            || int64 raster.Samples.Length
               <> int64 raster.Width * int64 raster.Height * int64 raster.Channels
        then
            invalidArg
                (nameof raster)
                $"%d{raster.Width} x %d{raster.Height} pixels of %d{raster.Channels} channels do not have %d{raster.Samples.Length} samples."

        let last =
            match raster.Palette with
            | Some colours -> min colours.Length 256 - 1
            | None -> (1 <<< raster.BitDepth) - 1

        match raster.Samples |> Array.tryFind (fun value -> int value > last) with
        | Some value -> invalidArg (nameof raster) $"A sample is %d{value}; at most %d{last} is possible."
        | None -> ()

    /// A PNG file of these pixels, not interlaced: the kind follows from channels and palette, at the raster's depth.
    /// Throws ArgumentException when PNG has no such kind or a sample does not fit.
    let encode (raster: Raster) : byte[] =
        checkRaster raster

        let colour =
            if raster.Palette.IsSome then
                3
            else
                [| 0; 0; 4; 2; 6 |][raster.Channels]

        let header = Array.zeroCreate<byte> 13
        BinaryPrimitives.WriteInt32BigEndian(Span header, raster.Width)
        BinaryPrimitives.WriteInt32BigEndian(Span(header, 4, 4), raster.Height)
        header[8] <- byte raster.BitDepth
        header[9] <- byte colour
        use file = new MemoryStream()
        file.Write(PngFormat.signature, 0, 8)
        chunk file "IHDR" header

        raster.Palette
        |> Option.iter (fun colours ->
            colours
            |> Array.collect (fun (struct (red, green, blue)) -> [| red; green; blue |])
            |> chunk file "PLTE")

        use packed = new MemoryStream()

        do
            use stream = new ZLibStream(packed, CompressionLevel.Optimal, true)
            let step = raster.Channels * raster.BitDepth / 8
            let mutable above = Array.zeroCreate<byte> 0

            for row in 0 .. raster.Height - 1 do
                let current = pack raster row
                // Differences to the row above shrink photographs; indices and small depths are best left alone.
                let filtered = row > 0 && step >= 1 && raster.Palette.IsNone
                stream.WriteByte(if filtered then 2uy else 0uy)

                if filtered then
                    let difference =
                        Array.map2 (fun (value: byte) (up: byte) -> value - up) current above

                    stream.Write(difference, 0, difference.Length)
                else
                    stream.Write(current, 0, current.Length)

                above <- current

        chunk file "IDAT" (packed.ToArray())
        chunk file "IEND" [||]
        file.ToArray()
