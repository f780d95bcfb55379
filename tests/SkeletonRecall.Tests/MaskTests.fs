module SkeletonRecall.Tests.MaskTests

open System
open Expecto
open SkeletonRecall

let private ofBytes (volume: Volume<byte>) : Mask =
    Mask.ofVolume (fun cell -> cell <> 0uy) volume

[<Tests>]
let tests =
    testList
        "Mask"
        [
            Property.test "from a volume and back" (fun (AnyMask mask) ->
                let bytes = Mask.toVolume mask
                Mask.equal mask (ofBytes bytes) && Array.sumBy int bytes.Data = Mask.count mask)

            Property.test "get reads what the volume holds" (fun (AnyMask mask) ->
                let extent = mask.Extent
                let bytes = (Mask.toVolume mask).Data

                let holds (at: int) : bool =
                    let slice = at / extent.Width / extent.Height
                    let row = at / extent.Width % extent.Height
                    Mask.get mask slice row (at % extent.Width) = (bytes[at] = 1uy)

                Seq.forall holds (seq { 0 .. extent.Count - 1 }))

            Property.test "the algebra of sets" (fun (AnyPair(left, right)) ->
                let both = Mask.intersect left right
                let either = Mask.union left right

                Mask.count both + Mask.count either = Mask.count left + Mask.count right
                && Mask.equal (Mask.difference left right) (Mask.intersect left (Mask.complement right))
                && Mask.equal (Mask.complement either) (Mask.intersect (Mask.complement left) (Mask.complement right))
                && Mask.isEmpty (Mask.intersect left (Mask.complement left))
                && Mask.equal (Mask.complement (Mask.complement left)) left
                && Mask.count (Mask.complement left) = left.Extent.Count - Mask.count left)

            testCase "an empty mask"
            <| fun () ->
                let mask = Mask.empty (Extent.space 2 3 64)
                Expect.isTrue (Mask.isEmpty mask) "empty"
                Expect.equal (Mask.count mask) 0 "count"
                Expect.equal (Mask.count (Mask.complement mask)) 384 "all of it"

            testCase "voxels outside are refused"
            <| fun () ->
                let mask = Mask.empty (Extent.plane 2 3)

                for slice, row, column in [ 1, 0, 0; 0, 2, 0; 0, 0, 3; 0, -1, 0; 0, 0, -1; -1, 0, 0 ] do
                    Expect.throwsT<ArgumentOutOfRangeException>
                        (fun () -> Mask.get mask slice row column |> ignore)
                        $"%d{slice} %d{row} %d{column}"

            testCase "extents must agree"
            <| fun () ->
                let left = Mask.empty (Extent.plane 3 4)
                let right = Mask.empty (Extent.space 1 3 4)

                for combine in [ Mask.intersect; Mask.union; Mask.difference ] do
                    Expect.throwsT<ArgumentException> (fun () -> combine left right |> ignore) "a plane and a volume"

                Expect.isFalse (Mask.equal left right) "never equal"

            Property.test "a crop holds the voxels of its box" (fun (AnyMask mask) (seed: int) ->
                let random = Random seed
                let origin = mask.Extent.Shape |> List.map random.Next

                let sizes =
                    List.map2 (fun at size -> random.Next(1, size - at + 1)) origin mask.Extent.Shape

                let extent = Extent.ofShape sizes
                let cropped = Mask.crop extent origin mask

                let slice, row, column =
                    (if origin.Length = 3 then origin[0] else 0), origin[origin.Length - 2], List.last origin

                let wanted =
                    Volume.create
                        extent
                        (Array.init extent.Count (fun at ->
                            Mask.get
                                mask
                                (slice + at / extent.Width / extent.Height)
                                (row + at / extent.Width % extent.Height)
                                (column + at % extent.Width)))
                    |> Mask.ofVolume id

                Mask.equal cropped wanted && cropped.Spacing = mask.Spacing)

            testCase "a crop lies inside"
            <| fun () ->
                for extent, origin in
                    [
                        Extent.plane 2 3, [ 0; 2 ]
                        Extent.plane 2 2, [ -1; 0 ]
                        Extent.plane 1 1, [ 0 ]
                        Extent.space 1 1 1, [ 0; 0; 0 ]
                    ] do
                    Expect.throwsT<ArgumentException>
                        (fun () -> Mask.crop extent origin (Mask.empty (Extent.plane 4 4)) |> ignore)
                        $"%O{extent} at %A{origin}"
        ]
