module SkeletonRecall.Tests.NpzTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private decode = Scans.from Npz.decode
let private encode (arrays: (string * NpyArray) list) : byte[] = Scans.written (Npz.encode arrays)

let private one (values: byte[]) : NpyArray =
    {
        Shape = [ 1; values.Length ]
        Values = UInt8s values
    }

[<Tests>]
let tests =
    testList
        "Npz"
        [
            testProperty "what is written comes back, with its place"
            <| fun (seed: int) ->
                let file =
                    Scans.file (abs (seed % 10)) (1 + abs (seed % 3)) (2 + abs (seed % 2)) seed

                Npz.ofFile file
                |> encode
                |> decode
                |> Result.bind Npz.toFile
                |> Scans.expectSame 1e-12 file

            test "the only array is taken, else one by its name" {
                let labels (arrays: (string * NpyArray) list) =
                    decode (encode arrays)
                    |> Result.bind Npz.toFile
                    |> Result.map (fun file -> file.Values)

                Expect.equal (labels [ "arr_0", one [| 3uy |] ]) (Ok(UInt8s [| 3uy |])) "only"
                let two = [ "other", one [| 1uy |]; "seg", one [| 2uy |] ]
                Expect.equal (labels two) (Ok(UInt8s [| 2uy |])) "seg"

                match labels [ "a", one [| 1uy |]; "b", one [| 2uy |] ] with
                | Error reason -> Expect.stringContains reason "a, b" "names"
                | Ok _ -> failtest "it was read"
            }

            test "what cannot be is one reason" {
                let bytes = encode [ "data", one (Array.init 200 byte) ]
                Expect.stringContains (Scans.reasonOf decode [||]) "empty" "empty"
                Expect.isError (decode (Array.truncate (bytes.Length / 2) bytes)) "half"
                Expect.isError (decode [| 1uy; 2uy; 3uy |]) "no archive"
            }
        ]
