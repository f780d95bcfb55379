module SkeletonRecall.Tests.TopologyTests

open System
open Expecto
open SkeletonRecall

let private pairs (mask: Mask) : ConnectivityPair list =
    if mask.Extent.Rank = 2 then
        [ Connectivity.Eight; Connectivity.Four ]
    else
        [ Connectivity.TwentySix; Connectivity.Six ]
    |> List.map ConnectivityPair.dual

let private numbers (rank: int) (betti: Betti) : int list =
    if rank = 2 then
        [ betti.B0; betti.B1 ]
    else
        [ betti.B0; betti.B1; betti.B2 ]

let private requireBetti (record: Parity.Record) (key: string) (mask: Mask) : unit =
    for name, wanted in record.Counts key do
        let pair = ConnectivityPair.dual (Parity.connectivity (name.Substring 2))
        Expect.equal (numbers record.Rank (Topology.betti pair mask)) wanted $"%s{key} %s{name}"

// Vertices minus edges plus faces minus cubes, where a vertex between cubes that share nothing else is one for each.
let private gluedCubes (mask: Mask) : int =
    let extent = mask.Extent
    let cells = (Mask.toVolume mask).Data

    let isSet (slice: int) (row: int) (column: int) =
        slice >= 0
        && slice < extent.Depth
        && row >= 0
        && row < extent.Height
        && column >= 0
        && column < extent.Width
        && cells[Extent.index extent slice row column] <> 0uy

    let mutable euler = 0

    for slice in 0 .. extent.Depth do
        for row in 0 .. extent.Height do
            for column in 0 .. extent.Width do
                // The cells whose lowest corner this is, by the axes along which they stretch.
                for along in 0..7 do
                    let dimension = System.Numerics.BitOperations.PopCount(uint32 along)

                    let touching =
                        [
                            for around in 0..7 do
                                if around &&& along = 0 then
                                    let part bit = (around >>> bit) &&& 1

                                    if isSet (slice - part 2) (row - part 1) (column - part 0) then
                                        around
                        ]

                    let copies =
                        match touching with
                        | [] -> 0
                        | [ one; other ] when one ^^^ other = 7 -> 2
                        | _ -> 1

                    euler <- euler + (if dimension % 2 = 0 then copies else -copies)

    euler

// The mask with one voxel of background on all sides, and all the rest of that box.
let private framed (mask: Mask) : Mask * Mask =
    let extent = mask.Extent
    let cells = (Mask.toVolume mask).Data
    let wide = Extent.space (extent.Depth + 2) (extent.Height + 2) (extent.Width + 2)
    let framed = Array.zeroCreate<byte> wide.Count

    for slice in 0 .. extent.Depth - 1 do
        for row in 0 .. extent.Height - 1 do
            for column in 0 .. extent.Width - 1 do
                framed[Extent.index wide (slice + 1) (row + 1) (column + 1)] <-
                    cells[Extent.index extent slice row column]

    let framed = Volume.create wide framed |> Mask.ofVolume (fun cell -> cell <> 0uy)
    framed, Mask.complement framed

[<Tests>]
let tests =
    testList
        "Topology"
        [
            Property.test "Betti numbers alternate to the Euler number" (fun (AnyMask mask) ->
                pairs mask
                |> List.forall (fun pair ->
                    let betti = Topology.betti pair mask

                    betti.B0 - betti.B1 + betti.B2 = Topology.euler pair.Foreground mask
                    && betti.B0 >= 0
                    && betti.B1 >= 0
                    && betti.B2 >= 0))

            Property.test
                "under 18 neighbours the Euler number is that of cubes glued by faces and edges"
                (fun (AnySpace mask) ->
                    let pair = ConnectivityPair.dual Connectivity.Eighteen
                    let betti = Topology.betti pair mask
                    let euler = gluedCubes mask

                    Topology.eulerOf pair mask = euler
                    && betti.B0 - betti.B1 + betti.B2 = euler
                    && betti.B1 >= 0)

            // Alexander's duality: what the structure has of one kind, its surroundings have of the other.
            Property.test "the surroundings under 6/18 are dual to the structure under 18/6" (fun (AnySpace mask) ->
                let framed, surroundings = framed mask
                let ours = Topology.betti (ConnectivityPair.dual Connectivity.Eighteen) framed

                let theirs =
                    Topology.betti
                        {
                            Foreground = Connectivity.Six
                            Background = Connectivity.Eighteen
                        }
                        surroundings

                theirs =
                    {
                        B0 = 1 + ours.B2
                        B1 = ours.B1
                        B2 = ours.B0
                    })

            testCase "two voxels that share a corner are one by 26 and two by 18"
            <| fun () ->
                let mask =
                    Volume.create (Extent.space 2 2 2) (Array.init 8 (fun at -> at = 0 || at = 7))
                    |> Mask.ofVolume id

                let betti (text: string) =
                    match ConnectivityPair.parse text with
                    | Ok pair -> numbers 3 (Topology.betti pair mask)
                    | Error reason -> failtest reason

                Expect.equal (betti "26/6") [ 1; 0; 0 ] "26"
                Expect.equal (betti "18/6") [ 2; 0; 0 ] "18"
                Expect.equal (betti "6/18") [ 2; 0; 0 ] "6"

            Property.test "both dual pairs in one call" (fun (AnyMask mask) ->
                let both = Topology.dualBetti mask
                [ both.ByCorners; both.ByFaces ] = (pairs mask |> List.map (fun pair -> Topology.betti pair mask)))

            Property.test "thinning a plane keeps its Betti numbers" (fun (AnyPlane mask) ->
                let pair = ConnectivityPair.standard 2
                Topology.betti pair (Skeleton.thin mask) = Topology.betti pair mask)

            // Lee's method, as the reference has it, may erase components whole, but makes and fills no hole.
            Property.test "thinning a volume keeps tunnels and cavities, and adds no component" (fun (AnySpace mask) ->
                let pair = ConnectivityPair.standard 3
                let before = Topology.betti pair mask
                let after = Topology.betti pair (Skeleton.thin mask)

                after.B0 <= before.B0 && after.B1 = before.B1 && after.B2 = before.B2)

            Property.test "errors are differences" (fun (AnyPair(prediction, truth)) ->
                pairs truth
                |> List.forall (fun pair ->
                    let ours = Topology.betti pair prediction
                    let theirs = Topology.betti pair truth
                    let errors = Topology.errors pair prediction truth

                    errors.B0 = abs (ours.B0 - theirs.B0)
                    && errors.B1 = abs (ours.B1 - theirs.B1)
                    && errors.B2 = abs (ours.B2 - theirs.B2)
                    && errors = Topology.errors pair truth prediction))

            testCase "shapes whose numbers are known"
            <| fun () ->
                let plane (pair: ConnectivityPair) (lines: string list) =
                    numbers 2 (Topology.betti pair (Generators.plane lines))

                let eight = ConnectivityPair.standard 2
                let four = ConnectivityPair.dual Connectivity.Four
                Expect.equal (plane eight [ "###"; "#.#"; "###" ]) [ 1; 1 ] "ring"
                Expect.equal (plane eight [ ".#."; "#.#"; ".#." ]) [ 1; 1 ] "diamond, 8"
                Expect.equal (plane four [ ".#."; "#.#"; ".#." ]) [ 4; 0 ] "diamond, 4"
                Expect.equal (plane four [ "###"; "#.#"; "##." ]) [ 1; 0 ] "a ring with a corner open, 4/8"
                Expect.equal (plane eight [ "#" ]) [ 1; 0 ] "one pixel"

                let shell =
                    Mask.ofVolume
                        (fun cell -> cell <> 13)
                        (Volume.create (Extent.space 3 3 3) (Array.init 27 (fun cell -> cell)))

                Expect.equal (numbers 3 (Topology.betti (ConnectivityPair.standard 3) shell)) [ 1; 0; 1 ] "shell"

            testCase "pairs must be dual and of the rank"
            <| fun () ->
                let mask = Mask.empty (Extent.plane 2 2)

                for pair in
                    [
                        ConnectivityPair.standard 3
                        {
                            Foreground = Connectivity.Eight
                            Background = Connectivity.Eight
                        }
                    ] do
                    Expect.throwsT<ArgumentException> (fun () -> Topology.betti pair mask |> ignore) $"%A{pair}"

                Expect.throwsT<ArgumentException>
                    (fun () -> Topology.euler Connectivity.Six mask |> ignore)
                    "6 in a plane"

                Expect.throwsT<ArgumentException>
                    (fun () -> Topology.euler Connectivity.Eighteen mask |> ignore)
                    "18 in a plane"

            Parity.tests "parity" Parity.masks (fun record ->
                let mask = Golden.mask (record.File "mask")

                for name, wanted in record.Counts "euler" do
                    Expect.equal [ Topology.euler (Parity.connectivity name) mask ] wanted $"euler %s{name}"

                requireBetti record "betti" mask
                requireBetti record "betti_of_skeleton" (Skeleton.thin mask))

            Parity.tests "pairs" Parity.pairs (fun record ->
                requireBetti record "betti_pred" (Golden.mask (record.File "pred"))
                requireBetti record "betti_gt" (Golden.mask (record.File "gt")))
        ]
