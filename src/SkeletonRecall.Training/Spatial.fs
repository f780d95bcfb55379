namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Rotating, scaling and mirroring patches.
[<RequireQualifiedAccess>]
module Spatial =

    /// A linear map of (z, y, x) offsets from the centre of the result to offsets from the centre of the source, in voxels.
    /// Row-major, 9 entries; a plane's has (1, 0, 0) as its first row and column.
    type Transform = private Transform of float[]

    let private multiply (left: float[]) (right: float[]) : float[] =
        Array.init 9 (fun i ->
            let row, column = i / 3, i % 3

            left[3 * row] * right[column]
            + left[3 * row + 1] * right[3 + column]
            + left[3 * row + 2] * right[6 + column])

    /// The map that changes nothing.
    let identity: Transform =
        Transform [| 1.0; 0.0; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 1.0 |]

    /// Rotation within the planes of rows and columns, by an angle in radians.
    let inPlane (angle: float) : Transform =
        let c, s = cos angle, sin angle
        Transform [| 1.0; 0.0; 0.0; 0.0; c; -s; 0.0; s; c |]

    /// Rotations about the axis of slices, then rows, then columns, by angles in radians.
    let rotation (aboutSlices: float) (aboutRows: float) (aboutColumns: float) : Transform =
        let (Transform first) = inPlane aboutSlices
        let c, s = cos aboutRows, sin aboutRows
        let second = [| c; 0.0; s; 0.0; 1.0; 0.0; -s; 0.0; c |]
        let c, s = cos aboutColumns, sin aboutColumns
        let third = [| c; -s; 0.0; s; c; 0.0; 0.0; 0.0; 1.0 |]
        Transform(multiply third (multiply second first))

    /// The map followed by a scaling: above 1 a larger area of the source is shrunk into the result. With `slices`
    /// false the axis of slices is left alone.
    let scaled (factor: float) (slices: bool) (Transform entries: Transform) : Transform =
        let factors = [| (if slices then factor else 1.0); factor; factor |]
        Transform(Array.mapi (fun i entry -> entry * factors[i % 3]) entries)

    /// The map that undoes another one.
    let private inverse (m: float[]) : float[] =
        let minor (a: int) (b: int) (c: int) (d: int) : float = m[a] * m[b] - m[c] * m[d]
        let determinant = m[0] * minor 4 8 5 7 - m[1] * minor 3 8 5 6 + m[2] * minor 3 7 4 6

        [|
            minor 4 8 5 7
            minor 2 7 1 8
            minor 1 5 2 4
            minor 5 6 3 8
            minor 0 8 2 6
            minor 2 3 0 5
            minor 3 7 4 6
            minor 1 6 0 7
            minor 0 4 1 3
        |]
        |> Array.map (fun entry -> entry / determinant)

    // Offsets from the middle.
    let private half (length: int) : float = float (length - 1) / 2.0

    /// The box of a patch of extent `whole` that a result of `size` shows, and a voxel more on each side: its first corner
    /// (slice, row, column) and its extent.
    let internal shown (whole: Extent) (size: Extent) (Transform entries: Transform) : struct (int[] * Extent) =
        let lengths = [| whole.Depth; whole.Height; whole.Width |]
        let halves = [| half size.Depth; half size.Height; half size.Width |]

        let limits =
            Array.init 3 (fun axis ->
                let reach =
                    abs entries[3 * axis] * halves[0]
                    + abs entries[3 * axis + 1] * halves[1]
                    + abs entries[3 * axis + 2] * halves[2]

                let centre = half lengths[axis]
                let first = int (floor (centre - reach)) - 1 |> max 0
                let last = int (floor (centre + reach)) + 2 |> min (lengths[axis] - 1)
                struct (first, last - first + 1))

        let shape = limits |> Array.map (fun (struct (_, length)) -> length) |> List.ofArray

        struct (limits |> Array.map (fun (struct (first, _)) -> first), Extent.ofShape (List.skip (3 - size.Rank) shape))

    /// Fills the target with what the transform shows of a patch of extent `whole`, of which the source holds the box from
    /// `corner` (slice, row, column) on.
    let internal resampleInto
        (whole: Extent)
        (corner: int[])
        (Transform entries: Transform)
        (source: Canvas)
        (target: Canvas)
        : unit =
        let size = target.Extent
        let scratch = Sweep.Scratch()
        let x = -(half size.Width)

        for row in 0 .. size.Depth * size.Height - 1 do
            let z = float (row / size.Height) - half size.Depth
            let y = float (row % size.Height) - half size.Height

            let inline at (axis: int) (length: int) : float =
                entries[3 * axis] * z
                + entries[3 * axis + 1] * y
                + entries[3 * axis + 2] * x
                + half length
                - float corner[axis]

            let course =
                {
                    Slice = at 0 whole.Depth
                    Row = at 1 whole.Height
                    Column = at 2 whole.Width
                    SliceStep = entries[2]
                    RowStep = entries[5]
                    ColumnStep = entries[8]
                }

            Sweep.row scratch source target course (row * size.Width)

    /// A skeleton seen through a transform.
    let internal mapSkeleton (Transform entries: Transform) (skeleton: PatchSkeleton) : PatchSkeleton =
        PatchSkeleton.map (inverse entries) skeleton

    /// The patch seen through a transform: a result of `size` around the centre. Images are interpolated linearly and are 0
    /// beyond the patch; each voxel's label is the one with the largest linear weight (the smallest label on ties), -1 beyond
    /// the patch. The skeleton of the case moves along.
    let resample (size: Extent) (transform: Transform) (patch: Patch) : Patch =
        let source = patch.Image.Extent

        if size.Rank <> source.Rank then
            invalidArg (nameof size) $"A patch of %O{source} cannot be resampled to %O{size}."

        let canvas = Patch.canvas patch.Image.Channels size
        resampleInto source [| 0; 0; 0 |] transform (Patch.canvasOf patch) canvas
        let seen = Patch.ofCanvas patch.Labels.Spacing canvas

        { seen with
            Image =
                { patch.Image with
                    Extent = size
                    Data = seen.Image.Data
                }
            Skeleton = patch.Skeleton |> Option.map (mapSkeleton transform)
            FirstStage = None
        }

    // Rows change places, and their values along them.
    let private mirrorValues (extent: Extent) (flips: bool[]) (values: 'T[]) (start: int) : unit =
        let width = extent.Width
        let kept = Array.zeroCreate<'T> width

        for row in 0 .. extent.Depth * extent.Height - 1 do
            let z, y = row / extent.Height, row % extent.Height
            let otherZ = if flips[0] then extent.Depth - 1 - z else z
            let otherY = if flips[1] then extent.Height - 1 - y else y
            let other = otherZ * extent.Height + otherY
            let here, there = start + row * width, start + other * width

            if row < other then
                Array.Copy(values, here, kept, 0, width)
                Array.Copy(values, there, values, here, width)
                Array.Copy(kept, 0, values, there, width)

                if flips[2] then
                    Array.Reverse(values, there, width)

            if row <= other && flips[2] then
                Array.Reverse(values, here, width)

    /// Reverses the canvas along each axis whose entry is true (slices, rows, columns).
    let internal mirrorInPlace (flips: bool[]) (canvas: Canvas) : unit =
        for channel in 0 .. canvas.Channels - 1 do
            mirrorValues canvas.Extent flips canvas.Image (canvas.ImageStart + channel * canvas.Extent.Count)

        mirrorValues canvas.Extent flips canvas.Labels canvas.LabelStart

    /// Entries for slices, rows and columns, of a patch's axes.
    let internal flipsOf (axes: bool list) : bool[] =
        Array.ofList (List.replicate (3 - axes.Length) false @ axes)

    /// The patch, without its first stage, reversed along each axis whose entry is true (slowest first, one entry per axis).
    let mirror (axes: bool list) (patch: Patch) : Patch =
        let extent = patch.Image.Extent

        if List.length axes <> extent.Rank then
            invalidArg (nameof axes) $"%O{extent} has %d{extent.Rank} axes; got %A{axes}."

        if not (List.contains true axes) then
            patch
        else
            let flips = flipsOf axes

            let result: Patch =
                {
                    Image =
                        { patch.Image with
                            Data = Array.copy patch.Image.Data
                        }
                    Labels =
                        Volume.create extent (Array.copy patch.Labels.Data)
                        |> Volume.withSpacing patch.Labels.Spacing
                    Skeleton = patch.Skeleton |> Option.map (PatchSkeleton.mirror flips)
                    FirstStage = None
                }

            mirrorInPlace flips (Patch.canvasOf result)
            result
