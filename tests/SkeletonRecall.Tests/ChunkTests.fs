module SkeletonRecall.Tests.ChunkTests

open System
open System.Runtime.Intrinsics
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Chunk"
        [
            testCase "the chunks around words that go wake, and no others"
            <| fun () ->
                let random = Random 3

                for _ in 1..2000 do
                    let stride = random.Next(1, 30)
                    let slab = stride * random.Next(3, 9)
                    let first = slab + stride + 8 + random.Next 64
                    let last = first + random.Next 8
                    let active = Array.zeroCreate<byte>((last + slab + stride) / 8 + 8)
                    Chunk.wake active stride slab first last

                    let wanted =
                        Set
                            [
                                for slice in [ -slab; 0; slab ] do
                                    for row in [ -stride; 0; stride ] do
                                        for word in first..last -> (word + slice + row) / 8
                            ]

                    let got =
                        active
                        |> Seq.indexed
                        |> Seq.filter (snd >> (<>) 0uy)
                        |> Seq.map fst
                        |> Set.ofSeq

                    Expect.equal got wanted $"rows of %d{stride}, slices of %d{slab}, words %d{first} to %d{last}"

                    Expect.isTrue
                        (active |> Array.forall (fun sides -> sides = 0uy || sides = Chunk.AllSides))
                        "all sides"

            testCase "voxels at an end of a word wake what is beside it"
            <| fun () ->
                let woken (at: int) (voxels: uint64) =
                    let active = Array.zeroCreate<byte> 256
                    Chunk.wakeAround active 24 480 at voxels
                    List.map (fun chunk -> active[chunk] <> 0uy) [ at / 8 - 1; at / 8; at / 8 + 1 ]

                Expect.equal (woken 800 1UL) [ true; true; false ] "the first column of a word"
                Expect.equal (woken 807 (1UL <<< 63)) [ false; true; true ] "the last column"
                Expect.equal (woken 800 2UL) [ false; true; false ] "neither"

            testCase "words that hold something are listed"
            <| fun () ->
                let random = Random 4

                for _ in 1..500 do
                    let words =
                        Array.init 8 (fun _ -> if random.Next 3 = 0 then 1UL <<< random.Next 64 else 0UL)

                    let eight = Vector512.Create<uint64> words
                    let places = Array.zeroCreate<int> 20
                    let taken = Array.zeroCreate<uint64> 20
                    let found = Chunk.append eight 80 (Array.zeroCreate 8) places taken 5
                    let wanted = words |> Array.indexed |> Array.filter (snd >> (<>) 0UL)

                    let got =
                        Array.init (found - 5) (fun index -> places[5 + index] - 80, taken[5 + index])

                    Expect.equal got wanted "places and words"
                    Expect.equal (Chunk.any eight) (min 1 wanted.Length) "any"
        ]
