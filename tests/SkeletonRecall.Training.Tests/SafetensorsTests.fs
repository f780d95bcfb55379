module SkeletonRecall.Tests.SafetensorsTests

open System
open System.IO
open System.Text
open Expecto
open SkeletonRecall.Training

let private bytesOf (content: Safetensors) : byte[] =
    use stream = new MemoryStream()
    Safetensors.write stream content
    stream.ToArray()

let private read (bytes: byte[]) : Result<Safetensors, Problem> =
    use stream = new MemoryStream(bytes)
    Safetensors.read "some.safetensors" stream

let private file (header: string) (values: byte[]) : byte[] =
    let text = Encoding.UTF8.GetBytes header
    Array.concat [ BitConverter.GetBytes(int64 text.Length); text; values ]

let private stored (name: string) (shape: int list) (values: float32 list) : StoredTensor =
    Safetensors.ofFloats
        {
            Name = name
            Shape = shape
            Values = List.toArray values
        }

let private example: Safetensors =
    {
        Metadata = Map.ofList [ "a", "one \"quoted\""; "b", "größer\n" ]
        Tensors =
            [
                stored "x.weight" [ 2; 3 ] [ 1.0f; -2.5f; 1e-30f; Single.MaxValue; -0.0f; Single.PositiveInfinity ]
                stored "empty" [ 0; 4 ] []
                stored "scalar" [] [ 7.0f ]
                {
                    Name = "bytes"
                    Type = UInt8
                    Shape = [ 3 ]
                    Bytes = [| 1uy; 2uy; 255uy |]
                }
            ]
    }

let private refused (bytes: byte[]) (word: string) : unit =
    match read bytes with
    | Ok _ -> failtest $"accepted, but wanted: %s{word}"
    | Error problem ->
        let message = Problem.message problem
        Expect.stringStarts message "some.safetensors: " "names the file"
        Expect.stringContains message word word

[<Tests>]
let tests =
    testList
        "Safetensors"
        [
            test "what is written is read" {
                let back = read (bytesOf example) |> Problem.orThrow
                Expect.equal back example "round trip"
            }

            test "a file as Python writes it" {
                let header =
                    """{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}   """

                let values =
                    Array.concat
                        [
                            BitConverter.GetBytes 1.5f
                            BitConverter.GetBytes -2.0f
                            [| 0uy; 0x3cuy; 0uy; 0xc0uy |]
                        ]

                let content = read (file header values) |> Problem.orThrow
                Expect.equal content.Metadata (Map.ofList [ "format", "pt" ]) "metadata"
                let arrays = content.Tensors |> List.choose Safetensors.toFloats

                Expect.equal
                    (arrays |> List.map (fun array -> array.Name, array.Shape, array.Values))
                    [ "a", [ 1; 2 ], [| 1.5f; -2.0f |]; "b", [ 2 ], [| 1.0f; -2.0f |] ]
                    "in the order of their bytes"
            }

            test "values begin at a multiple of 8" {
                let bytes = bytesOf example
                Expect.equal ((8L + BitConverter.ToInt64(bytes, 0)) % 8L) 0L "alignment"
            }

            test "floats of every width become 32-bit floats" {
                let tensor (element: ElementType) (bytes: byte[]) =
                    {
                        Name = "x"
                        Type = element
                        Shape = [ 1 ]
                        Bytes = bytes
                    }
                    |> Safetensors.toFloats
                    |> Option.map (fun array -> array.Values[0])

                Expect.equal (tensor Float64 (BitConverter.GetBytes 0.1)) (Some 0.1f) "64"
                Expect.equal (tensor Float16 [| 0uy; 0x38uy |]) (Some 0.5f) "16"
                Expect.equal (tensor BFloat16 [| 0x40uy; 0xc0uy |]) (Some -3.0f) "bfloat16"
                Expect.equal (tensor Int32 [| 1uy; 0uy; 0uy; 0uy |]) None "integers are none"
            }

            test "every truncation is refused" {
                let bytes = bytesOf example

                for length in 0 .. bytes.Length - 1 do
                    Expect.isTrue (Result.isError (read (Array.sub bytes 0 length))) $"%d{length} bytes"
            }

            test "headers that lie are refused and told" {
                let entry (text: string) = $"{{\"a\":{text}}}"
                let eight = Array.zeroCreate<byte> 8
                refused (Array.append (BitConverter.GetBytes Int64.MaxValue) eight) "claims a header"
                refused (Array.append (BitConverter.GetBytes -1L) eight) "claims a header"
                refused (file "[1]" [||]) "no JSON object"
                refused (file "{\"a\":" [||]) "no JSON"
                refused (file (entry "3") [||]) "no object"
                refused (file (entry """{"shape":[2],"data_offsets":[0,8]}""") eight) "no dtype"
                refused (file (entry """{"dtype":"F99","shape":[2],"data_offsets":[0,8]}""") eight) "unknown type F99"
                refused (file (entry """{"dtype":"F32","shape":[3],"data_offsets":[0,8]}""") eight) "need 12"
                refused (file (entry """{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}""") eight) "whole number"
                refused (file (entry """{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}""") eight) "whole number"
                refused (file (entry """{"dtype":"F32","shape":[2],"data_offsets":[4,12]}""") eight) "begins at byte 4"
                refused (file (entry """{"dtype":"F32","shape":[2],"data_offsets":[0]}""") eight) "first and a last"

                refused
                    (file (entry """{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""") [| 0uy |])
                    "1 bytes of values"

                refused
                    (file
                        (entry """{"dtype":"F32","shape":[2000000000,2000000000,2000000000],"data_offsets":[0,8]}""")
                        eight)
                    "larger than any file"

                refused
                    (file
                        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"""
                        eight)
                    "begins at byte 0"

                refused
                    (file
                        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"""
                        eight)
                    "twice"

                refused (file """{"__metadata__":{"a":1}}""" [||]) "no string"
            }

            test "tensors that cannot be written are refused" {
                let write (tensors: StoredTensor list) () =
                    bytesOf { example with Tensors = tensors } |> ignore

                let one = stored "a" [ 1 ] [ 1.0f ]
                Expect.throwsT<ArgumentException> (write [ one; one ]) "two of a name"
                Expect.throwsT<ArgumentException> (write [ { one with Shape = [ 2 ] } ]) "another length"
                Expect.throwsT<ArgumentException> (write [ { one with Name = "__metadata__" } ]) "reserved"
            }

            test "a missing file is told" {
                match Safetensors.readFile "/nowhere/at/all.safetensors" with
                | Error(Missing(path, _)) -> Expect.equal path "/nowhere/at/all.safetensors" "path"
                | other -> failtest $"%A{other}"
            }
        ]
