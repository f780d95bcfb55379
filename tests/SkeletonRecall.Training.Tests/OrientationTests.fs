module SkeletonRecall.Tests.OrientationTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private image (seed: int) : Image =
    let file = Scans.file 6 (1 + abs (seed % 2)) 3 seed

    match ImageFile.toImage file with
    | Ok image -> image
    | Error reason -> failtest reason

let private place (image: Image) (z: int) (y: int) (x: int) : float list =
    let steps = List.rev image.Spacing.Values

    List.fold
        (fun place (axis, index) ->
            List.map2 (fun value side -> value + float index * steps[axis] * side) place (image.Geometry.Axis axis))
        image.Geometry.Origin
        [ 0, x; 1, y; 2, z ]

[<Tests>]
let tests =
    testList
        "Orientation"
        [
            testProperty "every voxel keeps its place in the world, and a second turn changes nothing"
            <| fun (seed: int) ->
                let original = image seed
                let turned = Orientation.toRas original

                let voxels (image: Image) =
                    [
                        for z in 0 .. image.Extent.Depth - 1 do
                            for y in 0 .. image.Extent.Height - 1 do
                                for x in 0 .. image.Extent.Width - 1 do
                                    let rounded =
                                        place image z y x |> List.map (fun value -> round (value * 1e6) / 1e6 + 0.0)

                                    rounded, image.Data[Extent.index image.Extent z y x]
                    ]
                    |> List.sortBy snd

                List.iter2
                    (fun (one: float list, first: float32) (other: float list, second: float32) ->
                        Expect.equal first second "value"

                        List.iter2
                            (fun (a: float) (b: float) -> Expect.isLessThan (abs (a - b)) 1e-5 "place")
                            one
                            other)
                    (voxels original)
                    (voxels turned)

                Expect.equal (Orientation.axes turned.Geometry) [ 0, false; 1, false; 2, false ] "RAS"
                Expect.equal (Orientation.toRas turned) turned "twice"

            testProperty "label maps go there and back"
            <| fun (seed: int) ->
                let original = image seed

                let labels =
                    Volume.create original.Extent (Array.init original.Extent.Count int16)
                    |> Volume.withSpacing original.Spacing

                let there = Orientation.labelsToRas original.Geometry labels
                let back = Orientation.labelsFromRas original.Geometry there
                Expect.isTrue (Volume.equal back labels) "values"
                Expect.equal back.Spacing labels.Spacing "spacing"
                Expect.equal there.Extent (Orientation.toRas original).Extent "as images"

            test "LPS is turned by mirroring x and y" {
                let image = Image.create 1 (Extent.space 1 2 3) [| 0.0f .. 5.0f |]
                let turned = Orientation.toRas image
                Expect.equal turned.Data [| 5.0f; 4.0f; 3.0f; 2.0f; 1.0f; 0.0f |] "values"
                Expect.equal turned.Geometry.Origin [ 2.0; 1.0; 0.0 ] "origin"
            }
        ]
