namespace SkeletonRecall

open System
open System.Numerics

/// What the surface (in a plane: the contour) of a mask is.
[<RequireQualifiedAccess>]
type Border =
    /// Voxels of the mask with a neighbour along an axis outside it: what an erosion takes off. What lies outside the
    /// image is background. MetricsReloaded's.
    | Erosion
    /// Voxels of the mask with any of 26 (in a plane 8) neighbours outside it. What lies outside the image is background.
    /// TopCoW's.
    | Contour
    /// The same, where what lies outside the image is no background. ToothFairy's.
    | InnerContour
    /// Corners between voxels that are not all alike, weighted by the area of the surface that passes there.
    /// surface-distance's (DeepMind).
    | Surfels

/// How a percentile of distances is taken.
[<RequireQualifiedAccess>]
type Percentile =
    /// Between the two nearest of the sorted distances, as numpy does.
    | Linear
    /// The least distance within which lies that share of the surface, as surface-distance does.
    | Step

/// How the distances of both directions become one percentile.
[<RequireQualifiedAccess>]
type Direction =
    /// The greater of both directions' percentiles.
    | Greater
    /// The percentile of all distances together.
    | Together

/// The convention by which surfaces are compared.
type SurfaceOptions =
    {
        /// What a surface is.
        Border: Border
        /// How percentiles are taken.
        Percentile: Percentile
        /// How both directions become one.
        Direction: Direction
        /// The greatest distance, in mm, at which surfaces still agree (normalized surface Dice).
        Tolerance: float
    }

/// The distances, in mm, of each piece of one surface to the nearest piece of the other, ascending; infinity where the
/// other mask is empty.
type SurfaceDistances =
    {
        /// From the prediction's surface to the truth's.
        ToTruth: float[]
        /// The size of each piece of the prediction's surface: mm^2 (in a plane mm) of surfels, else 1.
        PredictionSizes: float[]
        /// From the truth's surface to the prediction's.
        ToPrediction: float[]
        /// The size of each piece of the truth's surface.
        TruthSizes: float[]
    }

/// Distances between the surfaces of masks.
[<RequireQualifiedAccess>]
module Surface =

    /// The voxels of a mask's border, as `Border` says. Throws ArgumentException for surfels, which are no voxels.
    let border (border: Border) (mask: Mask) : Mask =
        let eroded (element: Element) (inner: bool) =
            // What is not reached from the background; a guard ring of background stands around the image.
            let outside = Mask.complement mask
            let reached = Morphology.dilate element 1 outside

            if inner then
                Mask.difference mask reached
            else
                Mask.difference (Mask.difference mask reached) (Windows.rim mask.Extent)

        match border with
        | Border.Erosion -> Mask.difference mask (eroded Element.Cross false)
        | Border.Contour -> Mask.difference mask (eroded Element.Box false)
        | Border.InnerContour -> Mask.difference mask (eroded Element.Box true)
        | Border.Surfels ->
            invalidArg (nameof border) "Surfels lie between voxels and are no mask; use Surface.distances."

    // The corners of the voxels of a mask, one more along each axis: the code of the voxels around each, and those whose
    // voxels are not all alike.
    let private corners (mask: Mask) : struct (byte[] * Mask) =
        let extent = mask.Extent
        let deep = extent.Rank = 3

        let grid =
            if deep then
                Extent.space (extent.Depth + 1) (extent.Height + 1) (extent.Width + 1)
            else
                Extent.plane (extent.Height + 1) (extent.Width + 1)

        let codes = Array.zeroCreate<byte> grid.Count
        let data = (Mask.toVolume mask).Data

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 do
                    if data[Extent.index extent slice row column] <> 0uy then
                        // The voxel stands behind the corner (slice, row, column) and before the ones after it.
                        for deeper in 0 .. (if deep then 1 else 0) do
                            for lower in 0..1 do
                                for right in 0..1 do
                                    let at = Extent.index grid (slice + deeper) (row + lower) (column + right)
                                    codes[at] <- codes[at] ||| (1uy <<< (4 * deeper + 2 * lower + right))

        let full = if deep then 255uy else 15uy

        let border =
            Volume.create grid codes
            |> Volume.withSpacing mask.Spacing
            |> Mask.ofVolume (fun code -> code <> 0uy && code <> full)

        struct (codes, border)

    // Values at the voxels of a mask, in raster order.
    let private gather (mask: Mask) (values: float[]) : float[] =
        let extent = mask.Extent
        let result = Array.zeroCreate<float>(Mask.count mask)
        let mutable found = 0

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row
                let first = Extent.index extent slice row 0 - 1

                for word in 0 .. Layout.stride extent - 1 do
                    let mutable bits = mask.Words[start + word]

                    while bits <> 0UL do
                        result[found] <- values[first + 64 * word + BitOperations.TrailingZeroCount bits]
                        found <- found + 1
                        bits <- bits &&& (bits - 1UL)

        result

    let private between (prediction: Mask) (truth: Mask) : struct (float[] * float[]) =
        struct (Distance.toMaskAt prediction truth, Distance.toMaskAt truth prediction)

    /// The distances between the surfaces of a prediction and the truth, by the truth's spacing; empty where a mask is.
    /// Throws ArgumentException when the extents differ.
    let distances (kind: Border) (prediction: Mask) (truth: Mask) : SurfaceDistances =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent

        // A part of the image, where nothing lies outside it; both of the truth's spacing.
        let part (whole: Mask) (mask: Mask) =
            match Windows.bounds whole with
            | Some(struct (extent, slice, row, column)) ->
                let cropped = Windows.crop slice row column extent mask
                Mask(cropped.Extent, truth.Spacing, cropped.Words)
            | None -> Mask(mask.Extent, truth.Spacing, mask.Words)

        let sorted (toTruth: float[]) (ourSizes: float[]) (toPrediction: float[]) (theirSizes: float[]) =
            Array.Sort(toTruth, ourSizes)
            Array.Sort(toPrediction, theirSizes)

            {
                ToTruth = toTruth
                PredictionSizes = ourSizes
                ToPrediction = toPrediction
                TruthSizes = theirSizes
            }

        match kind with
        | Border.Surfels ->
            let whole = Mask.union prediction truth
            let struct (ourCodes, ours) = corners (part whole prediction)
            let struct (theirCodes, theirs) = corners (part whole truth)

            let areas =
                if prediction.Extent.Rank = 3 then
                    SurfelAreas.ofSpace truth.Spacing
                else
                    SurfelAreas.ofPlane truth.Spacing

            let sizes (codes: byte[]) (border: Mask) =
                gather border (codes |> Array.map (fun code -> areas[int code]))

            let struct (toTruth, toPrediction) = between ours theirs
            sorted toTruth (sizes ourCodes ours) toPrediction (sizes theirCodes theirs)
        | _ ->
            let ours, theirs = border kind prediction, border kind truth
            let whole = Mask.union ours theirs
            let struct (toTruth, toPrediction) = between (part whole ours) (part whole theirs)

            let ones (values: float[]) = Array.create values.Length 1.0
            sorted toTruth (ones toTruth) toPrediction (ones toPrediction)

    // A percentile (0 to 100) of sorted distances; infinity of none.
    let private percentile (kind: Percentile) (percent: float) (distances: float[]) (sizes: float[]) : float =
        let last = distances.Length - 1

        if last < 0 then
            infinity
        else
            match kind with
            | Percentile.Linear ->
                let place = percent / 100.0 * float last
                let below = min last (int (floor place))
                let above = min last (below + 1)

                if distances[below] = distances[above] then
                    distances[below]
                else
                    distances[below] + (distances[above] - distances[below]) * (place - float below)
            | Percentile.Step ->
                // Sums of shares, each rounded as the reference rounds it.
                let total = Array.sum sizes
                let mutable at = 0
                let mutable sum = sizes[0]

                while at < last && sum / total < percent / 100.0 do
                    at <- at + 1
                    sum <- sum + sizes[at]

                distances[at]

    /// The Hausdorff distance in mm, or at the given percentile (0 to 100; 100 is the greatest distance) the robust one.
    /// Infinity where a mask is empty. Throws ArgumentException for another percentile.
    let hausdorff (kind: Percentile) (direction: Direction) (percent: float) (distances: SurfaceDistances) : float =
        if not (percent >= 0.0 && percent <= 100.0) then
            invalidArg (nameof percent) $"A percentile lies in 0..100; got %g{percent}."

        match direction with
        | Direction.Greater ->
            max
                (percentile kind percent distances.ToTruth distances.PredictionSizes)
                (percentile kind percent distances.ToPrediction distances.TruthSizes)
        | Direction.Together ->
            let all = Array.append distances.ToTruth distances.ToPrediction
            let sizes = Array.append distances.PredictionSizes distances.TruthSizes
            Array.Sort(all, sizes)
            percentile kind percent all sizes

    let private weighted (distances: float[]) (sizes: float[]) : float =
        let mutable sum = 0.0

        for at in 0 .. distances.Length - 1 do
            sum <- sum + distances[at] * sizes[at]

        sum

    /// The mean distance in mm from the prediction's surface to the truth's, and from the truth's to the prediction's; each
    /// NaN where the surface that it starts from is empty, and infinity where the other alone is.
    let averages (distances: SurfaceDistances) : struct (float * float) =
        struct (weighted distances.ToTruth distances.PredictionSizes
                / Array.sum distances.PredictionSizes,
                weighted distances.ToPrediction distances.TruthSizes
                / Array.sum distances.TruthSizes)

    /// The average symmetric surface distance in mm: the mean over both surfaces; NaN where both are empty.
    let symmetricAverage (distances: SurfaceDistances) : float =
        (weighted distances.ToTruth distances.PredictionSizes
         + weighted distances.ToPrediction distances.TruthSizes)
        / (Array.sum distances.PredictionSizes + Array.sum distances.TruthSizes)

    let private requireTolerance (tolerance: float) : unit =
        if not (tolerance >= 0.0) then
            invalidArg (nameof tolerance) $"A tolerance is 0 mm or more; got %g{tolerance}."

    let private within (tolerance: float) (distances: float[]) (sizes: float[]) : float =
        let mutable sum = 0.0
        let mutable at = 0

        while at < distances.Length && distances[at] <= tolerance do
            sum <- sum + sizes[at]
            at <- at + 1

        sum

    /// The share of the prediction's surface within a tolerance, in mm, of the truth's, and of the truth's within it of the
    /// prediction's; NaN of an empty surface. Throws ArgumentException for a tolerance that is negative or NaN.
    let overlaps (tolerance: float) (distances: SurfaceDistances) : struct (float * float) =
        requireTolerance tolerance

        struct (within tolerance distances.ToTruth distances.PredictionSizes
                / Array.sum distances.PredictionSizes,
                within tolerance distances.ToPrediction distances.TruthSizes
                / Array.sum distances.TruthSizes)

    /// The normalized surface Dice: the share of both surfaces within a tolerance, in mm, of the other; 0 to 1, NaN where
    /// both are empty (S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy", 2021).
    /// Throws ArgumentException for a tolerance that is negative or NaN.
    let dice (tolerance: float) (distances: SurfaceDistances) : float =
        requireTolerance tolerance

        (within tolerance distances.ToTruth distances.PredictionSizes
         + within tolerance distances.ToPrediction distances.TruthSizes)
        / (Array.sum distances.PredictionSizes + Array.sum distances.TruthSizes)
