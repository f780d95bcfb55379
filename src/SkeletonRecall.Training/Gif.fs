namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open StbImageSharp

/// GIF images, read through StbImageSharp: the masks of DRIVE are such. Colours come in place of palette indices.
[<RequireQualifiedAccess>]
module Gif =

    // LZW codes of 12 bits stand for at most 4096 pixels each.
    let private most = 2800L

    /// The pixels of the first picture of a .gif file: one channel where all are grey, else three, or four where some are
    /// transparent. An error is one reason that follows "cannot be read".
    let decode (bytes: byte[]) : Result<Raster, string> =
        Elements.guard (fun () ->
            if bytes.Length < 13 then
                Elements.refuse (
                    if bytes.Length = 0 then
                        "the file is empty"
                    else
                        "it is truncated in its header"
                )

            let word (at: int) =
                int64 (BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(bytes, at, 2)))

            let width, height = word 6, word 8

            if width = 0L || height = 0L then
                Elements.refuse $"its header declares %d{width} x %d{height} pixels"

            if width * height > most * bytes.LongLength then
                Elements.refuse
                    $"its header declares %d{width} x %d{height} pixels, which the file's %d{bytes.Length} bytes cannot hold"

            // The decoder fills what is missing with the background.
            if bytes[bytes.Length - 1] <> 0x3Buy then
                Elements.refuse "it is truncated: its end is missing"

            try
                Bmp.raster true (ImageResult.FromMemory(bytes, ColorComponents.Default))
            with
            | RefusedFile reason -> Elements.refuse reason
            // The decoder tells of damage by exceptions of many types.
            | error -> Elements.refuse $"it is damaged (%s{error.Message.TrimEnd('.')})")
