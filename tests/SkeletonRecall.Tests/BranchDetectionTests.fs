module SkeletonRecall.Tests.BranchDetectionTests

open System
open Expecto
open SkeletonRecall

// Lines one pixel wide, which are their own skeletons; in mm of 2 x 1.
let private lines (rows: string list) : Mask =
    Volume.create (Extent.plane rows.Length rows[0].Length) (rows |> String.concat "" |> Array.ofSeq)
    |> Volume.withSpacing (Spacing.ofList [ 2.0; 1.0 ])
    |> Mask.ofVolume (fun letter -> letter = '#')

// A branch of 11 voxels and one of 6.
let private truth =
    lines
        [
            "#..............."
            "#..............."
            "#..............."
            "#..............."
            "#..............."
            "#..............."
            "................"
            "..###########..."
        ]

let private measured (prediction: Mask) : BranchDetection =
    BranchDetection.ofSkeletons BranchDetection.Share prediction prediction truth truth

[<Tests>]
let tests =
    testList
        "BranchDetection"
        [
            testCase "all is found of itself"
            <| fun () ->
                Expect.equal
                    (measured truth)
                    {
                        Branches = 2
                        Detected = 2
                        Broken = 0
                        Invented = 0
                        Length = 20.0
                        LengthDetected = 20.0
                    }
                    "itself"

            testCase "a gap, a stump and an invented branch"
            <| fun () ->
                let prediction =
                    lines
                        [
                            "#.............##"
                            "#............#.."
                            "#...........#..."
                            "..........##...."
                            "................"
                            "................"
                            "................"
                            "..#####.#####..."
                        ]

                Expect.equal
                    (measured prediction)
                    {
                        Branches = 2
                        // 10 of 11 voxels; 3 of 6.
                        Detected = 1
                        Broken = 1
                        Invented = 1
                        Length = 20.0
                        LengthDetected = 12.0
                    }
                    "counts"

            Property.test "a mask finds its own branches" (fun (AnyMask mask) ->
                let found = BranchDetection.measure mask mask

                found.Detected = found.Branches
                && found.Broken = 0
                && found.Invented = 0
                && abs (found.Length - found.LengthDetected) <= 1e-9 * found.Length)

            Property.test "the longer the prediction, the more it finds" (fun (AnyPair(prediction, truth)) ->
                let less = BranchDetection.measure prediction truth
                let more = BranchDetection.measure (Mask.union prediction truth) truth

                less.Detected <= less.Branches
                && less.LengthDetected <= less.Length + 1e-9
                && more.Detected = more.Branches)

            testCase "a share out of range is refused"
            <| fun () ->
                for least in [ 0.0; 1.1; nan ] do
                    Expect.throwsT<ArgumentException>
                        (fun () -> BranchDetection.ofSkeletons least truth truth truth truth |> ignore)
                        $"%g{least}"
        ]
