module SkeletonRecall.Tests.TubeOptionsTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Tests.Tubes

[<Tests>]
let tests =
    testList
        "TubeOptions"
        [
            Property.test "under any options a tube is 0 or the label" (fun (AnyLabels labels) ->
                variants
                |> List.forall (fun options -> isTubeOf labels (Tube.ofLabels options labels)))

            Property.test
                "of each class: the union over the classes of the tubes of each alone"
                (fun (AnyLabels labels) ->
                    [ each; { each with Guard = true } ]
                    |> List.forall (fun options ->
                        let alone =
                            classes labels
                            |> List.map (fun label -> (Tube.ofLabels Tube.standard (only label labels)).Data)

                        let alone =
                            if options.Guard then
                                classes labels
                                |> List.map (fun label ->
                                    (Tube.ofLabels { Tube.standard with Guard = true } (only label labels)).Data)
                            else
                                alone

                        let union =
                            List.fold (Array.map2 max) (Array.zeroCreate<int16> labels.Extent.Count) alone

                        (Tube.ofLabels options labels).Data = union))

            Property.test "under the guard each class has a tube wherever it is" (fun (AnyLabels labels) ->
                let tube =
                    Tube.ofLabels
                        { each with
                            Guard = true
                            Radius = TubeRadius.Steps 0
                        }
                        labels

                let pair = ConnectivityPair.standard labels.Extent.Rank

                classes labels
                |> List.forall (fun label ->
                    Topology.betti pair (Tube.binarize (only label tube)) =
                        Topology.betti pair (Tube.binarize (only label labels))))

            Property.test "an ignored label is as if it were background" (fun (AnyLabels labels) ->
                [ Tube.standard; each ]
                |> List.forall (fun options ->
                    [ 1s; 2s; 9s ]
                    |> List.forall (fun label ->
                        let without = Volume.map (fun value -> if value = label then 0s else value) labels

                        (Tube.ofLabels { options with Ignore = Some label } labels).Data =
                            (Tube.ofLabels options without).Data)))

            testCase "an ignored label below 0 is not painted either"
            <| fun () ->
                let labels = Volume.create (Extent.plane 1 5) [| 1s; 1s; 1s; -1s; 0s |]

                Expect.equal
                    (Tube.ofLabels { Tube.standard with Ignore = Some -1s } labels).Data
                    [| 1s; 1s; 1s; 0s; 0s |]
                    "-1 is 0"

            Property.test "a ball grows with its radius, and is the skeleton's neighbourhood" (fun (AnyLabels labels) ->
                let steps = List.init labels.Extent.Rank (fun axis -> 0.5 * float (axis + 1))
                let labels = labels |> Volume.withSpacing (Spacing.ofList steps)
                let radii = [ 0.25; 0.5; 1.0; 1.75; 3.0 ]

                let tubes =
                    radii
                    |> List.map (fun radius ->
                        Tube.ofLabels
                            { Tube.standard with
                                Radius = TubeRadius.Ball radius
                            }
                            labels)

                let distance = labels |> Tube.binarize |> Skeleton.thin |> Distance.toMask

                let near (radius: float) : int16[] =
                    Array.map2
                        (fun distance label -> if distance <= radius then label else 0s)
                        distance.Data
                        labels.Data

                tubes |> List.pairwise |> List.forall (fun (thin, thick) -> isTubeOf thick thin)
                && List.forall2 (fun radius (tube: LabelMap) -> tube.Data = near radius) radii tubes)

            Property.test "pruning and the method are those of skeletons" (fun (AnyLabels labels) ->
                let wanted =
                    labels
                    |> Tube.binarize
                    |> Skeleton.thinBy Thinning.Lee
                    |> Skeleton.prune 3.0
                    |> Tube.assignClasses labels

                let options =
                    { steps 0 with
                        Prune = 3.0
                        Thinning = Some Thinning.Lee
                    }

                (Tube.ofLabels options labels).Data = wanted.Data)

            testCase "the pictures of the documentation"
            <| fun () ->
                let dot = Generators.plane [ "....."; "....."; "..#.."; "....."; "....." ]

                let grown (radius: TubeRadius) (spacing: float list) : string =
                    dot
                    |> Mask.withSpacing (Spacing.ofList spacing)
                    |> Tube.grow { Tube.standard with Radius = radius }
                    |> Generators.picture

                let lines (rows: string list) = String.concat "\n" rows + "\n"

                Expect.equal
                    (grown (TubeRadius.Steps 2) [ 1.0; 1.0 ])
                    (lines [ "..#.."; ".###."; "#####"; ".###."; "..#.." ])
                    "steps"

                Expect.equal
                    (grown (TubeRadius.Ball 2.3) [ 1.0; 1.0 ])
                    (lines [ ".###."; "#####"; "#####"; "#####"; ".###." ])
                    "ball"

                Expect.equal
                    (grown (TubeRadius.Ball 2.3) [ 2.0; 1.0 ])
                    (lines [ "....."; ".###."; "#####"; ".###."; "....." ])
                    "rows apart"

                let bands =
                    labelsOf [ for label in [ "1"; "1"; "1"; "2"; "2" ] -> String.replicate 8 label ]

                Expect.equal
                    (linesOf (Tube.ofLabels (steps 0) bands))
                    [ "........"; ".....11."; "..111..."; "........"; "........" ]
                    "merged"

                Expect.equal
                    (linesOf (
                        Tube.ofLabels
                            { steps 0 with
                                SkeletonOf = SkeletonOf.EachClass
                            }
                            bands
                    ))
                    [ "......1."; "111111.."; "........"; "22222222"; "........" ]
                    "each class"

                let part = labelsOf [ "...999"; "111999"; "...999" ]

                Expect.equal
                    (linesOf (Tube.ofLabels { steps 0 with Ignore = Some 9s } part))
                    [ "......"; "111..."; "......" ]
                    "ignored"

                let spur = labelsOf [ "...1...."; "...1...."; "11111111" ]

                Expect.equal
                    (linesOf (Tube.ofLabels { steps 0 with Prune = 3.0 } spur))
                    [ "........"; "........"; "11111111" ]
                    "pruned"
        ]
