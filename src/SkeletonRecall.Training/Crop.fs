namespace SkeletonRecall.Training

open SkeletonRecall

/// A box of voxels: the first of each axis and the one past the last; a plane has one slice.
[<Struct>]
type Box =
    {
        FirstSlice: int
        FirstRow: int
        FirstColumn: int
        EndSlice: int
        EndRow: int
        EndColumn: int
    }

/// Cropping images to what is not zero (nnU-Net's cropping.py).
[<RequireQualifiedAccess>]
module Crop =

    /// The box's sizes, in as many entries as the extent has axes.
    let shape (extent: Extent) (box: Box) : int list =
        let plane = [ box.EndRow - box.FirstRow; box.EndColumn - box.FirstColumn ]

        if extent.Rank = 2 then
            plane
        else
            (box.EndSlice - box.FirstSlice) :: plane

    /// The box of the whole extent.
    let whole (extent: Extent) : Box =
        {
            FirstSlice = 0
            FirstRow = 0
            FirstColumn = 0
            EndSlice = extent.Depth
            EndRow = extent.Height
            EndColumn = extent.Width
        }

    /// The mask with its cavities filled: parts of the background, by its 6 neighbours, that do not reach the border.
    /// A plane is a volume of one slice here, in which everything reaches the border, so that it stays as it is.
    let private fillCavities (mask: Mask) : Mask =
        let extent = mask.Extent

        if extent.Rank = 2 || extent.Depth < 3 || extent.Height < 3 || extent.Width < 3 then
            mask
        else
            let struct (labels, count) =
                Components.label Connectivity.Six (Mask.complement mask)

            let reaches = Array.zeroCreate<bool>(count + 1)

            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    let isBorderRow =
                        slice = 0 || slice = extent.Depth - 1 || row = 0 || row = extent.Height - 1

                    let start = Extent.index extent slice row 0

                    if isBorderRow then
                        for column in 0 .. extent.Width - 1 do
                            reaches[labels.Data[start + column]] <- true
                    else
                        reaches[labels.Data[start]] <- true
                        reaches[labels.Data[start + extent.Width - 1]] <- true

            // 0 is the mask itself.
            labels |> Mask.ofVolume (fun label -> label = 0 || not reaches[label])

    /// The voxels at which any channel is not 0, cavities filled.
    let nonZero (image: Image) : Mask =
        let extent = image.Extent
        let any = Array.zeroCreate<byte> extent.Count

        for channel in 0 .. image.Channels - 1 do
            let values = Image.channel channel image

            for place in 0 .. any.Length - 1 do
                if values[place] <> 0.0f then
                    any[place] <- 1uy

        Volume.create extent any
        |> Mask.ofVolume (fun value -> value <> 0uy)
        |> fillCavities

    /// The smallest box that holds the mask; the whole extent for an empty mask.
    let boundingBox (mask: Mask) : Box =
        let extent = mask.Extent
        let mutable box = whole extent
        let mutable found = false

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let mutable first = -1
                let mutable last = -1

                for column in 0 .. extent.Width - 1 do
                    if Mask.get mask slice row column then
                        if first < 0 then
                            first <- column

                        last <- column

                if first >= 0 then
                    box <-
                        if found then
                            { box with
                                FirstRow = min box.FirstRow row
                                FirstColumn = min box.FirstColumn first
                                EndSlice = slice + 1
                                EndRow = max box.EndRow (row + 1)
                                EndColumn = max box.EndColumn (last + 1)
                            }
                        else
                            {
                                FirstSlice = slice
                                FirstRow = row
                                FirstColumn = first
                                EndSlice = slice + 1
                                EndRow = row + 1
                                EndColumn = last + 1
                            }

                    found <- true

        box

    /// A volume's part inside the box, in a fresh array. Throws ArgumentException when the box leaves the extent.
    let values (extent: Extent) (box: Box) (values: System.ReadOnlySpan<'T>) : 'T[] =
        if
            values.Length <> extent.Count
            || box.FirstSlice < 0
            || box.FirstRow < 0
            || box.FirstColumn < 0
            || box.EndSlice > extent.Depth
            || box.EndRow > extent.Height
            || box.EndColumn > extent.Width
        then
            invalidArg (nameof box) $"A box within %O{extent} is wanted; got %A{box}."

        let height = box.EndRow - box.FirstRow
        let width = box.EndColumn - box.FirstColumn
        let result = Array.zeroCreate<'T>((box.EndSlice - box.FirstSlice) * height * width)
        let mutable target = 0

        for slice in box.FirstSlice .. box.EndSlice - 1 do
            for row in box.FirstRow .. box.EndRow - 1 do
                let start = Extent.index extent slice row box.FirstColumn
                values.Slice(start, width).CopyTo(System.Span<'T>(result, target, width))
                target <- target + width

        result
