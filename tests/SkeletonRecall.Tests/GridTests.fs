module SkeletonRecall.Tests.GridTests

open System
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Grid"
        [
            testCase "a plane is no volume of one slice"
            <| fun () ->
                Expect.notEqual (Extent.plane 3 4) (Extent.space 1 3 4) "ranks differ"
                Expect.equal (Extent.ofShape [ 3; 4 ]) (Extent.plane 3 4) "by shape"
                Expect.equal (Extent.space 2 3 4).Count 24 "voxels"

            testCase "an axis is at least 1 long"
            <| fun () ->
                for shape in [ [ 0; 4 ]; [ 4; -1 ]; [ 0; 4; 4 ] ] do
                    Expect.throwsT<ArgumentException> (fun () -> Extent.ofShape shape |> ignore) $"%A{shape}"

            testCase "only planes and volumes"
            <| fun () ->
                for shape in [ []; [ 4 ]; [ 1; 2; 3; 4 ] ] do
                    Expect.throwsT<ArgumentException> (fun () -> Extent.ofShape shape |> ignore) $"%A{shape}"

            testCase "no more voxels than one array holds"
            <| fun () ->
                Expect.throwsT<ArgumentException> (fun () -> Extent.space 2048 2048 2048 |> ignore) "2^33 voxels"

            testCase "nor more than 64 bits count; the message has the size and the limit"
            <| fun () ->
                let longest = Int32.MaxValue

                for shape in
                    [
                        [ longest; longest; longest ]
                        [ longest; 1; 2 ]
                        [ 1 <<< 30; 1 <<< 30; 16 ]
                        [ 1 <<< 16; 1 <<< 16 ]
                    ] do
                    Expect.throwsC (fun () -> Extent.ofShape shape |> ignore) (fun error ->
                        Expect.isTrue (error :? ArgumentException) $"%A{shape}"
                        let size = (if shape.Length = 2 then 1 :: shape else shape) |> List.map string
                        Expect.stringContains error.Message (String.Join(" x ", size)) "the size"
                        Expect.stringContains error.Message (string Array.MaxLength) "the limit")

            testCase "a spacing is positive and finite"
            <| fun () ->
                for values in
                    [
                        [ 0.0; 1.0 ]
                        [ 1.0; nan ]
                        [ 1.0; infinity ]
                        [ -1.0; 1.0 ]
                        [ 1.0 ]
                        [ 1.0; 1.0; 1.0; 1.0 ]
                    ] do
                    Expect.throwsT<ArgumentException> (fun () -> Spacing.ofList values |> ignore) $"%A{values}"
        ]
