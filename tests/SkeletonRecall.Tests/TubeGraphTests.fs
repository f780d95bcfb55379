module SkeletonRecall.Tests.TubeGraphTests

open Expecto
open SkeletonRecall

let private skeletonOf (tube: LabelMap) : Mask =
    Mask.ofVolume (fun label -> label <> 0s) tube

[<Tests>]
let tests =
    testList
        "TubeGraph"
        [
            Property.test "is the graph of the skeleton that tubes grow from" (fun (AnyLabels labels) ->
                [ SkeletonOf.MergedForeground; SkeletonOf.EachClass ]
                |> List.forall (fun skeletonOf' ->
                    let options =
                        { Tube.standard with
                            Radius = TubeRadius.Steps 0
                            SkeletonOf = skeletonOf'
                        }

                    let graph = TubeGraph.ofLabels options labels
                    let wanted = skeletonOf (Tube.ofLabels options labels)

                    Mask.equal (SkeletonGraph.toMask graph) wanted
                    && graph.Branches
                       |> Array.forall (fun branch ->
                           branch.Class > 0s
                           && branch.Radii.Length = branch.Voxels.Length
                           && Array.forall (fun radius -> radius > 0.0) branch.Radii)))

            testCase "class by class, a branch has its class and the distance to what is outside of it"
            <| fun () ->
                // Two bars side by side, three rows each.
                let labels =
                    Volume.create
                        (Extent.plane 8 20)
                        (Array.init 160 (fun at ->
                            match at / 20 with
                            | 1
                            | 2
                            | 3 -> 1s
                            | 4
                            | 5
                            | 6 -> 2s
                            | _ -> 0s))

                let options =
                    { Tube.standard with
                        SkeletonOf = SkeletonOf.EachClass
                    }

                let graph = TubeGraph.ofLabels options labels
                Expect.equal (graph.Branches |> Array.map (fun branch -> branch.Class)) [| 1s; 2s |] "classes"

                Expect.all
                    graph.Branches
                    (fun branch -> Array.max branch.Radii = 2.0)
                    "the middle row of three is two steps from the outside"

                Expect.equal (graph.Branches |> Array.map _.Ends) [| Some(0, 1); Some(2, 3) |] "nodes count on"

            testCase "what is ignored has no branch"
            <| fun () ->
                let labels =
                    Volume.create (Extent.plane 5 40) (Array.init 200 (fun at -> if at % 40 < 20 then 1s else 3s))

                let graph = TubeGraph.ofLabels { Tube.standard with Ignore = Some 3s } labels

                Expect.all graph.Branches (fun branch -> branch.Class = 1s) "classes"
                Expect.isNonEmpty graph.Branches "branches"
        ]
