module SkeletonRecall.Tests.SkeletonTests

open System
open Expecto
open SkeletonRecall

let private isSubset (inner: Mask) (outer: Mask) : bool =
    Mask.isEmpty (Mask.difference inner outer)

// Whether a skeleton has the mask's components, each one its own, tunnels and cavities.
let private keepsTopology (mask: Mask) (skeleton: Mask) : bool =
    let pair = ConnectivityPair.standard mask.Extent.Rank
    let struct (labels, count) = Components.label pair.Foreground mask

    let reached =
        Array.map2 (fun label inside -> label * int inside) labels.Data (Mask.toVolume skeleton).Data
        |> Array.distinct
        |> Array.filter (fun label -> label > 0)

    isSubset skeleton mask
    && reached.Length = count
    && Topology.betti pair skeleton = Topology.betti pair mask

let private methods (mask: Mask) : Thinning list =
    if mask.Extent.Rank = 2 then
        [ Thinning.Zhang; Thinning.Lee ]
    else
        [ Thinning.Lee ]

let private full (shape: int list) : Mask =
    Mask.complement (Mask.empty (Extent.ofShape shape))

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

            Property.test "under the guard components, tunnels and cavities stay" (fun (AnyMask mask) ->
                methods mask
                |> List.forall (fun thinning -> keepsTopology mask (Skeleton.thinGuarded thinning mask)))

            Property.test "so they do in what is left of a full grid" (fun (AnyMask mask) ->
                let holes = Mask.complement mask

                methods mask
                |> List.forall (fun thinning -> keepsTopology holes (Skeleton.thinGuarded thinning holes)))

            Property.test "thinning under the guard is idempotent" (fun (AnyMask mask) ->
                methods mask
                |> List.forall (fun thinning ->
                    let skeleton = Skeleton.thinGuarded thinning mask
                    Mask.equal (Skeleton.thinGuarded thinning skeleton) skeleton))

            testCase "under the guard no box is erased"
            <| fun () ->
                for depth in 1..7 do
                    for height in 1..7 do
                        for width in 1..7 do
                            let box = full [ depth; height; width ]
                            let skeleton = Skeleton.thinGuarded Thinning.Lee box
                            Expect.isTrue (keepsTopology box skeleton) $"%d{depth} x %d{height} x %d{width}"

            testCase "under the guard bars keep their length"
            <| fun () ->
                for thick in [ 1..6 ] do
                    for shape in [ [ 30; thick; thick ]; [ thick; 30; thick ]; [ thick; thick; 30 ] ] do
                        let skeleton = Skeleton.thinGuarded Thinning.Lee (full shape)
                        let length = Mask.count skeleton
                        Expect.isGreaterThanOrEqual length (30 - thick) $"%A{shape}"
                        Expect.isLessThanOrEqual length 30 $"%A{shape}"

            testCase "without the guard the reference erases a box of 2 x 2 x 2"
            <| fun () ->
                Expect.isTrue (Mask.isEmpty (Skeleton.thin (full [ 2; 2; 2 ]))) "erased"

                Expect.equal
                    (Generators.picture (Skeleton.thinGuarded Thinning.Lee (full [ 2; 2; 2 ])))
                    "..\n##\n\n..\n..\n"
                    "the picture of the documentation"
            testCase "the graph of a bar: one branch, and how far from the outside it runs"
            <| fun () ->
                let bar =
                    Generators.plane
                        [
                            "............"
                            ".##########."
                            ".##########."
                            ".##########."
                            "............"
                        ]

                let graph = Skeleton.graph bar
                let branch = Array.exactlyOne graph.Branches
                Expect.isTrue (Mask.equal (SkeletonGraph.toMask graph) (Skeleton.thin bar)) "skeleton"
                Expect.equal (Array.max branch.Radii) 2.0 "radius"
                // The skeleton bends by a row at one end.
                Expect.isLessThan (SkeletonGraph.tortuosity branch) 1.05 "tortuosity"
                Expect.isGreaterThanOrEqual (SkeletonGraph.tortuosity branch) 1.0 "tortuosity"

            Property.test "components apart, on any number of threads, make the same skeleton" (fun (AnyMask mask) ->
                let wanted = Skeleton.thin mask

                [ 1..4 ]
                |> List.forall (fun threads -> Mask.equal (Skeleton.thinOn threads mask) wanted))

            Property.test
                "many masks, on any number of threads, have each its own skeleton"
                (fun (AnyPair(left, right)) ->
                    let masks = [| left; right; Mask.union left right; Mask.complement left |]
                    let wanted = Array.map Skeleton.thin masks

                    [ 1..5 ]
                    |> List.forall (fun threads -> Array.forall2 Mask.equal (Skeleton.thinMany threads masks) wanted))

            testCase "a thread is needed"
            <| fun () ->
                let mask = Mask.complement (Mask.empty (Extent.plane 3 3))

                for threads in [ 0; -1 ] do
                    Expect.throwsT<ArgumentException> (fun () -> Skeleton.thinOn threads mask |> ignore) "thinOn"

                    Expect.throwsT<ArgumentException>
                        (fun () -> Skeleton.thinMany threads [| mask |] |> ignore)
                        "thinMany"

            testCase "Zhang's method is for planes"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Mask.empty (Extent.space 1 4 4) |> Skeleton.thinBy Thinning.Zhang |> ignore)
                    "a volume of one slice is a volume"

            testCase "the pictures of both methods in the documentation"
            <| fun () ->
                let mask =
                    Generators.plane
                        [
                            "#########"
                            "#########"
                            "#########"
                            "...###..."
                            "...###..."
                            "...###..."
                            "...###..."
                        ]

                let drawn (thinning: Thinning) =
                    Generators.picture (Skeleton.thinBy thinning mask)

                let lines (rows: string list) = String.concat "\n" rows + "\n"

                Expect.equal
                    (drawn Thinning.Zhang)
                    (lines
                        [
                            ".......#."
                            "#######.."
                            "....#...."
                            "....#...."
                            "....#...."
                            "........."
                            "........."
                        ])
                    "Zhang's"

                Expect.equal
                    (drawn Thinning.Lee)
                    (lines
                        [
                            "........."
                            "####.####"
                            "....#...."
                            "....#...."
                            "....#...."
                            "....#...."
                            "........."
                        ])
                    "Lee's"

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
