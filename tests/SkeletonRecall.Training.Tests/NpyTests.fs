module SkeletonRecall.Tests.NpyTests

open System
open System.Text
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private read (name: string) : NpyArray =
    match Npy.decode (Golden.bytes $"npy/%s{name}.npy") with
    | Ok array -> array
    | Error reason -> failtest $"%s{name}: %s{reason}"

let private reasonOf (bytes: byte[]) : string =
    match Npy.decode bytes with
    | Ok _ -> failtest "it was read"
    | Error reason -> reason

let private numbers (values: NpyValues) : float[] =
    match values with
    | Bools data -> data |> Array.map (fun value -> if value then 1.0 else 0.0)
    | Int8s data -> Array.map float data
    | UInt8s data -> Array.map float data
    | Int16s data -> Array.map float data
    | UInt16s data -> Array.map float data
    | Int32s data -> Array.map float data
    | UInt32s data -> Array.map float data
    | Int64s data -> Array.map float data
    | UInt64s data -> Array.map float data
    | Float32s data -> Array.map float data
    | Float64s data -> data

let private threes (count: int) : float[] =
    Array.init count (fun index -> 3.0 * float index)

[<Tests>]
let tests =
    testList
        "Npy"
        [
            test "every type and byte order that numpy wrote" {
                let types =
                    [
                        "i1"
                        "u1"
                        "le-i2"
                        "be-i2"
                        "le-u2"
                        "le-i4"
                        "be-u4"
                        "le-i8"
                        "be-i8"
                        "le-u8"
                    ]
                    @ [ "le-f4"; "be-f4"; "le-f8"; "be-f8" ]

                for kind in types do
                    let array = read $"c-%s{kind}"
                    Expect.equal array.Shape [ 2; 3; 4 ] kind
                    Expect.equal (numbers array.Values) (threes 24) kind

                Expect.equal (numbers (read "version2").Values) (threes 24) "version 2"
            }

            test "Fortran order, one axis, no axis, no element" {
                Expect.equal (numbers (read "f-le-i4").Values) (threes 24) "i4"
                Expect.equal (numbers (read "f-be-f8").Values) (threes 24) "f8"
                Expect.equal (numbers (read "f-u1-5d").Values) (threes 48) "5 axes"
                Expect.equal (read "f-bool") (read "c-bool") "bool"
                Expect.equal (read "one-axis").Shape [ 5 ] "one axis"

                Expect.equal
                    (read "no-axis")
                    {
                        Shape = []
                        Values = Float64s [| 3.5 |]
                    }
                    "no axis"

                Expect.equal (read "empty").Shape [ 0; 4 ] "empty"
            }

            test "what numpy wrote in C order comes out byte for byte" {
                for name in
                    [
                        "c-bool"
                        "c-i1"
                        "c-u1"
                        "c-le-i2"
                        "c-le-i8"
                        "c-le-f4"
                        "c-le-f8"
                        "one-axis"
                        "no-axis"
                    ] do
                    Expect.equal (Npy.encode (read name)) (Golden.bytes $"npy/%s{name}.npy") name
            }

            test "types that are not served are refused by name" {
                Expect.stringContains (reasonOf (Golden.bytes "npy/complex.npy")) "c8" "complex"
                Expect.stringContains (reasonOf (Golden.bytes "npy/objects.npy")) "O" "objects"
                Expect.stringContains (reasonOf (Golden.bytes "npy/record.npy")) "descr" "record"
                Expect.stringContains (reasonOf (Golden.bytes "png/grey8.png")) "not a .npy" "PNG"
                Expect.stringContains (reasonOf [||]) "empty" "empty"
            }

            test "truncations and mutations are reasons, never crashes" {
                let file = Golden.bytes "npy/f-le-i4.npy"

                for length in 0 .. file.Length - 1 do
                    reasonOf (Array.truncate length file) |> ignore

                let random = Random 4

                for _ in 1..500 do
                    let copy = Array.copy file
                    copy[random.Next 128] <- byte (random.Next 256)
                    Npy.decode copy |> ignore
            }

            test "a shape that declares too much is refused" {
                let file = Golden.bytes "npy/c-u1.npy"

                let text =
                    Encoding.Latin1.GetString(file).Replace("(2, 3, 4), }         ", "(2147483647, 3, 4), }")

                Expect.stringContains (reasonOf (Encoding.Latin1.GetBytes text)) "25769803764 bytes" "reason"
            }

            test "label maps come from whole numbers only" {
                let labels (values: NpyValues) =
                    Npy.toLabels { Shape = [ 1; 3 ]; Values = values }
                    |> Result.map (fun labels -> labels.Data)

                Expect.equal (labels (Float32s [| 0.0f; 1.0f; 2.0f |])) (Ok [| 0s; 1s; 2s |]) "floats"
                Expect.equal (labels (UInt64s [| 0UL; 1UL; 2UL |])) (Ok [| 0s; 1s; 2s |]) "unsigned"
                Expect.equal (labels (Bools [| true; false; true |])) (Ok [| 1s; 0s; 1s |]) "bool"
                Expect.isError (labels (Float64s [| 0.0; 0.5; 1.0 |])) "half"
                Expect.isError (labels (Float64s [| 0.0; nan; 1.0 |])) "NaN"
                Expect.isError (labels (Int32s [| 0; -1; 1 |])) "negative"
                Expect.isError (labels (UInt64s [| 0UL; UInt64.MaxValue; 1UL |])) "huge"
                Expect.isError (Npy.toLabels (read "one-axis")) "one axis"
                Expect.isError (Npy.toLabels (read "empty")) "no element"
            }

            test "label maps go out in as few bits as they need" {
                let labels (last: int16) =
                    Volume.create (Extent.space 1 2 2) [| 0s; 1s; 2s; last |]

                match (Npy.ofLabels (labels 255s)).Values, (Npy.ofLabels (labels 256s)).Values with
                | UInt8s _, Int16s _ -> ()
                | other -> failtest $"%A{other}"

                let back =
                    Npy.ofLabels (labels 300s)
                    |> Npy.encode
                    |> Npy.decode
                    |> Result.bind Npy.toLabels

                match back with
                | Ok back -> Expect.isTrue (Volume.equal back (labels 300s)) "round trip"
                | Error reason -> failtest reason
            }

            test "an array that does not fill its shape is refused" {
                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Npy.encode
                            {
                                Shape = [ 2; 2 ]
                                Values = Int8s [| 1y |]
                            }
                        |> ignore)
                    "too few"
            }
        ]
