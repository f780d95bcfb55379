module SkeletonRecall.Tests.ReaderTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private raster (channels: int) (depth: int) (width: int) (samples: int list) : Raster =
    {
        Width = width
        Height = samples.Length / width / channels
        Channels = channels
        BitDepth = depth
        Samples = samples |> List.map uint16 |> Array.ofList
        Palette = None
    }

let private save (folder: string) (name: string) (raster: Raster) : string =
    let path = Path.Combine(folder, name)
    File.WriteAllBytes(path, Png.encode raster)
    path

let private messageOf (result: Result<'T, Problem>) : string =
    match result with
    | Ok _ -> failtest "it was read"
    | Error problem -> Problem.message problem

let private three =
    { Toy.dataset with
        Labels = [ "background", 0; "artery", 1; "vein", 2 ]
        Ignore = Some 3
    }

let private images =
    testList
        "images"
        [
            test "the files of a case are its channels, and a file's channels too" {
                Toy.inFolder (fun folder ->
                    let grey = raster 1 8 2 [ 1; 2; 3; 4 ] |> save folder "a_0000.png"

                    let colour =
                        raster 3 8 2 [ 10; 20; 30; 11; 21; 31; 12; 22; 32; 13; 23; 33 ]
                        |> save folder "a_0001.png"

                    let image = Reader.image [ grey; colour ] |> Problem.orThrow
                    Expect.equal (image.Channels, image.Extent) (4, Extent.plane 2 2) "shape"

                    let expected =
                        [| 1; 2; 3; 4; 10; 11; 12; 13; 20; 21; 22; 23; 30; 31; 32; 33 |]
                        |> Array.map float32

                    Expect.equal image.Data expected "channels first"
                    Expect.equal image.Spacing (Spacing.unit 2) "spacing")
            }

            test "16 bits stay, fewer than 8 are spread, alpha is a channel, palettes give colours" {
                Toy.inFolder (fun folder ->
                    let data (raster: Raster) =
                        (Reader.image [ save folder "b_0000.png" raster ] |> Problem.orThrow).Data

                    Expect.equal (data (raster 1 16 2 [ 0; 65535 ])) [| 0.0f; 65535.0f |] "16"
                    Expect.equal (data (raster 1 1 2 [ 0; 1 ])) [| 0.0f; 255.0f |] "1"
                    Expect.equal (data (raster 1 2 2 [ 1; 3 ])) [| 85.0f; 255.0f |] "2"
                    Expect.equal (data (raster 1 4 2 [ 1; 15 ])) [| 17.0f; 255.0f |] "4"
                    Expect.equal (data (raster 4 8 1 [ 1; 2; 3; 4 ])) [| 1.0f; 2.0f; 3.0f; 4.0f |] "alpha"

                    let indexed =
                        { raster 1 8 2 [ 1; 0 ] with
                            Palette = Some [| struct (1uy, 2uy, 3uy); struct (9uy, 8uy, 7uy) |]
                        }

                    Expect.equal (data indexed) [| 9.0f; 1.0f; 8.0f; 2.0f; 7.0f; 3.0f |] "palette")
            }

            test "JPEG is read by what is in the file" {
                let image = Reader.image [ Golden.file "jpeg/rgb.jpg" ] |> Problem.orThrow
                Expect.equal (image.Channels, image.Extent) (3, Extent.plane 24 40) "shape"
            }

            test "files of different size are a problem that names both" {
                Toy.inFolder (fun folder ->
                    let first = raster 1 8 2 [ 1; 2; 3; 4 ] |> save folder "a_0000.png"
                    let second = raster 1 8 2 [ 1; 2 ] |> save folder "a_0001.png"
                    let message = messageOf (Reader.image [ first; second ])

                    for part in [ first; second; "2 x 1"; "2 x 2" ] do
                        Expect.stringContains message part "message")
            }

            test "a missing, an empty and a truncated file are problems that name the file" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "a_0000.png")
                    Expect.stringContains (messageOf (Reader.image [ path ])) $"%s{path}: not found" "missing"
                    File.WriteAllBytes(path, [||])
                    Expect.stringContains (messageOf (Reader.image [ path ])) "empty" "empty"
                    File.WriteAllBytes(path, Golden.bytes "png/rgb8.png" |> Array.truncate 200)
                    Expect.stringContains (messageOf (Reader.image [ path ])) "truncated" "truncated")
            }

            test "a written image comes back" {
                Toy.inFolder (fun folder ->
                    for channels, last in [ 1, 255.0f; 3, 255.0f; 4, 60000.0f ] do
                        let extent = Extent.plane 3 2

                        let image =
                            Image.create channels extent (Array.init (6 * channels) (fun i -> float32 i))

                        image.Data[0] <- last
                        let path = Path.Combine(folder, "w.png")
                        Reader.writeImage path image |> Problem.orThrow
                        Expect.equal (Reader.image [ path ]) (Ok image) $"%d{channels} channels")
            }
        ]

let private labelMaps =
    testList
        "label maps"
        [
            test "grey, 1 bit, palette and equal colours" {
                Toy.inFolder (fun folder ->
                    let read (raster: Raster) =
                        let labels, note =
                            Reader.labels three (save folder "a.png" raster) |> Problem.orThrow

                        Expect.isNone note "no note"
                        labels.Data

                    Expect.equal (read (raster 1 8 4 [ 0; 1; 2; 3 ])) [| 0s; 1s; 2s; 3s |] "grey"
                    Expect.equal (read (raster 1 16 4 [ 0; 1; 2; 3 ])) [| 0s; 1s; 2s; 3s |] "16 bits"
                    Expect.equal (read (raster 1 2 4 [ 0; 1; 2; 3 ])) [| 0s; 1s; 2s; 3s |] "2 bits"
                    Expect.equal (read (raster 1 1 2 [ 1; 0 ])) [| 1s; 0s |] "1 bit"
                    Expect.equal (read (raster 3 8 2 [ 0; 0; 0; 2; 2; 2 ])) [| 0s; 2s |] "RGB"
                    Expect.equal (read (raster 4 8 2 [ 0; 0; 0; 9; 2; 2; 2; 9 ])) [| 0s; 2s |] "RGBA"
                    Expect.equal (read (raster 2 8 2 [ 0; 255; 1; 255 ])) [| 0s; 1s |] "grey and alpha"

                    let indexed =
                        { raster 1 8 2 [ 2; 1 ] with
                            Palette = Some(Array.replicate 3 (struct (255uy, 0uy, 0uy)))
                        }

                    Expect.equal (read indexed) [| 2s; 1s |] "palette")
            }

            test "a mask of 0 and 255 is taken as 0 and 1, with a line that says so" {
                Toy.inFolder (fun folder ->
                    for depth, white in [ 8, 255; 16, 65535; 16, 255 ] do
                        let path = raster 1 depth 2 [ 0; white; white; 0 ] |> save folder "a.png"

                        for read in [ Reader.labels Toy.dataset; Reader.mask ] do
                            let labels, note = read path |> Problem.orThrow
                            Expect.equal labels.Data [| 0s; 1s; 1s; 0s |] "values"

                            match note with
                            | Some note -> Expect.stringContains note path "note"
                            | None -> failtest "no note"

                    let full = raster 1 8 1 [ 255; 255 ] |> save folder "b.png"

                    Expect.equal
                        (fst (Reader.labels Toy.dataset full |> Problem.orThrow)).Data
                        [| 1s; 1s |]
                        "all white"

                    let empty = raster 1 8 1 [ 0; 0 ] |> save folder "c.png"
                    let labels, note = Reader.labels Toy.dataset empty |> Problem.orThrow
                    Expect.equal (labels.Data, note) ([| 0s; 0s |], None) "all black")
            }

            test "values in between are refused with the cure" {
                Toy.inFolder (fun folder ->
                    let path = raster 1 8 5 [ 0; 3; 17; 254; 255 ] |> save folder "a.png"
                    let message = messageOf (Reader.labels Toy.dataset path)

                    for part in [ path; "0, 3, 17, 254, 255"; "threshold the mask"; "dataset.json" ] do
                        Expect.stringContains message part "message"

                    let many = raster 1 8 20 [ 0..19 ] |> save folder "b.png"
                    Expect.stringContains (messageOf (Reader.labels Toy.dataset many)) "... (20 values)" "cut short")
            }

            test "a value that dataset.json does not know is refused with file, value and known labels" {
                Toy.inFolder (fun folder ->
                    let path = raster 1 8 4 [ 0; 1; 7; 9 ] |> save folder "a.png"
                    let message = messageOf (Reader.labels three path)

                    for part in [ path; "7, 9"; "background = 0, artery = 1, vein = 2, ignore = 3" ] do
                        Expect.stringContains message part "message"

                    // With two foreground labels, white could be either.
                    let white = raster 1 8 2 [ 0; 255 ] |> save folder "b.png"
                    Expect.stringContains (messageOf (Reader.labels three white)) "255" "white")
            }

            test "colours and JPEG are refused" {
                Toy.inFolder (fun folder ->
                    let path = raster 3 8 2 [ 0; 0; 0; 2; 0; 0 ] |> save folder "a.png"
                    Expect.stringContains (messageOf (Reader.labels three path)) "colours" "RGB"

                    Expect.stringContains
                        (messageOf (Reader.labels three (Golden.file "jpeg/grey.jpg")))
                        "alters label values"
                        "JPEG")
            }

            test "label maps go out and come back, as PNG and as .npy" {
                Toy.inFolder (fun folder ->
                    let plane last =
                        Volume.create (Extent.plane 2 2) [| 0s; 1s; 2s; last |]

                    for labels in [ plane 3s; plane 300s ] do
                        for name in [ "a.png"; "a.npy" ] do
                            let path = Path.Combine(folder, name)
                            Reader.writeLabels path labels |> Problem.orThrow
                            let back, note = Reader.mask path |> Problem.orThrow
                            Expect.isTrue (Volume.equal back labels && note.IsNone) name

                    let path = Path.Combine(folder, "v.npy")
                    let volume = (Toy.rod 4 8 9).Labels.Value
                    Reader.writeLabels path volume |> Problem.orThrow
                    Expect.isTrue (Volume.equal (fst (Reader.mask path |> Problem.orThrow)) volume) "volume"

                    let refuses (text: string) (path: string) (labels: LabelMap) =
                        Expect.throwsT<System.ArgumentException>
                            (fun () -> Reader.writeLabels (Path.Combine(folder, path)) labels |> ignore)
                            text

                    refuses "volume" "v.png" volume
                    refuses "ending" "v.jpg" (plane 0s)
                    refuses "negative" "v.png" (plane -1s))
            }
        ]

[<Tests>]
let tests = testList "Reader" [ images; labelMaps ]

[<Tests>]
let real =
    testList
        "Reader on real images"
        [
            test "all of CHASE_DB1" {
                let folder = Golden.sharedPath [ "data"; "retina"; "chase_db1" ]
                let images = Directory.GetFiles(Path.Combine(folder, "images"), "*.jpg")
                Expect.isGreaterThan images.Length 0 "images"

                for path in images do
                    let image = Reader.image [ path ] |> Problem.orThrow
                    Expect.equal (image.Channels, image.Extent) (3, Extent.plane 960 999) path

                    for observer in [ "1stHO"; "2ndHO" ] do
                        let name = Path.GetFileNameWithoutExtension path
                        let mask = Path.Combine(folder, observer, $"%s{name}_%s{observer}.png")
                        let labels, _ = Reader.labels Toy.dataset mask |> Problem.orThrow
                        Expect.equal labels.Extent image.Extent mask
                        let share = float (Array.sumBy int labels.Data) / float labels.Extent.Count
                        Expect.isTrue (share > 0.02 && share < 0.2) $"%s{mask}: %g{share}"
            }
        ]
