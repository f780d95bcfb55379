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
