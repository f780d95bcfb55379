namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open StbImageSharp

/// JPEG images through StbImageSharp. nnU-Net reads none, because compression alters the values; photographs often
/// exist in no other form. The EXIF orientation is left alone: masks lie on the pixels as they are stored.
[<RequireQualifiedAccess>]
module Jpeg =

    /// The declared size, from the frame header, or the reason why there is none. The decoder allocates what the header
    /// says and fills what is missing with grey, so both ends are looked at first.
    let private frame (bytes: byte[]) : Result<int * int, string> =
        let rec walk (position: int) : Result<int * int, string> =
            if position + 4 > bytes.Length then
                Error "it is truncated: its header does not end"
            elif bytes[position] <> 0xFFuy then
                Error $"it is damaged: no marker at byte %d{position}"
            elif bytes[position + 1] = 0xFFuy then
                walk (position + 1)
            else
                let marker = bytes[position + 1]

                let length =
                    int (BinaryPrimitives.ReadUInt16BigEndian(ReadOnlySpan(bytes, position + 2, 2)))
                // C0..CF are frames, apart from the tables C4 (Huffman), C8 (reserved) and CC (arithmetic coding).
                let isFrame =
                    marker >= 0xC0uy
                    && marker <= 0xCFuy
                    && marker <> 0xC4uy
                    && marker <> 0xC8uy
                    && marker <> 0xCCuy

                if isFrame && length >= 8 && position + 9 <= bytes.Length then
                    let height =
                        int (BinaryPrimitives.ReadUInt16BigEndian(ReadOnlySpan(bytes, position + 5, 2)))

                    let width =
                        int (BinaryPrimitives.ReadUInt16BigEndian(ReadOnlySpan(bytes, position + 7, 2)))

                    Ok(width, height)
                elif marker = 0xDAuy then
                    Error "it is damaged: pixel data before any frame"
                elif length < 2 then
                    Error $"it is damaged: a segment of %d{length} bytes at byte %d{position}"
                else
                    walk (position + 2 + length)

        if bytes.Length < 4 || bytes[0] <> 0xFFuy || bytes[1] <> 0xD8uy then
            Error(
                if bytes.Length = 0 then
                    "the file is empty"
                else
                    "it is not a JPEG file"
            )
        else
            walk 2

    let private hasEnd (bytes: byte[]) : bool =
        bytes.AsSpan().LastIndexOf(ReadOnlySpan [| 0xFFuy; 0xD9uy |]) >
            bytes.AsSpan().LastIndexOf(ReadOnlySpan [| 0xFFuy; 0xDAuy |])

    /// The pixels of a JPEG file: 1 channel for a grey one, 3 (red, green, blue) for the others, 8 bits each.
    /// An error is one reason that follows "cannot be read".
    let decode (bytes: byte[]) : Result<Raster, string> =
        match frame bytes with
        | Error reason -> Error reason
        | Ok(width, height) when width = 0 || height = 0 -> Error $"its header declares %d{width} x %d{height} pixels"
        // Every block of 8 x 8 pixels costs at least one bit.
        | Ok(width, height) when int64 width * int64 height > 512L * int64 bytes.Length ->
            Error $"its header declares %d{width} x %d{height} pixels, but it holds only %d{bytes.Length} bytes"
        | Ok _ when not (hasEnd bytes) -> Error "it is truncated: its end is missing"
        | Ok _ ->
            try
                let image = ImageResult.FromMemory(bytes, ColorComponents.Default)

                Ok
                    {
                        Width = image.Width
                        Height = image.Height
                        Channels = int image.Comp
                        BitDepth = 8
                        Samples = Array.map uint16 image.Data
                        Palette = None
                    }
            with error ->
                // The decoder tells of damage by exceptions of many types.
                Error $"it is damaged (%s{error.Message.TrimEnd('.')})"
