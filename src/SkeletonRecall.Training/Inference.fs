namespace SkeletonRecall.Training

open System
open System.Numerics
open TorchSharp
open SkeletonRecall

/// How an image is covered with tiles.
type InferenceOptions =
    {
        /// How far tiles lie apart at most, as a share of the patch; in (0, 1].
        Step: float
        /// Axes (0 = slowest of the patch) along which tiles are also shown mirrored, in all combinations; logits are
        /// averaged. Empty: as they are only.
        MirrorAxes: int list
        /// Tiles that the engine gets at once.
        TilesAtOnce: int
    }

/// What the outputs of a network mean.
[<RequireQualifiedAccess>]
type Outputs =
    /// One class each, the background's first; a voxel has the likeliest (softmax).
    | Classes
    /// One region each (sigmoid): where region i is likelier than not, the i-th label is painted, and later regions
    /// paint over earlier ones (nnU-Net's `regions_class_order`).
    | Regions of labels: int list

/// What a preprocessed image's logits are resampled to.
type PredictionGrid =
    {
        Resampling: Resampling
        /// The size to reach.
        Extent: Extent
        /// Its spacing in mm.
        Spacing: Spacing
    }

/// Prediction of whole images by overlapping tiles (nnU-Net's sliding window).
[<RequireQualifiedAccess>]
module Inference =

    /// Half-overlapping tiles, no mirroring, 4 tiles at once.
    let standard: InferenceOptions =
        {
            Step = 0.5
            MirrorAxes = []
            TilesAtOnce = 4
        }

    let private planes
        (options: InferenceOptions)
        (patch: Extent)
        (classes: int)
        (predict: Predict)
        (image: Image)
        (consume: int -> float32[] -> unit)
        : unit =
        if options.MirrorAxes |> List.exists (fun axis -> axis < 0 || axis >= patch.Rank) then
            invalidArg (nameof options) $"A patch %O{patch} has no mirror axes %A{options.MirrorAxes}."

        SlidingWindow.planes
            options.Step
            options.TilesAtOnce
            patch
            classes
            (Engine.mirrored options.MirrorAxes classes predict)
            image
            consume

    // Keeps planes (classes, rows, columns) as one array (classes, spatial...).
    let private keep (classes: int) (extent: Extent) (result: float32[]) (slice: int) (plane: float32[]) : unit =
        let area = extent.Height * extent.Width

        for label in 0 .. classes - 1 do
            Array.Copy(plane, label * area, result, label * extent.Count + slice * area, area)

    /// Logits (classes, spatial...) of a whole image, which is prepared (normalized) already. Smaller images are padded with
    /// zeros on all sides. A volume under a patch of 2 axes is predicted slice by slice.
    /// Throws ArgumentException when options are out of range or the engine gives another number of logits than asked for.
    let logits
        (options: InferenceOptions)
        (patch: Extent)
        (classes: int)
        (predict: Predict)
        (image: Image)
        : float32[] =
        let result = Array.zeroCreate<float32>(classes * image.Extent.Count)
        planes options patch classes predict image (keep classes image.Extent result)
        result

    // The class with the highest logit of each voxel of a plane, the lowest among equals.
    let private likeliest (classes: int) (logits: ReadOnlySpan<float32>) (labels: Span<int16>) : unit =
        let area = labels.Length
        let lanes = Vector<float32>.Count
        let mutable voxel = 0

        // The best so far and its class, of as many voxels as two vectors hold.
        while voxel <= area - 2 * lanes do
            let mutable best = Vector<float32>(logits.Slice voxel)
            let mutable otherBest = Vector<float32>(logits.Slice(voxel + lanes))
            let mutable chosen = Vector<int>.Zero
            let mutable otherChosen = Vector<int>.Zero

            for label in 1 .. classes - 1 do
                let here = Vector<float32>(logits.Slice(label * area + voxel))
                let other = Vector<float32>(logits.Slice(label * area + voxel + lanes))

                let isHigher, isOtherHigher =
                    Vector.GreaterThan(here, best), Vector.GreaterThan(other, otherBest)

                let labels = Vector<int> label
                best <- Vector.ConditionalSelect(isHigher, here, best)
                otherBest <- Vector.ConditionalSelect(isOtherHigher, other, otherBest)
                chosen <- Vector.ConditionalSelect(isHigher, labels, chosen)
                otherChosen <- Vector.ConditionalSelect(isOtherHigher, labels, otherChosen)

            Vector.Narrow(chosen, otherChosen).CopyTo(labels.Slice voxel)
            voxel <- voxel + 2 * lanes

        for voxel in voxel .. area - 1 do
            let mutable best = 0

            for label in 1 .. classes - 1 do
                if logits[label * area + voxel] > logits[best * area + voxel] then
                    best <- label

            labels[voxel] <- int16 best

    let private paint (order: int list) (logits: ReadOnlySpan<float32>) (labels: Span<int16>) : unit =
        let area = labels.Length
        labels.Clear()
        let mutable region = 0

        for label in order do
            for voxel in 0 .. area - 1 do
                // A sigmoid above a half.
                if logits[region * area + voxel] > 0.0f then
                    labels[voxel] <- int16 label

            region <- region + 1

    let private decode (outputs: Outputs) (channels: int) (logits: ReadOnlySpan<float32>) (labels: Span<int16>) : unit =
        match outputs with
        | Outputs.Classes -> likeliest channels logits labels
        | Outputs.Regions order -> paint order logits labels

    let private channelsOf (extent: Extent) (logits: float32[]) : int =
        let channels = logits.Length / extent.Count

        if channels < 1 || channels * extent.Count <> logits.Length then
            invalidArg (nameof logits) $"%d{logits.Length} logits are no whole number of classes over %O{extent}."

        channels

    /// Class ids from logits (classes, spatial...): the class with the highest logit, which is also the one with the
    /// highest probability; the lowest id among equals.
    let argmax (extent: Extent) (logits: float32[]) : LabelMap =
        let labels = Array.zeroCreate<int16> extent.Count
        likeliest (channelsOf extent logits) (ReadOnlySpan<float32> logits) (Span<int16> labels)
        Volume.create extent labels

    /// Label ids from the logits (regions, spatial...) of regions, painted as `Outputs.Regions` says. Throws
    /// ArgumentException unless there is one label per region.
    let paintRegions (labels: int list) (extent: Extent) (logits: float32[]) : LabelMap =
        if channelsOf extent logits <> labels.Length then
            invalidArg
                (nameof labels)
                $"%d{labels.Length} labels cannot paint the %d{channelsOf extent logits} regions of the logits."

        let painted = Array.zeroCreate<int16> extent.Count
        paint labels (ReadOnlySpan<float32> logits) (Span<int16> painted)
        Volume.create extent painted

    // Softmax over the channels, in place.
    let private softmaxInPlace (channels: int) (values: float32[]) : unit =
        let count = values.Length / channels

        for voxel in 0 .. count - 1 do
            let mutable highest = Single.NegativeInfinity

            for label in 0 .. channels - 1 do
                highest <- max highest values[label * count + voxel]

            let mutable total = 0.0f

            for label in 0 .. channels - 1 do
                let value = exp (values[label * count + voxel] - highest)
                values[label * count + voxel] <- value
                total <- total + value

            for label in 0 .. channels - 1 do
                values[label * count + voxel] <- values[label * count + voxel] / total

    let private sigmoidInPlace (values: float32[]) : unit =
        for voxel in 0 .. values.Length - 1 do
            values[voxel] <- 1.0f / (1.0f + exp -values[voxel])

    /// Probabilities (classes, spatial...) from logits of the same layout: softmax over the classes.
    let softmax (extent: Extent) (logits: float32[]) : float32[] =
        let channels = channelsOf extent logits
        let result = Array.copy logits
        softmaxInPlace channels result
        result

    /// Probabilities of regions: the sigmoid of each logit.
    let sigmoid (logits: float32[]) : float32[] =
        let result = Array.copy logits
        sigmoidInPlace result
        result

    // Logits of tiles, given to `take` while their tensor lives.
    let private evaluated (network: Network) (tiles: Tiles) (take: Tensor -> 'T) : 'T =
        use _scope = torch.NewDisposeScope()

        let images =
            Tensors.ofArray (int64 tiles.Count :: int64 tiles.Channels :: List.map int64 tiles.Extent.Shape) tiles.Data

        let device =
            match Network.parameters network with
            | (_, parameter) :: _ -> parameter.device
            | [] -> torch.CPU

        take (Network.evaluate network (images.``to`` device))

    /// A network as an engine: no gradients are recorded and no tensor outlives a call.
    let ofNetwork (network: Network) (tiles: Tiles) : float32[] =
        evaluated network tiles Tensors.toArray<float32>

    /// The same with one array for the answers to all calls, so that a volume of many tiles leaves no garbage: what it gives
    /// holds until the next call. For one thread.
    let reusing (network: Network) : Predict =
        let answer = ref Array.empty<float32>

        fun tiles ->
            evaluated network tiles (fun logits ->
                let values = int (logits.numel ())

                if answer.Value.Length <> values then
                    answer.Value <- Array.zeroCreate values

                let plain = logits.cpu().contiguous()

                Runtime.InteropServices.MemoryMarshal
                    .Cast<byte, float32>(plain.bytes)
                    .CopyTo(Span<float32> answer.Value)

                answer.Value)

    // Planes of logits at the target's size.
    let private resampled
        (options: InferenceOptions)
        (target: PredictionGrid)
        (patch: Extent)
        (channels: int)
        (predict: Predict)
        (image: Image)
        (consume: int -> float32[] -> unit)
        : unit =
        if target.Resampling.ProbabilityOrder <= 1 then
            let separate = Resample.separateAxis target.Resampling image.Spacing target.Spacing

            PlaneResample.stream target.Resampling separate channels image.Extent target.Extent consume
            |> planes options patch channels predict image
        else
            // Cubic splines look at whole axes.
            let whole =
                { image with
                    Channels = channels
                    Data = logits options patch channels predict image
                }
                |> Resample.probabilities target.Resampling target.Spacing target.Extent

            let area = target.Extent.Height * target.Extent.Width
            let plane = Array.zeroCreate<float32>(channels * area)

            for slice in 0 .. target.Extent.Depth - 1 do
                for channel in 0 .. channels - 1 do
                    Array.Copy(whole.Data, channel * target.Extent.Count + slice * area, plane, channel * area, area)

                consume slice plane

    /// The label map of a preprocessed image at the target's size. Logits are resampled and decided plane by plane: what is
    /// held at once is the planes under one layer of tiles. `channels` counts the network's outputs. Throws
    /// ArgumentException as `logits` does.
    let labelsAt
        (options: InferenceOptions)
        (outputs: Outputs)
        (target: PredictionGrid)
        (patch: Extent)
        (channels: int)
        (predict: Predict)
        (image: Image)
        : LabelMap =
        let labels = Array.zeroCreate<int16> target.Extent.Count
        let area = target.Extent.Height * target.Extent.Width

        resampled options target patch channels predict image (fun slice plane ->
            decode outputs channels (ReadOnlySpan<float32> plane) (Span<int16>(labels, slice * area, area)))

        Volume.create target.Extent labels |> Volume.withSpacing target.Spacing

    /// The same with the probabilities (channels, spatial...) beside it, which are held whole.
    let probabilitiesAt
        (options: InferenceOptions)
        (outputs: Outputs)
        (target: PredictionGrid)
        (patch: Extent)
        (channels: int)
        (predict: Predict)
        (image: Image)
        : LabelMap * float32[] =
        let labels = Array.zeroCreate<int16> target.Extent.Count
        let area = target.Extent.Height * target.Extent.Width
        let result = Array.zeroCreate<float32>(channels * target.Extent.Count)

        resampled options target patch channels predict image (fun slice plane ->
            decode outputs channels (ReadOnlySpan<float32> plane) (Span<int16>(labels, slice * area, area))
            keep channels target.Extent result slice plane)

        match outputs with
        | Outputs.Classes -> softmaxInPlace channels result
        | Outputs.Regions _ -> sigmoidInPlace result

        Volume.create target.Extent labels |> Volume.withSpacing target.Spacing, result

    /// The label map of an image as it was read: normalized as the configuration says, covered with its patches, the
    /// likeliest class of each voxel. `classes` counts the background. Throws ArgumentException as `logits` does, and when the
    /// configuration normalizes another number of channels.
    let labels
        (options: InferenceOptions)
        (configuration: Configuration)
        (classes: int)
        (predict: Predict)
        (image: Image)
        : LabelMap =
        let target =
            {
                Resampling = configuration.Resampling
                Extent = image.Extent
                Spacing = image.Spacing
            }

        Normalize.image configuration.Normalization image
        |> labelsAt options Outputs.Classes target (Extent.ofShape configuration.PatchSize) classes predict
