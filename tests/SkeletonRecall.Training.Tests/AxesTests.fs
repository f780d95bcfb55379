module SkeletonRecall.Tests.AxesTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private orders =
    [ [ 0; 1; 2 ]; [ 0; 2; 1 ]; [ 1; 0; 2 ]; [ 1; 2; 0 ]; [ 2; 0; 1 ]; [ 2; 1; 0 ] ]

[<Tests>]
let tests =
    testList
        "Axes"
        [
            test "every voxel goes where its coordinates go, and back" {
                // Larger than the squares in which voxels are moved.
                let extent = Extent.space 3 37 41

                let labels =
                    Array.init extent.Count (fun i -> int16 i)
                    |> Volume.create extent
                    |> Volume.withSpacing (Spacing.ofList [ 3.0; 2.0; 1.0 ])

                for order in orders do
                    let turned = Axes.labels order labels
                    Expect.equal turned.Extent.Shape (order |> List.map (fun axis -> extent.Shape[axis])) "size"

                    Expect.equal
                        turned.Spacing.Values
                        (order |> List.map (fun axis -> labels.Spacing.Values[axis]))
                        "mm"

                    for z in 0..2 do
                        for y in 0..7..36 do
                            for x in 0..5..40 do
                                let there = order |> List.map (fun axis -> [ z; y; x ][axis])
                                let at = Extent.index turned.Extent there[0] there[1] there[2]
                                Expect.equal turned.Data[at] labels.Data[Extent.index extent z y x] $"%A{order}"

                    let back = Axes.labels (Axes.inverse order) turned
                    Expect.equal back.Data labels.Data $"back from %A{order}"
                    Expect.equal back.Spacing labels.Spacing "mm again"
            }

            test "what is no order is refused" {
                Expect.throwsT<System.ArgumentException>
                    (fun () -> Axes.permute [ 0; 1; 1 ] [ 1; 2; 3 ] |> ignore)
                    "twice"

                Expect.throwsT<System.ArgumentException>
                    (fun () -> Axes.permute [ 1; 0; 2 ] [ 1; 2 ] |> ignore)
                    "a plane"

                Expect.equal (Axes.permute [ 0; 1; 2 ] [ 4; 5 ]) [ 4; 5 ] "a plane's own"
            }
        ]
