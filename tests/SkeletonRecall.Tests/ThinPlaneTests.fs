module SkeletonRecall.Tests.ThinPlaneTests

open Expecto
open SkeletonRecall

// Every 3 x 3 pattern, 64 to a row, so that the patterns lie at all places of a word, with two pixels between them.
let private patterns: Mask =
    let across = 64
    let extent = Extent.plane (512 / across * 5) (across * 5 + 3)

    Array.init extent.Count (fun at ->
        let row, column = at / extent.Width, at % extent.Width

        row % 5 < 3
        && column % 5 < 3
        && column < across * 5
        && (row / 5 * across + column / 5) >>> (row % 5 * 3 + column % 5) &&& 1 = 1)
    |> Volume.create extent
    |> Mask.ofVolume id

[<Tests>]
let tests =
    testList
        "ThinPlane"
        [
            Property.test "equals the table, pixel by pixel" (fun (AnyPlane mask) ->
                Mask.equal (Skeleton.thinBy Thinning.Zhang mask) (PlainPlane.thin mask))

            testCase "every pattern of 3 x 3 pixels"
            <| fun () ->
                Parity.requireMask (Skeleton.thinBy Thinning.Zhang patterns) (PlainPlane.thin patterns) "patterns"

            testCase "every neighbourhood, inside other pixels"
            <| fun () ->
                let filled = Mask.complement patterns
                Parity.requireMask (Skeleton.thinBy Thinning.Zhang filled) (PlainPlane.thin filled) "patterns as holes"

            testCase "large planes"
            <| fun () ->
                for seed in 1..6 do
                    let random = System.Random seed
                    let extent = Extent.plane (random.Next(100, 300)) (random.Next(100, 700))

                    // Thresholded sums of waves: blobs and holes of many sizes.
                    let waves =
                        Array.init 12 (fun _ ->
                            random.NextDouble() * 0.3, random.NextDouble() * 0.3, random.NextDouble() * 6.3)

                    let mask =
                        Array.init extent.Count (fun at ->
                            let row, column = float (at / extent.Width), float (at % extent.Width)

                            waves
                            |> Array.sumBy (fun (down, across, phase) -> sin (down * row + across * column + phase))
                            |> fun height -> height > 0.5)
                        |> Volume.create extent
                        |> Mask.ofVolume id

                    Parity.requireMask (Skeleton.thinBy Thinning.Zhang mask) (PlainPlane.thin mask) $"seed %d{seed}"
        ]
