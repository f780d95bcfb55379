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

/// Where an image and its labels are written: channels of one extent one after the other from `ImageStart` on, labels from
/// `LabelStart` on.
type Canvas =
    {
        Channels: int
        Extent: Extent
        Image: float32[]
        ImageStart: int
        Labels: int16[]
        LabelStart: int
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

    /// A canvas of its own for an image and labels; what it holds is not defined yet.
    let internal canvas (channels: int) (extent: Extent) : Canvas =
        {
            Channels = channels
            Extent = extent
            Image = GC.AllocateUninitializedArray<float32>(channels * extent.Count)
            ImageStart = 0
            Labels = GC.AllocateUninitializedArray<int16> extent.Count
            LabelStart = 0
        }

    /// What a patch shows, to be changed there.
    let internal canvasOf (patch: Patch) : Canvas =
        {
            Channels = patch.Image.Channels
            Extent = patch.Image.Extent
            Image = patch.Image.Data
            ImageStart = 0
            Labels = patch.Labels.Data
            LabelStart = 0
        }

    /// Image 0 and labels -1 everywhere.
    let internal blank (canvas: Canvas) : unit =
        Array.Clear(canvas.Image, canvas.ImageStart, canvas.Channels * canvas.Extent.Count)
        Array.Fill(canvas.Labels, Outside, canvas.LabelStart, canvas.Extent.Count)

    /// The patch on a canvas of its own, with voxels of a spacing.
    let internal ofCanvas (spacing: Spacing) (canvas: Canvas) : Patch =
        {
            // Of no channel, where the labels of a first stage are moved alone.
            Image =
                {
                    Channels = canvas.Channels
                    Extent = canvas.Extent
                    Spacing = spacing
                    Geometry = Geometry.standard canvas.Extent.Rank
                    Data = canvas.Image
                }
            Labels = Volume.create canvas.Extent canvas.Labels |> Volume.withSpacing spacing
            Skeleton = None
            FirstStage = None
        }

    /// Fills a canvas as `cut` does.
    let internal cutInto (origin: int list) (image: Image) (labels: LabelMap) (canvas: Canvas) : unit =
        let size = canvas.Extent

        if List.length origin <> image.Extent.Rank then
            invalidArg
                (nameof origin)
                $"An origin in %O{image.Extent} has %d{image.Extent.Rank} entries; got %A{origin}."

        if size.Rank > image.Extent.Rank then
            invalidArg (nameof size) $"A patch of %O{size} cannot be cut out of the plane %O{image.Extent}."

        let struct (slice, row, column) = corner origin

        let isInside =
            slice >= 0
            && row >= 0
            && column >= 0
            && slice + size.Depth <= image.Extent.Depth
            && row + size.Height <= image.Extent.Height
            && column + size.Width <= image.Extent.Width

        if not isInside then
            blank canvas

        let corner = struct (slice, row, column)

        for channel in 0 .. image.Channels - 1 do
            let from = channel * image.Extent.Count
            let into = canvas.ImageStart + channel * size.Count
            copyBox image.Data from image.Extent corner size canvas.Image into

        copyBox labels.Data 0 labels.Extent corner size canvas.Labels canvas.LabelStart

    /// The spacing of patches of so many axes: a plane out of a volume has that of rows and columns.
    let internal spacing (rank: int) (spacing: Spacing) : Spacing =
        Spacing.ofList (List.skip (spacing.Rank - rank) spacing.Values)

    /// The box of extent `size` with its first corner at `origin` (slowest axis first, may be negative or beyond the end).
    /// Outside the source the image is 0 and the labels are -1. A plane's size out of a volume is one slice: origin then has 3 entries.
    let cut (size: Extent) (origin: int list) (image: Image) (labels: LabelMap) : Patch =
        let canvas = canvas image.Channels size
        cutInto origin image labels canvas
        // Where a patch came from serves nobody: it is turned and mirrored afterwards.
        ofCanvas (spacing size.Rank image.Spacing) canvas

    /// Where the middle of so much begins: at floor(length / 2) - floor(size / 2) on each axis, as nnU-Net crops.
    let internal middle (extent: Extent) (size: Extent) : int list =
        List.map2 (fun length wanted -> length / 2 - wanted / 2) extent.Shape size.Shape

    /// A skeleton seen from the middle of the cropped patch.
    let internal cropSkeleton (extent: Extent) (size: Extent) (skeleton: PatchSkeleton) : PatchSkeleton =
        let moved (first: int) (length: int) (wanted: int) : float32 =
            float32 first + float32 (wanted - length) / 2.0f

        let offset =
            match List.map3 moved (middle extent size) extent.Shape size.Shape with
            | [ row; column ] -> struct (0.0f, row, column)
            | moved -> struct (moved[0], moved[1], moved[2])

        PatchSkeleton.shift offset skeleton

    /// The middle of a patch, without its first stage: starts at floor(length / 2) - floor(size / 2) on each axis, as nnU-Net crops.
    let centreCrop (size: Extent) (patch: Patch) : Patch =
        let extent = patch.Image.Extent

        if size = extent then
            patch
        else
            { cut size (middle extent size) patch.Image patch.Labels with
                Skeleton = patch.Skeleton |> Option.map (cropSkeleton extent size)
            }
