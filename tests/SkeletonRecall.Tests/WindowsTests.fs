module SkeletonRecall.Tests.WindowsTests

open System
open Expecto
open SkeletonRecall

let private voxels (mask: Mask) : bool[] =
    (Mask.toVolume mask).Data |> Array.map (fun cell -> cell <> 0uy)

[<Tests>]
let tests =
    testList
        "Windows"
        [
            Property.test "tiles hold every voxel once" (fun (AnyMask mask) ->
                let extent = mask.Extent
                let seen = Array.zeroCreate<int> extent.Count

                for side in [ 1; 3; 64 ] do
                    for struct (part, slice, row, column) in Windows.tiles side extent do
                        for z in slice .. slice + part.Depth - 1 do
                            for y in row .. row + part.Height - 1 do
                                for x in column .. column + part.Width - 1 do
                                    let at = Extent.index extent z y x
                                    seen[at] <- seen[at] + 1

                seen |> Array.forall (fun times -> times = 3))

            Property.test "a crop holds the voxels of its place" (fun (AnyMask mask) ->
                let extent = mask.Extent
                let data = voxels mask

                Windows.tiles 5 extent
                |> List.forall (fun struct (part, slice, row, column) ->
                    let wanted =
                        [|
                            for z in slice .. slice + part.Depth - 1 do
                                for y in row .. row + part.Height - 1 do
                                    for x in column .. column + part.Width - 1 do
                                        data[Extent.index extent z y x]
                        |]

                    let crop = Windows.crop slice row column part mask

                    voxels crop = wanted
                    && Mask.count crop = (wanted |> Array.filter id |> Array.length)))

            testCase "what sticks out is refused"
            <| fun () ->
                let mask = Mask.empty (Extent.plane 4 4)

                for row, column, extent in [ 2, 0, Extent.plane 3 3; -1, 0, Extent.plane 2 2; 0, 0, Extent.space 1 2 2 ] do
                    Expect.throwsT<ArgumentException>
                        (fun () -> Windows.crop 0 row column extent mask |> ignore)
                        $"%O{extent} at %d{row}, %d{column}"

                Expect.throwsT<ArgumentException> (fun () -> Windows.tiles 0 mask.Extent |> ignore) "side 0"
        ]
