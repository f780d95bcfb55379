module SkeletonRecall.Tests.ThinVolumeTests

open System
open Expecto
open SkeletonRecall

// A volume that holds 3 x 3 x 3 patterns apart from each other.
let private patterns (seed: int) : Mask =
    let random = Random seed
    let extent = Extent.space 15 20 67
    let density = random.NextDouble()

    Array.init extent.Count (fun at ->
        let column = at % extent.Width
        let row = at / extent.Width % extent.Height
        let slice = at / extent.Width / extent.Height

        slice % 5 < 3 && row % 5 < 3 && column % 5 < 3 && random.NextDouble() < density)
    |> Volume.create extent
    |> Mask.ofVolume id

[<Tests>]
let tests =
    testList
        "ThinVolume"
        [
            Property.test "equals the tables, voxel by voxel" (fun (AnySpace mask) ->
                Mask.equal (Skeleton.thinBy Thinning.Lee mask) (PlainVolume.thin mask))

            Property.test "equals them on planes, taken as one slice" (fun (AnyPlane mask) ->
                Mask.equal (Skeleton.thinBy Thinning.Lee mask) (PlainVolume.thin mask))

            testCase "patterns of 3 x 3 x 3 voxels"
            <| fun () ->
                for seed in 1..30 do
                    let mask = patterns seed
                    Parity.requireMask (Skeleton.thin mask) (PlainVolume.thin mask) $"seed %d{seed}"
                    let holes = Mask.complement mask
                    Parity.requireMask (Skeleton.thin holes) (PlainVolume.thin holes) $"seed %d{seed}, as holes"

            testCase "one-voxel axes, full and on the border"
            <| fun () ->
                for shape in
                    [
                        [ 1; 1; 1 ]
                        [ 1; 1; 70 ]
                        [ 1; 70; 1 ]
                        [ 70; 1; 1 ]
                        [ 1; 9; 64 ]
                        [ 9; 1; 63 ]
                        [ 9; 64; 1 ]
                        [ 4; 4; 64 ]
                        [ 5; 6; 130 ]
                    ] do
                    let full = Mask.complement (Mask.empty (Extent.ofShape shape))
                    Parity.requireMask (Skeleton.thin full) (PlainVolume.thin full) $"%A{shape}"
        ]
