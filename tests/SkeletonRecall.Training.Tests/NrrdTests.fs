module SkeletonRecall.Tests.NrrdTests

open System.IO
open System.Text
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private decode = Scans.from (Nrrd.decode Scans.alone)

let private text (header: string) (data: byte[]) : byte[] =
    Array.append (Encoding.ASCII.GetBytes header) data

let private header =
    "NRRD0005\n# a comment\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 2 1 3\n"
    + "space directions: (2,0,0) (0,3,0) (0,0,4)\nkey:=value: more\nendian: big\nencoding: raw\n"
    + "space origin: (10,20,30)\n\n"

let private data =
    [| 0uy; 1uy; 0uy; 2uy; 1uy; 0uy; 0xFFuy; 0xFFuy; 0uy; 5uy; 0uy; 6uy |]

[<Tests>]
let tests =
    testList
        "Nrrd"
        [
            testProperty "what is written comes back: every type, planes, volumes and channels"
            <| fun (seed: int) ->
                let file =
                    Scans.file (abs (seed % 10)) (1 + abs (seed % 3)) (2 + abs (seed % 2)) seed

                decode (Scans.written (Nrrd.encode file)) |> Scans.expectSame 1e-12 file

            test "spacings along slanted axes are read back to the last digit" {
                for seed in 0..49 do
                    let file =
                        { Scans.file 0 1 3 seed with
                            Spacing = Spacing.ofList [ 2.5; 0.75; 0.3 ]
                        }

                    match Scans.from (Nrrd.decode Scans.alone) (Scans.written (Nrrd.encode file)) with
                    | Ok read -> Expect.equal read.Spacing.Values [ 2.5; 0.75; 0.3 ] $"seed %d{seed}"
                    | Error reason -> failtest reason
            }

            test "raw voxels, big-endian, in RAS" {
                match decode (text header data) with
                | Ok read ->
                    Expect.equal read.Values (Int16s [| 1s; 2s; 256s; -1s; 5s; 6s |]) "values"
                    Expect.equal read.Extent (Extent.space 3 1 2) "z, y, x"
                    Expect.equal read.Spacing.Values [ 4.0; 3.0; 2.0 ] "z, y, x"
                    Expect.equal read.Geometry.Origin [ -10.0; -20.0; 30.0 ] "LPS"
                    Expect.equal (read.Geometry.Axis 0 |> List.head) -1.0 "x runs to the right"
                | Error reason -> failtest reason
            }

            test "channels first, and voxels in a file beside" {
                let header =
                    "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 2 1\nkinds: RGB-color domain domain\n"
                    + "spacings: NaN 0.5 0.25\nencoding: raw\ndata file: a.raw\n"

                let beside (name: string) : Result<Stream, string> =
                    Expect.equal name "a.raw" "name"
                    Ok(new MemoryStream([| 1uy; 2uy; 3uy; 4uy; 5uy; 6uy |]))

                match Scans.from (Nrrd.decode beside) (text header [||]) with
                | Ok read ->
                    Expect.equal (read.Channels, read.Extent) (3, Extent.plane 1 2) "shape"
                    Expect.equal read.Values (UInt8s [| 1uy; 4uy; 2uy; 5uy; 3uy; 6uy |]) "one after the other"
                    Expect.equal read.Spacing.Values [ 0.25; 0.5 ] "spacing"
                | Error reason -> failtest reason
            }

            test "what cannot be is one reason" {
                let has (part: string) (from: string) (into: string) =
                    Expect.stringContains (Scans.reasonOf decode (text (header.Replace(from, into)) data)) part part

                has "not a NRRD" "NRRD0005" "PNG"
                has "'block'" "type: short" "type: block"
                has "'hex'" "raw" "hex"
                has "no number" "sizes: 2 1 3" "sizes: 2 x 3"
                has "more than one array" "sizes: 2 1 3" "sizes: 99999 99999 99999"
                has "cannot hold" "sizes: 2 1 3" "sizes: 2 1 4"
                has "0 x 1" "sizes: 2 1 3" "sizes: 3 1 0"
                has "does not say endian" "endian: big\n" ""
                has "plain name" "encoding: raw" "encoding: raw\ndata file: ../a.raw"
                has "not there" "encoding: raw" "encoding: raw\ndata file: a.raw"
                has "direction" "(2,0,0)" "(0,0,0)"
                Expect.stringContains (Scans.reasonOf decode [||]) "empty" "empty"
            }
        ]
