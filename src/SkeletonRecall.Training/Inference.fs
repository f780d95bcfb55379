namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// Tiles of one size, cut from an image: (count, channels, spatial...), row-major.
type Tiles =
    {
        Count: int
        Channels: int
        Extent: Extent
        Data: float32[]
    }

/// An engine: tiles to logits (count, classes, spatial...), row-major. It knows nothing of images, and prediction
/// knows nothing of it.
type Predict = Tiles -> float32[]

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

    /// One tile's place: the first voxel.
    [<Struct>]
    type private Place = { Slice: int; Row: int; Column: int }

    // Depth, height and width of every array below; a plane has depth 1.
    let private padded (patch: Extent) (image: Image) : Extent * Place * float32[] =
        let size (have: int) (wanted: int) = max have wanted

        let extent =
            let depth = size image.Extent.Depth patch.Depth
            let height = size image.Extent.Height patch.Height
            let width = size image.Extent.Width patch.Width

            if patch.Rank = 2 then
                Extent.plane height width
            else
                Extent.space depth height width

        // Half of what is missing goes in front, the odd voxel behind.
        let offset =
            {
                Slice = (extent.Depth - image.Extent.Depth) / 2
                Row = (extent.Height - image.Extent.Height) / 2
                Column = (extent.Width - image.Extent.Width) / 2
            }

        if extent = image.Extent then
            extent, offset, image.Data
        else
            let data = Array.zeroCreate<float32>(image.Channels * extent.Count)

            for channel in 0 .. image.Channels - 1 do
                for slice in 0 .. image.Extent.Depth - 1 do
                    for row in 0 .. image.Extent.Height - 1 do
                        let source = channel * image.Extent.Count + Extent.index image.Extent slice row 0

                        let target =
                            channel * extent.Count
                            + Extent.index extent (slice + offset.Slice) (row + offset.Row) offset.Column

                        Array.blit image.Data source data target image.Extent.Width

            extent, offset, data

    // Copies a tile between an image's array and a tile's, channel by channel, row by row.
    let inline private overRows
        (channels: int)
        (extent: Extent)
        (patch: Extent)
        (place: Place)
        ([<InlineIfLambda>] action: int -> int -> unit)
        : unit =
        for channel in 0 .. channels - 1 do
            for slice in 0 .. patch.Depth - 1 do
                for row in 0 .. patch.Height - 1 do
                    let whole =
                        channel * extent.Count
                        + Extent.index extent (place.Slice + slice) (place.Row + row) place.Column

                    action whole (channel * patch.Count + Extent.index patch slice row 0)

    let private cut (channels: int) (extent: Extent) (data: float32[]) (patch: Extent) (places: Place[]) : Tiles =
        let tiles = Array.zeroCreate<float32>(places.Length * channels * patch.Count)

        for number in 0 .. places.Length - 1 do
            let start = number * channels * patch.Count

            overRows channels extent patch places[number] (fun whole part ->
                Array.blit data whole tiles (start + part) patch.Width)

        {
            Count = places.Length
            Channels = channels
            Extent = patch
            Data = tiles
        }

    /// Mirrors every tile along the given axes of the patch (0 = slowest).
    let private mirror (axes: int list) (planes: int) (patch: Extent) (data: float32[]) : float32[] =
        if axes.IsEmpty then
            data
        else
            let flips (axis: int) =
                List.contains (axis - (3 - patch.Rank)) axes

            let flipSlices, flipRows, flipColumns = flips 0, flips 1, flips 2
            let result = Array.zeroCreate<float32> data.Length

            for plane in 0 .. planes - 1 do
                for slice in 0 .. patch.Depth - 1 do
                    for row in 0 .. patch.Height - 1 do
                        let fromSlice = if flipSlices then patch.Depth - 1 - slice else slice
                        let fromRow = if flipRows then patch.Height - 1 - row else row
                        let target = plane * patch.Count + Extent.index patch slice row 0

                        Array.blit
                            data
                            (plane * patch.Count + Extent.index patch fromSlice fromRow 0)
                            result
                            target
                            patch.Width

                        if flipColumns then
                            Array.Reverse(result, target, patch.Width)

            result

    let private subsets (axes: int list) : int list list =
        List.fold (fun chosen axis -> chosen @ List.map (fun subset -> subset @ [ axis ]) chosen) [ [] ] axes

    // The mean of the logits over all mirrored versions, each turned back.
    let private mirrored (mirrorAxes: int list) (classes: int) (predict: Predict) (tiles: Tiles) : float32[] =
        let answer (axes: int list) =
            let shown =
                { tiles with
                    Data = mirror axes (tiles.Count * tiles.Channels) tiles.Extent tiles.Data
                }

            let logits = predict shown

            if logits.Length <> tiles.Count * classes * tiles.Extent.Count then
                invalidArg
                    (nameof predict)
                    $"It gave %d{logits.Length} logits for %d{tiles.Count} tiles of %O{tiles.Extent} and %d{classes} classes."

            mirror axes (tiles.Count * classes) tiles.Extent logits

        match subsets mirrorAxes with
        | [ only ] -> answer only
        | versions ->
            let sum = answer versions.Head |> Array.copy

            for axes in versions.Tail do
                let logits = answer axes

                for index in 0 .. sum.Length - 1 do
                    sum[index] <- sum[index] + logits[index]

            let share = 1.0f / float32 versions.Length
            sum |> Array.map (fun value -> value * share)

    // An image and a patch of the same rank.
    let private slide
        (options: InferenceOptions)
        (patch: Extent)
        (classes: int)
        (predict: Predict)
        (image: Image)
        : float32[] =
        let extent, offset, data = padded patch image

        let along (size: int) (length: int) =
            Tiling.positions options.Step length size

        let places =
            [|
                for slice in along extent.Depth patch.Depth do
                    for row in along extent.Height patch.Height do
                        for column in along extent.Width patch.Width ->
                            {
                                Slice = slice
                                Row = row
                                Column = column
                            }
            |]

        let weight = Tiling.importance patch
        let sums = Array.zeroCreate<float32>(classes * extent.Count)
        let weights = Array.zeroCreate<float32> extent.Count

        for batch in Array.chunkBySize options.TilesAtOnce places do
            let logits =
                cut image.Channels extent data patch batch
                |> mirrored options.MirrorAxes classes predict

            for number in 0 .. batch.Length - 1 do
                let start = number * classes * patch.Count

                overRows classes extent patch batch[number] (fun whole part ->
                    let within = part % patch.Count

                    for column in 0 .. patch.Width - 1 do
                        sums[whole + column] <-
                            sums[whole + column] + logits[start + part + column] * weight[within + column])

                overRows 1 extent patch batch[number] (fun whole part ->
                    for column in 0 .. patch.Width - 1 do
                        weights[whole + column] <- weights[whole + column] + weight[part + column])

        let result = Array.zeroCreate<float32>(classes * image.Extent.Count)

        overRows classes extent image.Extent offset (fun whole part ->
            let within = whole % extent.Count

            for column in 0 .. image.Extent.Width - 1 do
                result[part + column] <- sums[whole + column] / weights[within + column])

        result

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
        if options.TilesAtOnce < 1 then
            invalidArg (nameof options) $"TilesAtOnce counts from 1; got %d{options.TilesAtOnce}."

        if options.MirrorAxes |> List.exists (fun axis -> axis < 0 || axis >= patch.Rank) then
            invalidArg (nameof options) $"A patch %O{patch} has no mirror axes %A{options.MirrorAxes}."

        match patch.Rank, image.Extent.Rank with
        | 3, 2 -> invalidArg (nameof image) $"A plane %O{image.Extent} cannot be covered with tiles of %O{patch}."
        | 2, 3 ->
            let plane = Extent.plane image.Extent.Height image.Extent.Width
            let result = Array.zeroCreate<float32>(classes * image.Extent.Count)

            for slice in 0 .. image.Extent.Depth - 1 do
                let part =
                    Array.init image.Channels (fun channel ->
                        Array.sub image.Data (channel * image.Extent.Count + slice * plane.Count) plane.Count)
                    |> Array.concat
                    |> Image.create image.Channels plane
                    |> slide options patch classes predict

                for label in 0 .. classes - 1 do
                    Array.blit
                        part
                        (label * plane.Count)
                        result
                        (label * image.Extent.Count + slice * plane.Count)
                        plane.Count

            result
        | _ -> slide options patch classes predict image

    /// Class ids from logits (classes, spatial...): the class with the highest logit, which is also the one with the
    /// highest probability; the lowest id among equals.
    let argmax (extent: Extent) (logits: float32[]) : LabelMap =
        let classes = logits.Length / extent.Count

        if classes < 1 || classes * extent.Count <> logits.Length then
            invalidArg (nameof logits) $"%d{logits.Length} logits are no whole number of classes over %O{extent}."

        let labels = Array.zeroCreate<int16> extent.Count

        for voxel in 0 .. extent.Count - 1 do
            let mutable best = 0

            for label in 1 .. classes - 1 do
                if logits[label * extent.Count + voxel] > logits[best * extent.Count + voxel] then
                    best <- label

            labels[voxel] <- int16 best

        Volume.create extent labels

    /// Probabilities (classes, spatial...) from logits of the same layout: softmax over the classes.
    let softmax (extent: Extent) (logits: float32[]) : float32[] =
        let classes = logits.Length / extent.Count

        if classes < 1 || classes * extent.Count <> logits.Length then
            invalidArg (nameof logits) $"%d{logits.Length} logits are no whole number of classes over %O{extent}."

        let result = Array.zeroCreate<float32> logits.Length

        for voxel in 0 .. extent.Count - 1 do
            let mutable highest = Single.NegativeInfinity

            for label in 0 .. classes - 1 do
                highest <- max highest logits[label * extent.Count + voxel]

            let mutable total = 0.0f

            for label in 0 .. classes - 1 do
                let value = exp (logits[label * extent.Count + voxel] - highest)
                result[label * extent.Count + voxel] <- value
                total <- total + value

            for label in 0 .. classes - 1 do
                result[label * extent.Count + voxel] <- result[label * extent.Count + voxel] / total

        result

    /// A network as an engine: no gradients are recorded and no tensor outlives a call.
    let ofNetwork (network: Network) (tiles: Tiles) : float32[] =
        use _scope = torch.NewDisposeScope()

        let images =
            Tensors.ofArray (int64 tiles.Count :: int64 tiles.Channels :: List.map int64 tiles.Extent.Shape) tiles.Data

        let device =
            match Network.parameters network with
            | (_, parameter) :: _ -> parameter.device
            | [] -> torch.CPU

        Tensors.toArray<float32>(Network.evaluate network (images.``to`` device))

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
        let patch = Extent.ofShape configuration.PatchSize

        Normalize.image configuration.Normalization image
        |> logits options patch classes predict
        |> argmax image.Extent
        |> Volume.withSpacing image.Spacing
