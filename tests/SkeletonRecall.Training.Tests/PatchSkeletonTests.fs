module SkeletonRecall.Tests.PatchSkeletonTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private piece: PatchSkeleton =
    {
        Coordinates = [| 0.0f; 1.0f; 2.0f; 0.0f; -3.0f; 0.5f |]
        Classes = [| 1s |]
    }

[<Tests>]
let tests =
    testList
        "PatchSkeleton"
        [
            test "moves" {
                Expect.equal
                    (PatchSkeleton.shift (struct (0.0f, 1.0f, 0.5f)) piece).Coordinates
                    [| 0.0f; 0.0f; 1.5f; 0.0f; -4.0f; 0.0f |]
                    "shift"

                Expect.equal
                    (PatchSkeleton.mirror [| false; true; false |] piece).Coordinates
                    [| 0.0f; -1.0f; 2.0f; 0.0f; 3.0f; 0.5f |]
                    "mirror"

                // Rows become columns, columns become slices doubled.
                Expect.equal
                    (PatchSkeleton.map [| 0.0; 0.0; 2.0; 1.0; 0.0; 0.0; 0.0; 1.0; 0.0 |] piece).Coordinates
                    [| 4.0f; 0.0f; 1.0f; 1.0f; 0.0f; -3.0f |]
                    "map"
            }

            test "a tube reaches in from outside the patch" {
                let outside =
                    {
                        Coordinates = [| 0.0f; -3.0f; 0.0f; 0.0f; -3.0f; 1.0f |]
                        Classes = [| 1s |]
                    }

                let labels = Volume.create (Extent.plane 3 5) (Array.create 15 7s)
                let tube = PatchSkeleton.tube Tube.standard labels outside
                Expect.equal tube.Data[..4] [| 0s; 0s; 7s; 7s; 0s |] "two steps from row -2 to row 0"
                Expect.all tube.Data[5..] (fun label -> label = 0s) "no farther"
            }

            test "a ball is measured by the patch's spacing" {
                let labels =
                    Volume.create (Extent.plane 9 9) (Array.create 81 1s)
                    |> Volume.withSpacing (Spacing.ofList [ 2.0; 1.0 ])

                let point =
                    {
                        Coordinates = Array.zeroCreate 6
                        Classes = [| 1s |]
                    }

                let ball =
                    { Tube.standard with
                        Radius = TubeRadius.Ball 2.5
                    }

                let tube = PatchSkeleton.tube ball labels point

                let wanted =
                    Array.init 81 (fun at ->
                        let row, column = at / 9 - 4, at % 9 - 4
                        if 4 * row * row + column * column <= 6 then 1s else 0s)

                Expect.equal tube.Data wanted "voxels within 2.5 mm"
            }
        ]
