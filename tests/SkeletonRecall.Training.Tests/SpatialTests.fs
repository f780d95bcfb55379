module SkeletonRecall.Tests.SpatialTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private patchOf (extent: Extent) (seed: int) : Patch =
    let rng = Seed.rng (Seed.ofInt seed)
    let image = Array.init (2 * extent.Count) (fun _ -> float32 (rng.NextDouble()))
    let labels = Array.init extent.Count (fun _ -> int16 (rng.NextInt 4 - 1))
    Patch.create (Image.create 2 extent image) (Volume.create extent labels)

let private near (wanted: float32[]) (got: float32[]) (text: string) =
    Expect.equal got.Length wanted.Length text
    let worst = Array.map2 (fun (a: float32) b -> abs (a - b)) wanted got |> Array.max
    Expect.isLessThan worst 1e-4f text

/// The labels by their definition: the map of each label is interpolated, and the largest value wins.
/// Also how clearly it wins.
let private byDefinition (size: Extent) (transform: Spatial.Transform) (patch: Patch) : (int16 * float32)[] =
    let shares =
        [
            for label in 0s .. 2s do
                let map =
                    patch.Labels.Data
                    |> Array.map (fun value -> if value = label then 1.0f else 0.0f)

                let image = Image.create 1 patch.Image.Extent map
                label, (Spatial.resample size transform (Patch.create image patch.Labels)).Image.Data
        ]

    Array.init size.Count (fun i ->
        let inside = shares |> List.map (fun (label, share) -> label, share[i])
        let outside = 1.0f - List.sumBy snd inside

        match (-1s, outside) :: inside |> List.sortByDescending snd with
        | (label, most) :: (_, next) :: _ -> label, most - next
        | _ -> -1s, 0.0f)

/// The image of the first channel by its definition, in double precision.
let private sampled (size: Extent) (turn: float list) (patch: Patch) : float32[] =
    let extent = patch.Image.Extent
    let middle (length: int) = float (length - 1) / 2.0

    let value (z: int) (y: int) (x: int) : float =
        if
            z < 0
            || y < 0
            || x < 0
            || z >= extent.Depth
            || y >= extent.Height
            || x >= extent.Width
        then
            0.0
        else
            float patch.Image.Data[Extent.index extent z y x]

    Array.init size.Count (fun index ->
        let z = float (index / (size.Height * size.Width)) - middle size.Depth
        let y = float (index / size.Width % size.Height) - middle size.Height
        let x = float (index % size.Width) - middle size.Width

        let position (row: int) (length: int) =
            turn[3 * row] * z
            + turn[3 * row + 1] * y
            + turn[3 * row + 2] * x
            + middle length

        let at =
            [ position 0 extent.Depth; position 1 extent.Height; position 2 extent.Width ]

        let whole = at |> List.map (floor >> int)
        let part = List.map2 (fun position below -> position - float below) at whole
        let mutable sum = 0.0

        for corner in 0..7 do
            let step = [ corner >>> 2; (corner >>> 1) &&& 1; corner &&& 1 ]

            let weight =
                List.map2 (fun step part -> if step = 1 then part else 1.0 - part) step part

            let near = List.map2 (+) whole step
            sum <- sum + List.fold (*) 1.0 weight * value near[0] near[1] near[2]

        float32 sum)

let private transforms: (string * Spatial.Transform) list =
    [
        "in the plane", Spatial.inPlane 0.7
        "larger", Spatial.scaled 0.7 false (Spatial.inPlane -2.0)
        "smaller", Spatial.scaled 1.4 false Spatial.identity
    ]

let private spaceTransforms: (string * Spatial.Transform) list =
    transforms
    @ [
        "in space", Spatial.rotation 0.3 -0.5 0.4
        "in space, larger", Spatial.scaled 0.8 true (Spatial.rotation 0.3 -0.5 0.4)
    ]

[<Tests>]
let tests =
    testList
        "Spatial"
        [
            for extent in [ Extent.plane 7 8; Extent.space 4 5 6 ] do
                test $"the identity changes nothing (%O{extent})" {
                    let patch = patchOf extent 1
                    let same = Spatial.resample extent Spatial.identity patch
                    near patch.Image.Data same.Image.Data "image"
                    Expect.equal same.Labels.Data patch.Labels.Data "labels"
                }

            test "a quarter turn moves every pixel to its place" {
                let size = 9
                let extent = Extent.plane size size
                let patch = patchOf extent 2
                let turned = Spatial.resample extent (Spatial.inPlane (Math.PI / 2.0)) patch

                let source =
                    Array.init extent.Count (fun i -> (size - 1 - i % size) * size + i / size)

                let twice = Array.append source (Array.map (fun i -> i + extent.Count) source)
                near (twice |> Array.map (fun i -> patch.Image.Data[i])) turned.Image.Data "image"
                Expect.equal turned.Labels.Data (source |> Array.map (fun i -> patch.Labels.Data[i])) "labels"
            }

            test "a quarter turn about each axis of space moves every voxel to its place" {
                let size = 5
                let extent = Extent.space size size size
                let patch = patchOf extent 3
                let quarter = Math.PI / 2.0

                let check (transform: Spatial.Transform) (source: int -> int -> int -> int * int * int) =
                    let turned = Spatial.resample extent transform patch

                    let wanted =
                        Array.init extent.Count (fun i ->
                            let z, y, x = source (i / (size * size)) (i / size % size) (i % size)
                            patch.Labels.Data[Extent.index extent z y x])

                    Expect.equal turned.Labels.Data wanted "labels"

                let last = size - 1
                check (Spatial.rotation quarter 0.0 0.0) (fun z y x -> z, last - x, y)
                check (Spatial.rotation 0.0 quarter 0.0) (fun z y x -> x, y, last - z)
                check (Spatial.rotation 0.0 0.0 quarter) (fun z y x -> last - y, z, x)
            }

            test "a ramp scaled by 2 has twice the slope and keeps its middle" {
                let ramp = Image.create 1 (Extent.plane 1 9) (Array.init 9 float32)

                let patch =
                    Patch.create ramp (Volume.create (Extent.plane 1 9) (Array.zeroCreate 9))

                let scaled =
                    Spatial.resample (Extent.plane 1 5) (Spatial.scaled 2.0 false Spatial.identity) patch

                near [| 0f; 2f; 4f; 6f; 8f |] scaled.Image.Data "values"
            }

            test "beyond the patch the image is 0 and the label -1" {
                let patch = patchOf (Extent.plane 4 4) 4

                let scaled =
                    Spatial.resample (Extent.plane 4 4) (Spatial.scaled 3.0 false Spatial.identity) patch

                Expect.equal scaled.Labels.Data[0] -1s "label"
                Expect.equal scaled.Image.Data[0] 0.0f "image"
            }

            for extent, size, transforms in
                [
                    Extent.plane 11 9, Extent.plane 8 10, transforms
                    Extent.space 5 7 6, Extent.space 6 5 7, spaceTransforms
                ] do
                for name, transform in transforms do
                    test $"labels are those of the largest interpolated map (%O{extent}, %s{name})" {
                        let patch = patchOf extent 5
                        let labels = (Spatial.resample size transform patch).Labels.Data

                        Array.iter2
                            (fun label (wanted, margin) ->
                                if margin > 1e-4f then
                                    Expect.equal label wanted "label")
                            labels
                            (byDefinition size transform patch)
                    }

            for extent, size, slices in
                [
                    Extent.plane 70 90, Extent.plane 61 83, false
                    Extent.space 9 50 60, Extent.space 7 41 53, true
                    Extent.space 5 50 60, Extent.space 5 41 53, false
                ] do
                for angle, factor in [ 0.0, 0.8; 0.3, 1.0; -1.9, 1.3; 3.1, 0.7 ] do
                    test $"long rows are interpolated as single voxels are (%O{size}, %g{angle}, %g{factor})" {
                        let patch = patchOf extent 8
                        let transform = Spatial.scaled factor slices (Spatial.inPlane angle)
                        let c, s = factor * cos angle, factor * sin angle
                        let along = if slices then factor else 1.0
                        let turn = [ along; 0.0; 0.0; 0.0; c; -s; 0.0; s; c ]
                        let seen = Spatial.resample size transform patch
                        near (sampled size turn patch) seen.Image.Data[.. size.Count - 1] "image"

                        Array.iter2
                            (fun label (wanted, margin) ->
                                if margin > 1e-3f then
                                    Expect.equal label wanted "label")
                            seen.Labels.Data
                            (byDefinition size transform patch)
                    }

            test "long rows turned in space are interpolated as single voxels are" {
                let extent, size = Extent.space 40 44 48, Extent.space 30 33 37
                let patch = patchOf extent 9
                let transform = Spatial.rotation 0.3 -0.4 0.2
                let seen = Spatial.resample size transform patch
                // The map is read off three ramps.
                let ramp (axis: int) =
                    let values =
                        Array.init extent.Count (fun index ->
                            let position = [ index / (44 * 48); index / 48 % 44; index % 48 ]
                            float32 position[axis])

                    (Spatial.resample size transform (Patch.create (Image.create 1 extent values) patch.Labels))
                        .Image.Data

                let place (axis: int) (slice: int) (row: int) (column: int) =
                    float (Array.item (Extent.index size slice row column) (ramp axis))

                let turn =
                    [
                        for axis in 0..2 do
                            let first = place axis 12 13 14
                            (place axis 17 13 14 - first) / 5.0
                            (place axis 12 18 14 - first) / 5.0
                            (place axis 12 13 19 - first) / 5.0
                    ]

                let wanted = sampled size turn patch

                let worst =
                    Array.map2 (fun (a: float32) b -> abs (a - b)) wanted seen.Image.Data[.. size.Count - 1]
                    |> Array.max

                Expect.isLessThan worst 1e-3f "image"

                Array.iter2
                    (fun label (wanted, margin) ->
                        if margin > 1e-3f then
                            Expect.equal label wanted "label")
                    seen.Labels.Data
                    (byDefinition size transform patch)
            }

            test "mirroring reverses the axes that it is told to" {
                let extent = Extent.plane 2 3
                let labels = Volume.create extent [| 1s; 2s; 3s; 4s; 5s; 6s |]
                let image = Image.create 1 extent [| 1f; 2f; 3f; 4f; 5f; 6f |]
                let mirrored = Spatial.mirror [ true; false ] (Patch.create image labels)
                Expect.equal mirrored.Labels.Data [| 4s; 5s; 6s; 1s; 2s; 3s |] "rows"
                Expect.equal mirrored.Image.Data [| 4f; 5f; 6f; 1f; 2f; 3f |] "image"
                let mirrored = Spatial.mirror [ false; true ] (Patch.create image labels)
                Expect.equal mirrored.Labels.Data [| 3s; 2s; 1s; 6s; 5s; 4s |] "columns"
            }

            test "mirroring twice changes nothing" {
                for axes in [ [ true; true; true ]; [ true; false; true ]; [ false; true; false ] ] do
                    let patch = patchOf (Extent.space 3 4 5) 6
                    let back = patch |> Spatial.mirror axes |> Spatial.mirror axes
                    Expect.equal back.Image.Data patch.Image.Data "image"
                    Expect.equal back.Labels.Data patch.Labels.Data "labels"
            }
        ]
