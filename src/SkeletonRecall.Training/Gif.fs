namespace SkeletonRecall.Training

/// GIF images, read through StbImageSharp: the masks of DRIVE are such. Colours come in place of palette indices.
[<RequireQualifiedAccess>]
module Gif =

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

            GifFrames.validate bytes

            if bytes[bytes.Length - 1] <> 0x3Buy then
                Elements.refuse "it is truncated: its end is missing"

            Bmp.load "damaged" "" bytes |> Bmp.raster true)
