namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// What one head should say for a whole batch. Arrays hold `Size * Extent.Count` values, patch after patch.
type HeadTarget =
    {
        Extent: Extent
        /// Class ids; 0 where the label is to be ignored.
        Labels: int16[]
        /// The tubed skeleton, where this head needs it: class ids or, of regions, patch after patch one channel of 0 and 1
        /// per region.
        Skeleton: int16[] option
        /// 1 where the voxel counts and 0 where its label is to be ignored; None where the data set has no ignore label.
        Valid: byte[] option
    }

/// Patches of one size with what each head of the network should say, finest first.
type Batch =
    {
        /// Number of patches.
        Size: int
        Channels: int
        Extent: Extent
        /// (patch, channel, spatial...), row-major.
        Images: float32[]
        /// The labels that make up each region; none where a network tells classes apart.
        Regions: int16 list list
        Heads: HeadTarget list
    }

/// How a tube is brought down to the coarser heads.
type TubeReduction =
    /// A coarser voxel is of the tube where any voxel under it is, of the class that most of those have (the smallest of
    /// several). What hangs together, diagonally too, still does.
    | MaxPooled
    /// A coarser voxel is what the nearest voxel is, as labels are. A thin tube falls to pieces.
    | Nearest

/// What targets a batch carries.
type BatchOptions =
    {
        /// The tube around skeletons; None where no loss looks at skeletons.
        Tube: TubeOptions option
        /// How the coarser heads get the finest head's tube; None where only the finest has one.
        CoarseTube: TubeReduction option
        /// Size of each head's output, finest first; see `Batch.headExtents`.
        HeadExtents: Extent list
        /// The labels that make up each region, where the network's outputs are regions, which may overlap; none for classes.
        Regions: int16 list list
        /// The data set's ignore label. Its voxels become background before the skeleton is made (upstream skeletonizes
        /// them as foreground) and are marked as not valid.
        Ignore: int option
    }

/// What tubes are made of, beside the labels of a patch.
type internal BatchPart =
    {
        Spacing: Spacing
        Skeleton: PatchSkeleton option
    }

/// Putting patches together.
[<RequireQualifiedAccess>]
module Batch =

    /// The size of each head's output, finest first, for a network whose stages begin with the given strides (one list
    /// per stage, the first all 1): every stage but the last has a head, smaller by the product of the strides so far.
    let headExtents (strides: int list list) (patch: Extent) : Extent list =
        let total =
            strides |> List.scan (List.map2 (*)) (List.replicate patch.Rank 1) |> List.tail

        total
        |> List.take (max 1 (total.Length - 1))
        |> List.map (fun strides ->
            List.map2 (fun length stride -> max 1 (int (Math.Round(float length / float stride)))) patch.Shape strides
            |> Extent.ofShape)

    /// The tubed skeletons of regions, which may overlap, as channels of 0 and 1, region after region:
    /// `regions.Length * Extent.Count` values. A region is the list of its labels. Throws ArgumentException as
    /// `Tube.ofRegions` does.
    let regionTubes (options: TubeOptions) (regions: int16 list list) (labels: LabelMap) : byte[] =
        Tube.ofRegions options regions labels
        |> List.map (fun tube -> (Mask.toVolume tube).Data)
        |> Array.concat

    /// The index that a shorter axis takes its values from: floor((index + 0.5) * length / size),
    /// torch's "nearest-exact", in whole numbers.
    let nearestExact (length: int) (size: int) (index: int) : int =
        min (length - 1) (int ((2L * int64 index + 1L) * int64 length / (2L * int64 size)))

    let private shrinkInto (source: 'T[]) (offset: int) (extent: Extent) (target: Extent) (result: 'T[]) (into: int) =
        let columns = Array.init target.Width (nearestExact extent.Width target.Width)
        let mutable position = into

        for z in 0 .. target.Depth - 1 do
            for y in 0 .. target.Height - 1 do
                let row =
                    offset
                    + Extent.index
                        extent
                        (nearestExact extent.Depth target.Depth z)
                        (nearestExact extent.Height target.Height y)
                        0

                for x in 0 .. columns.Length - 1 do
                    result[position] <- source[row + columns[x]]
                    position <- position + 1

    /// Each patch of an array of patches reduced to another extent by the nearest voxel.
    let private shrink (extent: Extent) (target: Extent) (values: 'T[]) : 'T[] =
        if extent = target then
            values
        else
            let count = values.Length / extent.Count
            let result = BatchMemory.take<'T>(count * target.Count)

            for i in 0 .. count - 1 do
                shrinkInto values (i * extent.Count) extent target result (i * target.Count)

            result

    /// The first voxel under a coarser one along an axis, and the one after the last.
    let private under (length: int) (size: int) (index: int) : struct (int * int) =
        let first = int (int64 index * int64 length / int64 size)

        let afterLast =
            int (((int64 index + 1L) * int64 length + int64 size - 1L) / int64 size)

        struct (first, max (first + 1) afterLast)

    /// The id that most voxels of a block have, 0 apart; `counts`, of all ids, is left clear.
    let private mostUnder
        (values: int16[])
        (offset: int)
        (extent: Extent)
        (struct (z, toZ): struct (int * int))
        (struct (y, toY): struct (int * int))
        (struct (x, toX): struct (int * int))
        (counts: int[])
        : int16 =
        let mutable most = 0s

        for plane in z .. toZ - 1 do
            for row in y .. toY - 1 do
                let start = offset + Extent.index extent plane row 0

                for column in x .. toX - 1 do
                    let id = values[start + column]

                    if id > 0s then
                        let count = counts[int id] + 1
                        counts[int id] <- count

                        if most = 0s || count > counts[int most] || (count = counts[int most] && id < most) then
                            most <- id

        if most > 0s then
            for plane in z .. toZ - 1 do
                for row in y .. toY - 1 do
                    let start = offset + Extent.index extent plane row 0

                    for column in x .. toX - 1 do
                        counts[int (max 0s values[start + column])] <- 0

        most

    /// A tube, or patch after patch of tubes, in ids of at least 0, reduced to another extent as `MaxPooled` says.
    let poolTube (extent: Extent) (target: Extent) (values: int16[]) : int16[] =
        if extent = target then
            values
        else
            let patches = values.Length / extent.Count
            let result = Array.zeroCreate<int16>(patches * target.Count)
            let counts = Array.zeroCreate<int>(1 + int (Array.fold max 0s values))
            let columns = Array.init target.Width (under extent.Width target.Width)
            let mutable position = 0

            for patch in 0 .. patches - 1 do
                for z in 0 .. target.Depth - 1 do
                    let planes = under extent.Depth target.Depth z

                    for y in 0 .. target.Height - 1 do
                        let rows = under extent.Height target.Height y

                        for x in 0 .. target.Width - 1 do
                            result[position] <-
                                mostUnder values (patch * extent.Count) extent planes rows columns[x] counts

                            position <- position + 1

            result

    /// How the coarser heads get their tubes under a supervision.
    let coarseTube (supervision: Supervision) : TubeReduction option =
        match supervision with
        | RecallAtFull
        | FullResolution -> None
        | AllHeads -> Some MaxPooled
        | AllHeadsNearest -> Some Nearest

    let private mapOf (extent: Extent) (part: BatchPart) (labels: ReadOnlySpan<int16>) : LabelMap =
        Volume.create extent (labels.ToArray()) |> Volume.withSpacing part.Spacing

    // The tube of one patch: ids, or a channel of 0 and 1 per region. Tubes from the skeleton of the case are of the merged
    // foreground there.
    let private tubeInto
        (options: TubeOptions)
        (regions: int16 list list)
        (extent: Extent)
        (part: BatchPart)
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        : unit =
        match regions, part.Skeleton with
        | [], None -> Tube.ofLabelsInto options extent part.Spacing labels target
        | [], Some skeleton -> (PatchSkeleton.tube options (mapOf extent part labels) skeleton).Data.CopyTo target
        | _, None ->
            let tubes = regionTubes options regions (mapOf extent part labels)

            for at in 0 .. tubes.Length - 1 do
                target[at] <- int16 tubes[at]
        | _, Some skeleton ->
            let ids = (PatchSkeleton.tube options (mapOf extent part labels) skeleton).Data

            let tubes =
                regions
                |> List.map (fun members -> ids |> Array.map (fun id -> if List.contains id members then 1s else 0s))
                |> Array.concat

            tubes.CopyTo target

    /// The batch of images and labels that lie patch after patch already; `labels` becomes the batch's own. See `create`.
    let internal assemble
        (options: BatchOptions)
        (channels: int)
        (extent: Extent)
        (parts: BatchPart list)
        (images: float32[])
        (labels: int16[])
        : Batch =
        if options.HeadExtents.IsEmpty then
            invalidArg (nameof options) "A batch needs the extent of at least one head."

        let valid =
            options.Ignore
            |> Option.map (fun ignored ->
                let valid =
                    labels |> Array.map (fun label -> if int label = ignored then 0uy else 1uy)

                if ignored >= 0 && ignored <= int Int16.MaxValue then
                    labels.AsSpan().Replace(int16 ignored, 0s)

                valid)

        let skeleton =
            options.Tube
            |> Option.map (fun tube ->
                let count = extent.Count * max 1 options.Regions.Length
                let tubes = BatchMemory.take<int16>(count * parts.Length)

                parts
                |> List.iteri (fun number part ->
                    tubeInto
                        tube
                        options.Regions
                        extent
                        part
                        (ReadOnlySpan(labels, number * extent.Count, extent.Count))
                        (Span(tubes, number * count, count)))

                tubes)

        let head (number: int) (size: Extent) : HeadTarget =
            {
                Extent = size
                Labels = shrink extent size labels
                Skeleton =
                    match skeleton, options.CoarseTube with
                    | Some _, None when number > 0 -> None
                    | Some finest, Some MaxPooled -> Some(poolTube extent size finest)
                    | _ -> Option.map (shrink extent size) skeleton
                Valid = Option.map (shrink extent size) valid
            }

        {
            Size = parts.Length
            Channels = channels
            Extent = extent
            Images = images
            Regions = options.Regions
            Heads = List.mapi head options.HeadExtents
        }

    /// Puts augmented patches together and makes their targets. Tubes are made here, at full resolution, from the labels of
    /// each augmented patch or, where the patch has it, from the skeleton of its case; coarser heads take labels and
    /// validity from the nearest voxel, and tubes as the options say. Throws ArgumentException for no
    /// patches, patches that differ in size or channels, and no heads.
    let create (options: BatchOptions) (patches: Patch list) : Batch =
        let first =
            match patches with
            | first :: _ -> first.Image
            | [] -> invalidArg (nameof patches) "A batch needs at least one patch."

        for patch in patches do
            Extent.requireEqual (nameof patches) first.Extent patch.Image.Extent

            if patch.Image.Channels <> first.Channels then
                invalidArg
                    (nameof patches)
                    $"All patches of a batch have the same channels; got %d{first.Channels} and %d{patch.Image.Channels}."

        let parts: BatchPart list =
            patches
            |> List.map (fun patch ->
                {
                    Spacing = patch.Labels.Spacing
                    Skeleton = patch.Skeleton
                })

        assemble
            options
            first.Channels
            first.Extent
            parts
            (patches |> List.map (fun patch -> patch.Image.Data) |> Array.concat)
            (patches |> List.map (fun patch -> patch.Labels.Data) |> Array.concat)

    /// Gives the batch's arrays to batches that follow. Nobody may use the batch afterwards.
    let recycle (batch: Batch) : unit =
        BatchMemory.give batch.Images

        // Heads of one size share an array.
        let arrays =
            batch.Heads
            |> List.collect (fun head -> head.Labels :: Option.toList head.Skeleton)

        arrays
        |> List.iteri (fun number array ->
            let isShared =
                arrays
                |> List.take number
                |> List.exists (fun other -> obj.ReferenceEquals(other, array))

            if not isShared then
                BatchMemory.give array)

    /// Labels, patch after patch, as channels of 0 and 1, (patch, region, spatial...): 1 where the label is one of the region's.
    let regionChannels (regions: int16 list list) (patches: int) (labels: int16[]) : byte[] =
        let voxels = labels.Length / patches
        let result = Array.zeroCreate<byte>(regions.Length * labels.Length)

        regions
        |> List.iteri (fun number members ->
            let isMember = Array.zeroCreate<bool>(1 + int (List.max members))
            members |> List.iter (fun label -> isMember[int label] <- true)

            for patch in 0 .. patches - 1 do
                let into = (patch * regions.Length + number) * voxels

                for voxel in 0 .. voxels - 1 do
                    let label = int labels[patch * voxels + voxel]

                    if label >= 0 && label < isMember.Length && isMember[label] then
                        result[into + voxel] <- 1uy)

        result

    /// The batch as tensors on a device: images (B, channels, spatial...) as float32, and for each head, finest first, ids and
    /// skeleton as int16 and validity as uint8, (B, 1, spatial...); of regions, a channel each of 0 and 1. They belong to
    /// the caller's dispose scope.
    let toTensors (device: torch.Device) (batch: Batch) : Tensor * Target list =
        LibTorch.ensure ()

        let shape (channels: int) (extent: Extent) : int64 list =
            int64 batch.Size :: int64 channels :: List.map int64 extent.Shape

        // On the CPU `to` gives back the same tensor; elsewhere the CPU's one goes with the caller's scope.
        let place (tensor: Tensor) : Tensor = tensor.``to`` device

        let target (head: HeadTarget) : Target =
            let one = shape 1 head.Extent
            let channels = shape (max 1 batch.Regions.Length) head.Extent

            {
                Truth =
                    if batch.Regions.IsEmpty then
                        Classes(place (Tensors.ofInt16 one head.Labels))
                    else
                        Regions(place (Tensors.ofBytes channels (regionChannels batch.Regions batch.Size head.Labels)))
                Skeleton = head.Skeleton |> Option.map (fun tube -> place (Tensors.ofInt16 channels tube))
                Valid = head.Valid |> Option.map (fun mask -> place (Tensors.ofBytes one mask))
            }

        place (Tensors.ofArray (shape batch.Channels batch.Extent) batch.Images), List.map target batch.Heads
