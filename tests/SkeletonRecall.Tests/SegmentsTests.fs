module SkeletonRecall.Tests.SegmentsTests

open System
open Expecto
open SkeletonRecall

let private extents =
    [ Extent.plane 21 70; Extent.plane 20 67; Extent.space 9 12 66 ]

// Random segments around an extent, some of them reaching beyond it.
let private draw (extent: Extent) (seed: int) : float32[] =
    let random = Random seed

    let sizes =
        [| (if extent.Rank = 3 then extent.Depth else 0); extent.Height; extent.Width |]

    Array.init 60 (fun at -> float32 ((random.NextDouble() - 0.5) * 1.4 * float sizes[at % 3]))

let private full (extent: Extent) : Connectivity =
    if extent.Rank = 2 then
        Connectivity.Eight
    else
        Connectivity.TwentySix

let private flipped (axis: int) (mask: Mask) : Mask =
    let extent = mask.Extent
    let source = (Mask.toVolume mask).Data
    let size = [| extent.Depth; extent.Height; extent.Width |]

    Array.init extent.Count (fun at ->
        let place =
            [|
                at / extent.Width / extent.Height
                at / extent.Width % extent.Height
                at % extent.Width
            |]

        place[axis] <- size[axis] - 1 - place[axis]
        source[Extent.index extent place[0] place[1] place[2]])
    |> Volume.create extent
    |> Mask.ofVolume (fun value -> value = 1uy)

[<Tests>]
let tests =
    testList
        "Segments"
        [
            for extent in extents do
                testCase $"a segment inside has no gap and holds its ends (%O{extent})"
                <| fun () ->
                    for seed in 1..30 do
                        let segment =
                            draw extent seed |> Array.take 6 |> Array.map (fun value -> value / 1.5f)

                        let mask = Segments.rasterize extent segment
                        Expect.equal (Components.count (full extent) mask) 1 $"seed %d{seed}: %A{segment}"

                        for start in [ 0; 3 ] do
                            let at (axis: int) (size: int) =
                                int (round (float segment[start + axis] + float (size - 1) / 2.0))

                            Expect.isTrue
                                (Mask.get mask (at 0 extent.Depth) (at 1 extent.Height) (at 2 extent.Width))
                                "an end"

                testCase $"mirrored segments give mirrored voxels (%O{extent})"
                <| fun () ->
                    for seed in 1..10 do
                        let segments = draw extent seed
                        let mask = Segments.rasterize extent segments

                        for axis in 3 - extent.Rank .. 2 do
                            let mirrored =
                                segments |> Array.mapi (fun at value -> if at % 3 = axis then -value else value)

                            Expect.isTrue
                                (Mask.equal (flipped axis mask) (Segments.rasterize extent mirrored))
                                $"axis %d{axis}, seed %d{seed}"

            testCase "between voxels that touch nothing else is drawn"
            <| fun () ->
                let mask =
                    Segments.rasterize (Extent.plane 4 4) [| 0f; -1.5f; -1.5f; 0f; -0.5f; -0.5f |]

                Expect.equal (Generators.picture mask) "#...\n.#..\n....\n....\n" "two voxels"

            testCase "a segment without length is a voxel; outside nothing is drawn"
            <| fun () ->
                let mask =
                    Segments.rasterize (Extent.plane 1 3) [| 0f; 0f; 1f; 0f; 0f; 1f; 0f; 0f; 5f; 0f; 9f; 5f |]

                Expect.equal (Generators.picture mask) "..#\n" "one voxel"

            testCase "numbers come by six and are finite"
            <| fun () ->
                for coordinates in [ [| 1f |]; [| 0f; 0f; nanf; 0f; 0f; 0f |] ] do
                    Expect.throwsT<ArgumentException>
                        (fun () -> Segments.rasterize (Extent.plane 2 2) coordinates |> ignore)
                        $"%A{coordinates}"
        ]
