module SkeletonRecall.Tests.SurfaceTests

open System
open Expecto
open SkeletonRecall

// The border voxels by looking at every neighbour.
let private plainBorder (kind: Border) (mask: Mask) : (int * int * int) list =
    let extent = mask.Extent

    let connectivity =
        match kind, extent.Rank with
        | Border.Erosion, 2 -> Connectivity.Four
        | Border.Erosion, _ -> Connectivity.Six
        | _, 2 -> Connectivity.Eight
        | _ -> Connectivity.TwentySix

    let background (slice: int) (row: int) (column: int) =
        if
            slice < 0
            || row < 0
            || column < 0
            || slice >= extent.Depth
            || row >= extent.Height
            || column >= extent.Width
        then
            kind <> Border.InnerContour
        else
            not (Mask.get mask slice row column)

    [
        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 do
                    if
                        Mask.get mask slice row column
                        && Connectivity.neighbours connectivity
                           |> List.exists (fun struct (z, y, x) -> background (slice + z) (row + y) (column + x))
                    then
                        slice, row, column
    ]

let private plainDistances (spacing: float list) (from: (int * int * int) list) (targets: (int * int * int) list) =
    let deep, down, along =
        match spacing with
        | [ down; along ] -> 1.0, down, along
        | [ deep; down; along ] -> deep, down, along
        | _ -> 1.0, 1.0, 1.0

    from
    |> List.map (fun (z, y, x) ->
        targets
        |> List.map (fun (otherZ, otherY, otherX) ->
            sqrt (
                (deep * float (z - otherZ)) ** 2.0
                + (down * float (y - otherY)) ** 2.0
                + (along * float (x - otherX)) ** 2.0
            ))
        |> List.fold min infinity)
    |> List.sort

let private kinds = [ Border.Erosion; Border.Contour; Border.InnerContour ]

let private spaced (seed: int) (shape: int list) (density: float) (spacing: float list) : Mask =
    let random = Random seed
    let extent = Extent.ofShape shape

    Volume.create extent (Array.init extent.Count (fun _ -> random.NextDouble() < density))
    |> Volume.withSpacing (Spacing.ofList spacing)
    |> Mask.ofVolume id

[<Tests>]
let tests =
    testList
        "Surface"
        [
            Property.test "borders are the voxels with a neighbour outside" (fun (AnyMask mask) ->
                kinds
                |> List.forall (fun kind ->
                    let border = Surface.border kind mask
                    let wanted = plainBorder kind mask

                    Mask.count border = wanted.Length
                    && wanted |> List.forall (fun (z, y, x) -> Mask.get border z y x)))

            testCase "distances are those to the nearest piece, in mm"
            <| fun () ->
                for seed in 1..12 do
                    let shape, spacing =
                        if seed % 2 = 0 then
                            [ 9; 13 ], [ 0.7; 1.3 ]
                        else
                            [ 5; 6; 7 ], [ 2.0; 0.5; 1.0 ]

                    let truth = spaced seed shape 0.25 spacing
                    let prediction = spaced (seed + 100) shape 0.25 spacing

                    for kind in kinds do
                        let got = Surface.distances kind prediction truth
                        let ours, theirs = plainBorder kind prediction, plainBorder kind truth

                        for got, wanted in
                            [
                                got.ToTruth, plainDistances spacing ours theirs
                                got.ToPrediction, plainDistances spacing theirs ours
                            ] do
                            Expect.equal got.Length wanted.Length $"%O{kind}: pieces"

                            List.iteri
                                (fun at (wanted: float) ->
                                    Expect.floatClose Accuracy.veryHigh got[at] wanted $"%O{kind}: distance %d{at}")
                                wanted

            testCase "distances over wide rows, near by and far away"
            <| fun () ->
                let spacing = [ 1.5; 1.0; 0.5 ]
                let extent = Extent.space 16 20 135

                let mask (predicate: int -> int -> int -> bool) =
                    Array.init extent.Count (fun index -> predicate (index / 135 / 20) (index / 135 % 20) (index % 135))
                    |> Volume.create extent
                    |> Volume.withSpacing (Spacing.ofList spacing)
                    |> Mask.ofVolume id

                // Few voxels everywhere; and a slab far from three voxels.
                let scattered (seed: int) =
                    spaced seed [ 16; 20; 135 ] 0.004 spacing

                let slab = mask (fun slice _ _ -> slice = 0)
                let corner = mask (fun slice row column -> slice = 15 && row = 19 && column > 131)

                for prediction, truth in [ scattered 1, scattered 2; slab, corner; corner, slab ] do
                    let got = Surface.distances Border.Erosion prediction truth

                    let ours, theirs =
                        plainBorder Border.Erosion prediction, plainBorder Border.Erosion truth

                    for got, wanted in
                        [
                            got.ToTruth, plainDistances spacing ours theirs
                            got.ToPrediction, plainDistances spacing theirs ours
                        ] do
                        Expect.equal got.Length wanted.Length "pieces"

                        List.iteri
                            (fun at (wanted: float) ->
                                Expect.floatClose Accuracy.veryHigh got[at] wanted $"distance %d{at}")
                            wanted

            Property.test "surfels measure the sides of a box" (fun (AnyMask mask) ->
                // A full box of any size: a triangle cuts off each corner, and a strip at 45 degrees each edge.
                let extent = mask.Extent
                let full = Mask.complement (Mask.empty extent)
                let distances = Surface.distances Border.Surfels full full

                let height, width, depth =
                    float (extent.Height - 1), float (extent.Width - 1), float (extent.Depth - 1)

                let surface =
                    if extent.Rank = 2 then
                        2.0 * (height + width) + 4.0 * sqrt 0.5
                    else
                        2.0 * (height * width + depth * width + depth * height)
                        + 4.0 * sqrt 0.5 * (height + width + depth)
                        + sqrt 3.0

                abs (Array.sum distances.PredictionSizes - surface) <= 1e-9 * surface
                && Surface.dice 0.0 distances = 1.0)

            testCase "percentiles, both ways"
            <| fun () ->
                let distances =
                    {
                        ToTruth = [| 0.0; 1.0; 2.0; 4.0 |]
                        PredictionSizes = [| 1.0; 1.0; 1.0; 1.0 |]
                        ToPrediction = [| 0.0; 3.0 |]
                        TruthSizes = [| 9.0; 1.0 |]
                    }

                let robust (kind: Percentile) (direction: Direction) (percent: float) =
                    Surface.hausdorff kind direction percent distances

                Expect.equal (robust Percentile.Linear Direction.Greater 100.0) 4.0 "the greatest"
                Expect.floatClose Accuracy.veryHigh (robust Percentile.Linear Direction.Greater 50.0) 1.5 "linear"
                Expect.floatClose Accuracy.veryHigh (robust Percentile.Linear Direction.Together 50.0) 1.5 "together"
                Expect.equal (robust Percentile.Step Direction.Greater 95.0) 4.0 "step"
                Expect.equal (robust Percentile.Step Direction.Greater 50.0) 1.0 "step, within half the surface"
                Expect.floatClose Accuracy.veryHigh (Surface.symmetricAverage distances) (10.0 / 14.0) "mean"
                Expect.floatClose Accuracy.veryHigh (Surface.dice 1.0 distances) (11.0 / 14.0) "Dice"
                let struct (ours, theirs) = Surface.averages distances
                Expect.floatClose Accuracy.veryHigh ours 1.75 "mean from the prediction"
                Expect.floatClose Accuracy.veryHigh theirs 0.3 "mean from the truth"

            testCase "an empty mask is infinitely far"
            <| fun () ->
                let truth = spaced 1 [ 6; 6 ] 0.5 [ 1.0; 1.0 ]
                let nothing = Mask.empty truth.Extent

                for kind in Border.Surfels :: kinds do
                    let distances = Surface.distances kind nothing truth
                    Expect.equal distances.ToTruth.Length 0 "no pieces"
                    Expect.isTrue (distances.ToPrediction |> Array.forall Double.IsPositiveInfinity) "infinite"

                    Expect.equal
                        (Surface.hausdorff Percentile.Linear Direction.Greater 95.0 distances)
                        infinity
                        "Hausdorff"

                    Expect.equal (Surface.dice 1.0 distances) 0.0 "Dice"

            testCase "surfels are no mask"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Surface.border Border.Surfels (Mask.empty (Extent.plane 2 2)) |> ignore)
                    "surfels"
        ]
