module SkeletonRecall.Tests.NiftiTests

open System
open System.Text
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private decode = Scans.from Nifti.decode

let private encode (gzip: bool) (file: ImageFile) : byte[] = Scans.written (Nifti.encode gzip file)

/// A plain file of 2 x 3 x 4 voxels (x, y, z) of a type, every header field turned where it is big-endian.
let private file (bigEndian: bool) (code: int) (bytes: int) (data: byte[]) : byte[] =
    let header = Array.zeroCreate<byte> 352

    let put (start: int) (part: byte[]) =
        Array.blit (if bigEndian then Array.rev part else part) 0 header start part.Length

    put 0 (BitConverter.GetBytes 348)

    [ 3; 2; 3; 4 ]
    |> List.iteri (fun at value -> put (40 + 2 * at) (BitConverter.GetBytes(int16 value)))

    put 70 (BitConverter.GetBytes(int16 code))
    put 72 (BitConverter.GetBytes(int16 (8 * bytes)))

    [ 1.0f; 0.5f; 1.5f; 2.5f ]
    |> List.iteri (fun at value -> put (76 + 4 * at) (BitConverter.GetBytes value))

    put 108 (BitConverter.GetBytes 352.0f)
    Array.blit (Encoding.ASCII.GetBytes "n+1") 0 header 344 3
    Array.append header data

let private change (start: int) (part: byte[]) (file: byte[]) : byte[] =
    let copy = Array.copy file
    Array.blit part 0 copy start part.Length
    copy

[<Tests>]
let tests =
    testList
        "Nifti"
        [
            testProperty "what is written comes back: every type, planes, volumes and channels, plain and gzipped"
            <| fun (seed: int) ->
                let kind = abs (seed % 10)
                let rank = 2 + abs (seed % 2)
                let channels = if rank = 3 then 1 + abs (seed % 3) else 1
                let file = Scans.file kind channels rank seed

                for gzip in [ false; true ] do
                    decode (encode gzip file) |> Scans.expectSame 1e-6 file

            test "both byte orders give the same" {
                let numbers = Array.init 24 (fun at -> float32 (at * 3 - 7))

                let bytes (bigEndian: bool) =
                    numbers
                    |> Array.collect (fun value ->
                        let part = BitConverter.GetBytes value
                        if bigEndian then Array.rev part else part)

                let little = decode (file false 16 4 (bytes false))
                let big = decode (file true 16 4 (bytes true))
                Expect.equal big little "both"

                match little with
                | Ok read ->
                    Expect.equal read.Values (Float32s numbers) "values"
                    Expect.equal read.Extent (Extent.space 4 3 2) "z, y, x"
                    Expect.equal read.Spacing.Values [ 2.5; 1.5; 0.5 ] "z, y, x"
                | Error reason -> failtest reason
            }

            test "slope and intercept scale; a slope of 0 or NaN does not" {
                let plain = file false 2 1 (Array.init 24 byte)

                let scaled (slope: float32) (intercept: float32) =
                    plain
                    |> change 112 (Array.append (BitConverter.GetBytes slope) (BitConverter.GetBytes intercept))
                    |> decode
                    |> Result.map (fun read -> read.Values)

                let wanted = Float32s(Array.init 24 (fun at -> float32 at * 2.0f - 10.0f))
                Expect.equal (scaled 2.0f -10.0f) (Ok wanted) "scaled"

                for slope in [ 0.0f; nanf; 1.0f ] do
                    Expect.equal (scaled slope 0.0f) (Ok(UInt8s(Array.init 24 byte))) $"%g{slope}"
            }

            test "the sform's place goes before the qform's; without both the grid is centred" {
                let plain = file false 2 1 (Array.zeroCreate 24)

                match decode plain with
                | Ok read ->
                    // nibabel: x runs to the left, the middle of the grid is at zero.
                    Expect.equal read.Geometry.Origin [ -0.25; -(-1.5); -3.75 ] "origin"
                | Error reason -> failtest reason

                let singles (values: float32 list) =
                    values |> List.map BitConverter.GetBytes |> Array.concat

                // A half turn about z: RAS x and y run backwards, so LPS's run forwards.
                let qform =
                    plain
                    |> change 252 (BitConverter.GetBytes 1s)
                    |> change 256 (singles [ 0.0f; 0.0f; 1.0f; 10.0f; 20.0f; 30.0f ])

                match decode qform with
                | Ok read ->
                    Expect.isTrue
                        (Geometry.near
                            1e-6
                            read.Geometry
                            (Geometry.create [ -10.0; -20.0; 30.0 ] (Geometry.standard 3).Direction))
                        $"%O{read.Geometry}"
                | Error reason -> failtest reason

                let sform =
                    qform
                    |> change 254 (BitConverter.GetBytes 2s)
                    |> change 280 (singles [ 0.0f; 1.5f; 0.0f; 1.0f; 0.5f; 0.0f; 0.0f; 2.0f; 0.0f; 0.0f; 2.5f; 3.0f ])

                match decode sform with
                | Ok read ->
                    Expect.equal read.Geometry.Origin [ -1.0; -2.0; 3.0 ] "origin"
                    Expect.equal (read.Geometry.Axis 0) [ 0.0; -1.0; 0.0 ] "x runs along A"
                    Expect.equal (read.Geometry.Axis 1) [ -1.0; 0.0; 0.0 ] "y runs along R"
                | Error reason -> failtest reason
            }

            test "units are brought to millimetres" {
                let micrometres = file false 2 1 (Array.zeroCreate 24) |> change 123 [| 3uy |]

                match decode micrometres with
                | Ok read -> Expect.floatClose Accuracy.high read.Spacing.Values[0] 0.0025 "z"
                | Error reason -> failtest reason
            }

            test "what cannot be is one reason" {
                let plain = file false 2 1 (Array.zeroCreate 24)
                let reason = Scans.reasonOf decode

                let has (part: string) (bytes: byte[]) =
                    Expect.stringContains (reason bytes) part part

                has "empty" [||]
                has "truncated" (Array.truncate 100 plain)
                has "cannot hold" (Array.truncate 370 plain)
                has "complex" (change 70 (BitConverter.GetBytes 32s) plain)
                has "unknown data type 77" (change 70 (BitConverter.GetBytes 77s) plain)
                has "9 dimensions" (change 40 (BitConverter.GetBytes 9s) plain)
                has "n+1" (change 344 [| 0uy |] plain)
                has "pair of files" (change 344 (Encoding.ASCII.GetBytes "ni1") plain)
                has "inside the header" (change 108 (BitConverter.GetBytes 100.0f) plain)

                let huge =
                    [ 32767s; 32767s; 32767s ] |> List.map BitConverter.GetBytes |> Array.concat

                has "more than one array" (change 42 huge plain)
                let zipped = encode true (Scans.file 6 1 3 5)
                has "damaged" (Array.append (Array.truncate 40 zipped) (Array.zeroCreate 200))
            }

            test "a header of a gigabyte costs nothing" {
                let claim =
                    [ 1000s; 1000s; 1000s ] |> List.map BitConverter.GetBytes |> Array.concat

                let plain = file false 2 1 (Array.zeroCreate 24) |> change 42 claim
                let before = GC.GetAllocatedBytesForCurrentThread()
                Scans.reasonOf decode plain |> ignore
                use packed = new IO.MemoryStream()

                do
                    use zipped =
                        new IO.Compression.GZipStream(packed, IO.Compression.CompressionLevel.Fastest, true)
                    // Enough for the claim to be possible, and yet not there.
                    let random = Array.zeroCreate<byte> 1500000
                    (Random 1).NextBytes random
                    zipped.Write(plain, 0, plain.Length)
                    zipped.Write(random, 0, random.Length)

                let zipped = packed.ToArray()
                let middle = GC.GetAllocatedBytesForCurrentThread()
                Expect.stringContains (Scans.reasonOf decode zipped) "truncated" "gzipped"
                Expect.isLessThan (middle - before) 20_000_000L "plain, and what was packed"
                Expect.isLessThan (GC.GetAllocatedBytesForCurrentThread() - middle) 6_000_000L "gzipped"
            }
        ]
