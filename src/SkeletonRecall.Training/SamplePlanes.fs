namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Generated planes with known labels: roads from above, and cracks in concrete.
[<RequireQualifiedAccess>]
module internal SamplePlanes =

    let private point (row: float) (column: float) : TubeDrawing.Point = struct (0.0, row, column)

    // From one side of the image to the opposite one.
    let private across (rng: Rng) (size: float) : TubeDrawing.Point list =
        let isVertical = rng.Chance 0.5
        let start, goal = rng.Uniform(0.1, 0.9), rng.Uniform(0.1, 0.9)

        [
            for number in 0..4 do
                let along = -0.05 + 1.1 * float number / 4.0
                let aside = start + (goal - start) * along + rng.Uniform(-0.05, 0.05)

                if isVertical then
                    point (along * size) (aside * size)
                else
                    point (aside * size) (along * size)
        ]

    // A street that leaves a road at about a right angle and ends somewhere, or beyond the border.
    let private side (rng: Rng) (size: float) (road: TubeDrawing.Point[]) : TubeDrawing.Point list =
        let at = 4 + rng.NextInt(road.Length - 8)
        let struct (_, row, column) = road[at]
        let struct (_, ahead, aside) = road[at + 3]
        let turn = if rng.Chance 0.5 then Math.PI / 2.0 else -Math.PI / 2.0
        let heading = atan2 (ahead - row) (aside - column) + turn + rng.Uniform(-0.2, 0.2)
        let length = size * rng.Uniform(0.2, 0.6)

        [
            for number in 0..3 do
                let far = length * float number / 3.0
                let bend = heading + rng.Uniform(-0.08, 0.08) * float number
                point (row + far * sin bend) (column + far * cos bend)
        ]

    /// Roads, label 1, on colours of fields and roofs; crowns of trees hide them here and there.
    let roads (size: int) (seed: Seed) : Image * LabelMap =
        let rng = Seed.rng seed
        let extent = Extent.plane size size
        let side' = float size

        let mains =
            List.init (2 + rng.NextInt 2) (fun _ -> TubeDrawing.curve (across rng side'))

        let streets =
            mains
            |> List.collect (fun main ->
                List.init (2 + rng.NextInt 3) (fun _ -> TubeDrawing.curve (side rng side' main)))

        let paved (radius: float) (points: TubeDrawing.Point[]) =
            let radius = radius * rng.Uniform(0.85, 1.15)
            TubeDrawing.tube 1s (radius, radius) (1.0, 1.0) points

        let labels, light =
            Seq.append (mains |> Seq.collect (paved 3.4)) (streets |> Seq.collect (paved 2.2))
            |> TubeDrawing.draw extent

        let fields = Texture.grain rng (side' / 16.0) extent
        let grass = Texture.grain rng 1.0 extent

        let crowns =
            [
                for _ in 1 .. size / 8 ->
                    {
                        Slice = 0.0
                        Row = rng.Uniform(0.0, side')
                        Column = rng.Uniform(0.0, side')
                        Radius = rng.Uniform(2.0, 5.0)
                        Strength = 1.0
                        Label = 1s
                    }
            ]

        let _, shade = TubeDrawing.draw extent crowns

        let channel (ground: float32) (road: float32) (tree: float32) : float32[] =
            let noise = Texture.grain rng 0.0 extent

            Array.init extent.Count (fun at ->
                let open' = ground + 14.0f * fields[at] + 6.0f * grass[at]
                let paved = open' + (road - open') * light[at]
                let hidden = paved + (tree + 5.0f * grass[at] - paved) * 0.85f * shade[at]
                hidden + 5.0f * noise[at])
            |> Texture.blur 0.6 extent
            |> Texture.levels 255.0f

        let colours =
            [
                channel 104.0f 158.0f 40.0f
                channel 112.0f 155.0f 66.0f
                channel 84.0f 152.0f 38.0f
            ]

        Image.create 3 extent (Array.concat colours), Volume.create extent labels

    // A crack wanders on; branches leave it.
    let rec private wander
        (rng: Rng)
        (size: float)
        (radius: float)
        (row: float)
        (column: float)
        (heading: float)
        (length: float)
        : Bead list =
        // It strays from its course and comes back to it.
        let mutable astray = 0.0
        let mutable row = row
        let mutable column = column
        let points = ResizeArray<TubeDrawing.Point>()

        for _ in 0 .. int (2.0 * length) do
            points.Add(point row column)
            astray <- 0.97 * astray + 0.11 * rng.Gaussian()
            row <- row + 0.5 * sin (heading + astray)
            column <- column + 0.5 * cos (heading + astray)

        let points = points.ToArray()
        let strength () = rng.Uniform(0.55, 1.0)

        [
            yield! TubeDrawing.tube 1s (radius, max 0.75 (0.6 * radius)) (strength (), strength ()) points

            if length > size / 5.0 then
                for _ in 1 .. 1 + rng.NextInt 2 do
                    let struct (_, y, x) =
                        points[points.Length / 5 + rng.NextInt(3 * points.Length / 5)]

                    let turn = (if rng.Chance 0.5 then 1.0 else -1.0) * rng.Uniform(0.4, 1.2)

                    yield!
                        wander rng size (max 0.75 (0.7 * radius)) y x (heading + turn) (length * rng.Uniform(0.3, 0.6))
        ]

    /// Cracks, label 1, dark in grey concrete with pores and stains.
    let cracks (size: int) (seed: Seed) : Image * LabelMap =
        let rng = Seed.rng seed
        let extent = Extent.plane size size
        let side = float size

        let beads =
            [
                for _ in 0 .. rng.NextInt 2 do
                    let heading = rng.Uniform(0.0, 2.0 * Math.PI)
                    let row = side * (0.5 - 0.45 * sin heading)
                    let column = side * (0.5 - 0.45 * cos heading)
                    yield! wander rng side (rng.Uniform(0.9, 1.9)) row column heading (side * rng.Uniform(0.7, 1.1))
            ]

        let labels, dark = TubeDrawing.draw extent beads

        let pores =
            [
                for _ in 1 .. size / 6 ->
                    {
                        Slice = 0.0
                        Row = rng.Uniform(0.0, side)
                        Column = rng.Uniform(0.0, side)
                        Radius = rng.Uniform(0.8, 2.5)
                        Strength = rng.Uniform(0.3, 0.8)
                        Label = 1s
                    }
            ]

        let _, holes = TubeDrawing.draw extent pores
        let stains = Texture.grain rng (side / 12.0) extent
        let sand = Texture.grain rng 0.8 extent
        let noise = Texture.grain rng 0.0 extent

        let grey =
            Array.init extent.Count (fun at ->
                165.0f + 10.0f * stains[at] + 8.0f * sand[at]
                - 85.0f * dark[at]
                - 55.0f * holes[at])
            |> Texture.blur 0.6 extent
            |> Array.mapi (fun at value -> value + 5.0f * noise[at])
            |> Texture.levels 255.0f

        Image.create 1 extent grey, Volume.create extent labels
