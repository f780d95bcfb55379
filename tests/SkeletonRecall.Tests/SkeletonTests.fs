module SkeletonRecall.Tests.SkeletonTests

open System
open Expecto
open SkeletonRecall

let private isSubset (inner: Mask) (outer: Mask) : bool =
    Mask.isEmpty (Mask.difference inner outer)

[<Tests>]
let tests =
    testList
        "Skeleton"
        [
            Property.test "thinning shrinks" (fun (AnyMask mask) ->
                isSubset (Skeleton.thin mask) mask
                && isSubset (Skeleton.thinBy Thinning.Lee mask) mask)

            Property.test "thinning is idempotent" (fun (AnyMask mask) ->
                let skeleton = Skeleton.thin mask
                Mask.equal (Skeleton.thin skeleton) skeleton)

            Property.test "thinning keeps extent, spacing and its input" (fun (AnyMask mask) ->
                let before = Mask.toVolume mask
                let skeleton = Skeleton.thin mask

                skeleton.Extent = mask.Extent
                && skeleton.Spacing = mask.Spacing
                && Volume.equal before (Mask.toVolume mask))

            testCase "Zhang's method is for planes"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Mask.empty (Extent.space 1 4 4) |> Skeleton.thinBy Thinning.Zhang |> ignore)
                    "a volume of one slice is a volume"

            testCase "the rank chooses the method"
            <| fun () ->
                let plane = Mask.complement (Mask.empty (Extent.plane 9 20))
                Expect.isTrue (Mask.equal (Skeleton.thin plane) (Skeleton.thinBy Thinning.Zhang plane)) "Zhang"
                let volume = Mask.complement (Mask.empty (Extent.space 7 9 20))
                Expect.isTrue (Mask.equal (Skeleton.thin volume) (Skeleton.thinBy Thinning.Lee volume)) "Lee"

            Parity.tests "parity" Parity.masks (fun record ->
                let mask = Golden.mask (record.File "mask")

                if record.Rank = 2 then
                    Parity.requireMask
                        (Skeleton.thinBy Thinning.Zhang mask)
                        (Golden.mask (record.File "zhang"))
                        "zhang"

                Parity.requireMask (Skeleton.thinBy Thinning.Lee mask) (Golden.mask (record.File "lee")) "lee")
        ]
