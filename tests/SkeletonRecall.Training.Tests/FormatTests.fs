/// All formats under damage, under real files, and under the eyes of Python's readers.
module SkeletonRecall.Tests.FormatTests

open System
open System.Diagnostics
open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private bytesOf (encode: ImageFile -> byte[]) : byte[] list =
    [ encode (Scans.file 0 1 3 21); encode (Scans.file 6 1 3 22) ]

let private raster (channels: int) (depth: int) : byte[] =
    Png.encode
        {
            Width = 7
            Height = 5
            Channels = channels
            BitDepth = depth
            Samples = Array.init (35 * channels) (fun at -> uint16 (at % (1 <<< depth)))
            Palette = None
        }

/// A name, a reader and a few good files.
let private formats: (string * (byte[] -> bool) * byte[] list) list =
    let works (decode: byte[] -> Result<'T, string>) (bytes: byte[]) : bool =
        match decode bytes with
        | Ok _ -> true
        | Error reason ->
            Expect.isFalse (reason.Contains '\n') reason
            Expect.isTrue (reason.Length > 5) reason
            false

    let meta (file: ImageFile) =
        let header, data = MetaImage.encode file "LOCAL"
        Array.append header data

    [
        "PNG", works Png.decode, [ raster 1 8; raster 3 16 ]
        "JPEG", works Jpeg.decode, [ Golden.bytes "jpeg/grey.jpg" ]
        "BMP", works Bmp.decode, [ BmpTests.bitmap (fun at -> Array.create 4 (byte at)) ]
        "GIF", works Gif.decode, [ BmpTests.gif ]
        "TIFF", works (Tiff.decode false), bytesOf Tiff.encode
        "NIfTI", works (Scans.from Nifti.decode), bytesOf (fun file -> Scans.written (Nifti.encode false file))
        "NIfTI, gzipped", works (Scans.from Nifti.decode), bytesOf (fun file -> Scans.written (Nifti.encode true file))
        "NRRD", works (Scans.from (Nrrd.decode Scans.alone)), bytesOf (fun file -> Scans.written (Nrrd.encode file))
        "MetaImage", works (Scans.from (MetaImage.decode Scans.alone)), bytesOf meta
        "npy", works Npy.decode, bytesOf (fun file -> Npy.encode (snd (List.head (Npz.ofFile file))))
        "npz",
        works (Scans.from (Npz.decode >> Result.bind Npz.toFile)),
        bytesOf (fun file -> Scans.written (Npz.encode (Npz.ofFile file)))
    ]

let private mutate (random: Random) (bytes: byte[]) : byte[] =
    match random.Next 6 with
    | 0 -> Damage.cut random bytes
    | 1 -> Damage.largest random bytes
    | 2 ->
        let start = random.Next bytes.Length
        let length = random.Next(bytes.Length - start)
        Array.append (Array.truncate start bytes) (Array.skip (start + length) bytes)
    | 3 -> Array.append bytes (Array.init (random.Next 50) (fun _ -> byte (random.Next 256)))
    | _ -> Damage.spots random bytes

[<Tests>]
let damage =
    testList
        "Formats under damage"
        [
            for number, (name, works, files) in List.indexed formats do
                test $"%s{name}: 2000 mutations end in a reason or a result, soon and in little memory" {
                    for file in files do
                        Expect.isTrue (works file) "the good file"

                    let random = Random(1000 + number)

                    // A file of a few kilobytes may unpack to a few megabytes; a header's claim alone may not.
                    Damage.withstands
                        2000
                        2.0
                        64_000_000L
                        (fun at -> mutate random files[at % files.Length])
                        (works >> ignore)
                }
        ]

let private real (parts: string list) (pattern: string) : string list =
    Directory.GetFiles(Golden.sharedPath ("data" :: parts), pattern, SearchOption.AllDirectories)
    |> Array.sort
    |> List.ofArray

[<Tests>]
let onRealFiles =
    testList
        "Formats on real files"
        [
            test "NIfTI label maps of six projects" {
                let files = real [ "vol3d" ] "*.nii.gz" @ real [ "expected" ] "*.nii.gz"
                Expect.isGreaterThan files.Length 50 "files"

                for path in files do
                    if path.EndsWith("ct_cropped.nii.gz", StringComparison.Ordinal) then
                        let image = Reader.image [ path ] |> Problem.orThrow
                        Expect.isLessThan (Array.min image.Data) -500.0f "air"
                    elif path.Contains "med_mpd" then
                        // Up to 268 million voxels: what they hold is looked at, not turned into label maps.
                        use stream = File.OpenRead path

                        match Nifti.decode stream with
                        | Ok file -> Expect.equal (file.Channels, file.Extent.Rank) (1, 3) path
                        | Error reason -> failtest $"%s{path}: %s{reason}"
                    else
                        let labels, geometry, _ = Reader.maskInPlace path |> Problem.orThrow
                        Expect.equal geometry.Rank labels.Extent.Rank path
            }

            test "TIFF stacks, LZW and big-endian, and a plane of PackBits" {
                let extents =
                    real [ "vol3d"; "vesselnn" ] "*.tif"
                    |> List.map (fun path -> (Reader.image [ path ] |> Problem.orThrow).Extent)

                Expect.contains extents (Extent.space 15 512 512) "LZW"
                Expect.contains extents (Extent.space 26 320 320) "LZW"

                for path in real [ "vol3d"; "vesselexpress" ] "*.tif" do
                    let image = Reader.image [ path ] |> Problem.orThrow
                    Expect.equal image.Extent (Extent.space 100 100 100) path

                for path in real [ "retina"; "hrf" ] "*.tif" do
                    let labels, note = Reader.mask path |> Problem.orThrow
                    Expect.equal labels.Extent (Extent.plane 2336 3504) path
                    Expect.isSome note "0 and 255"
            }

            test "MetaImage in one file and in two, and one that is no image" {
                for path in real [ "expected" ] "*.mha" do
                    Reader.mask path |> Problem.orThrow |> ignore

                let folder = Golden.sharedPath [ "data"; "vol3d"; "itk_minimalpath" ]

                let image =
                    Reader.image [ Path.Combine(folder, "Synthetic-04.mhd") ] |> Problem.orThrow

                Expect.equal image.Extent (Extent.space 128 128 128) "shape"

                Reader.image [ Path.Combine(folder, "Synthetic-04-Speed.mhd") ]
                |> Problem.orThrow
                |> ignore

                match Reader.image [ Path.Combine(folder, "Synthetic-04-Tube.mhd") ] with
                | Error problem -> Expect.stringContains (Problem.message problem) "Scene" "tube"
                | Ok _ -> failtest "it was read"
            }
        ]

[<Tests>]
let inReader =
    testList
        "Formats in the reader"
        [
            test "NaN and infinity are refused, with their number and the cure" {
                Toy.inFolder (fun folder ->
                    for ending in [ ".nii.gz"; ".nrrd"; ".mha"; ".npy"; ".npz"; ".tif" ] do
                        let image = Image.create 1 (Extent.space 2 5 7) (Array.init 70 float32)
                        image.Data[3] <- nanf
                        image.Data[69] <- infinityf
                        let path = Path.Combine(folder, "a_0000" + ending)
                        Reader.writeImage path image |> Problem.orThrow

                        match Reader.image [ path ] with
                        | Error problem ->
                            let message = Problem.message problem

                            for part in [ path; "2 of its values"; "replace" ] do
                                Expect.stringContains message part ending
                        | Ok _ -> failtest $"%s{ending} was read")
            }

            test "headers alone tell how many voxels of space there are" {
                let file = Scans.file 2 3 3 21

                for name, declared, bytes in
                    [
                        "NIfTI", Nifti.declared, Scans.written (Nifti.encode false file)
                        "NIfTI, gzipped", Nifti.declared, Scans.written (Nifti.encode true file)
                        "NRRD", Nrrd.declared, Scans.written (Nrrd.encode file)
                        "MetaImage", MetaImage.declared, Array.append <|| MetaImage.encode file "LOCAL"
                    ] do
                    Expect.equal (Scans.from declared bytes) (Ok(int64 file.Extent.Count)) name
                    Expect.isError (Scans.from declared (Array.truncate 20 bytes)) name
            }

            test "labels that are no whole numbers are refused" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "a.nii.gz")

                    Reader.writeImage path (Image.create 1 (Extent.space 1 1 2) [| 0.0f; 0.5f |])
                    |> Problem.orThrow

                    match Reader.mask path with
                    | Error problem -> Expect.stringContains (Problem.message problem) "0.5" "message"
                    | Ok _ -> failtest "it was read")
            }

            test "label maps keep spacing and place in every format that has them" {
                Toy.inFolder (fun folder ->
                    let geometry = (Scans.file 0 1 3 9).Geometry

                    let labels =
                        (Toy.rod 4 8 9).Labels.Value
                        |> Volume.withSpacing (Spacing.ofList [ 2.5; 0.5; 0.75 ])

                    for ending in [ ".nii"; ".nii.gz"; ".nrrd"; ".mha"; ".mhd"; ".npz" ] do
                        let path = Path.Combine(folder, "a" + ending)
                        Reader.writeLabelsInPlace geometry path labels |> Problem.orThrow
                        let back, place, note = Reader.maskInPlace path |> Problem.orThrow
                        Expect.isTrue (Volume.equal back labels && note.IsNone) ending

                        List.iter2
                            (fun one other -> Expect.floatClose Accuracy.high one other ending)
                            back.Spacing.Values
                            labels.Spacing.Values

                        Expect.isTrue (Geometry.near 1e-4 place geometry) ending)
            }

            test "channel files of different spacing are a problem that names both" {
                Toy.inFolder (fun folder ->
                    let write (name: string) (spacing: float list) =
                        let image = Image.create 1 (Extent.space 1 2 2) (Array.zeroCreate 4)
                        let path = Path.Combine(folder, name)

                        Reader.writeImage
                            path
                            { image with
                                Spacing = Spacing.ofList spacing
                            }
                        |> Problem.orThrow

                        path

                    let first = write "a_0000.mha" [ 1.0; 1.0; 1.0 ]
                    let second = write "a_0001.mha" [ 2.0; 1.0; 1.0 ]

                    match Reader.image [ first; second ] with
                    | Error problem ->
                        for part in [ first; second; "2 x 1 x 1 mm" ] do
                            Expect.stringContains (Problem.message problem) part "message"
                    | Ok _ -> failtest "they were read"

                    let both = Reader.image [ first; first ] |> Problem.orThrow
                    Expect.equal both.Channels 2 "channels")
            }
        ]

let private script =
    "import sys, json\n"
    + "try:\n    import numpy as np, nibabel, skimage.io, tifffile\n"
    + "except ImportError as error:\n    print('missing', error); sys.exit(0)\n"
    + "f = sys.argv[1]\n"
    + "n = nibabel.load(f + '/v.nii.gz')\n"
    + "t = tifffile.imread(f + '/v_0000.tif')\n"
    + "z = np.load(f + '/v.npz')\n"
    + "print(json.dumps({'nifti': np.asanyarray(n.dataobj).transpose().ravel().tolist(), 'shape': n.shape,"
    + " 'affine': n.affine.ravel().tolist(), 'qform': np.abs(n.get_qform() - n.affine).max(),"
    + " 'tiff': t.ravel().tolist(), 'png': skimage.io.imread(f + '/p.png').ravel().tolist(),"
    + " 'plane': skimage.io.imread(f + '/p.tif').ravel().tolist(), 'npz': z['data'].ravel().tolist(),"
    + " 'npy': np.load(f + '/v.npy').ravel().tolist()}))\n"

[<Tests>]
let forPython =
    testList
        "Formats for Python"
        [
            test "nibabel, tifffile, scikit-image and numpy read what is written" {
                Toy.inFolder (fun folder ->
                    let at (name: string) = Path.Combine(folder, name)
                    let file = Scans.file 6 1 3 77

                    let image =
                        match ImageFile.toImage file with
                        | Ok image -> image
                        | Error reason -> failtest reason

                    for name in [ "v.nii.gz"; "v_0000.tif"; "v.npz"; "v.npy" ] do
                        Reader.writeImage (at name) image |> Problem.orThrow

                    let plane =
                        Volume.create (Extent.plane 3 4) (Array.init 12 (fun at -> int16 (at * 30)))

                    Reader.writeLabels (at "p.png") plane |> Problem.orThrow
                    Reader.writeLabels (at "p.tif") plane |> Problem.orThrow
                    File.WriteAllText(at "read.py", script)

                    if not (File.Exists "/usr/bin/python3") then
                        skiptest "/usr/bin/python3 is not there"

                    let start =
                        ProcessStartInfo("/usr/bin/python3", [ at "read.py"; folder ], RedirectStandardOutput = true)

                    use running =
                        match Process.Start start with
                        | null -> failtest "no process"
                        | running -> running

                    let output = running.StandardOutput.ReadToEnd()
                    running.WaitForExit()
                    Expect.equal running.ExitCode 0 "exit code"

                    if output.StartsWith("missing", StringComparison.Ordinal) then
                        skiptest $"nibabel, scikit-image or tifffile is %s{output.Trim()}"

                    use json = Text.Json.JsonDocument.Parse output

                    let numbers (name: string) =
                        [|
                            for value in json.RootElement.GetProperty(name).EnumerateArray() -> value.GetDouble()
                        |]

                    let wanted = Array.map float image.Data

                    for name in [ "nifti"; "tiff"; "npz"; "npy" ] do
                        Expect.equal (numbers name) wanted name

                    for name in [ "png"; "plane" ] do
                        Expect.equal (numbers name) (Array.map float plane.Data) name

                    let axis (at: int) = image.Geometry.Axis at
                    let steps = List.rev image.Spacing.Values
                    let affine = numbers "affine"

                    for row in 0..2 do
                        let sign = if row < 2 then -1.0 else 1.0

                        for column in 0..2 do
                            Expect.isLessThan
                                (abs (affine[row * 4 + column] - sign * steps[column] * (axis column)[row]))
                                1e-5
                                "affine"

                        Expect.isLessThan (abs (affine[row * 4 + 3] - sign * image.Geometry.Origin[row])) 1e-4 "origin"

                    Expect.isLessThan (json.RootElement.GetProperty("qform").GetDouble()) 1e-4 "qform")
            }
        ]
