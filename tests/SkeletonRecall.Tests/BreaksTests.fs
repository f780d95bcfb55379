module SkeletonRecall.Tests.BreaksTests

open Expecto
open SkeletonRecall

let private mask (rows: string list) : Mask =
    let text = String.concat "" rows

    Volume.create (Extent.plane rows.Length rows.Head.Length) (text.ToCharArray())
    |> Mask.ofVolume (fun letter -> letter = '#')

/// A bar of the given rows and columns (first and one past the last) on a plane of 40 x 60.
let private bars (parts: ((int * int) * (int * int)) list) : Mask =
    let extent = Extent.plane 40 60

    Array.init extent.Count (fun index ->
        let row, column = index / 60, index % 60

        parts
        |> List.exists (fun ((top, bottom), (left, right)) ->
            row >= top && row < bottom && column >= left && column < right))
    |> Volume.create extent
    |> Mask.ofVolume id

let private counts (prediction: Mask) (truth: Mask) : int * int =
    (Breaks.breaks prediction truth).Length, (Breaks.bridges prediction truth).Length

let private truth = bars [ (18, 23), (2, 58) ]

/// A rod along the columns of a volume, without the slices of a cut.
let private rod (cut: int -> bool) : Mask =
    let extent = Extent.space 9 9 40

    Array.init extent.Count (fun index ->
        let column, row, slice = index % 40, index / 40 % 9, index / 360
        abs (row - 4) <= 1 && abs (slice - 4) <= 1 && not (cut column))
    |> Volume.create extent
    |> Mask.ofVolume id

[<Tests>]
let tests =
    testList
        "Breaks"
        [
            test "a cut is a break, and its mark lies in the cut" {
                let prediction = bars [ (18, 23), (2, 28); (18, 23), (32, 58) ]
                let found = Breaks.breaks prediction truth |> List.exactlyOne
                Expect.equal found.Ends 2 "from one part to another"
                Expect.equal (found.Middle / 60) 20 "row"
                Expect.isTrue (found.Middle % 60 >= 28 && found.Middle % 60 < 32) "column"
                Expect.equal found.Voxels.Length 4 "every voxel of the gap"
                Expect.isEmpty (Breaks.bridges prediction truth) "nothing is joined"
            }

            test "what is missed at an end, or altogether, is no break" {
                Expect.equal (counts (bars [ (18, 23), (2, 40) ]) truth) (0, 0) "an end"
                Expect.equal (counts (bars [ (2, 5), (2, 5) ]) truth) (0, 0) "altogether"

                let stretches =
                    Breaks.stretches truth (Skeleton.thin truth) (bars [ (18, 23), (2, 40) ])

                Expect.equal (stretches |> List.map _.Ends) [ 1 ] "one end"
            }

            test "a displaced line and a notch that leaves the line connected are no breaks" {
                let displaced = bars [ (18, 23), (2, 25); (21, 26), (25, 35); (18, 23), (35, 58) ]
                Expect.equal (counts displaced truth) (0, 0) "displaced"
                let wide = bars [ (8, 33), (2, 58) ]
                let notched = bars [ (8, 33), (2, 28); (24, 33), (28, 32); (8, 33), (32, 58) ]
                let missed = Breaks.stretches wide (Skeleton.thin wide) notched
                Expect.isFalse missed.IsEmpty "the centreline is missed"
                Expect.equal (counts notched wide) (0, 0) "but nothing is broken"
            }

            test "a gap in a loop is a break" {
                let ring = Mask.difference (bars [ (5, 35), (5, 55) ]) (bars [ (8, 32), (8, 52) ])
                let opened = Mask.difference ring (bars [ (0, 40), (20, 26); (9, 40), (0, 60) ])
                // The loop stays closed below; only its upper side is cut.
                let opened = Mask.union opened (Mask.difference ring (bars [ (0, 9), (0, 60) ]))
                Expect.equal (counts opened ring) (1, 0) "breaks"
            }

            test "a bridge joins what is apart, a spur does not" {
                let two = bars [ (8, 13), (2, 58); (28, 33), (2, 58) ]
                let bridge = bars [ (12, 29), (20, 24) ]
                Expect.equal (counts (Mask.union two bridge) two) (0, 1) "bridge"
                let spur = bars [ (12, 24), (20, 24) ]
                Expect.equal (counts (Mask.union two spur) two) (0, 0) "spur"
            }

            test "a missed crossing has as many ends as branches" {
                let cross = bars [ (18, 21), (2, 58); (2, 38), (28, 31) ]
                let prediction = Mask.difference cross (bars [ (14, 25), (24, 35) ])
                let found = Breaks.breaks prediction cross |> List.exactlyOne
                Expect.equal found.Ends 4 "branches"
            }

            test "breaks of volumes" {
                let whole = rod (fun _ -> false)
                let cut = rod (fun column -> column >= 15 && column < 19)
                Expect.equal (counts cut whole) (1, 0) "break"
                Expect.equal (counts whole cut) (0, 1) "bridge"
                Expect.equal (counts whole whole) (0, 0) "the same"
            }

            test "a line of one pixel" {
                Expect.equal (counts (mask [ "###.###" ]) (mask [ "#######" ])) (1, 0) "cut"
                Expect.equal (counts (mask [ "......." ]) (mask [ "#######" ])) (0, 0) "empty"
            }

            Property.test "a mask breaks nothing of itself" (fun (AnyMask mask) ->
                Breaks.breaks mask mask = [] && Breaks.bridges mask mask = [])

            Property.test
                "stretches are the skeleton outside the other mask, each voxel once"
                (fun (AnyPair(prediction, truth)) ->
                    let skeleton = Skeleton.thin truth
                    let missed = Mask.toVolume (Mask.difference skeleton prediction)

                    let listed =
                        Breaks.stretches truth skeleton prediction
                        |> List.collect (fun stretch -> List.ofArray stretch.Voxels)

                    listed.Length = (listed |> List.distinct |> List.length)
                    && listed.Length = (missed.Data |> Array.sumBy int)
                    && listed |> List.forall (fun voxel -> missed.Data[voxel] = 1uy))
        ]
