module SkeletonRecall.Tests.BettiMatchingTests

open System
open System.Collections.Generic
open System.IO
open System.IO.Compression
open Expecto
open SkeletonRecall

// Matching by definition, on all cells of a small image: ranks of boundary matrices by reduction, cell by cell. Cells lie
// on a grid of doubled size; a cell's dimension is the number of its odd coordinates.
[<RequireQualifiedAccess>]
module private Plain =

    let private shape (closed: bool) (extent: Extent) : int[] =
        extent.Shape
        |> List.map (fun size -> if closed then 2 * size + 1 else 2 * size - 1)
        |> Array.ofList

    let private voxel (mask: Mask) (at: int[]) : bool =
        if at.Length = 2 then
            Mask.get mask 0 at[0] at[1]
        else
            Mask.get mask at[0] at[1] at[2]

    // All combinations of one of each.
    let rec private product (choices: int list list) : int list list =
        match choices with
        | [] -> [ [] ]
        | first :: rest ->
            [
                for value in first do
                    for others in product rest -> value :: others
            ]

    let private holds (closed: bool) (mask: Mask) (cell: int[]) : bool =
        let sizes = Array.ofList mask.Extent.Shape

        let around =
            [
                for axis in 0 .. cell.Length - 1 do
                    let at = cell[axis]

                    if closed then
                        // The voxel of an odd coordinate, or both beside an even one.
                        (if at % 2 = 1 then [ at / 2 ] else [ at / 2 - 1; at / 2 ])
                        |> List.filter (fun place -> place >= 0 && place < sizes[axis])
                    else if at % 2 = 1 then
                        [ at / 2; at / 2 + 1 ]
                    else
                        [ at / 2 ]
            ]
            |> product
            |> List.map (fun place -> voxel mask (Array.ofList place))

        if closed then
            List.exists id around
        else
            List.forall id around

    let private faces (cell: int[]) : int[] list =
        [
            for axis in 0 .. cell.Length - 1 do
                if cell[axis] % 2 = 1 then
                    for step in [ -1; 1 ] do
                        let face = Array.copy cell
                        face[axis] <- face[axis] + step
                        face
        ]

    // Which columns, in their order, are independent of the earlier ones.
    let private independent (columns: HashSet<int> list) : bool list =
        let pivots = Dictionary<int, HashSet<int>>()

        columns
        |> List.map (fun column ->
            let column = HashSet<int> column
            let mutable reducing = true

            while reducing && column.Count > 0 do
                let pivot = Seq.max column

                match pivots.TryGetValue pivot with
                | true, known -> column.SymmetricExceptWith known
                | _ ->
                    pivots[pivot] <- column
                    reducing <- false

            column.Count > 0)

    /// Matched features by dimension.
    let matched (closed: bool) (prediction: Mask) (truth: Mask) : int list =
        let extent = prediction.Extent
        let sizes = shape closed extent
        let union = Mask.union prediction truth

        let number (cell: int[]) =
            Array.fold2 (fun sum size at -> sum * size + at) 0 sizes cell

        let cells =
            [ for size in sizes -> [ 0 .. size - 1 ] ] |> product |> List.map Array.ofList

        // By the union's voxels first, then by the lowest corner in raster order, then by direction.
        let order (cell: int[]) =
            let direction =
                if (cell |> Array.filter (fun at -> at % 2 = 1)).Length = 1 then
                    cell |> Array.findIndex (fun at -> at % 2 = 1)
                else
                    cell |> Array.tryFindIndex (fun at -> at % 2 = 0) |> Option.defaultValue 0

            not (holds closed union cell), (cell |> Array.map (fun at -> at / 2) |> List.ofArray), direction

        let fillings (mask: Mask) (dimension: int) =
            let own = HashSet<int>(cells |> List.filter (holds closed mask) |> List.map number)

            let columns =
                cells
                |> List.filter (fun cell -> (cell |> Array.filter (fun at -> at % 2 = 1)).Length = dimension + 1)
                |> List.sortBy order

            let boundary (cell: int[]) = faces cell |> List.map number

            let absolute =
                independent (columns |> List.map (fun cell -> HashSet<int>(boundary cell)))

            let relative =
                independent (
                    columns
                    |> List.map (fun cell -> HashSet<int>(boundary cell |> List.filter (own.Contains >> not)))
                )

            List.zip3 columns absolute relative
            |> List.filter (fun (cell, absolute, relative) -> absolute && not relative && not (holds closed union cell))
            |> List.map (fun (cell, _, _) -> number cell)
            |> Set.ofList

        let undying =
            if Mask.isEmpty prediction || Mask.isEmpty truth then
                0
            else
                1

        [
            for dimension in 0 .. extent.Rank - 1 ->
                (Set.intersect (fillings prediction dimension) (fillings truth dimension)).Count
                + (if dimension = 0 then undying else 0)
        ]

let private numbers (rank: int) (betti: Betti) : int list =
    [ betti.B0; betti.B1; betti.B2 ] |> List.take rank

let private pairs (mask: Mask) : ConnectivityPair list =
    if mask.Extent.Rank = 2 then
        [ Connectivity.Eight; Connectivity.Four ]
    else
        [ Connectivity.TwentySix; Connectivity.Six ]
    |> List.map ConnectivityPair.dual

let private random (seed: int) (shape: int list) (density: float) (noise: float) : Mask * Mask =
    let source = Random seed
    let extent = Extent.ofShape shape
    let truth = Array.init extent.Count (fun _ -> source.NextDouble() < density)

    let prediction =
        truth |> Array.map (fun voxel -> voxel <> (source.NextDouble() < noise))

    let mask (voxels: bool[]) =
        Mask.ofVolume id (Volume.create extent voxels)

    mask prediction, mask truth

let private golden: (string * ConnectivityPair * Mask * Mask * int list) list =
    use file = File.OpenRead(Golden.path "betti-matching/cases.txt.gz")
    use unpacked = new GZipStream(file, CompressionMode.Decompress)
    use reader = new StreamReader(unpacked)

    [
        for line in reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries) do
            if not (line.StartsWith '#') then
                let parts = line.Split ' '
                let rank = int parts[0]
                let shape = [ for at in 1..rank -> int parts[at] ]

                let mask (text: string) =
                    Volume.create (Extent.ofShape shape) (text.ToCharArray())
                    |> Mask.ofVolume (fun letter -> letter = '1')

                $"%A{shape}",
                ConnectivityPair.dual (if rank = 2 then Connectivity.Four else Connectivity.Six),
                mask parts[rank + 1],
                mask parts[rank + 2],
                [ for at in rank + 3 .. parts.Length - 1 -> int parts[at] ]
    ]

[<Tests>]
let tests =
    testList
        "BettiMatching"
        [
            testList
                "the authors' program says the same"
                (golden
                 |> List.mapi (fun at (name, pair, prediction, truth, wanted) ->
                     testCase $"%d{at}: %s{name}"
                     <| fun () ->
                         let matching = BettiMatching.measure pair prediction truth

                         let got =
                             List.zip3
                                 (numbers prediction.Extent.Rank matching.Matched)
                                 (numbers prediction.Extent.Rank matching.Invented)
                                 (numbers prediction.Extent.Rank matching.Missed)
                             |> List.mapi (fun dimension (matched, invented, missed) ->
                                 // It leaves out the component that never dies.
                                 [ (if dimension = 0 then matched - 1 else matched); invented; missed ])
                             |> List.concat

                         Expect.equal got wanted "matched, invented, missed by dimension"))

            testCase "the definition says the same, by every pair of connectivities"
            <| fun () ->
                let mutable found = [ 0; 0; 0 ]

                for seed in 1..60 do
                    let shape = [ [ 7; 8 ]; [ 5; 6 ]; [ 4; 4; 4 ]; [ 3; 5; 4 ]; [ 4; 5; 5 ] ][seed % 5]

                    let density = [ 0.3; 0.5; 0.7; 0.88 ][seed % 4]
                    let prediction, truth = random seed shape density ([ 0.05; 0.2; 0.5 ][seed / 3 % 3])

                    for pair in pairs truth do
                        let closed =
                            pair.Foreground = Connectivity.Eight || pair.Foreground = Connectivity.TwentySix

                        let got = numbers shape.Length (BettiMatching.measure pair prediction truth).Matched

                        Expect.equal
                            got
                            (Plain.matched closed prediction truth)
                            $"seed %d{seed}, %s{ConnectivityPair.print pair}"

                        found <- List.map2 (+) found (got @ List.replicate (3 - shape.Length) 0)

                Expect.isTrue (found |> List.forall (fun count -> count > 0)) $"every dimension is met: %A{found}"

            Property.test "a mask matches itself whole" (fun (AnyMask mask) ->
                pairs mask
                |> List.forall (fun pair ->
                    let matching = BettiMatching.measure pair mask mask

                    matching.Matched = Topology.betti pair mask
                    && BettiMatching.errors matching = { B0 = 0; B1 = 0; B2 = 0 }))

            Property.test "exchanging the masks exchanges what is missed and invented" (fun (AnyPair(ours, theirs)) ->
                pairs ours
                |> List.forall (fun pair ->
                    let there = BettiMatching.measure pair ours theirs
                    let back = BettiMatching.measure pair theirs ours

                    there.Matched = back.Matched
                    && there.Invented = back.Missed
                    && there.Missed = back.Invented))

            Property.test "errors are at least those of Betti numbers" (fun (AnyPair(prediction, truth)) ->
                pairs truth
                |> List.forall (fun pair ->
                    let matching = BettiMatching.errors (BettiMatching.measure pair prediction truth)
                    let plain = Topology.errors pair prediction truth

                    matching.B0 >= plain.B0 && matching.B1 >= plain.B1 && matching.B2 >= plain.B2))

            testCase "nothing matches an empty mask"
            <| fun () ->
                let truth = snd (random 3 [ 9; 9 ] 0.4 0.0)
                let pair = ConnectivityPair.standard 2
                let matching = BettiMatching.measure pair (Mask.empty truth.Extent) truth
                Expect.equal matching.Missed (Topology.betti pair truth) "all is missed"
                Expect.equal matching.Matched { B0 = 0; B1 = 0; B2 = 0 } "nothing is matched"

            testCase "connectivities that are not dual are refused"
            <| fun () ->
                let mask = Mask.empty (Extent.plane 3 3)

                let pair =
                    {
                        Foreground = Connectivity.Eight
                        Background = Connectivity.Eight
                    }

                Expect.throwsT<ArgumentException> (fun () -> BettiMatching.measure pair mask mask |> ignore) "8/8"
        ]
