module SkeletonRecall.Tests.ComponentsTests

open System
open Expecto
open SkeletonRecall

let private connectivities (mask: Mask) : Connectivity list =
    if mask.Extent.Rank = 2 then
        [ Connectivity.Four; Connectivity.Eight ]
    else
        [ Connectivity.Six; Connectivity.Eighteen; Connectivity.TwentySix ]

// Whether labels are a partition of the mask that no two neighbours contradict, numbered in raster order.
let private isLabelling (connectivity: Connectivity) (mask: Mask) : bool =
    let struct (labels, found) = Components.label connectivity mask
    let extent = mask.Extent
    let bytes = (Mask.toVolume mask).Data
    let mutable right = true
    let mutable highest = 0

    for slice in 0 .. extent.Depth - 1 do
        for row in 0 .. extent.Height - 1 do
            for column in 0 .. extent.Width - 1 do
                let label = labels.Data[Extent.index extent slice row column]
                right <- right && (label > 0) = (bytes[Extent.index extent slice row column] = 1uy)
                right <- right && label <= highest + 1
                highest <- max highest label

                for struct (down, along, across) in Connectivity.neighbours connectivity do
                    let slice', row', column' = slice + down, row + along, column + across

                    if
                        uint slice' < uint extent.Depth
                        && uint row' < uint extent.Height
                        && uint column' < uint extent.Width
                    then
                        let other = labels.Data[Extent.index extent slice' row' column']
                        right <- right && (label = 0 || other = 0 || label = other)

    right && highest = found

[<Tests>]
let tests =
    testList
        "Components"
        [
            Property.test "a mask is split into masks of whole components" (fun (AnyMask mask) ->
                let every =
                    if mask.Extent.Rank = 2 then
                        [ Connectivity.Four; Connectivity.Eight ]
                    else
                        [ Connectivity.Six; Connectivity.Eighteen; Connectivity.TwentySix ]

                List.allPairs every [ 1..4 ]
                |> List.forall (fun (connectivity, parts) ->
                    let masks = Components.split connectivity parts mask
                    let count = Components.count connectivity mask

                    masks.Length = max 1 (min parts count)
                    && Array.sumBy Mask.count masks = Mask.count mask
                    && Mask.equal (Array.reduce Mask.union masks) mask
                    && Array.sumBy (Components.count connectivity) masks = count
                    && (masks.Length = 1 || not (Array.exists Mask.isEmpty masks))))

            Property.test "neighbours share a label, numbered in raster order" (fun (AnyMask mask) ->
                connectivities mask
                |> List.forall (fun connectivity -> isLabelling connectivity mask))

            Property.test "equals floods, voxel by voxel" (fun (AnyMask mask) ->
                connectivities mask
                |> List.forall (fun connectivity ->
                    let struct (labels, found) = Components.label connectivity mask
                    let struct (wanted, wantedCount) = PlainComponents.label connectivity mask
                    labels.Data = wanted && found = wantedCount))

            Property.test "what is enclosed is a component of the widened background" (fun (AnyMask mask) ->
                let extent = mask.Extent
                let wider = Extent.ofShape (List.map (fun size -> size + 2) extent.Shape)
                let bytes = (Mask.toVolume mask).Data
                let inner = if extent.Rank = 3 then 1 else 0

                let background =
                    Array.init wider.Count (fun at ->
                        let column = at % wider.Width - 1
                        let row = at / wider.Width % wider.Height - 1
                        let slice = at / wider.Width / wider.Height - inner

                        not (
                            uint slice < uint extent.Depth
                            && uint row < uint extent.Height
                            && uint column < uint extent.Width
                            && bytes[Extent.index extent slice row column] = 1uy
                        ))
                    |> Volume.create wider
                    |> Mask.ofVolume id

                connectivities mask
                |> List.forall (fun connectivity ->
                    let struct (_, found) = PlainComponents.label connectivity background
                    Components.countEnclosed connectivity mask = found - 1))

            Property.test "more neighbours, fewer components; count counts the labels" (fun (AnyMask mask) ->
                let counts =
                    connectivities mask
                    |> List.map (fun connectivity ->
                        let struct (_, found) = Components.label connectivity mask
                        Expect.equal (Components.count connectivity mask) found "count"
                        found)

                counts = List.sortDescending counts)

            testCase "a connectivity of the other rank is refused"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Components.count Connectivity.Six (Mask.empty (Extent.plane 2 2)) |> ignore)
                    "6 in a plane"

                Expect.throwsT<ArgumentException>
                    (fun () -> Components.label Connectivity.Eight (Mask.empty (Extent.space 1 2 2)) |> ignore)
                    "8 in a volume"

            // Each component on its own is one component: none of the labels joins what belongs apart.
            testCase "a mask of known parts"
            <| fun () ->
                let mask = Generators.plane [ "##..#"; "..#.."; "#...#"; "#..##" ]
                Expect.equal (Components.count Connectivity.Four mask) 5 "4"
                Expect.equal (Components.count Connectivity.Eight mask) 4 "8"
                let struct (labels, _) = Components.label Connectivity.Eight mask

                Expect.equal
                    labels.Data
                    [| 1; 1; 0; 0; 2; 0; 0; 1; 0; 0; 3; 0; 0; 0; 4; 3; 0; 0; 4; 4 |]
                    "numbers in raster order"

            Parity.tests "parity" Parity.masks (fun record ->
                let mask = Golden.mask (record.File "mask")

                for name, count in record.Counts "components" do
                    Expect.equal [ Components.count (Parity.connectivity name) mask ] count name)
        ]
