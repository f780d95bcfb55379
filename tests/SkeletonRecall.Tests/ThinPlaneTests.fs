module SkeletonRecall.Tests.ThinPlaneTests

open Expecto
open SkeletonRecall

// Every 3 x 3 pattern, 64 to a row, so that the patterns lie at all places of a word, with two pixels between them.
let private patterns: Mask =
    let across = 64
    let extent = Extent.plane (512 / across * 5) (across * 5 + 3)

    Array.init extent.Count (fun at ->
        let row, column = at / extent.Width, at % extent.Width

        row % 5 < 3
        && column % 5 < 3
        && column < across * 5
        && (row / 5 * across + column / 5) >>> (row % 5 * 3 + column % 5) &&& 1 = 1)
    |> Volume.create extent
    |> Mask.ofVolume id

// The neighbours in the order in which the table weighs them: north-west 1, north 2 and so on around.
let private around = [| -1, -1; -1, 0; -1, 1; 0, 1; 1, 1; 1, 0; 1, -1; 0, -1 |]

let private neighbours (pixels: Set<int * int>) (row: int, column: int) : int =
    around
    |> Array.mapi (fun at (down, across) ->
        if pixels.Contains(row + down, column + across) then
            1 <<< at
        else
            0)
    |> Array.sum

// Whether a pixel may go without changing the topology of 8/4: Yokoi's number of its neighbours is 1.
let private isSimple (code: int) : bool =
    let hole (at: int) = 1 - ((code >>> (at % 8)) &&& 1)

    [ 1; 3; 5; 7 ]
    |> List.sumBy (fun at -> hole at - hole at * hole (at + 1) * hole (at + 2))
        =
        1

let private subsets (pixels: (int * int) list) : Set<int * int> seq =
    seq { 0 .. (1 <<< pixels.Length) - 1 }
    |> Seq.map (fun chosen ->
        pixels
        |> List.indexed
        |> List.filter (fun (at, _) -> (chosen >>> at) &&& 1 = 1)
        |> List.map snd
        |> Set.ofList)

[<Tests>]
let tests =
    testList
        "ThinPlane"
        [
            // C. Ronse, "Minimal test patterns for connectivity preservation in parallel thinning algorithms for binary
            // digital images", Discrete Applied Mathematics 21, 1988: a pass that removes pixels together keeps the
            // topology of 8/4 if these three hold. They are tried for all surroundings that there are.
            testCase "each pass of the table keeps topology, by Ronse's conditions"
            <| fun () ->
                for pass in [ 1uy; 2uy ] do
                    let goes (code: int) = PlainPlane.table[code] &&& pass <> 0uy

                    for code in 0..255 do
                        Expect.isTrue (not (goes code) || isSimple code) $"pass %d{pass} removes %d{code}: simple alone"

                    for other in [ 0, 1; 1, 0 ] do
                        let both = Set.ofList [ 0, 0; other ]

                        let surroundings =
                            [
                                for row, column in both do
                                    for down, across in around -> row + down, column + across
                            ]
                            |> List.distinct
                            |> List.filter (fun pixel -> not (both.Contains pixel))

                        for rest in subsets surroundings do
                            let pixels = Set.union both rest

                            if goes (neighbours pixels (0, 0)) && goes (neighbours pixels other) then
                                Expect.isTrue
                                    (isSimple (neighbours (pixels.Remove other) (0, 0)))
                                    $"pass %d{pass}, %A{pixels}: simple when its neighbour has gone"

                    for pixels in subsets [ 0, 0; 0, 1; 1, 0; 1, 1 ] do
                        if not pixels.IsEmpty then
                            Expect.isTrue
                                (pixels |> Set.exists (fun pixel -> not (goes (neighbours pixels pixel))))
                                $"pass %d{pass}, %A{pixels}: something small stays"

            Property.test "equals the table, pixel by pixel" (fun (AnyPlane mask) ->
                Mask.equal (Skeleton.thinBy Thinning.Zhang mask) (PlainPlane.thin mask))

            testCase "every pattern of 3 x 3 pixels"
            <| fun () ->
                Parity.requireMask (Skeleton.thinBy Thinning.Zhang patterns) (PlainPlane.thin patterns) "patterns"

            testCase "every neighbourhood, inside other pixels"
            <| fun () ->
                let filled = Mask.complement patterns
                Parity.requireMask (Skeleton.thinBy Thinning.Zhang filled) (PlainPlane.thin filled) "patterns as holes"

            testCase "large planes"
            <| fun () ->
                for seed in 1..6 do
                    let random = System.Random seed
                    let extent = Extent.plane (random.Next(100, 300)) (random.Next(100, 700))

                    // Thresholded sums of waves: blobs and holes of many sizes.
                    let waves =
                        Array.init 12 (fun _ ->
                            random.NextDouble() * 0.3, random.NextDouble() * 0.3, random.NextDouble() * 6.3)

                    let mask =
                        Array.init extent.Count (fun at ->
                            let row, column = float (at / extent.Width), float (at % extent.Width)

                            waves
                            |> Array.sumBy (fun (down, across, phase) -> sin (down * row + across * column + phase))
                            |> fun height -> height > 0.5)
                        |> Volume.create extent
                        |> Mask.ofVolume id

                    Parity.requireMask (Skeleton.thinBy Thinning.Zhang mask) (PlainPlane.thin mask) $"seed %d{seed}"
        ]
