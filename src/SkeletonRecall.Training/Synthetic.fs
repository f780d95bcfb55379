namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// How synthetic vessel images are drawn. Lengths are in pixels, brightness in grey levels of 0..255.
type VesselOptions =
    {
        /// Size of the image, a plane.
        Extent: Extent
        /// Number of trees; each enters from the border, so that they cross.
        Trees: int
        /// Radius of a tree at its root.
        RootRadius: float
        /// Radius of the thinnest branches, at least 0.75, so that their labels hang together.
        TipRadius: float
        /// How much darker than the background the middle of a thick vessel is.
        Contrast: float
        /// Share of the contrast that is left at the end of the thinnest branches, 0..1.
        Faintness: float
        /// Standard deviation of the optical blur.
        Blur: float
        /// Standard deviation of the noise.
        Noise: float
        /// How far the illumination wanders from its mean.
        Unevenness: float
        /// Number of dark and bright spots that are no vessels.
        Blobs: int
    }

/// Images with known labels: vessel trees as in a picture of the retina.
[<RequireQualifiedAccess>]
module Synthetic =

    /// 256 x 256, three trees whose thin ends nearly drown in the noise.
    let standard: VesselOptions =
        {
            Extent = Extent.plane 256 256
            Trees = 3
            RootRadius = 3.8
            TipRadius = 0.8
            Contrast = 70.0
            Faintness = 0.5
            Blur = 0.8
            Noise = 8.0
            Unevenness = 25.0
            Blobs = 14
        }

    /// One disc of a vessel: where, how wide, and which share of the contrast it has.
    [<Struct>]
    type private Disc =
        {
            Row: float
            Column: float
            Radius: float
            Strength: float
        }

    // Half a pixel from disc to disc: the outline of a union of such discs is within 0.04 pixels of the tube's.
    let private step = 0.5

    /// Grows one branch and, at its end, its two children.
    let rec private grow
        (options: VesselOptions)
        (rng: Rng)
        (discs: ResizeArray<Disc>)
        (start: Disc)
        (heading: float)
        : unit =
        let last = start.Radius <= options.TipRadius * 1.25

        let length =
            9.0
            + start.Radius * rng.Uniform(8.0, 15.0)
            + (if last then rng.Uniform(2.0, 18.0) else 0.0)

        let count = int (length / step)

        let radiusAtEnd =
            if last then
                options.TipRadius
            else
                max options.TipRadius (start.Radius * rng.Uniform(0.88, 0.98))

        let strengthAtEnd = if last then start.Strength * 0.7 else start.Strength
        // Some branches grow faint for a few pixels: there a segmentation likes to break.
        let dip = if rng.Chance 0.3 then rng.Uniform(0.25, 0.6) else 0.0
        let dipAt = rng.Uniform(0.2, 0.8)
        let dipWidth = rng.Uniform(2.0, 5.0) / length
        let mutable heading = heading
        let mutable bend = 0.0
        let mutable row = start.Row
        let mutable column = start.Column
        let mutable inside = true
        let mutable i = 1

        let margin = 8.0

        while inside && i <= count do
            let t = float i / float count
            bend <- 0.96 * bend + 0.006 * rng.Gaussian()
            heading <- heading + bend * step
            row <- row + sin heading * step
            column <- column + cos heading * step
            let fade = 1.0 - dip * exp (-0.5 * ((t - dipAt) / dipWidth) ** 2.0)

            discs.Add
                {
                    Row = row
                    Column = column
                    Radius = start.Radius + (radiusAtEnd - start.Radius) * t
                    Strength = (start.Strength + (strengthAtEnd - start.Strength) * t) * fade
                }

            inside <-
                row > -margin
                && column > -margin
                && row < float options.Extent.Height + margin
                && column < float options.Extent.Width + margin

            i <- i + 1

        if inside && not last then
            // Murray's law: the cubes of the radii add up. The thicker child turns less.
            let share = rng.Uniform(0.5, 0.93)
            let side = if rng.Chance 0.5 then 1.0 else -1.0

            let child (share: float) (turn: float) =
                let radius = radiusAtEnd * share ** (1.0 / 3.0)

                let thickness =
                    Math.Clamp((radius - options.TipRadius) / (2.5 - options.TipRadius), 0.0, 1.0)

                let strength = options.Faintness + (1.0 - options.Faintness) * thickness

                let child =
                    {
                        Row = row
                        Column = column
                        Radius = max options.TipRadius radius
                        Strength = strength * rng.Uniform(0.85, 1.0)
                    }

                // Most twigs that would be thinner than the thinnest do not grow.
                if radius >= options.TipRadius || rng.Chance 0.35 then
                    grow options rng discs child (heading + side * turn)

            child share (rng.Uniform(0.15, 0.5) * (1.25 - share))
            child (1.0 - share) (-rng.Uniform(0.45, 1.0))

    /// A root on the border, turned to the inside, and everything that grows from it.
    let private tree (options: VesselOptions) (rng: Rng) : Disc[] =
        let height = float options.Extent.Height
        let width = float options.Extent.Width
        let along = rng.Uniform(0.15, 0.85)

        let row, column =
            match rng.NextInt 4 with
            | 0 -> -2.0, along * width
            | 1 -> height + 1.0, along * width
            | 2 -> along * height, -2.0
            | _ -> along * height, width + 1.0

        let toward = atan2 (0.5 * height - row) (0.5 * width - column)
        let discs = ResizeArray<Disc>()

        let root =
            {
                Row = row
                Column = column
                Radius = options.RootRadius * rng.Uniform(0.8, 1.05)
                Strength = 1.0
            }

        grow options rng discs root (toward + rng.Uniform(-0.5, 0.5))
        discs.ToArray()

    /// Draws discs: labels where a pixel's centre lies inside, and the darkest share of the contrast per pixel.
    let private draw (extent: Extent) (discs: Disc[]) (labels: int16[]) (dark: float[]) : unit =
        for disc in discs do
            let reach = disc.Radius + 1.0
            let top = max 0 (int (ceil (disc.Row - reach)))
            let bottom = min (extent.Height - 1) (int (floor (disc.Row + reach)))
            let left = max 0 (int (ceil (disc.Column - reach)))
            let right = min (extent.Width - 1) (int (floor (disc.Column + reach)))

            for row in top..bottom do
                for column in left..right do
                    let dy = float row - disc.Row
                    let dx = float column - disc.Column
                    let distance = sqrt (dx * dx + dy * dy)
                    let index = row * extent.Width + column

                    if distance <= disc.Radius then
                        labels[index] <- 1s

                    // Anti-aliased edge, and a little less depth towards the rim, as light through a cylinder.
                    let coverage = Math.Clamp(disc.Radius + 0.5 - distance, 0.0, 1.0)
                    let ratio = min 1.0 (distance / (disc.Radius + 0.5))
                    let depth = disc.Strength * coverage * (1.0 - 0.35 * ratio * ratio)

                    if depth > dark[index] then
                        dark[index] <- depth

    /// Convolves rows and columns with a Gaussian; the border is repeated.
    let private blur (extent: Extent) (sigma: float) (values: float[]) : float[] =
        if sigma <= 0.0 then
            values
        else
            let reach = int (ceil (3.0 * sigma))

            let kernel =
                Array.init (2 * reach + 1) (fun i -> exp (-0.5 * (float (i - reach) / sigma) ** 2.0))

            let total = Array.sum kernel

            let sweep (source: float[]) (rowStep: int) (columnStep: int) : float[] =
                Array.init source.Length (fun index ->
                    let row = index / extent.Width
                    let column = index % extent.Width
                    let mutable sum = 0.0

                    for i in -reach .. reach do
                        let y = Math.Clamp(row + i * rowStep, 0, extent.Height - 1)
                        let x = Math.Clamp(column + i * columnStep, 0, extent.Width - 1)
                        sum <- sum + kernel[i + reach] * source[y * extent.Width + x]

                    sum / total)

            sweep (sweep values 1 0) 0 1

    /// Slow waves of light and a darker rim.
    let private illumination (options: VesselOptions) (rng: Rng) : int -> int -> float =
        let wave () =
            let angle = rng.Uniform(0.0, 2.0 * Math.PI)
            let frequency = rng.Uniform(0.4, 1.6) * 2.0 * Math.PI
            let phase = rng.Uniform(0.0, 2.0 * Math.PI)
            fun (y: float) (x: float) -> cos (frequency * (y * sin angle + x * cos angle) + phase)

        let waves = List.init 4 (fun _ -> wave ())

        fun row column ->
            let y = float row / float options.Extent.Height - 0.5
            let x = float column / float options.Extent.Width - 0.5
            let sum = waves |> List.sumBy (fun wave -> wave y x)
            options.Unevenness * (0.5 * sum - 2.0 * (x * x + y * y) + 0.33)

    /// Round spots with soft edges, three dark ones for every bright one.
    let private spots (options: VesselOptions) (rng: Rng) (light: float[]) : unit =
        for number in 1 .. options.Blobs do
            let row = rng.Uniform(0.0, float options.Extent.Height)
            let column = rng.Uniform(0.0, float options.Extent.Width)
            let radius = rng.Uniform(1.5, 5.0)
            let squash = rng.Uniform(0.6, 1.0)

            let depth =
                options.Contrast
                * rng.Uniform(0.2, 0.6)
                * (if number % 4 = 0 then 1.0 else -1.0)

            for y in max 0 (int (row - 12.0)) .. min (options.Extent.Height - 1) (int (row + 12.0)) do
                for x in max 0 (int (column - 12.0)) .. min (options.Extent.Width - 1) (int (column + 12.0)) do
                    let dy = (float y - row) / squash
                    let dx = float x - column
                    let distance = sqrt (dx * dx + dy * dy)
                    let index = y * options.Extent.Width + x
                    light[index] <- light[index] + depth / (1.0 + exp ((distance - radius) / 0.6))

    /// One image with its labels: a single channel of whole grey levels 0..255 (vessels dark on a brighter ground) and
    /// labels 0/1, which are exact: 1 wherever a pixel's centre lies inside a vessel, however faint it is.
    /// The same options and seed give the same case. Throws ArgumentException for options outside their range.
    let vessels (options: VesselOptions) (seed: Seed) : Case =
        if options.Extent.Rank <> 2 then
            invalidArg (nameof options) $"Vessels are drawn on a plane; the extent is %O{options.Extent}."

        if
            options.Trees < 1
            || options.TipRadius < 0.75
            || options.RootRadius < options.TipRadius
        then
            invalidArg
                (nameof options)
                $"At least one tree and 0.75 <= tip radius <= root radius are wanted; got %d{options.Trees} trees, radii %g{options.TipRadius} and %g{options.RootRadius}."

        let extent = options.Extent
        let labels = Array.zeroCreate<int16> extent.Count
        let through = Array.create extent.Count 1.0

        // Within a tree the darker disc counts; where trees cross, the light passes through both.
        for number in 1 .. options.Trees do
            let dark = Array.zeroCreate<float> extent.Count
            let discs = tree options (Seed.child number seed |> Seed.rng)
            draw extent discs labels dark

            for index in 0 .. extent.Count - 1 do
                through[index] <- through[index] * (1.0 - 0.8 * dark[index])

        let rng = Seed.child 0 seed |> Seed.rng
        let light = illumination options rng

        let clean =
            Array.init extent.Count (fun index ->
                let ground = 145.0 + light (index / extent.Width) (index % extent.Width)
                ground - options.Contrast / 0.8 * (1.0 - through[index]))

        spots options rng clean
        let blurred = blur extent options.Blur clean
        let grain = blur extent 1.2 (Array.init extent.Count (fun _ -> rng.Gaussian()))

        let image =
            Array.init extent.Count (fun index ->
                // Grain of 1.2 pixels has a standard deviation of about 0.23 before it is scaled.
                let noise = options.Noise * (0.96 * rng.Gaussian() + 0.28 * grain[index] / 0.23)
                float32 (Math.Clamp(Math.Round(blurred[index] + noise), 0.0, 255.0)))

        Case.create (CaseId.ofString "vessels") (Image.create 1 extent image) (Some(Volume.create extent labels))

    /// Writes a data set of vessel images in nnU-Net's raw layout into `folder`, whose name should be
    /// `Dataset<3 digits>_<name>`: imagesTr, labelsTr, imagesTs, labelsTs and dataset.json. Case n, training cases first,
    /// is drawn from child n of the seed, so that more cases leave the first ones as they were.
    /// Throws ArgumentException for negative counts or no case at all.
    let writeDataset
        (options: VesselOptions)
        (seed: Seed)
        (training: int)
        (test: int)
        (folder: string)
        : Result<Dataset, Problem> =
        if training < 0 || test < 0 || training + test < 1 then
            invalidArg (nameof training) $"At least one case is wanted; got %d{training} and %d{test}."

        let dataset =
            Dataset.create (Store.name folder) [ "grey" ] [ "background", 0; "vessel", 1 ] ".png" training

        Problem.attempt {
            for number in 0 .. training + test - 1 do
                let case = vessels options (Seed.child number seed)

                let named =
                    { case with
                        Id = CaseId.ofString $"vessels_%03d{number}"
                    }

                do! Store.writeCase folder (number < training) named

            do! Store.writeDataset folder dataset
            return dataset
        }
