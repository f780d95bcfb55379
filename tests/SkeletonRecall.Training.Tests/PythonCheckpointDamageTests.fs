module SkeletonRecall.Tests.PythonCheckpointDamageTests

open System
open System.Diagnostics
open System.IO
open System.IO.Compression
open Expecto
open SkeletonRecall.Training
open SkeletonRecall.Tests.TorchFiles
open SkeletonRecall.Tests.PythonCheckpointTests

let private opcodes =
    "(.0125BCFGIJKLMNPQRSTUVXabcdeghijlopqrstu})]\u0080\u0081\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f\u0090\u0091\u0093\u0094\u0095"

let private mutate (random: Random) (bytes: byte[]) : byte[] =
    let copy = Array.copy bytes

    match random.Next 6 with
    | 0 -> Array.truncate (random.Next bytes.Length) copy
    | 1 ->
        let start = random.Next(max 1 (copy.Length - 4))
        Array.blit (BitConverter.GetBytes(random.Next Int32.MaxValue >>> random.Next 31)) 0 copy start 4
        copy
    | 2 ->
        for _ in 0 .. random.Next 4 do
            copy[random.Next copy.Length] <- byte opcodes[random.Next opcodes.Length]

        copy
    | 3 ->
        let start = random.Next copy.Length
        let length = min (random.Next 200) (copy.Length - start)

        Array.concat
            [
                Array.truncate (start + length) copy
                Array.sub copy start length
                Array.skip (start + length) copy
            ]
    | 4 ->
        let start = random.Next(max 1 (copy.Length - 4))
        Array.fill copy start (min 4 (copy.Length - start)) 0xFFuy
        copy
    | _ ->
        for _ in 0 .. random.Next 8 do
            copy[random.Next copy.Length] <- byte (random.Next 256)

        copy

[<Tests>]
let damage =
    testList
        "PythonCheckpoint under damage"
        [
            test "5000 mutations end in a reason or a result, soon and in little memory" {
                let odd, odd4 =
                    Golden.bytes "nnunet/odd.pth", Golden.bytes "nnunet/odd-protocol-4.pth"

                let plane = Golden.bytes "nnunet/plane/fold_0/checkpoint_final.pth"
                let nested = zip CompressionLevel.Optimal [ "m/odd.pth", odd ]
                let random = Random 20
                let clock = Stopwatch.StartNew()
                let mutable most = 0L
                let mutable reasons = 0

                for at in 0..4999 do
                    let mutated =
                        match at % 5 with
                        | 0 -> mutate random odd
                        | 1 -> mutate random plane
                        | 2 -> changePickle (mutate random) odd
                        | 3 -> changePickle (mutate random) odd4
                        | _ -> changePickle (mutate random) plane

                    let before = GC.GetAllocatedBytesForCurrentThread()

                    match readAll mutated with
                    | Ok _ -> ()
                    | Error problem ->
                        reasons <- reasons + 1
                        Expect.isFalse ((Problem.message problem).Contains '\n') (Problem.message problem)

                    most <- max most (GC.GetAllocatedBytesForCurrentThread() - before)

                Expect.isGreaterThan reasons 2000 "most are refused"
                Expect.isLessThan most 20_000_000L "memory of one file"
                Expect.isLessThan clock.Elapsed.TotalMinutes 3.0 "hangs"

                // The same through a file in an archive on disk, beside which nothing appears.
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "model.zip")

                    for _ in 0..299 do
                        File.WriteAllBytes(path, mutate random nested)

                        match ModelFile.weights (Path.Combine(path, "m", "odd.pth")) with
                        | Ok _ -> ()
                        | Error problem -> Expect.isFalse ((Problem.message problem).Contains '\n') "one line"

                        Expect.equal (Directory.GetFileSystemEntries folder) [| path |] "nothing beside it")
            }
        ]
