namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// A piece of a case: image and labels on one grid. Labels are -1 where the piece reaches beyond the case
/// (the image is 0 there), until augmentation ends by turning them into background.
type Patch =
    {
        Image: Image
        Labels: LabelMap
        /// The skeleton of the whole case as far as the patch shows it; None where the tube is to be made of the labels.
        Skeleton: PatchSkeleton option
        /// What the first stage of a cascade said, where the patch is for a second one; see `FirstStage`. -1 as in Labels.
        FirstStage: LabelMap option
    }

/// Making patches and cutting smaller ones out of them.
[<RequireQualifiedAccess>]
module Patch =

    /// The label of what lies outside a case: -1.
    [<Literal>]
    let Outside: int16 = -1s

    /// A patch; throws ArgumentException when image and labels differ in size.
    let create (image: Image) (labels: LabelMap) : Patch =
        Extent.requireEqual (nameof labels) image.Extent labels.Extent

        {
            Image = image
            Labels = labels
            Skeleton = None
            FirstStage = None
        }

    /// Copies the box of extent `target` whose first corner is (slice, row, column) of `source`; what lies outside
    /// `source` keeps the value that `result` was filled with.
    let private copyBox
        (source: 'T[])
        (sourceOffset: int)
        (extent: Extent)
        (struct (slice: int, row: int, column: int))
        (target: Extent)
        (result: 'T[])
        (resultOffset: int)
        : unit =
        let first = max 0 -column
        let last = min target.Width (extent.Width - column)

        if last > first then
            for z in max 0 -slice .. min target.Depth (extent.Depth - slice) - 1 do
                for y in max 0 -row .. min target.Height (extent.Height - row) - 1 do
                    let from = Extent.index extent (slice + z) (row + y) (column + first)
                    let into = Extent.index target z y first
                    Array.Copy(source, sourceOffset + from, result, resultOffset + into, last - first)

    let private corner (origin: int list) : struct (int * int * int) =
        match origin with
        | [ row; column ] -> struct (0, row, column)
        | [ slice; row; column ] -> struct (slice, row, column)
        | _ -> invalidArg (nameof origin) $"A corner has one entry per axis, 2 or 3; got %A{origin}."

    /// The box of extent `size` with its first corner at `origin` (slowest axis first, may be negative or beyond the end).
    /// Outside the source the image is 0 and the labels are -1. A plane's size out of a volume is one slice: origin then has 3 entries.
    let cut (size: Extent) (origin: int list) (image: Image) (labels: LabelMap) : Patch =
        if List.length origin <> image.Extent.Rank then
            invalidArg
                (nameof origin)
                $"An origin in %O{image.Extent} has %d{image.Extent.Rank} entries; got %A{origin}."

        if size.Rank > image.Extent.Rank then
            invalidArg (nameof size) $"A patch of %O{size} cannot be cut out of the plane %O{image.Extent}."

        let corner = corner origin
        let data = Array.zeroCreate<float32>(image.Channels * size.Count)

        for channel in 0 .. image.Channels - 1 do
            copyBox image.Data (channel * image.Extent.Count) image.Extent corner size data (channel * size.Count)

        let cutLabels = Array.create size.Count Outside
        copyBox labels.Data 0 labels.Extent corner size cutLabels 0

        let spacing =
            Spacing.ofList (List.skip (image.Extent.Rank - size.Rank) image.Spacing.Values)

        {
            Image =
                {
                    Channels = image.Channels
                    Extent = size
                    Spacing = spacing
                    // Where a patch came from serves nobody: it is turned and mirrored afterwards.
                    Geometry = Geometry.standard size.Rank
                    Data = data
                }
            Labels = Volume.create size cutLabels |> Volume.withSpacing spacing
            Skeleton = None
            FirstStage = None
        }

    /// The middle of a patch, without its first stage: starts at floor(length / 2) - floor(size / 2) on each axis, as nnU-Net crops.
    let centreCrop (size: Extent) (patch: Patch) : Patch =
        if size = patch.Image.Extent then
            patch
        else
            let origin =
                List.map2 (fun length wanted -> length / 2 - wanted / 2) patch.Image.Extent.Shape size.Shape

            let middle (first: int) (length: int) (wanted: int) : float32 =
                float32 first + float32 (wanted - length) / 2.0f

            let offset =
                match List.map3 middle origin patch.Image.Extent.Shape size.Shape with
                | [ row; column ] -> struct (0.0f, row, column)
                | moved -> struct (moved[0], moved[1], moved[2])

            { cut size origin patch.Image patch.Labels with
                Skeleton = patch.Skeleton |> Option.map (PatchSkeleton.shift offset)
            }
