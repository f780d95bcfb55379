module SkeletonRecall.Tests.SpursTests

open System
open Expecto
open SkeletonRecall

let private betti (mask: Mask) : Betti =
    Topology.betti (ConnectivityPair.standard mask.Extent.Rank) mask

let private isSubset (inner: Mask) (outer: Mask) : bool =
    Mask.isEmpty (Mask.difference inner outer)

let private isSpur (graph: SkeletonGraph) (branch: SkeletonBranch) : bool =
    let isSolid (node: SkeletonNode) = node.Tunnels = 0 && node.Cavities = 0

    let isTip (node: SkeletonNode) =
        node.Kind = NodeKind.End && isSolid node

    let isFork (node: SkeletonNode) =
        node.Kind = NodeKind.Junction || not (isSolid node)

    match branch.Ends with
    | Some(first, last) ->
        let first, last = graph.Nodes[first], graph.Nodes[last]
        isTip first && isFork last || isTip last && isFork first
    | None -> false

let private spurs (mask: Mask) : float list =
    let graph = SkeletonGraph.ofMask mask

    [
        for branch in graph.Branches do
            if isSpur graph branch then
                branch.Length
    ]

let private pruned (least: float) (lines: string list) : string list =
    Generators.picture (Skeleton.prune least (Generators.plane lines))
    |> fun text -> text.Split('\n', StringSplitOptions.RemoveEmptyEntries) |> List.ofArray

[<Tests>]
let tests =
    testList
        "Spurs"
        [
            Property.test "pruning removes voxels and keeps topology, of any mask" (fun (AnyMask mask) ->
                [ 0.0; 2.5; 6.0; infinity ]
                |> List.forall (fun least ->
                    let result = Skeleton.prune least mask
                    isSubset result mask && betti result = betti mask))

            Property.test "of a skeleton: no short spur is left, and once is enough" (fun (AnyMask mask) ->
                let skeleton = Skeleton.thin mask

                [ 2.5; 6.0; infinity ]
                |> List.forall (fun least ->
                    let result = Skeleton.prune least skeleton

                    betti result = betti skeleton
                    && spurs result |> List.forall (fun length -> length >= least)
                    && Mask.equal (Skeleton.prune least result) result))

            Property.test "a skeleton without spurs stays as it is" (fun (AnyMask mask) ->
                let skeleton = Skeleton.thin mask
                spurs skeleton <> [] || Mask.equal (Skeleton.prune infinity skeleton) skeleton)

            testCase "a spur goes, the main curve stays"
            <| fun () ->
                let spur = [ "....#...."; "....#...."; "#########" ]
                let bare = [ "........."; "........."; "#########" ]
                Expect.equal (pruned 2.5 spur) bare "2 mm are shorter than 2.5 mm"
                Expect.equal (pruned 2.0 spur) spur "and not shorter than 2 mm"

            testCase "of a fork's tips the longer one stays, however short"
            <| fun () ->
                Expect.equal
                    (pruned 100.0 [ "#......"; ".#....."; "..#####"; ".#....."; "......." ])
                    [ "#......"; ".#....."; "..#####"; "......."; "......." ]
                    "the upper tip is part of the curve"

            testCase "spurs that left make one branch of two"
            <| fun () ->
                // The tips of 2 and 3 steps; the trunk of 2 up to the next junction; then 4: together longer than 4.5.
                Expect.equal
                    (pruned
                        4.5
                        [
                            "#.........."
                            "#.........."
                            "###########"
                            "#...#......"
                            "#...#......"
                            "#..." + "#......"
                        ])
                    [
                        "..........."
                        "..........."
                        "###########"
                        "#.........."
                        "#.........."
                        "#.........."
                    ]
                    "the longer tip and the trunk"

            testCase "curves alone, rings and voxels stay"
            <| fun () ->
                for lines in
                    [
                        [ "##"; ".." ]
                        [ "#." ]
                        [ ".#."; "#.#"; ".#." ]
                        [ "##..."; ".####"; "....." ]
                    ] do
                    Expect.equal (pruned infinity lines) lines (String.Join("/", lines))

            testCase "lengths are in mm"
            <| fun () ->
                let mask =
                    Generators.plane [ "...#..."; "...#..."; "#######" ]
                    |> Mask.toVolume
                    |> Volume.withSpacing (Spacing.ofList [ 0.5; 3.0 ])
                    |> Mask.ofVolume (fun value -> value = 1uy)

                Expect.equal (Mask.count (Skeleton.prune 1.5 mask)) 7 "a spur of 1 mm"
                Expect.equal (Mask.count (Skeleton.prune 0.9 mask)) 9 "is longer than 0.9 mm"

            testCase "a length is 0 or more"
            <| fun () ->
                for least in [ -1.0; nan ] do
                    Expect.throwsT<ArgumentException>
                        (fun () -> Skeleton.prune least (Mask.empty (Extent.plane 2 2)) |> ignore)
                        $"%g{least}"
        ]
