module SkeletonRecall.Tests.PngTests

open System
open Expecto
open FsCheck
open FsCheck.FSharp
open SkeletonRecall.Training

/// The formula behind the golden files (tests/golden/README.md).
let private formula (depth: int) (x: int) (y: int) (channel: int) : uint16 =
    uint16 ((x * 7 + y * 13 + channel * 29 + x * y) % (1 <<< depth))

let private samples (width: int) (height: int) (channels: int) (depth: int) : uint16[] =
    Array.init (width * height * channels) (fun index ->
        let pixel = index / channels
        formula depth (pixel % width) (pixel / width) (index % channels))

let private expectGolden (name: string) (channels: int) (depth: int) : unit =
    match Png.decode (Golden.bytes $"png/%s{name}.png") with
    | Error reason -> failtest $"%s{name}: %s{reason}"
    | Ok raster ->
        let found = raster.Width, raster.Height, raster.Channels, raster.BitDepth
        Expect.equal found (11, 9, channels, depth) name
        Expect.equal raster.Samples (samples 11 9 channels depth) name

let private kinds: (string * int * int) list =
    [
        for depth in [ 1; 2; 4; 8; 16 ] -> "grey", 1, depth
        for depth in [ 1; 2; 4; 8 ] -> "palette", 1, depth
        for name, channels in [ "greyalpha", 2; "rgb", 3; "rgba", 4 ] do
            for depth in [ 8; 16 ] -> name, channels, depth
    ]

let private golden =
    testList
        "golden files"
        [
            for name, channels, depth in kinds do
                test $"%s{name}, %d{depth} bits, plain and interlaced" {
                    expectGolden $"%s{name}%d{depth}" channels depth
                    expectGolden $"%s{name}%d{depth}-adam7" channels depth
                }

            test "what another encoder wrote" {
                for name, channels, depth in
                    [
                        "grey1", 1, 1
                        "grey8", 1, 8
                        "grey16", 1, 16
                        "palette4", 1, 4
                        "greyalpha8", 2, 8
                        "rgb8", 3, 8
                        "rgba8", 4, 8
                    ] do
                    expectGolden $"pil-%s{name}" channels depth
            }

            test "transparency leaves values alone, and data may come in many chunks" {
                expectGolden "palette8-transparent" 1 8
                expectGolden "grey8-transparent" 1 8
                expectGolden "rgb8-split" 3 8
            }

            test "interlaced images smaller than a block" {
                let read (name: string) =
                    Png.decode (Golden.bytes $"png/%s{name}.png")
                    |> Result.map (fun raster -> raster.Samples)

                Expect.equal (read "grey8-adam7-1x1") (Ok(samples 1 1 1 8)) "1 x 1"
                Expect.equal (read "grey2-adam7-3x2") (Ok(samples 3 2 1 2)) "3 x 2"
            }

            test "a palette keeps indices and colours" {
                match Png.decode (Golden.bytes "png/palette2.png") with
                | Ok {
                         Palette = Some [| struct (0uy, 0uy, 0uy); struct (37uy, 74uy, 111uy); _; _ |]
                     } -> ()
                | other -> failtest $"%A{other}"
            }
        ]

let private rasters: Gen<Raster> =
    gen {
        let! _, channels, depth = Gen.elements kinds

        let! indexed =
            if channels = 1 && depth < 16 then
                Gen.elements [ true; false ]
            else
                Gen.constant false

        let! width = Gen.choose (1, 20)
        let! height = Gen.choose (1, 12)

        let! values =
            Gen.arrayOfLength (width * height * channels) (Gen.choose (0, (1 <<< depth) - 1))

        let! colours = Gen.arrayOfLength (1 <<< min depth 8) (Gen.choose (0, 255))

        return
            {
                Width = width
                Height = height
                Channels = channels
                BitDepth = depth
                Samples = Array.map uint16 values
                Palette =
                    if indexed then
                        Some(colours |> Array.map (fun c -> struct (byte c, byte (c / 2), byte (255 - c))))
                    else
                        None
            }
    }

type private Arbitraries =
    static member Raster() = Arb.fromGen rasters

let private config =
    { FsCheckConfig.defaultConfig with
        maxTest = 150
        arbitrary = [ typeof<Arbitraries> ]
    }

let private grey (width: int) (height: int) : Raster =
    {
        Width = width
        Height = height
        Channels = 1
        BitDepth = 8
        Samples = samples width height 1 8
        Palette = None
    }

let private reasonOf (bytes: byte[]) : string =
    match Png.decode bytes with
    | Ok _ -> failtest "it was read"
    | Error reason -> reason

/// Overwrites bytes of the header and mends its check sum, which an attacker would do as well.
let private withHeader (change: byte[] -> unit) (file: byte[]) : byte[] =
    let copy = Array.copy file
    change copy
    let mutable c = UInt32.MaxValue

    for i in 12..28 do
        c <- c ^^^ uint32 copy[i]

        for _ in 1..8 do
            c <- if c &&& 1u = 1u then 0xEDB88320u ^^^ (c >>> 1) else c >>> 1

    let sum = BitConverter.GetBytes(~~~c)

    if BitConverter.IsLittleEndian then
        Array.Reverse sum

    Array.blit sum 0 copy 29 4
    copy

let private damage =
    testList
        "damage"
        [
            test "every truncation is one reason" {
                let file = Png.encode (grey 31 17)

                for length in 0 .. file.Length - 1 do
                    let reason = reasonOf (Array.truncate length file)
                    Expect.isFalse (reason.Contains '\n') reason
            }

            test "no mutation crashes, and none outside the signature's reach goes unnoticed" {
                let random = Random 5

                for name in [ "grey16-adam7"; "palette4"; "rgba8"; "rgb8-split" ] do
                    let file = Golden.bytes $"png/%s{name}.png"

                    for _ in 1..150 do
                        let copy = Array.copy file
                        let position = random.Next copy.Length
                        copy[position] <- copy[position] ^^^ byte (1 <<< random.Next 8)
                        Expect.isError (Png.decode copy) $"%s{name}: bit flip at %d{position}"
            }

            test "mutations under right check sums never crash" {
                let random = Random 6

                for _ in 1..300 do
                    let file = Golden.bytes "png/rgb16-adam7.png"

                    let copy =
                        file
                        |> withHeader (fun copy -> copy[16 + random.Next 13] <- byte (random.Next 256))

                    Png.decode copy |> ignore
            }

            test "a header that declares too much is refused before memory is taken" {
                let huge (copy: byte[]) =
                    copy[16] <- 0uy
                    copy[17] <- 1uy
                    copy[18] <- 0uy
                    copy[20] <- 0uy
                    copy[21] <- 0uy
                    copy[22] <- 64uy

                let before = GC.GetAllocatedBytesForCurrentThread()
                let reason = reasonOf (withHeader huge (Png.encode (grey 5 5)))
                let taken = GC.GetAllocatedBytesForCurrentThread() - before
                Expect.stringContains reason "declares" "reason"
                Expect.isLessThan taken 1_000_000L "bytes"

                let monstrous (copy: byte[]) = Array.fill copy 16 8 0x7Fuy

                Expect.stringContains
                    (reasonOf (withHeader monstrous (Png.encode (grey 5 5))))
                    "one array"
                    "2 exapixels"

                let none (copy: byte[]) = Array.fill copy 16 8 0uy
                Expect.stringContains (reasonOf (withHeader none (Png.encode (grey 5 5)))) "0 x 0" "no pixel"
            }

            test "other files are told apart" {
                Expect.stringContains (reasonOf [||]) "empty" "empty"
                Expect.stringContains (reasonOf (Text.Encoding.ASCII.GetBytes "GIF89a....")) "not a PNG" "GIF"
                Expect.stringContains (reasonOf (Golden.bytes "jpeg/rgb.jpg")) "not a PNG" "JPEG"
            }
        ]

[<Tests>]
let tests =
    testList
        "Png"
        [
            golden
            damage
            testPropertyWithConfig config "what is encoded is decoded"
            <| fun (raster: Raster) ->
                match Png.decode (Png.encode raster) with
                | Ok back -> back = raster
                | Error reason -> failtest reason

            test "rasters that PNG does not have are refused" {
                let refuses (raster: Raster) (text: string) =
                    Expect.throwsT<ArgumentException> (fun () -> Png.encode raster |> ignore) text

                let one = grey 2 2
                refuses { one with BitDepth = 3 } "3 bits"
                refuses { one with BitDepth = 4 } "value beyond 4 bits"
                refuses { one with Channels = 5 } "5 channels"
                refuses { one with Width = 3 } "too few samples"

                refuses
                    { one with
                        Palette = Some [| struct (0uy, 0uy, 0uy) |]
                    }
                    "index beyond the palette"
            }
        ]
