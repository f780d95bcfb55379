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
                    (fun () ->
                        Mask.empty (Extent.space 2 2 2)
                        |> Topology.euler Connectivity.Eighteen
                        |> ignore)
                    "18"

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
