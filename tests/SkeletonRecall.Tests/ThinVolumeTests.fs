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

            Property.test "under the guard, too" (fun (AnySpace mask) ->
                Mask.equal (Skeleton.thinGuarded Thinning.Lee mask) (PlainVolume.thinGuarded mask))

            Property.test "all passes at once, block by block, are one pass after the other" (fun (AnySpace mask) ->
                Mask.equal (ThinVolume.thinInBlocks mask) (PlainVolume.thin mask))

            testCase "so they are in volumes of many blocks"
            <| fun () ->
                for seed in 1..6 do
                    let random = Random seed

                    let extent =
                        Extent.space (random.Next(20, 50)) (random.Next(1, 40)) (random.Next(40, 200))

                    let radii = Array.init 12 (fun _ -> 2.0 + 5.0 * random.NextDouble())

                    let centres =
                        radii
                        |> Array.map (fun _ ->
                            random.Next extent.Depth, random.Next extent.Height, random.Next extent.Width)

                    // Balls, stretched along the rows, and specks.
                    let mask =
                        Array.init extent.Count (fun at ->
                            let column = at % extent.Width
                            let row = at / extent.Width % extent.Height
                            let slice = at / extent.Width / extent.Height

                            random.Next 50 = 0
                            || Array.exists2
                                (fun radius (z, y, x) ->
                                    float ((slice - z) * (slice - z) + (row - y) * (row - y))
                                    + 0.1 * float ((column - x) * (column - x))
                                        <
                                        radius * radius)
                                radii
                                centres)
                        |> Volume.create extent
                        |> Mask.ofVolume id

                    Parity.requireMask (ThinVolume.thinInBlocks mask) (PlainVolume.thin mask) $"seed %d{seed}"
                    Parity.requireMask (Skeleton.thin mask) (PlainVolume.thin mask) $"seed %d{seed}, at once"

                    Parity.requireMask
                        (Skeleton.thinGuarded Thinning.Lee mask)
                        (PlainVolume.thinGuarded mask)
                        $"seed %d{seed}, under the guard"

            testCase "so they are where rows are longer than a chunk"
            <| fun () ->
                for width in [ 255; 500; 530; 640 ] do
                    let extent = Extent.space 7 6 width
                    let random = Random width
                    let gaps = Array.init (width / 16) (fun _ -> random.Next extent.Count)
                    let mask = Array.init extent.Count (fun _ -> true)
                    gaps |> Array.iter (fun at -> mask[at] <- false)
                    let mask = Volume.create extent mask |> Mask.ofVolume id
                    Parity.requireMask (Skeleton.thin mask) (PlainVolume.thin mask) $"width %d{width}"

                    Parity.requireMask
                        (ThinVolume.thinInBlocks mask)
                        (PlainVolume.thin mask)
                        $"width %d{width}, in blocks"

                    Parity.requireMask
                        (Skeleton.thinGuarded Thinning.Lee mask)
                        (PlainVolume.thinGuarded mask)
                        $"width %d{width}, under the guard"

            Property.test "equals them on planes, taken as one slice" (fun (AnyPlane mask) ->
                Mask.equal (Skeleton.thinBy Thinning.Lee mask) (PlainVolume.thin mask)
                && Mask.equal (Skeleton.thinGuarded Thinning.Lee mask) (PlainVolume.thinGuarded mask))

            testCase "patterns of 3 x 3 x 3 voxels"
            <| fun () ->
                for seed in 1..30 do
                    let mask = patterns seed
                    Parity.requireMask (Skeleton.thin mask) (PlainVolume.thin mask) $"seed %d{seed}"

                    Parity.requireMask
                        (Skeleton.thinGuarded Thinning.Lee mask)
                        (PlainVolume.thinGuarded mask)
                        $"seed %d{seed}, under the guard"

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
