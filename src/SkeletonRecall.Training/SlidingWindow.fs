namespace SkeletonRecall.Training

open System
open System.Buffers
open System.Numerics
open System.Runtime.InteropServices
open SkeletonRecall

/// nnU-Net's sliding window: an image covered with overlapping tiles, whose logits are averaged with Gaussian weights.
/// Planes of the result are given away as soon as no further tile touches them, so that no more than the planes under
/// one layer of tiles are held, whatever the size of the image.
[<RequireQualifiedAccess>]
module SlidingWindow =

    // The first voxel of a tile in the padded image.
    [<Struct>]
    type private Place = { Slice: int; Row: int; Column: int }

    // The image's voxel at which the padded image begins lies at this place of it: half of what is missing goes in front, the odd
    // voxel behind.
    let private before (have: int) (padded: int) : int = (padded - have) / 2

    // Copies what a tile shows; what lies beyond the image stays 0.
    let private cutTile
        (image: Image)
        (offset: Place)
        (patch: Extent)
        (place: Place)
        (tiles: float32[])
        (start: int)
        : unit =
        let extent = image.Extent
        let column = place.Column - offset.Column
        let first = max 0 -column
        let last = min patch.Width (extent.Width - column)

        if last > first then
            for channel in 0 .. image.Channels - 1 do
                for slice in 0 .. patch.Depth - 1 do
                    let fromSlice = place.Slice - offset.Slice + slice

                    if fromSlice >= 0 && fromSlice < extent.Depth then
                        for row in 0 .. patch.Height - 1 do
                            let fromRow = place.Row - offset.Row + row

                            if fromRow >= 0 && fromRow < extent.Height then
                                Array.Copy(
                                    image.Data,
                                    channel * extent.Count + Extent.index extent fromSlice fromRow (column + first),
                                    tiles,
                                    start + channel * patch.Count + Extent.index patch slice row first,
                                    last - first
                                )

    // `kept` holds the tiles where as many fit it exactly; a layer's last ones may be fewer and get an array of their own.
    let private cut (kept: float32[]) (image: Image) (offset: Place) (patch: Extent) (places: Place[]) : Tiles =
        let each = image.Channels * patch.Count

        let tiles =
            if kept.Length = places.Length * each then
                Array.Clear kept
                kept
            else
                Array.zeroCreate<float32>(places.Length * each)

        for number in 0 .. places.Length - 1 do
            cutTile image offset patch places[number] tiles (number * each)

        {
            Count = places.Length
            Channels = image.Channels
            Extent = patch
            Data = tiles
        }

    /// The one tile that shows a whole image no larger than the patch, which has as many axes: (channels, spatial...).
    let internal tile (patch: Extent) (image: Image) : float32[] =
        let offset =
            {
                Slice = before image.Extent.Depth patch.Depth
                Row = before image.Extent.Height patch.Height
                Column = before image.Extent.Width patch.Width
            }

        (cut [||] image offset patch [| { Slice = 0; Row = 0; Column = 0 } |]).Data

    // Planes of so many values that are added up in, borrowed and cleared.
    [<Sealed>]
    type private Slots(count: int, length: int) =
        let planes =
            Array.init count (fun _ ->
                let plane = ArrayPool<float32>.Shared.Rent length
                Array.Clear(plane, 0, length)
                plane)

        member _.Span(slot: int, start: int, count: int) : Span<float32> =
            Span<float32>(planes[slot], start, count)

        member _.Clear(slot: int) : unit = Array.Clear(planes[slot], 0, length)

        interface IDisposable with
            member _.Dispose() : unit =
                for plane in planes do
                    ArrayPool<float32>.Shared.Return plane

    // Spans of one length, by the processor's vectors; the last values one by one.
    let inline private vectors (values: Span<float32>) : Span<Vector<float32>> =
        MemoryMarshal.Cast<float32, Vector<float32>> values

    let inline private readVectors (values: ReadOnlySpan<float32>) : ReadOnlySpan<Vector<float32>> =
        MemoryMarshal.Cast<float32, Vector<float32>> values

    let private addRow (logits: ReadOnlySpan<float32>) (weights: ReadOnlySpan<float32>) (sums: Span<float32>) : unit =
        let total = vectors sums
        let given = readVectors logits
        let counts = readVectors weights

        for place in 0 .. total.Length - 1 do
            total[place] <- total[place] + given[place] * counts[place]

        for column in total.Length * Vector<float32>.Count .. sums.Length - 1 do
            sums[column] <- sums[column] + logits[column] * weights[column]

    let private addWeights (weights: ReadOnlySpan<float32>) (sums: Span<float32>) : unit =
        let total = vectors sums
        let counts = readVectors weights

        for place in 0 .. total.Length - 1 do
            total[place] <- total[place] + counts[place]

        for column in total.Length * Vector<float32>.Count .. sums.Length - 1 do
            sums[column] <- sums[column] + weights[column]

    let private divideRow
        (sums: ReadOnlySpan<float32>)
        (weights: ReadOnlySpan<float32>)
        (shares: Span<float32>)
        : unit =
        let into = vectors shares
        let total = readVectors sums
        let counts = readVectors weights

        for place in 0 .. into.Length - 1 do
            into[place] <- total[place] / counts[place]

        for column in into.Length * Vector<float32>.Count .. shares.Length - 1 do
            shares[column] <- sums[column] / weights[column]

    /// Gives each plane's logits (classes, rows, columns) to `consume`, in order, with the plane's number; the array is used again
    /// afterwards. The image is prepared (normalized) already; a smaller one is padded with zeros on all sides. A volume
    /// under a patch of 2 axes is predicted slice by slice. `step` in (0, 1] is how far tiles lie apart at most, as a
    /// share of the patch; the engine gets `tilesAtOnce` tiles at once, in an array that is used again for the next ones.
    /// Throws ArgumentException for options out of range, a plane under a patch of 3 axes, and an engine that gives
    /// another number of logits than asked for.
    let planes
        (step: float)
        (tilesAtOnce: int)
        (patch: Extent)
        (classes: int)
        (predict: Predict)
        (image: Image)
        (consume: int -> float32[] -> unit)
        : unit =
        if tilesAtOnce < 1 then
            invalidArg (nameof tilesAtOnce) $"Tiles at once count from 1; got %d{tilesAtOnce}."

        let extent = image.Extent

        if patch.Rank > extent.Rank then
            invalidArg (nameof image) $"A plane %O{extent} cannot be covered with tiles of %O{patch}."

        let depth = max extent.Depth patch.Depth
        let height = max extent.Height patch.Height
        let width = max extent.Width patch.Width

        let offset =
            {
                Slice = before extent.Depth depth
                Row = before extent.Height height
                Column = before extent.Width width
            }

        let slices =
            if patch.Rank < extent.Rank then
                [ 0 .. extent.Depth - 1 ]
            else
                Tiling.positions step patch.Depth depth

        let inLayer =
            [|
                for row in Tiling.positions step patch.Height height do
                    for column in Tiling.positions step patch.Width width -> struct (row, column)
            |]

        let importance = Tiling.importance patch
        let area = height * width
        // Plane z of the padded image is accumulated in slot z mod the patch's depth.
        use sums = new Slots(patch.Depth, classes * area)
        use weights = new Slots(patch.Depth, area)

        let add (place: Place) (logits: float32[]) (start: int) : unit =
            for slice in 0 .. patch.Depth - 1 do
                let slot = (place.Slice + slice) % patch.Depth

                for row in 0 .. patch.Height - 1 do
                    let into = (place.Row + row) * width + place.Column
                    let from = Extent.index patch slice row 0
                    let counts = ReadOnlySpan<float32>(importance, from, patch.Width)
                    addWeights counts (weights.Span(slot, into, patch.Width))

                    for label in 0 .. classes - 1 do
                        addRow
                            (ReadOnlySpan<float32>(logits, start + label * patch.Count + from, patch.Width))
                            counts
                            (sums.Span(slot, label * area + into, patch.Width))

        let plane = Array.zeroCreate<float32>(classes * extent.Height * extent.Width)

        let kept =
            Array.zeroCreate<float32>(min tilesAtOnce inLayer.Length * image.Channels * patch.Count)

        let give (padded: int) : unit =
            let slot = padded % patch.Depth
            let slice = padded - offset.Slice

            if slice >= 0 && slice < extent.Depth then
                for label in 0 .. classes - 1 do
                    for row in 0 .. extent.Height - 1 do
                        let from = (row + offset.Row) * width + offset.Column
                        let total = sums.Span(slot, label * area + from, extent.Width)
                        let weight = weights.Span(slot, from, extent.Width)

                        let into =
                            Span<float32>(plane, (label * extent.Height + row) * extent.Width, extent.Width)

                        divideRow (Span.op_Implicit total) (Span.op_Implicit weight) into

                consume slice plane

            sums.Clear slot
            weights.Clear slot

        let layer (first: int) (next: int) : unit =
            let places =
                inLayer
                |> Array.map (fun (struct (row, column)) ->
                    {
                        Slice = first
                        Row = row
                        Column = column
                    })

            for batch in Array.chunkBySize tilesAtOnce places do
                let logits = predict (cut kept image offset patch batch)
                let each = classes * patch.Count

                if logits.Length <> batch.Length * each then
                    invalidArg
                        (nameof predict)
                        $"It gave %d{logits.Length} logits for %d{batch.Length} tiles of %O{patch} and %d{classes} classes."

                batch |> Array.iteri (fun number place -> add place logits (number * each))

            for padded in first .. next - 1 do
                give padded

        List.zip slices (slices.Tail @ [ depth ])
        |> List.iter (fun (first, next) -> layer first next)
