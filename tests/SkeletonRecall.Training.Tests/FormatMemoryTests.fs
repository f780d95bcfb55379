/// What reading a file takes, in bytes that the thread allocates.
module SkeletonRecall.Tests.FormatMemoryTests

open System
open System.Buffers.Binary
open System.IO
open System.IO.Compression
open System.Text
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

/// Voxels that deflate shrinks by a half or so.
let private rank3: ImageFile =
    let extent = Extent.space 48 160 200

    {
        Channels = 1
        Extent = extent
        Spacing = Spacing.unit 3
        Geometry = Geometry.standard 3
        Values =
            (let random = Random 5
             Int16s(Array.init extent.Count (fun at -> int16 (at / 200) + int16 (random.Next 64))))
    }

/// Bytes of its voxels.
let private held: int64 = 2L * int64 rank3.Extent.Count

/// What is allocated while a file is read, and what came of it.
let private reading (decode: byte[] -> Result<'T, string>) (bytes: byte[]) : int64 * Result<unit, string> =
    // Once before, for what is made only once.
    decode bytes |> ignore
    let before = GC.GetAllocatedBytesForCurrentThread()
    let result = decode bytes |> Result.map ignore
    GC.GetAllocatedBytesForCurrentThread() - before, result

let private isWithin (what: string) (limit: int64) (allocated: int64) : unit =
    Expect.isLessThan allocated limit $"%s{what}: %d{allocated} bytes"

/// Buffers of the decoders, headers and messages.
let private slack: int64 = 1048576L

let private zipped (bytes: byte[]) : byte[] =
    Scans.written (fun stream ->
        use zip = new GZipStream(stream, CompressionLevel.Fastest, true)
        zip.Write(bytes, 0, bytes.Length))

/// Voxels of a height that is not there: the header of each claims 20 times as many slices.
let private nifti: byte[] =
    let bytes = Scans.written (Nifti.encode false rank3)
    BinaryPrimitives.WriteInt16LittleEndian(Span(bytes, 46, 2), int16 (20 * rank3.Extent.Depth))
    bytes

let private replaced (from: string) (target: string) (bytes: byte[]) : byte[] =
    let text = Encoding.Latin1.GetString bytes
    Expect.stringContains text from "what is replaced"
    Encoding.Latin1.GetBytes(text.Replace(from, target))

let private meta (file: ImageFile) : byte[] =
    let header, data = MetaImage.encode file "LOCAL"
    Array.append header data

let private pixels: Raster =
    let random = Random 6

    {
        Width = 1200
        Height = 800
        Channels = 1
        BitDepth = 8
        Samples = Array.init 960000 (fun at -> uint16 ((at / 1200 + random.Next 64) % 256))
        Palette = None
    }

// The check sum of PNG's chunks, bit by bit.
let private crc (bytes: byte[]) : uint32 =
    let step (sum: uint32) (byte: byte) =
        let mutable sum = sum ^^^ uint32 byte

        for _ in 1..8 do
            sum <-
                if sum &&& 1u = 1u then
                    0xEDB88320u ^^^ (sum >>> 1)
                else
                    sum >>> 1

        sum

    ~~~(bytes |> Array.fold step UInt32.MaxValue)

/// A PNG file with another height.
let private higher (factor: int) (bytes: byte[]) : byte[] =
    let copy = Array.copy bytes
    BinaryPrimitives.WriteInt32BigEndian(Span(copy, 20, 4), factor * pixels.Height)
    BinaryPrimitives.WriteUInt32BigEndian(Span(copy, 29, 4), crc (Array.sub copy 12 17))
    copy

let private npy: byte[] = Npy.encode (snd (List.head (Npz.ofFile rank3)))

/// A TIFF file of one strip, as its only page, that claims 20 times as many rows in the strip.
let private tiff (compressed: bool) : byte[] =
    let data =
        let values = Array.zeroCreate<byte>(int held)

        (match rank3.Values with
         | Int16s data -> Buffer.BlockCopy(data, 0, values, 0, values.Length)
         | _ -> ())

        if compressed then
            Scans.written (fun stream ->
                use zip = new ZLibStream(stream, CompressionLevel.Fastest, true)
                zip.Write(values, 0, values.Length))
        else
            values

    let rows = rank3.Extent.Depth * rank3.Extent.Height

    let entries =
        [
            256, 200
            257, 20 * rows
            258, 16
            259, (if compressed then 8 else 1)
            262, 1
            273, 8
            277, 1
            278, 20 * rows
            279, data.Length
        ]

    Array.concat
        [
            Encoding.ASCII.GetBytes "II"
            [| 42uy; 0uy |]
            BitConverter.GetBytes(8 + data.Length)
            data
            BitConverter.GetBytes(int16 entries.Length)
            yield!
                entries
                |> List.map (fun (tag, value) ->
                    Array.concat
                        [
                            BitConverter.GetBytes(uint16 tag)
                            BitConverter.GetBytes 4us
                            BitConverter.GetBytes 1
                            BitConverter.GetBytes value
                        ])
            BitConverter.GetBytes 0
        ]

/// A GIF file whose picture is as large as can be and whose codes are those of 2 x 2 pixels.
let private gif: byte[] =
    let copy = Array.copy BmpTests.gif
    let size = 30000us

    for at in [ 6; 8; 24; 26 ] do
        BinaryPrimitives.WriteUInt16LittleEndian(Span(copy, at, 2), size)

    // What follows the end is nobody's, and makes the claim look smaller.
    Array.concat [ Array.truncate (copy.Length - 1) copy; Array.zeroCreate 400000; [| 0x3Buy |] ]

[<Tests>]
let tests =
    testList
        "FormatMemory"
        [
            testList
                "a header that claims 20 times what is there costs no more than twice what is there"
                [
                    let lies: (string * (byte[] -> Result<unit, string>) * byte[]) list =
                        let read (decode: byte[] -> Result<'T, string>) (bytes: byte[]) : Result<unit, string> =
                            decode bytes |> Result.map ignore

                        let nrrd = read (Scans.from (Nrrd.decode Scans.alone))
                        let metaImage = read (Scans.from (MetaImage.decode Scans.alone))
                        let sizes = "200 160 48"

                        [
                            "NIfTI", read (Scans.from Nifti.decode), nifti
                            "NIfTI, gzipped", read (Scans.from Nifti.decode), zipped nifti
                            "NRRD",
                            nrrd,
                            Scans.written (Nrrd.encode rank3)
                            |> replaced $"sizes: %s{sizes}" "sizes: 200 160 960"
                            "MetaImage",
                            metaImage,
                            meta rank3 |> replaced $"DimSize = %s{sizes}" "DimSize = 200 160 960"
                            "npy", read Npy.decode, npy |> replaced "(48, 160, 200)" "(960, 160, 200)"
                            "npz",
                            read (Scans.from Npz.decode),
                            Scans.written (fun stream ->
                                use archive = new ZipArchive(stream, ZipArchiveMode.Create, true)
                                use entry = archive.CreateEntry("data.npy").Open()
                                let bytes = npy |> replaced "(48, 160, 200)" "(960, 160, 200)"
                                entry.Write(bytes, 0, bytes.Length))
                            "PNG", read Png.decode, higher 20 (Png.encode pixels)
                            "TIFF", read (Tiff.decode false), tiff false
                            "TIFF, deflated", read (Tiff.decode false), tiff true
                            "BMP",
                            read Bmp.decode,
                            (let copy = Bmp.encode pixels in
                             copy[23] <- 60uy
                             copy)
                            "GIF", read Gif.decode, gif
                            "JPEG", read Jpeg.decode, Array.truncate 300 (Golden.bytes "jpeg/grey.jpg")
                        ]

                    for name, decode, bytes in lies do
                        test name {
                            let allocated, result = reading decode bytes
                            Expect.isError result "refused"
                            isWithin name (2L * held + slack) allocated
                        }
                ]

            testList
                "a good file costs its bytes and its voxels"
                [
                    let good (name: string) (decode: byte[] -> Result<'T, string>) (bytes: byte[]) (limit: int64) =
                        test name {
                            let allocated, result = reading decode bytes
                            Expect.isOk result "read"
                            isWithin name (limit + slack) allocated
                        }

                    let pixelBytes = int64 pixels.Samples.Length
                    // Voxels once, without a copy.
                    good "NIfTI" (Scans.from Nifti.decode) (Scans.written (Nifti.encode false rank3)) held
                    good "NIfTI, gzipped" (Scans.from Nifti.decode) (Scans.written (Nifti.encode true rank3)) held
                    good "NRRD" (Scans.from (Nrrd.decode Scans.alone)) (Scans.written (Nrrd.encode rank3)) held
                    good "npy" Npy.decode npy held
                    // Pieces, and the array that they make.
                    good "MetaImage" (Scans.from (MetaImage.decode Scans.alone)) (meta rank3) (2L * held)
                    // Pieces and the array, and what the library makes for each page.
                    good "TIFF" (Tiff.decode false) (Tiff.encode rank3) (8L * held)

                    // The file in the archive, in pieces and whole, and the voxels.
                    good
                        "npz"
                        (Scans.from Npz.decode)
                        (Scans.written (Npz.encode [ "data", snd (List.head (Npz.ofFile rank3)) ]))
                        (3L * held)

                    // Rows in pieces and whole, and samples of 16 bits.
                    good "PNG" Png.decode (Png.encode pixels) (4L * pixelBytes)
                ]
        ]
