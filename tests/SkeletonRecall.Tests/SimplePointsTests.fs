module SkeletonRecall.Tests.SimplePointsTests

open System
open System.Runtime.Intrinsics
open Expecto
open SkeletonRecall

// Neighbourhoods of all densities; the voxel itself, bit 13, is left out.
let private neighbourhoods: uint32[] =
    let random = Random 7

    Array.init 200_000 (fun at ->
        let density = float (at % 27) / 26.0

        Seq.init 27 (fun bit -> if random.NextDouble() < density then 1u <<< bit else 0u)
        |> Seq.sum
        |> (&&&) ~~~(1u <<< 13))

// The corners, edges and faces of the voxel, each with the neighbours that it is shared with, and its sign.
let private cells: struct (uint32 * int)[] =
    let steps = [ -1; 0; 1 ]

    [|
        for z in steps do
            for y in steps do
                for x in steps do
                    if (z, y, x) <> (0, 0, 0) then
                        let shared =
                            [
                                for down in List.distinct [ 0; z ] do
                                    for along in List.distinct [ 0; y ] do
                                        for across in List.distinct [ 0; x ] do
                                            if (down, along, across) <> (0, 0, 0) then
                                                1u <<< (9 * (down + 1) + 3 * (along + 1) + across + 1)
                            ]

                        let dimension = [ z; y; x ] |> List.filter ((=) 0) |> List.length
                        struct (List.sum shared, (if dimension = 1 then -1 else 1))
    |]

// What the voxel shares with its neighbours has the Euler characteristic 1.
let private isEulerInvariant (neighbours: uint32) : bool =
    let mutable sum = 0

    for struct (shared, sign) in cells do
        if neighbours &&& shared <> 0u then
            sum <- sum + sign

    sum = 1

let private answers (ask: Vector512<uint32> -> Vector512<uint32>) : bool[] =
    neighbourhoods
    |> Array.chunkBySize 16
    |> Array.collect (fun sixteen ->
        let lanes = ask (Vector512.Create<uint32> sixteen)
        Array.init 16 (fun lane -> lanes.GetElement lane <> 0u))

[<Tests>]
let tests =
    testList
        "SimplePoints"
        [
            testCase "16 voxels at a time are what each is alone"
            <| fun () ->
                let check (name: string) (wanted: uint32 -> bool) (got: bool[]) =
                    Array.iter2
                        (fun neighbours got ->
                            if got <> wanted neighbours then
                                failtest $"%s{name}: %x{neighbours} is %b{got}.")
                        neighbourhoods
                        got

                check "simple" SimplePoint.isOnePiece (answers (fun all -> SimplePoints.areSimple all))

                check
                    "removable"
                    (fun one ->
                        System.Numerics.BitOperations.PopCount one > 1
                        && isEulerInvariant one
                        && SimplePoint.isOnePiece one)
                    (answers (fun all -> SimplePoints.areRemovable all))
        ]
