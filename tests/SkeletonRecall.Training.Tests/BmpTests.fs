module SkeletonRecall.Tests.BmpTests

open System
open System.Text
open Expecto
open SkeletonRecall.Training

/// A bitmap of 3 x 2 pixels of 8 bits, bottom row first, with a palette.
let bitmap (palette: int -> byte[]) : byte[] =
    let header = Array.zeroCreate<byte> 54
    Array.blit (Encoding.ASCII.GetBytes "BM") 0 header 0 2

    let put (start: int) (value: int) =
        Array.blit (BitConverter.GetBytes value) 0 header start 4

    put 2 (54 + 1024 + 8)
    put 10 (54 + 1024)
    put 14 40
    put 18 3
    put 22 2
    header[26] <- 1uy
    header[28] <- 8uy
    put 46 256
    let colours = Array.init 256 palette |> Array.concat
    Array.concat [ header; colours; [| 0uy; 1uy; 255uy; 0uy; 7uy; 8uy; 9uy; 0uy |] ]

/// A GIF of 2 x 2 pixels, white, black, black, white.
let gif: byte[] =
    Array.concat
        [
            Encoding.ASCII.GetBytes "GIF89a"
            [| 2uy; 0uy; 2uy; 0uy; 0x80uy; 0uy; 0uy; 0uy; 0uy; 0uy; 255uy; 255uy; 255uy |]
            [|
                0x2Cuy
                0uy
                0uy
                0uy
                0uy
                2uy
                0uy
                2uy
                0uy
                0uy
                2uy
                3uy
                0x0Cuy
                0x10uy
                5uy
                0uy
                0x3Buy
            |]
        ]

let private grey (at: int) : byte[] = [| byte at; byte at; byte at; 0uy |]

[<Tests>]
let tests =
    testList
        "Bmp and Gif"
        [
            test "a bitmap that is written is read again, grey and in colours" {
                for channels in [ 1; 3 ] do
                    for width in 1..5 do
                        let raster =
                            {
                                Width = width
                                Height = 3
                                Channels = channels
                                BitDepth = 8
                                Samples = Array.init (3 * width * channels) (fun at -> uint16 (37 * at % 256))
                                Palette = None
                            }

                        Expect.equal (Bmp.decode (Bmp.encode raster)) (Ok raster) $"%d{channels} channels of %d{width}"

                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Bmp.encode
                            {
                                Width = 1
                                Height = 1
                                Channels = 1
                                BitDepth = 16
                                Samples = [| 256us |]
                                Palette = None
                            }
                        |> ignore)
                    "16 bits"
            }

            test "a grey palette is one channel, a coloured one three" {
                match Bmp.decode (bitmap grey) with
                | Ok raster ->
                    Expect.equal (raster.Width, raster.Height, raster.Channels) (3, 2, 1) "shape"
                    Expect.equal raster.Samples [| 7us; 8us; 9us; 0us; 1us; 255us |] "top row first"
                | Error reason -> failtest reason

                match Bmp.decode (bitmap (fun at -> [| 1uy; 2uy; byte at; 0uy |])) with
                | Ok raster ->
                    Expect.equal raster.Channels 3 "colours"
                    Expect.equal (Array.truncate 3 raster.Samples) [| 7us; 2us; 1us |] "red, green, blue"
                | Error reason -> failtest reason
            }

            test "a black and white GIF is one channel" {
                match Gif.decode gif with
                | Ok raster ->
                    Expect.equal (raster.Width, raster.Height, raster.Channels) (2, 2, 1) "shape"
                    Expect.equal raster.Samples [| 255us; 0us; 0us; 255us |] "values"
                | Error reason -> failtest reason
            }

            test "what cannot be is one reason" {
                let bytes = bitmap grey

                for length in [ 0; 10; 40; 1000; bytes.Length - 1 ] do
                    Expect.isError (Bmp.decode (Array.truncate length bytes)) $"BMP %d{length}"

                for length in 0 .. gif.Length - 1 do
                    Expect.isError (Gif.decode (Array.truncate length gif)) $"GIF %d{length}"

                let huge = Array.copy gif
                Array.fill huge 6 4 255uy
                Expect.stringContains (Scans.reasonOf Gif.decode huge) "65535 x 65535" "GIF"
                let huge = Array.copy bytes
                Array.fill huge 18 3 255uy
                Expect.stringContains (Scans.reasonOf Bmp.decode huge) "truncated" "BMP"
            }
        ]
