module SkeletonRecall.Tests.MetaImageTests

open System.IO
open System.Text
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private decode = Scans.from (MetaImage.decode Scans.alone)

let private encode (file: ImageFile) : byte[] =
    let header, data = MetaImage.encode file "LOCAL"
    Array.append header data

let private header =
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nElementByteOrderMSB = True\nOffset = 1 2 3\n"
    + "TransformMatrix = 0 1 0 -1 0 0 0 0 1\nElementSpacing = 2 3 4\nDimSize = 2 1 3\nElementType = MET_SHORT\n"
    + "ElementDataFile = LOCAL\n"

let private data =
    [| 0uy; 1uy; 0uy; 2uy; 1uy; 0uy; 0xFFuy; 0xFFuy; 0uy; 5uy; 0uy; 6uy |]

[<Tests>]
let tests =
    testList
        "MetaImage"
        [
            testProperty "what is written comes back: every type, planes, volumes and channels"
            <| fun (seed: int) ->
                let file =
                    Scans.file (abs (seed % 10)) (1 + abs (seed % 3)) (2 + abs (seed % 2)) seed

                decode (encode file) |> Scans.expectSame 1e-12 file

            test "raw voxels, big-endian, turned" {
                match decode (Array.append (Encoding.ASCII.GetBytes header) data) with
                | Ok read ->
                    Expect.equal read.Values (Int16s [| 1s; 2s; 256s; -1s; 5s; 6s |]) "values"
                    Expect.equal read.Extent (Extent.space 3 1 2) "z, y, x"
                    Expect.equal read.Spacing.Values [ 4.0; 3.0; 2.0 ] "z, y, x"
                    Expect.equal read.Geometry.Origin [ 1.0; 2.0; 3.0 ] "origin"
                    Expect.equal (read.Geometry.Axis 0) [ 0.0; 1.0; 0.0 ] "x"
                    Expect.equal (read.Geometry.Axis 1) [ -1.0; 0.0; 0.0 ] "y"
                | Error reason -> failtest reason
            }

            test ".mhd and the file beside it" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "a.mhd")
                    let labels = (Toy.rod 4 8 9).Labels.Value
                    Reader.writeLabels path labels |> Problem.orThrow
                    Expect.isTrue (File.Exists(Path.Combine(folder, "a.zraw"))) "beside"
                    let back, _ = Reader.mask path |> Problem.orThrow
                    Expect.isTrue (Volume.equal back labels) "same"
                    File.Delete(Path.Combine(folder, "a.zraw"))

                    match Reader.mask path with
                    | Error problem -> Expect.stringContains (Problem.message problem) "'a.zraw' beside it" "gone"
                    | Ok _ -> failtest "it was read")
            }

            test "what cannot be is one reason" {
                let has (part: string) (from: string) (into: string) =
                    let bytes = Array.append (Encoding.ASCII.GetBytes(header.Replace(from, into))) data
                    Expect.stringContains (Scans.reasonOf decode bytes) part part

                has "holds a Scene" "ObjectType = Image" "ObjectType = Scene"
                has "MET_OTHER" "MET_SHORT" "MET_OTHER"
                has "cannot hold" "DimSize = 2 1 3" "DimSize = 2 2 3"
                has "more than one array" "DimSize = 2 1 3" "DimSize = 99999 99999 99999"
                has "does not say DimSize" "DimSize = 2 1 3\n" ""
                has "spacing 0" "ElementSpacing = 2 3 4" "ElementSpacing = 2 0 4"
                has "several files" "LOCAL" "LIST"
                has "BinaryData = True" "BinaryData = True" "BinaryData = False"
                has "plain name" "LOCAL" "/etc/passwd"
                Expect.stringContains (Scans.reasonOf decode [||]) "empty" "empty"
                Expect.stringContains (Scans.reasonOf decode [| 1uy |]) "not a MetaImage" "other"
            }
        ]
