namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Generated volumes with known labels: trees of vessels, a canal in bone, and the circle of Willis.
[<RequireQualifiedAccess>]
module internal SampleVolumes =

    let private image (extent: Extent) (spacing: float) (values: float32[]) (labels: int16[]) : Image * LabelMap =
        let spacing = Spacing.ofList [ spacing; spacing; spacing ]

        { Image.create 1 extent (Texture.levels 4095.0f values) with
            Spacing = spacing
        },
        Volume.create extent labels |> Volume.withSpacing spacing

    // Bright tubes in soft tissue, as angiography shows them.
    let private angiogram (rng: Rng) (extent: Extent) (light: float32[]) : float32[] =
        let tissue = Texture.grain rng (float extent.Width / 12.0) extent
        let fine = Texture.grain rng 1.0 extent

        let clean =
            Array.init extent.Count (fun at -> 160.0f + 25.0f * tissue[at] + 12.0f * fine[at] + 260.0f * light[at])
            |> Texture.blur 0.6 extent

        clean |> Array.map (fun value -> value + 14.0f * float32 (rng.Gaussian()))

    let rec private grow
        (rng: Rng)
        (size: float)
        (start: TubeDrawing.Point)
        (heading: struct (float * float * float))
        (radius: float)
        : Bead list =
        let struct (hz, hy, hx) = heading
        let isLast = radius <= 1.0
        let length = size * rng.Uniform(0.12, 0.25) * (0.6 + 0.2 * radius)
        let struct (z, y, x) = start

        let wiggle () = 0.12 * length * rng.Gaussian()

        let middle: TubeDrawing.Point =
            struct (z + 0.5 * length * hz + wiggle (),
                    y + 0.5 * length * hy + wiggle (),
                    x + 0.5 * length * hx + wiggle ())

        let tip: TubeDrawing.Point =
            struct (z + length * hz, y + length * hy, x + length * hx)

        let strength = Math.Clamp(0.45 + 0.25 * radius, 0.0, 1.0)

        [
            yield!
                TubeDrawing.curve [ start; middle; tip ]
                |> TubeDrawing.tube 1s (radius, max 0.8 (0.92 * radius)) (strength, 0.9 * strength)

            let struct (tz, ty, tx) = tip
            let inside (value: float) = value > -4.0 && value < size + 4.0

            if not isLast && inside tz && inside ty && inside tx then
                // Murray's law: the cubes of the radii add up.
                let share = rng.Uniform(0.45, 0.85)

                for part in [ share; 1.0 - share ] do
                    let turn () = (1.2 - part) * 0.9 * rng.Gaussian()
                    let dz, dy, dx = hz + turn (), hy + turn (), hx + turn ()
                    let norm = max 1e-6 (sqrt (dz * dz + dy * dy + dx * dx))
                    let radius = 0.92 * radius * part ** (1.0 / 3.0)

                    if radius >= 0.75 then
                        yield! grow rng size tip (struct (dz / norm, dy / norm, dx / norm)) (max 0.8 radius)
        ]

    /// Two trees of vessels, label 1, voxels of 0.6 mm.
    let trees (size: int) (seed: Seed) : Image * LabelMap =
        let rng = Seed.rng seed
        let extent = Extent.space size size size
        let side = float size

        let root () =
            let start: TubeDrawing.Point =
                struct (-1.0, side * rng.Uniform(0.25, 0.75), side * rng.Uniform(0.25, 0.75))

            grow
                rng
                side
                start
                (struct (0.95, rng.Uniform(-0.2, 0.2), rng.Uniform(-0.2, 0.2)))
                (side / 64.0 * rng.Uniform(2.2, 2.8) + 0.4)

        let labels, light = TubeDrawing.draw extent (root () @ root ())
        image extent 0.6 (angiogram rng extent light) labels

    /// A canal on either side, label 1, dark in the bone of a jaw, voxels of 0.3 mm.
    let canal (size: int) (seed: Seed) : Image * LabelMap =
        let rng = Seed.rng seed
        let extent = Extent.space size size size
        let side = float size

        let place (x: float) (y: float) (z: float) : TubeDrawing.Point =
            let near (value: float) =
                side * (value + rng.Uniform(-0.02, 0.02))

            struct (near z, near y, near x)

        // x to the patient's left, y to the back, z upwards; the right side is the left one mirrored.
        let path (mirror: float -> float) (grown: float) =
            TubeDrawing.curve
                [
                    place (mirror 0.84) 0.86 (0.78 + grown)
                    place (mirror 0.82) 0.76 (0.56 + grown)
                    place (mirror 0.77) 0.60 0.38
                    place (mirror 0.70) 0.42 0.33
                    place (mirror 0.62) 0.28 0.37
                ]

        let both = [ path id 0.0; path (fun x -> 1.0 - x) 0.0 ]

        let canals =
            both
            |> Seq.collect (fun points ->
                let radius = max 1.0 (side / 64.0 * rng.Uniform(1.3, 1.8))
                TubeDrawing.tube 1s (1.15 * radius, radius) (rng.Uniform(0.8, 1.0), rng.Uniform(0.5, 0.8)) points)

        // The jaw is a thick tube around both.
        let jaw =
            both |> Seq.collect (TubeDrawing.tube 1s (side * 0.11, side * 0.10) (1.0, 1.0))

        let labels, dark = TubeDrawing.draw extent canals
        let _, bone = TubeDrawing.draw extent jaw
        let spongy = Texture.grain rng 1.2 extent
        let soft = Texture.grain rng (side / 10.0) extent

        let clean =
            Array.init extent.Count (fun at ->
                let marrow = 1500.0f + 190.0f * spongy[at]
                let tissue = 1000.0f + 25.0f * soft[at]
                tissue + (marrow - tissue) * bone[at] - 380.0f * dark[at])
            |> Texture.blur 0.7 extent

        let noisy =
            clean |> Array.map (fun value -> value + 45.0f * float32 (rng.Gaussian()))

        image extent 0.3 noisy labels

    /// The circle of Willis with TopCoW's arteries as labels 1 to 13, voxels of 0.4 mm. Posterior communicating arteries are
    /// often thin and at times absent, and a third A2 is there in about half of the cases, as in people.
    let willis (size: int) (seed: Seed) : Image * LabelMap =
        let rng = Seed.rng seed
        let extent = Extent.space size size size
        let side = float size
        let scale = side / 64.0

        // x to the patient's left, y to the back, z upwards, of a cube of side 1.
        let near (x: float, y: float, z: float) : float * float * float =
            let shift () = rng.Uniform(-0.018, 0.018)
            x + shift (), y + shift (), z + shift ()

        let point (x: float, y: float, z: float) : TubeDrawing.Point = struct (side * z, side * y, side * x)
        let top = near (0.50, 0.68, 0.50)
        let front = near (0.50, 0.33, 0.56)

        let artery (label: int) (radius: float) (through: (float * float * float) list) : Bead[] =
            let radius = max 0.85 (scale * radius * rng.Uniform(0.9, 1.1))
            let strength = rng.Uniform(0.75, 1.0)

            through
            |> List.map point
            |> TubeDrawing.curve
            |> TubeDrawing.tube (int16 label) (radius, 0.9 * radius) (strength, 0.9 * strength)

        // One side of the circle; labels of the right one first.
        let half (isLeft: bool) =
            let at (x: float, y: float, z: float) =
                near ((if isLeft then 1.0 - x else x), y, z)

            let label (right: int) (left: int) = if isLeft then left else right
            let fork = at (0.37, 0.44, 0.51)
            let back = at (0.36, 0.69, 0.55)
            let knee = at (0.46, 0.33, 0.56)

            [
                artery (label 2 3) 1.5 [ top; back; at (0.26, 0.78, 0.57); at (0.20, 0.92, 0.60) ]
                artery (label 4 6) 2.3 [ at (0.36, 0.50, 0.02); at (0.35, 0.46, 0.22); at (0.38, 0.40, 0.38); fork ]
                artery (label 5 7) 1.8 [ fork; at (0.26, 0.42, 0.54); at (0.14, 0.44, 0.56); at (0.02, 0.42, 0.60) ]

                if rng.Chance 0.8 then
                    artery (label 8 9) 1.0 [ fork; at (0.365, 0.56, 0.52); back ]

                artery
                    (label 11 12)
                    1.4
                    [
                        fork
                        at (0.42, 0.38, 0.55)
                        knee
                        at (0.47, 0.27, 0.68)
                        at (0.48, 0.30, 0.95)
                    ]
            ],
            knee

        let right, rightKnee = half false
        let left, leftKnee = half true

        let beads =
            [
                yield artery 1 2.0 [ near (0.50, 0.80, 0.05); near (0.51, 0.74, 0.28); top ]
                yield! right
                yield! left
                yield artery 10 1.0 [ rightKnee; front; leftKnee ]

                if rng.Chance 0.5 then
                    yield artery 13 1.0 [ front; near (0.50, 0.25, 0.70); near (0.50, 0.27, 0.95) ]
            ]

        let labels, light = TubeDrawing.draw extent (Seq.concat beads)
        image extent 0.4 (angiogram rng extent light) labels
