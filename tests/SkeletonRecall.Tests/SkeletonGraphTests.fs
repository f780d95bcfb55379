module SkeletonRecall.Tests.SkeletonGraphTests

open System
open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall

let private graphOf (lines: string list) : SkeletonGraph =
    SkeletonGraph.ofMask (Generators.plane lines)

let private kinds (graph: SkeletonGraph) : (NodeKind * int) list =
    graph.Nodes
    |> Array.countBy (fun node -> node.Kind)
    |> Array.sortBy (fun (kind, _) -> string kind)
    |> Array.toList

// A graph's numbers as Betti numbers of the skeleton that it was made of.
let private betti (graph: SkeletonGraph) : Betti =
    {
        B0 = SkeletonGraph.components graph
        B1 =
            SkeletonGraph.cycles graph
            + Array.sumBy (fun (node: SkeletonNode) -> node.Tunnels) graph.Nodes
        B2 = Array.sumBy (fun (node: SkeletonNode) -> node.Cavities) graph.Nodes
    }

// How often each voxel is a node's or a branch's own.
let private owners (graph: SkeletonGraph) : int[] =
    let counts = Array.zeroCreate<int> graph.Extent.Count

    let add (voxel: int) = counts[voxel] <- counts[voxel] + 1

    for node in graph.Nodes do
        Array.iter add node.Voxels

    for branch in graph.Branches do
        Array.iter add ((SkeletonGraph.ownVoxels branch).ToArray())

    counts

let private touch (extent: Extent) (left: int) (right: int) : bool =
    let along (size: int) (step: int) =
        abs (left / step % size - right / step % size) <= 1

    left <> right
    && along extent.Width 1
    && along extent.Height extent.Width
    && along extent.Depth (extent.Width * extent.Height)

let private lawful (mask: Mask) : bool =
    let graph = SkeletonGraph.ofMask mask
    let voxels = (Mask.toVolume mask).Data |> Array.map int
    let ends = Array.zeroCreate<int> graph.Nodes.Length

    for branch in graph.Branches do
        match branch.Ends with
        | None -> ()
        | Some(first, last) ->
            ends[first] <- ends[first] + 1
            ends[last] <- ends[last] + 1

    let joins (branch: SkeletonBranch) =
        let steps = Array.pairwise branch.Voxels

        Array.forall (fun (left, right) -> touch mask.Extent left right) steps
        && match branch.Ends with
           | None -> touch mask.Extent branch.Voxels[0] (Array.last branch.Voxels)
           | Some(first, last) ->
               Array.contains branch.Voxels[0] graph.Nodes[first].Voxels
               && Array.contains (Array.last branch.Voxels) graph.Nodes[last].Voxels

    owners graph = voxels
    && Mask.equal (SkeletonGraph.toMask graph) mask
    && betti graph = Topology.betti (ConnectivityPair.standard mask.Extent.Rank) mask
    && Array.forall2 (fun (node: SkeletonNode) count -> node.Degree = count) graph.Nodes ends
    && Array.forall joins graph.Branches

let private drawn (spacing: float list) (extent: Extent) (voxels: (int * int * int) list) : Mask =
    let data = Array.zeroCreate<bool> extent.Count

    for slice, row, column in voxels do
        data[Extent.index extent slice row column] <- true

    Volume.create extent data
    |> Volume.withSpacing (Spacing.ofList spacing)
    |> Mask.ofVolume id

let private near (wanted: float) (got: float) (what: string) : unit =
    Expect.floatClose Accuracy.high got wanted what

type private Recorded =
    {
        Name: string
        Skeleton: string
        Betti: int list
    }

// Skeletons of real masks by scikit-image, with gudhi's Betti numbers.
let private recorded: Recorded list =
    match Golden.shared with
    | None -> []
    | Some folder ->
        let suite = Path.Combine(folder, "data", "expected", "computed_reference")

        use document =
            JsonDocument.Parse(File.ReadAllBytes(Path.Combine(suite, "cases.json")))

        [
            for case in document.RootElement.GetProperty("cases").EnumerateArray() do
                for method in [ "zhang"; "lee" ] do
                    match case.TryGetProperty $"skeleton_%s{method}" with
                    | true, skeleton ->
                        let topology = case.GetProperty $"skeleton_%s{method}_topology"

                        {
                            Name = string (case.GetProperty "id") + " " + method
                            Skeleton = Path.Combine(suite, string (skeleton.GetProperty "file"))
                            Betti =
                                [
                                    for number in topology.GetProperty("betti_full_connectivity_gudhi").EnumerateArray() ->
                                        number.GetInt32()
                                ]
                        }
                    | _ -> ()
        ]

[<Tests>]
let tests =
    testList
        "SkeletonGraph"
        [
            Property.test "of a skeleton: voxels, links, degrees and topology" (fun (AnyMask mask) ->
                lawful (Skeleton.thin mask))

            Property.test "of any mask: voxels, links, degrees and topology" (fun (AnyMask mask) -> lawful mask)

            testCase "every mask of 3 x 4 pixels"
            <| fun () ->
                for code in 0 .. (1 <<< 12) - 1 do
                    let mask =
                        Volume.create (Extent.plane 3 4) (Array.init 12 (fun bit -> code >>> bit &&& 1 = 1))
                        |> Mask.ofVolume id

                    if not (lawful mask) then
                        failtestf "The laws fail for\n%s" (Generators.picture mask)

            testCase "no skeleton, no graph"
            <| fun () ->
                let graph = SkeletonGraph.ofMask (Mask.empty (Extent.space 3 4 5))
                Expect.equal (graph.Nodes.Length, graph.Branches.Length) (0, 0) "nodes and branches"

            testCase "one voxel is a node alone"
            <| fun () ->
                let graph = graphOf [ "..."; ".#."; "..." ]
                Expect.equal (kinds graph) [ NodeKind.Isolated, 1 ] "nodes"
                Expect.isEmpty graph.Branches "branches"
                Expect.equal graph.Nodes[0].Centre [ 1.0; 1.0 ] "centre"

            testCase "two voxels are two ends, one step apart"
            <| fun () ->
                let graph = graphOf [ "#."; ".#" ]
                Expect.equal (kinds graph) [ NodeKind.End, 2 ] "nodes"
                Expect.equal (Array.map (fun branch -> branch.Voxels) graph.Branches) [| [| 0; 3 |] |] "branches"
                near (sqrt 2.0) graph.Branches[0].Length "length"

            testCase "a corner of a staircase is no junction"
            <| fun () ->
                let graph = graphOf [ "##..."; ".##.."; "..##."; "...##" ]
                Expect.equal (kinds graph) [ NodeKind.End, 2 ] "nodes"
                Expect.equal graph.Branches.Length 1 "branches"
                near 7.0 graph.Branches[0].Length "seven steps along an axis"
                near (7.0 / 5.0) (SkeletonGraph.tortuosity graph.Branches[0]) "tortuosity"

            testCase "a T has a junction of one voxel and three branches"
            <| fun () ->
                let graph = graphOf [ "#####"; "..#.."; "..#.."; "..#.." ]
                Expect.equal (kinds graph) [ NodeKind.End, 3; NodeKind.Junction, 1 ] "nodes"

                Expect.equal
                    (graph.Branches |> Array.map (fun b -> b.Length) |> Array.sort)
                    [| 2.0; 2.0; 3.0 |]
                    "lengths"

                let junction = graph.Nodes |> Array.find (fun node -> node.Kind = NodeKind.Junction)

                Expect.equal (junction.Voxels, junction.Degree) ([| 2 |], 3) "the junction"

            testCase "junctions that touch are one"
            <| fun () ->
                // Two forks side by side.
                let graph = graphOf [ "#..#"; ".##."; "#..#" ]
                Expect.equal (kinds graph) [ NodeKind.End, 4; NodeKind.Junction, 1 ] "nodes"
                Expect.equal graph.Branches.Length 4 "branches"
                Expect.equal graph.Nodes[2].Centre [ 1.0; 1.5 ] "between its two voxels"

            testCase "a ring is a branch without ends"
            <| fun () ->
                let graph = graphOf [ ".##."; "#..#"; "#..#"; ".##." ]
                Expect.isEmpty graph.Nodes "nodes"
                let ring = Array.exactlyOne graph.Branches
                Expect.equal (ring.Ends, ring.Voxels.Length) (None, 8) "ring"
                near (4.0 + 4.0 * sqrt 2.0) ring.Length "once around"
                Expect.isTrue (Double.IsNaN(SkeletonGraph.tortuosity ring)) "tortuosity"
                Expect.equal (SkeletonGraph.cycles graph) 1 "cycles"

            testCase "a ring on a stalk comes back to its junction"
            <| fun () ->
                let graph = graphOf [ ".#....."; "#.#####"; ".#....." ]
                Expect.equal (kinds graph) [ NodeKind.End, 1; NodeKind.Junction, 1 ] "nodes"
                let loop = graph.Branches |> Array.find (fun branch -> branch.Ends = Some(0, 0))
                near (4.0 * sqrt 2.0) loop.Length "loop"
                Expect.isTrue (Double.IsPositiveInfinity(SkeletonGraph.tortuosity loop)) "tortuosity"
                Expect.equal (SkeletonGraph.cycles graph) 1 "cycles"

            testCase "a ring of junctions is a node with a tunnel"
            <| fun () ->
                let graph =
                    graphOf [ "...#..."; "...#..."; "...#..."; "###.###"; "...#..."; "...#..."; "...#..." ]

                Expect.equal (kinds graph) [ NodeKind.End, 4; NodeKind.Junction, 1 ] "nodes"
                Expect.equal (SkeletonGraph.cycles graph) 0 "cycles"
                Expect.equal (betti graph) { B0 = 1; B1 = 1; B2 = 0 } "numbers"

            testCase "a square of four on a curve is a joint"
            <| fun () ->
                let graph = graphOf [ "####...."; "...##..."; "....####" ]
                Expect.equal (SkeletonGraph.cycles graph) 0 "no ring"

                let thick = graphOf [ "###...."; "..##..."; "..##..."; "....###" ]

                Expect.equal (kinds thick) [ NodeKind.End, 2; NodeKind.Joint, 1 ] "two ends and the place between"

                Expect.equal (SkeletonGraph.cycles thick) 0 "no ring"

            testCase "lengths are in mm along each axis"
            <| fun () ->
                let extent = Extent.space 12 12 12

                let length (steps: int -> int * int * int) =
                    let graph =
                        List.init 10 steps |> drawn [ 2.0; 0.5; 0.25 ] extent |> SkeletonGraph.ofMask

                    let branch = Array.exactlyOne graph.Branches
                    near 1.0 (SkeletonGraph.tortuosity branch) "straight"
                    Expect.equal graph.Nodes.Length 2 "two ends"
                    branch.Length

                near 18.0 (length (fun step -> step, 3, 3)) "slices"
                near 4.5 (length (fun step -> 3, step, 3)) "rows"
                near 2.25 (length (fun step -> 3, 3, step)) "columns"
                near (9.0 * sqrt 0.3125) (length (fun step -> 3, step, step)) "in the plane"
                near (9.0 * sqrt 4.3125) (length (fun step -> step, 9 - step, step)) "in space"

            testCase "a helix"
            <| fun () ->
                // A turn of a square helix: 4 steps to each side, one slice up at each corner: 16 steps in the planes and 4
                // between them.
                let side (slice: int) (at: int -> int * int) =
                    List.init 5 (fun step ->
                        let row, column = at step
                        slice, row, column)

                let helix =
                    side 0 (fun step -> 0, step)
                    @ side 1 (fun step -> step, 4)
                    @ side 2 (fun step -> 4, 4 - step)
                    @ side 3 (fun step -> 4 - step, 0)
                    @ side 4 (fun step -> 0, step)

                let graph =
                    helix |> drawn [ 3.0; 1.0; 1.0 ] (Extent.space 5 5 5) |> SkeletonGraph.ofMask

                let branch = Array.exactlyOne graph.Branches
                near (20.0 + 4.0 * 3.0) branch.Length "length"
                near (sqrt (16.0 + 144.0)) branch.Chord "chord"

                let extent = Extent.space 5 5 5

                let wanted =
                    helix
                    |> List.map (fun (slice, row, column) -> Extent.index extent slice row column)
                    |> List.toArray

                Expect.equal branch.Voxels wanted "voxels in order"

            testCase "radii and classes"
            <| fun () ->
                let mask = Generators.plane [ "#####"; "..#.."; "..#.." ]
                let distances = Volume.create mask.Extent (Array.init 15 float)
                let labels = Array.create 15 1s
                labels[2] <- 5s
                labels[7] <- 3s

                let graph =
                    SkeletonGraph.ofMask mask
                    |> SkeletonGraph.withRadii distances
                    |> SkeletonGraph.withClasses (Volume.create mask.Extent labels)

                let down =
                    graph.Branches |> Array.find (fun branch -> Array.contains 12 branch.Voxels)

                Expect.equal (Array.sort down.Radii) [| 2.0; 7.0; 12.0 |] "radii"
                Expect.equal down.Class 3s "of its own voxel"

                let other =
                    graph.Branches |> Array.find (fun branch -> Array.contains 0 branch.Voxels)

                Expect.equal other.Class 1s "other branch"
                let junction = graph.Nodes |> Array.find (fun node -> node.Degree = 3)
                Expect.equal (junction.Radius, junction.Class) (2.0, 5s) "junction"

            testCase "extents must agree"
            <| fun () ->
                let graph = graphOf [ "###" ]
                let other = Extent.plane 3 1

                Expect.throwsT<ArgumentException>
                    (fun () ->
                        SkeletonGraph.withRadii (Volume.create other (Array.zeroCreate 3)) graph
                        |> ignore)
                    "distances"

                Expect.throwsT<ArgumentException>
                    (fun () ->
                        SkeletonGraph.withClasses (Volume.create other (Array.zeroCreate 3)) graph
                        |> ignore)
                    "labels"

            Parity.tests "parity" Parity.masks (fun record ->
                let graph = SkeletonGraph.ofMask (Skeleton.thin (Golden.mask (record.File "mask")))
                let numbers = betti graph
                let found = [ numbers.B0; numbers.B1; numbers.B2 ] |> List.take record.Rank

                for name, wanted in record.Counts "betti_of_skeleton" do
                    if name = "fg8" || name = "fg26" then
                        Expect.equal found wanted $"%s{name} of gudhi")

            testList
                "real masks"
                (if recorded.IsEmpty then
                     [ testCase "shared" (fun () -> Golden.sharedPath "data/expected" |> ignore) ]
                 else
                     recorded
                     |> List.map (fun case ->
                         testCase case.Name (fun () ->
                             let graph = SkeletonGraph.ofMask (Golden.mask case.Skeleton)
                             let numbers = betti graph

                             Expect.equal
                                 ([ numbers.B0; numbers.B1; numbers.B2 ] |> List.take case.Betti.Length)
                                 case.Betti
                                 "as gudhi has it")))
        ]
