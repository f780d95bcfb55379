namespace SkeletonRecall.Training

open SkeletonRecall

/// Putting the axes of volumes into another order, as plans do (`transpose_forward`): axis i of the result is axis
/// `order[i]` of what goes in. A plane has no other order than its own.
[<RequireQualifiedAccess>]
module Axes =

    /// The order that undoes another.
    let inverse (order: int list) : int list =
        List.init order.Length (fun axis -> List.findIndex ((=) axis) order)

    /// Entries, one per axis, in that order. Of a plane only the order [0; 1; 2] is possible, which leaves them alone.
    /// Throws ArgumentException for an order that is no arrangement of [0; 1; 2], and for another order of a plane.
    let permute (order: int list) (values: 'T list) : 'T list =
        if List.sort order <> [ 0; 1; 2 ] then
            invalidArg (nameof order) $"An order of axes holds 0, 1 and 2, each once; got %A{order}."

        match values with
        | [ _; _ ] when order = [ 0; 1; 2 ] -> values
        | [ _; _; _ ] -> order |> List.map (fun axis -> values[axis])
        | _ -> invalidArg (nameof values) $"The axes of a plane stay in their order; got the order %A{order}."

    /// The extent in that order.
    let extent (order: int list) (extent: Extent) : Extent =
        Extent.ofShape (permute order extent.Shape)

    /// The spacing in that order.
    let spacing (order: int list) (spacing: Spacing) : Spacing =
        Spacing.ofList (permute order spacing.Values)

    /// The box in that order.
    let box (order: int list) (box: Box) : Box =
        match
            permute
                order
                [
                    struct (box.FirstSlice, box.EndSlice)
                    struct (box.FirstRow, box.EndRow)
                    struct (box.FirstColumn, box.EndColumn)
                ]
        with
        | [ struct (firstSlice, endSlice); struct (firstRow, endRow); struct (firstColumn, endColumn) ] ->
            {
                FirstSlice = firstSlice
                EndSlice = endSlice
                FirstRow = firstRow
                EndRow = endRow
                FirstColumn = firstColumn
                EndColumn = endColumn
            }
        | _ -> box

    // Squares of this many lines are moved at a time, so that neither side's lines fall out of the cache meanwhile.
    let private square = 32

    /// The box of a volume (of extent `from`) with its axes in the given order, written from `start` of the target on.
    /// `box` and `from` are in the order of the volume as it is.
    let internal copyBox
        (order: int list)
        (from: Extent)
        (box: Box)
        (source: 'T[])
        (sourceStart: int)
        (target: 'T[])
        (targetStart: int)
        : unit =
        let strides = [ from.Height * from.Width; from.Width; 1 ]
        let axis (number: int) = order[number]

        let sizes =
            [
                box.EndSlice - box.FirstSlice
                box.EndRow - box.FirstRow
                box.EndColumn - box.FirstColumn
            ]

        let depth, height, width = sizes[axis 0], sizes[axis 1], sizes[axis 2]

        let alongSlices, alongRows, alongColumns =
            strides[axis 0], strides[axis 1], strides[axis 2]

        let first =
            sourceStart + Extent.index from box.FirstSlice box.FirstRow box.FirstColumn

        if alongColumns = 1 then
            for slice in 0 .. depth - 1 do
                for row in 0 .. height - 1 do
                    System.Array.Copy(
                        source,
                        first + slice * alongSlices + row * alongRows,
                        target,
                        targetStart + (slice * height + row) * width,
                        width
                    )
        else
            // The axis that runs fastest in the source is one of the other two; it shares the squares with the columns.
            let move (rows: int) (alongRows: int) (rowStep: int) (from: int) (into: int) =
                for firstRow in 0..square .. rows - 1 do
                    for firstColumn in 0..square .. width - 1 do
                        for row in firstRow .. min rows (firstRow + square) - 1 do
                            let from = from + row * alongRows
                            let into = into + row * rowStep

                            for column in firstColumn .. min width (firstColumn + square) - 1 do
                                target[into + column] <- source[from + column * alongColumns]

            if alongRows = 1 then
                for slice in 0 .. depth - 1 do
                    move height alongRows width (first + slice * alongSlices) (targetStart + slice * height * width)
            else
                for row in 0 .. height - 1 do
                    move depth alongSlices (height * width) (first + row * alongRows) (targetStart + row * width)

    /// A label map with its axes in that order. Throws ArgumentException as `permute` does.
    let labels (order: int list) (labels: LabelMap) : LabelMap =
        if order = [ 0; 1; 2 ] then
            labels
        else
            let result = extent order labels.Extent
            let data = Array.zeroCreate<int16> result.Count
            copyBox order labels.Extent (Crop.whole labels.Extent) labels.Data 0 data 0

            Volume.create result data |> Volume.withSpacing (spacing order labels.Spacing)
