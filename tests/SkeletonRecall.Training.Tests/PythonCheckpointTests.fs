module SkeletonRecall.Tests.PythonCheckpointTests

open System
open System.IO
open System.IO.Compression
open Expecto
open SkeletonRecall.Training
open SkeletonRecall.Tests.TorchFiles

let internal readAll (bytes: byte[]) : Result<PythonCheckpoint * NamedArray list, Problem> =
    use stream = new MemoryStream(bytes)
    PythonCheckpoint.readAll "some.pth" stream

let private refused (bytes: byte[]) (word: string) : unit =
    match readAll bytes with
    | Ok _ -> failtest $"accepted, but wanted: %s{word}"
    | Error problem ->
        let message = Problem.message problem
        Expect.stringStarts message "some.pth: cannot be read; " "names the file"
        Expect.isFalse (message.Contains '\n') "one line"
        Expect.stringContains message word word

let private two = [ "0", floats [| 1.0f; 2.0f |] ]
let private small = Pickles.tensor "0" 2 0 [ 2 ] [ 1 ]

let private withWeight (tensor: byte[]) (storages: (string * byte[]) list) : byte[] =
    checkpoint (Pickles.dictionary [ "w", tensor ]) storages

/// The pickle of a file alone, changed.
let internal changePickle (change: byte[] -> byte[]) (bytes: byte[]) : byte[] =
    unzip bytes
    |> List.map (fun (name, content) ->
        name,
        (if name.EndsWith("data.pkl", StringComparison.Ordinal) then
             change content
         else
             content))
    |> zip CompressionLevel.NoCompression

[<Tests>]
let reading =
    testList
        "PythonCheckpoint"
        [
            for name in [ "odd"; "odd-protocol-4"; "odd-zip64" ] do
                test $"views, types and shared numbers of %s{name}.pth, which torch wrote" {
                    let found, weights =
                        readAll (Golden.bytes $"nnunet/%s{name}.pth") |> Problem.orThrow

                    let range (numbers: int list) =
                        numbers |> List.map float32 |> Array.ofList

                    let expected =
                        [
                            "transposed", [ 4; 3 ], range [ 0; 4; 8; 1; 5; 9; 2; 6; 10; 3; 7; 11 ]
                            "inner", [ 2; 3 ], range [ 8; 9; 10; 14; 15; 16 ]
                            "shared", [ 12 ], range [ 12..23 ]
                            "half", [ 3 ], [| 0.5f; -2.0f; 65504.0f |]
                            "bfloat16", [ 3 ], [| 1.0f; -3.5f; 2.0f ** 100.0f |]
                            "double", [ 1; 2 ], [| 0.1f; 1e-30f |]
                            "parameter", [ 2 ], [| 3.0f; 4.0f |]
                            "prefixed", [ 1 ], [| 9.0f |]
                            "scalar", [], [| 7.0f |]
                            "empty", [ 0; 3 ], [||]
                            "single.row", [ 1; 3 ], [| 3.0f; 4.0f; 5.0f |]
                        ]

                    Expect.equal
                        (weights |> List.map (fun array -> array.Name, array.Shape, array.Values))
                        expected
                        "tensors"

                    Expect.equal found.MirrorAxes (Some [ 0; 1 ]) "numpy's numbers"
                    Expect.equal found.Epoch 17 "epoch"
                    Expect.equal (found.Configuration, found.Trainer) (None, None) "what is not there"
                }

            test "only what is wanted is read, and names of the same tensor are one" {
                use stream =
                    new MemoryStream(Golden.bytes "nnunet/plane/fold_0/checkpoint_final.pth")

                let wanted =
                    [ "decoder.seg_layers.1.bias"; "encoder.stages.0.0.convs.0.conv.weight" ]

                let found, weights =
                    PythonCheckpoint.read "some.pth" stream (fun _ -> Ok wanted) |> Problem.orThrow

                Expect.equal (weights |> List.map _.Name) wanted "in the order asked for"
                Expect.equal (weights |> List.map _.Shape) [ [ 3 ]; [ 4; 1; 3; 3 ] ] "shapes"
                Expect.equal found.Trainer (Some "nnUNetTrainerSkeletonRecall") "trainer"
                Expect.equal (found.Configuration, found.Epoch) (Some "2d", 2) "configuration and epoch"
                let names = found.Tensors |> List.map fst
                Expect.equal names (List.distinct names) "each once"

                Expect.isEmpty
                    (names
                     |> List.filter (fun name -> name.Contains "all_modules" || name.StartsWith "decoder.encoder"))
                    "no second names"
            }

            test "an alias stands in for a name that is missing" {
                let bytes =
                    checkpoint
                        (Pickles.dictionary [ "module.decoder.encoder.stages.0.0.convs.0.all_modules.1.weight", small ])
                        two

                let _, weights = readAll bytes |> Problem.orThrow
                Expect.equal (weights |> List.map _.Name) [ "encoder.stages.0.0.convs.0.norm.weight" ] "name"
            }

            test "memory is that of the wanted weights: what the optimizer keeps is not read" {
                let count = 4_000_000
                let values = floats (Array.init count float32)

                let bytes =
                    Pickles.dictionary
                        [
                            "network_weights", Pickles.dictionary [ "w", Pickles.tensor "0" count 0 [ count ] [ 1 ] ]
                            "optimizer_state", Pickles.dictionary [ "m", Pickles.tensor "1" count 0 [ count ] [ 1 ] ]
                        ]
                    |> Pickles.file
                    |> fun pickle -> torchFile pickle [ "0", values; "1", values ]

                use stream = new MemoryStream(bytes)
                let before = GC.GetAllocatedBytesForCurrentThread()
                let _, weights = PythonCheckpoint.readAll "some.pth" stream |> Problem.orThrow
                let taken = GC.GetAllocatedBytesForCurrentThread() - before
                Expect.equal weights.Head.Values[count - 1] (float32 (count - 1)) "the last value"
                Expect.isLessThan taken (int64 values.Length + 1_000_000L) "one copy of the wanted half"
            }
        ]

[<Tests>]
let bad =
    testList
        "PythonCheckpoint, bad input"
        [
            test "any name that is not on the list is refused by name, and nothing is run" {
                let marker = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString "N")

                for moduleName, name in
                    [
                        "posix", "system"
                        "os", "system"
                        "builtins", "eval"
                        "builtins", "getattr"
                        "subprocess", "Popen"
                        "torch", "load"
                        "torch.storage", "_load_from_bytes"
                        "numpy", "load"
                        "collections", "defaultdict"
                        "nnunetv2.training.nnUNetTrainer", "nnUNetTrainer"
                    ] do
                    let hostile =
                        Pickles.call (Pickles.name moduleName name) [ Pickles.text $"touch %s{marker}" ]

                    refused (checkpoint hostile two) $"%s{moduleName}.%s{name}"
                    // Where it would be passed over: in the optimizer's state.
                    [
                        "network_weights", Pickles.dictionary [ "w", small ]
                        "optimizer_state", hostile
                    ]
                    |> Pickles.dictionary
                    |> Pickles.file
                    |> fun pickle -> refused (torchFile pickle two) $"%s{moduleName}.%s{name}"

                // By protocol 4's way of naming.
                let stacked =
                    Array.concat [ Pickles.text "posix"; Pickles.text "system"; Pickles.raw "\u0093" ]

                refused (checkpoint stacked two) "posix.system"
                Expect.isFalse (File.Exists marker) "nothing was run"
            }

            test "pickles that cannot be" {
                let pickle (text: string) =
                    torchFile (Pickles.file (Pickles.raw text)) two

                refused (pickle "") "takes more from its stack"
                refused (pickle "}h\u0005") "recalls number 5"
                refused (pickle "t") "mark that was not set"
                refused (pickle "(i") "old way"
                refused (pickle "I1\n") "protocol 0"
                refused (pickle "X\u00ff\u00ff\u00ff\u007f") "truncated"
                refused (pickle "B\u00ff\u00ff\u00ff\u00ff") "truncated"
                refused (pickle "NNR") "calls None"
                refused (pickle "N\u0085Q") "storage is wanted"
                refused (pickle "}NN\u0086b") "no network_weights"
                refused (pickle "NNb") "inner state of None"
                refused (pickle "]q\u0000h\u0000ah\u0000a") "no network_weights"
                refused (checkpoint (Pickles.text "x") two) "network_weights are a text"
                refused (checkpoint (Pickles.dictionary [ "w", Pickles.text "x" ]) two) "hold a text under w"
                refused (torchFile (Pickles.file (Pickles.dictionary [ "state", small ])) two) "is missing among state"
            }

            test "a pickle that unpacks to more than its size allows" {
                // A text of 1 MiB, and 10,000 times the bytes of it.
                let text = String('x', 1 <<< 20)
                let encode = Pickles.name "_codecs" "encode"

                let times =
                    Array.concat
                        [
                            Pickles.text text
                            Pickles.raw "q\u0001"
                            Array.concat (
                                List.replicate
                                    10_000
                                    (Array.concat
                                        [ encode; Pickles.raw "(h\u0001"; Pickles.text "latin1"; Pickles.raw "tR" ])
                            )
                        ]

                let bytes = torchFile (Pickles.file times) two
                let before = GC.GetAllocatedBytesForCurrentThread()
                refused bytes "unpacks to more than"
                Expect.isLessThan (GC.GetAllocatedBytesForCurrentThread() - before) 150_000_000L "memory"
            }

            test "tensors that are not in their storages" {
                let tensor = Pickles.tensor "0"
                refused (withWeight (tensor 2 1 [ 2 ] [ 1 ]) two) "reaches beyond the 2 numbers"
                refused (withWeight (tensor 2 0 [ 2 ] [ 2 ]) two) "reaches beyond"
                refused (withWeight (tensor 2 0 [ 1_000_000_000 ] [ 0 ]) two) "reaches beyond"
                refused (withWeight (tensor 2 0 [ 2 ] [ 1; 1 ]) two) "1 axes with 2 strides"
                refused (withWeight (tensor 2 0 [ -2 ] [ 1 ]) two) "count of a tensor's shape"
                refused (withWeight (tensor 2_000_000_000 0 [ 2 ] [ 1 ]) two) "has 8 bytes where 2000000000 numbers"
                refused (withWeight (Pickles.tensor "../../etc/passwd" 2 0 [ 2 ] [ 1 ]) two) "lacks the numbers"
                refused (withWeight small []) "lacks the numbers of its storage 0"

                // A million numbers under fifty names each, which would be fifty copies.
                let count = 1_000_000
                let whole = Pickles.tensor "0" count 0 [ count ] [ 1 ]
                let many = [ for index in 0..49 -> $"w%d{index}", whole ]
                let storage = [ "0", Array.zeroCreate<byte>(4 * count) ]

                refused
                    (checkpoint (Pickles.dictionary many) storage)
                    "200000000 bytes of numbers, more than the file has"
            }

            test "zip archives that lie, lead out or are cut off" {
                let good = withWeight small two
                Expect.isOk (readAll good) "the good one"

                for length in 0..7 .. good.Length - 1 do
                    refused (Array.truncate length good) ""

                for evil in [ "../evil"; "/evil"; "model/../../evil"; "c:/evil"; "model\\..\\evil" ] do
                    refused (zip CompressionLevel.NoCompression ((evil, [| 1uy |]) :: unzip good)) "leads out"

                let end' = good.Length - 22
                let first = int (BitConverter.ToUInt32(good, end' + 16))

                let patched (at: int) (value: uint32) =
                    let copy = Array.copy good
                    Array.blit (BitConverter.GetBytes value) 0 copy at 4
                    copy

                // The first entry is data.pkl: its sizes, packed and not, and its place.
                refused (patched (first + 24) 0xFFFFFFF0u) "it cannot have"
                refused (patched (first + 20) 5u) "it cannot have"
                refused (patched (first + 42) 0x7FFFFFFFu) "it cannot have"
                refused (patched (first + 42) 3u) ""
                refused (patched (end' + 12) 0x7FFFFFFFu) "lies about its size"
                refused (patched (end' + 16) 0x7FFFFFFFu) "lies about its size"
                refused (patched (end' + 8) 0xFFFEFFFEu) "lies about its size"
                refused (patched (first + 16) 0xDEADBEEFu) "damaged"
                refused (zip CompressionLevel.NoCompression (unzip good @ unzip good)) "twice"
                refused (zip CompressionLevel.NoCompression [ "readme", [| 1uy |] ]) "without data.pkl"

                let flipped = Array.copy good
                // A bit of the weights.
                let one = ReadOnlySpan [| 0uy; 0uy; 0x80uy; 0x3Fuy |]
                let place = MemoryExtensions.IndexOf(ReadOnlySpan flipped, one)
                flipped[place] <- flipped[place] ^^^ 1uy
                refused flipped "checksum"
            }

            test "compressed archives are read, and those that would burst are not" {
                let count = 10_000_000

                let pickle =
                    Pickles.file (
                        Pickles.dictionary
                            [
                                "network_weights",
                                Pickles.dictionary [ "w", Pickles.tensor "0" count 0 [ count ] [ 1 ] ]
                            ]
                    )

                let good = withWeight small two |> unzip |> zip CompressionLevel.Optimal
                Expect.isOk (readAll good) "deflated"

                let bomb =
                    [ "m/data.pkl", pickle; "m/data/0", Array.zeroCreate<byte>(4 * count) ]
                    |> zip CompressionLevel.Optimal

                Expect.isLessThan bomb.Length 100_000 "a small file"
                let before = GC.GetAllocatedBytesForCurrentThread()
                refused bomb "more than the file has"
                Expect.isLessThan (GC.GetAllocatedBytesForCurrentThread() - before) 5_000_000L "memory"

                [ "m/data.pkl", Array.zeroCreate<byte>(4 * count) ]
                |> zip CompressionLevel.Optimal
                |> fun bomb -> refused bomb "more than any model's"
            }

            test "files of other kinds are told" {
                refused (Golden.bytes "nnunet/legacy.pth") "before 1.6; load it and save it again"
                refused [||] "empty"
                refused [| 1uy; 2uy |] "no checkpoint that torch.save wrote"
                refused (Pickles.file (Pickles.raw "N")) "a pickle by itself"

                let with' (name: string) (bytes: byte[]) =
                    unzip (withWeight small two)
                    |> List.filter (fun (other, _) -> other <> name)
                    |> fun files -> zip CompressionLevel.NoCompression (files @ [ name, bytes ])

                refused (with' "model/byteorder" [| byte 'b'; byte 'i'; byte 'g' |]) "big-endian"
                refused (with' "model/constants.pkl" [||]) "TorchScript"
                refused (with' "other/data.pkl" [||]) "more than once"
            }
        ]
