namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// A ball of a tube: where, how wide, which label, and how much of the tube's brightness is there. In voxels; of a plane,
/// the slice is 0.
[<Struct>]
type internal Bead =
    {
        Slice: float
        Row: float
        Column: float
        Radius: float
        Strength: float
        Label: int16
    }

/// Tubes along curves, drawn with exact labels.
[<RequireQualifiedAccess>]
module internal TubeDrawing =

    /// A point: slice, row, column.
    type Point = (struct (float * float * float))

    // From bead to bead: the outline of a union of such balls is within 0.04 voxels of the tube's.
    let private step = 0.5

    let private distance (struct (z, y, x): Point) (struct (w, v, u): Point) : float =
        sqrt ((z - w) ** 2.0 + (y - v) ** 2.0 + (x - u) ** 2.0)

    /// Points every half voxel along a smooth curve through the given ones (Catmull and Rom's spline).
    let curve (through: Point list) : Point[] =
        let points = Array.ofList through

        let at (index: int) =
            points[Math.Clamp(index, 0, points.Length - 1)]

        [|
            for segment in 0 .. points.Length - 2 do
                let parts = max 1 (int (ceil (distance (at segment) (at (segment + 1)) / step)))

                for part in 0 .. parts - 1 do
                    let t = float part / float parts

                    let along (pick: Point -> float) : float =
                        let a, b = pick (at (segment - 1)), pick (at segment)
                        let c, d = pick (at (segment + 1)), pick (at (segment + 2))

                        0.5
                        * (2.0 * b
                           + (c - a) * t
                           + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                           + (3.0 * b - a - 3.0 * c + d) * t * t * t)

                    struct (along (fun (struct (z, _, _)) -> z),
                            along (fun (struct (_, y, _)) -> y),
                            along (fun (struct (_, _, x)) -> x))

            at (points.Length - 1)
        |]

    /// A tube along points, its radius and strength going from one value to the other.
    let tube (label: int16) (radii: float * float) (strengths: float * float) (points: Point[]) : Bead[] =
        points
        |> Array.mapi (fun number (struct (slice, row, column)) ->
            let t = float number / float (max 1 (points.Length - 1))
            let between (first: float, last: float) = first + (last - first) * t

            {
                Slice = slice
                Row = row
                Column = column
                Radius = between radii
                Strength = between strengths
                Label = label
            })

    /// The labels and, for each voxel, the share of the brightness of a tube that it has (1 in the middle of a strong one).
    /// A voxel has the label of the tube that it is deepest in, by its centre; none where no tube covers its centre.
    let draw (extent: Extent) (beads: Bead seq) : int16[] * float32[] =
        let labels = Array.zeroCreate<int16> extent.Count
        let depths = Array.create extent.Count Single.PositiveInfinity
        let light = Array.zeroCreate<float32> extent.Count

        for bead in beads do
            let reach = bead.Radius + 1.0

            let range (centre: float) (length: int) : struct (int * int) =
                struct (max 0 (int (ceil (centre - reach))), min (length - 1) (int (floor (centre + reach))))

            let struct (first, last) =
                if extent.Rank = 2 then
                    struct (0, 0)
                else
                    range bead.Slice extent.Depth

            let struct (top, bottom) = range bead.Row extent.Height
            let struct (left, right) = range bead.Column extent.Width

            for slice in first..last do
                for row in top..bottom do
                    for column in left..right do
                        let dz = float slice - bead.Slice
                        let dy = float row - bead.Row
                        let dx = float column - bead.Column
                        let away = sqrt (dz * dz + dy * dy + dx * dx)
                        let at = (slice * extent.Height + row) * extent.Width + column
                        let depth = float32 (away / bead.Radius)

                        if away <= bead.Radius && depth < depths[at] then
                            depths[at] <- depth
                            labels[at] <- bead.Label

                        let coverage = bead.Strength * Math.Clamp(bead.Radius + 0.5 - away, 0.0, 1.0)

                        if float32 coverage > light[at] then
                            light[at] <- float32 coverage

        labels, light
