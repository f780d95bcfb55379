module SkeletonRecall.Tests.TiffTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "Tiff"
        [
            testProperty "what is written comes back: 8, 16 and 32 bits and floats, planes, volumes and channels"
            <| fun (seed: int) ->
                let channels = 1 + abs (seed % 4)
                let rank = 2 + abs (seed % 2)
                let file = Scans.file (abs (seed % 8)) channels rank seed

                let placeless =
                    { file with
                        Spacing = Spacing.unit rank
                        Geometry = Geometry.standard rank
                    }

                Tiff.decode (rank = 3) (Tiff.encode file) |> Scans.expectSame 1e-12 placeless

            test "large enough for many strips" {
                let file =
                    {
                        Channels = 1
                        Extent = Extent.space 3 700 900
                        Spacing = Spacing.unit 3
                        Geometry = Geometry.standard 3
                        Values = Scans.values 3 1 (3 * 700 * 900)
                    }

                Tiff.decode false (Tiff.encode file) |> Scans.expectSame 0.0 file
            }

            test "the spacing of a volume lies beside it, under the name of the case" {
                Toy.inFolder (fun folder ->
                    let image =
                        { (Toy.rod 4 8 9).Image with
                            Channels = 1
                            Data = Array.init 288 float32
                            Spacing = Spacing.ofList [ 2.5; 0.5; 0.75 ]
                        }

                    let path = Path.Combine(folder, "a_0000.tif")
                    Reader.writeImage path image |> Problem.orThrow
                    Expect.isTrue (File.Exists(Path.Combine(folder, "a.json"))) "a.json"
                    Expect.equal (Reader.image [ path ]) (Ok image) "same"

                    for bad in
                        [
                            "{\"spacing\": [1, 0, 1]}"
                            "{\"spacing\": [1, 2]}"
                            "{\"spacing\": [\"a\"]}"
                            "["
                        ] do
                        File.WriteAllText(Path.Combine(folder, "a.json"), bad)

                        match Reader.image [ path ] with
                        | Error problem -> Expect.stringContains (Problem.message problem) "a.json" bad
                        | Ok _ -> failtest "it was read")
            }

            test "what cannot be is one reason" {
                let bytes = Tiff.encode (Scans.file 3 1 3 3)
                let reason = Scans.reasonOf (Tiff.decode false)
                Expect.stringContains (reason [||]) "empty" "empty"
                Expect.stringContains (reason [| 1uy; 2uy |]) "not a TIFF" "other"

                for length in 0..11 .. bytes.Length - 60 do
                    Expect.isFalse ((reason (Array.truncate length bytes)).Contains '\n') $"%d{length}"
            }
        ]
