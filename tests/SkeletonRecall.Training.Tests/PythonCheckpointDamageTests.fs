module SkeletonRecall.Tests.PythonCheckpointDamageTests

open System
open System.IO
open System.IO.Compression
open Expecto
open SkeletonRecall.Training
open SkeletonRecall.Tests.TorchFiles
open SkeletonRecall.Tests.PythonCheckpointTests

let private opcodes =
    "(.0125BCFGIJKLMNPQRSTUVXabcdeghijlopqrstu})]\u0080\u0081\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f\u0090\u0091\u0093\u0094\u0095"

let private mutate (random: Random) (bytes: byte[]) : byte[] =
    match random.Next 6 with
    | 0 -> Damage.cut random bytes
    | 1 ->
        let copy = Array.copy bytes
        let start = random.Next(max 1 (copy.Length - 4))
        Array.blit (BitConverter.GetBytes(random.Next Int32.MaxValue >>> random.Next 31)) 0 copy start 4
        copy
    | 2 ->
        let copy = Array.copy bytes

        for _ in 0 .. random.Next 4 do
            copy[random.Next copy.Length] <- byte opcodes[random.Next opcodes.Length]

        copy
    | 3 ->
        let start = random.Next bytes.Length
        let length = min (random.Next 200) (bytes.Length - start)

        Array.concat
            [
                Array.truncate (start + length) bytes
                Array.sub bytes start length
                Array.skip (start + length) bytes
            ]
    | 4 -> Damage.largest random bytes
    | _ -> Damage.spots random bytes

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
                let reasons = ref 0

                let damaged (at: int) : byte[] =
                    match at % 5 with
                    | 0 -> mutate random odd
                    | 1 -> mutate random plane
                    | 2 -> changePickle (mutate random) odd
                    | 3 -> changePickle (mutate random) odd4
                    | _ -> changePickle (mutate random) plane

                Damage.withstands 5000 3.0 20_000_000L damaged (fun bytes ->
                    match readAll bytes with
                    | Ok _ -> ()
                    | Error problem ->
                        reasons.Value <- reasons.Value + 1
                        Expect.isFalse ((Problem.message problem).Contains '\n') (Problem.message problem))

                Expect.isGreaterThan reasons.Value 2000 "most are refused"

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
