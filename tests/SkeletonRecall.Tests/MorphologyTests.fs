module SkeletonRecall.Tests.MorphologyTests

open System
open Expecto
open SkeletonRecall

let private elements = [ Element.Cross; Element.Box ]

// The obvious dilation: a voxel is there when any of its neighbours is.
let private plain (element: Element) (mask: Mask) : Mask =
    let extent = mask.Extent

    let steps =
        match element, extent.Rank with
        | Element.Cross, 2 -> Connectivity.Four
        | Element.Box, 2 -> Connectivity.Eight
        | Element.Cross, _ -> Connectivity.Six
        | Element.Box, _ -> Connectivity.TwentySix
        | Element.Ball _, _ -> invalidOp "Balls have a test of their own."
        |> Connectivity.neighbours

    let bytes = (Mask.toVolume mask).Data
    let result = Array.copy bytes

    for slice in 0 .. extent.Depth - 1 do
        for row in 0 .. extent.Height - 1 do
            for column in 0 .. extent.Width - 1 do
                for struct (down, along, across) in steps do
                    let slice', row', column' = slice + down, row + along, column + across

                    if
                        uint slice' < uint extent.Depth
                        && uint row' < uint extent.Height
                        && uint column' < uint extent.Width
                        && bytes[Extent.index extent slice' row' column'] = 1uy
                    then
                        result[Extent.index extent slice row column] <- 1uy

    Mask.ofVolume (fun cell -> cell = 1uy) (Volume.create extent result)

// A mask with some spacing and a radius that suits it, the same for the same mask.
let private withBall (mask: Mask) : struct (Mask * float) =
    let random = Random(Mask.count mask)

    let steps = List.init mask.Extent.Rank (fun _ -> float (random.Next(1, 9)) / 4.0)

    struct (mask |> Mask.withSpacing (Spacing.ofList steps), float (random.Next(1, 25)) / 4.0)

let private isSubset (inner: Mask) (outer: Mask) : bool =
    Mask.isEmpty (Mask.difference inner outer)

[<Tests>]
let tests =
    testList
        "Morphology"
        [
            Property.test "one step is the union over the neighbours" (fun (AnyMask mask) ->
                elements
                |> List.forall (fun element -> Mask.equal (Morphology.dilate element 1 mask) (plain element mask)))

            Property.test "steps add up" (fun (AnyMask mask) ->
                List.allPairs elements [ 0, 0; 0, 1; 1, 1; 1, 2; 2, 3 ]
                |> List.forall (fun (element, (first, second)) ->
                    let dilate steps = Morphology.dilate element steps
                    Mask.equal (mask |> dilate first |> dilate second) (dilate (first + second) mask)))

            Property.test "grows, box more than cross, and leaves its input alone" (fun (AnyMask mask) ->
                let before = Mask.toVolume mask
                let cross = Morphology.dilate Element.Cross 2 mask
                let box = Morphology.dilate Element.Box 2 mask

                Mask.isEmpty (Mask.difference mask cross)
                && Mask.isEmpty (Mask.difference cross box)
                && Volume.equal before (Mask.toVolume mask))

            // Spacings and radii are quarters, so that no distance is rounded.
            Property.test "a ball's dilation is the distance to the mask, cut off at the radius" (fun (AnyMask mask) ->
                let struct (mask, radius) = withBall mask

                let near =
                    Distance.toMask mask |> Mask.ofVolume (fun distance -> distance <= radius)

                Mask.equal (Morphology.dilate (Element.Ball radius) 1 mask) near)

            Property.test "a ball's erosion is the distance to the background, cut off at it" (fun (AnyMask mask) ->
                let struct (mask, radius) = withBall mask

                let deep =
                    Distance.toBackground mask |> Mask.ofVolume (fun distance -> distance > radius)

                Mask.equal (Morphology.erode (Element.Ball radius) 1 mask) deep)

            Property.test "a ball of one voxel's spacing is the cross" (fun (AnyMask mask) ->
                let ball = Morphology.dilate (Element.Ball 1.2) 2 mask
                Mask.equal ball (Morphology.dilate Element.Cross 2 mask))

            testCase "a radius reached but for rounding is reached"
            <| fun () ->
                let line =
                    Generators.plane [ "......#......" ]
                    |> Mask.withSpacing (Spacing.ofList [ 1.0; 0.1 ])

                // 3 * 0.1 is more than 0.3 in floating point.
                Expect.equal (Mask.count (Morphology.dilate (Element.Ball 0.3) 1 line)) 7 "3 to both sides"

            Property.test "erosion keeps the voxels whose neighbours in the grid are all there" (fun (AnyMask mask) ->
                elements
                |> List.forall (fun element ->
                    let wanted = Mask.complement mask |> plain element |> Mask.complement
                    Mask.equal (Morphology.erode element 1 mask) wanted))

            Property.test "erosions add up and are adjoint to dilations" (fun (AnyPair(mask, other)) ->
                List.allPairs elements [ 0, 1; 1, 2 ]
                |> List.forall (fun (element, (first, second)) ->
                    let erode steps = Morphology.erode element steps
                    let dilate steps = Morphology.dilate element steps

                    Mask.equal (mask |> erode first |> erode second) (erode (first + second) mask)
                    && isSubset (dilate second mask) other = isSubset mask (erode second other)
                    && isSubset mask (mask |> dilate second |> erode second)
                    && isSubset (mask |> erode second |> dilate second) mask))

            testCase "balls have a radius"
            <| fun () ->
                for radius in [ 0.0; -1.0; nan; infinity ] do
                    Expect.throwsT<ArgumentException>
                        (fun () ->
                            Mask.empty (Extent.plane 2 2)
                            |> Morphology.dilate (Element.Ball radius) 1
                            |> ignore)
                        $"%g{radius}"

            testCase "steps are counted from 0"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Mask.empty (Extent.plane 2 2) |> Morphology.dilate Element.Cross -1 |> ignore)
                    "-1 steps"

            Parity.tests "parity" Parity.masks (fun record ->
                match record.TryFile "mask_dilate2" with
                | Some wanted ->
                    Parity.requireMask
                        (Morphology.dilate Element.Cross 2 (Golden.mask (record.File "mask")))
                        (Golden.mask wanted)
                        "mask_dilate2"
                | None -> ()

                Parity.requireMask
                    (Morphology.dilate Element.Cross 2 (Skeleton.thin (Golden.mask (record.File "mask"))))
                    (Golden.mask (record.File "skel_dilate2"))
                    "skel_dilate2")
        ]
