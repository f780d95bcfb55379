module SkeletonRecall.Tests.JpegTests

open System
open Expecto
open SkeletonRecall.Training

/// The ramps behind the golden files (tests/golden/README.md): 40 x 24 pixels.
let private ramp (x: int) (y: int) (channel: int) : int =
    match channel with
    | 0 -> 4 * x + 2 * y
    | 1 -> 255 - 4 * x - 2 * y
    | _ -> Math.Clamp(128 + 2 * x - 4 * y, 0, 255)

let private expectRamp (name: string) (channels: int) (tolerance: float) : unit =
    match Jpeg.decode (Golden.bytes $"jpeg/%s{name}.jpg") with
    | Error reason -> failtest reason
    | Ok raster ->
        Expect.equal (raster.Width, raster.Height, raster.Channels, raster.BitDepth) (40, 24, channels, 8) name

        let differences =
            raster.Samples
            |> Array.mapi (fun index value ->
                let pixel = index / channels
                abs (int value - ramp (pixel % 40) (pixel / 40) (index % channels)) |> float)

        Expect.isLessThan (Array.average differences) tolerance name
        Expect.isLessThan (Array.max differences) (tolerance * 8.0) name

let private reasonOf (bytes: byte[]) : string =
    match Jpeg.decode bytes with
    | Ok _ -> failtest "it was read"
    | Error reason -> reason

[<Tests>]
let tests =
    testList
        "Jpeg"
        [
            test "grey and colour, baseline and progressive" {
                expectRamp "grey" 1 1.5
                expectRamp "rgb" 3 2.0
                expectRamp "rgb-420-progressive" 3 4.0
            }

            test "every truncation is one reason" {
                let file = Golden.bytes "jpeg/rgb.jpg"

                for length in 0..7 .. file.Length - 1 do
                    let reason = reasonOf (Array.truncate length file)
                    Expect.isFalse (reason.Contains '\n') reason
            }

            test "no mutation crashes" {
                let random = Random 5

                for name in [ "grey"; "rgb"; "rgb-420-progressive" ] do
                    let file = Golden.bytes $"jpeg/%s{name}.jpg"

                    for _ in 1..100 do
                        let copy = Array.copy file
                        copy[random.Next copy.Length] <- byte (random.Next 256)
                        Jpeg.decode copy |> ignore
            }

            test "a header that declares too much is refused" {
                let file = Golden.bytes "jpeg/grey.jpg"
                let start = file.AsSpan().IndexOf(ReadOnlySpan [| 0xFFuy; 0xC0uy |])
                Array.fill file (start + 5) 4 0xFFuy
                Expect.stringContains (reasonOf file) "65535 x 65535" "reason"
                Array.fill file (start + 5) 4 0uy
                Expect.stringContains (reasonOf file) "0 x 0" "reason"
            }

            test "other files are told apart" {
                Expect.stringContains (reasonOf [||]) "empty" "empty"
                Expect.stringContains (reasonOf (Golden.bytes "png/grey8.png")) "not a JPEG" "PNG"
            }
        ]
