namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// The skeleton of a case as far as a patch shows it: straight pieces, with the class of each.
type PatchSkeleton =
    {
        /// Six numbers for each piece: slice, row and column of one end, then of the other, in voxels from the middle of
        /// the patch.
        Coordinates: float32[]
        /// The class of each piece's strand.
        Classes: int16[]
    }

/// Moving the skeleton of a patch, and painting its tube.
[<RequireQualifiedAccess>]
module PatchSkeleton =

    /// The pieces through a linear map of offsets from the middle: row-major, 9 entries for (slice, row, column).
    let map (entries: float[]) (skeleton: PatchSkeleton) : PatchSkeleton =
        let source = skeleton.Coordinates
        let result = Array.zeroCreate<float32> source.Length

        for at in 0..3 .. source.Length - 3 do
            let z, y, x = float source[at], float source[at + 1], float source[at + 2]

            for axis in 0..2 do
                result[at + axis] <-
                    float32 (entries[3 * axis] * z + entries[3 * axis + 1] * y + entries[3 * axis + 2] * x)

        { skeleton with Coordinates = result }

    /// The pieces seen from another middle, which lies at `offset` (slice, row, column) from the one so far.
    let shift (struct (slice: float32, row: float32, column: float32)) (skeleton: PatchSkeleton) : PatchSkeleton =
        let source = skeleton.Coordinates
        let result = Array.zeroCreate<float32> source.Length

        for at in 0..3 .. source.Length - 3 do
            result[at] <- source[at] - slice
            result[at + 1] <- source[at + 1] - row
            result[at + 2] <- source[at + 2] - column

        { skeleton with Coordinates = result }

    /// The pieces reversed along each axis whose entry is true (slices, rows, columns).
    let mirror (flips: bool[]) (skeleton: PatchSkeleton) : PatchSkeleton =
        { skeleton with
            Coordinates =
                skeleton.Coordinates
                |> Array.mapi (fun at value -> if flips[at % 3] then -value else value)
        }

    // By how many voxels along each axis a tube may reach beyond its skeleton.
    let private reach (options: TubeOptions) (spacing: Spacing) : int list =
        match options.Radius with
        | TubeRadius.Steps steps -> spacing.Values |> List.map (fun _ -> steps)
        | TubeRadius.Ball millimetres -> spacing.Values |> List.map (fun step -> int (Math.Floor(millimetres / step)))

    // The tube around pieces, also around those outside the patch that it reaches in from.
    let private grown (options: TubeOptions) (labels: LabelMap) (coordinates: float32[]) : Mask =
        let around = reach options labels.Spacing
        let wide = List.map2 (fun size reach -> size + 2 * reach) labels.Extent.Shape around

        Segments.rasterize (Extent.ofShape wide) coordinates
        |> Mask.withSpacing labels.Spacing
        |> Tube.grow options
        |> Mask.crop labels.Extent around

    let private ofClass (label: int16) (skeleton: PatchSkeleton) : float32[] =
        let kept = ResizeArray<float32>()

        for piece in 0 .. skeleton.Classes.Length - 1 do
            if skeleton.Classes[piece] = label then
                for at in 6 * piece .. 6 * piece + 5 do
                    kept.Add skeleton.Coordinates[at]

        kept.ToArray()

    /// The tube of the skeleton in a patch: its pieces drawn without gaps, grown by the options' radius in the voxels of
    /// the patch, and clipped by the labels: each voxel has its own label, or 0. Where skeletons are made class by class, a
    /// tube lies inside its class. The label that the options ignore stays unpainted.
    let tube (options: TubeOptions) (labels: LabelMap) (skeleton: PatchSkeleton) : LabelMap =
        let ofLabel (label: int16) : Mask =
            Mask.ofVolume (fun value -> value = label) labels

        let mask =
            match options.SkeletonOf with
            | SkeletonOf.MergedForeground -> grown options labels skeleton.Coordinates
            | SkeletonOf.EachClass ->
                (Mask.empty labels.Extent, Array.distinct skeleton.Classes)
                ||> Array.fold (fun tubes label ->
                    ofClass label skeleton
                    |> grown options labels
                    |> Mask.intersect (ofLabel label)
                    |> Mask.union tubes)

        match options.Ignore with
        | None -> mask
        | Some label -> Mask.difference mask (ofLabel label)
        |> Tube.assignClasses labels
