namespace SkeletonRecall.Training

open System
open System.Numerics
open System.Runtime.InteropServices
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

    // Background that reaches the border, of flags that are 0 for background.
    [<Literal>]
    let private Outside = 2uy

    // Marks the background at the border.
    let private markBorder (extent: Extent) (flags: byte[]) : unit =
        let mark (at: int) =
            if flags[at] = 0uy then
                flags[at] <- Outside

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0

                if slice = 0 || slice = extent.Depth - 1 || row = 0 || row = extent.Height - 1 then
                    for column in 0 .. extent.Width - 1 do
                        mark (start + column)
                else
                    mark start
                    mark (start + extent.Width - 1)

    // One sweep through the inner voxels, forth or back: background beside what is marked is marked. Whether any was.
    let private sweep (extent: Extent) (forth: bool) (flags: byte[]) : bool =
        let width = extent.Width
        let slab = extent.Height * width
        let mutable found = false

        let visit (at: int) =
            if
                flags[at - 1] = Outside
                || flags[at + 1] = Outside
                || flags[at - width] = Outside
                || flags[at + width] = Outside
                || flags[at - slab] = Outside
                || flags[at + slab] = Outside
            then
                flags[at] <- Outside
                found <- true

        let line (start: int) =
            let inner = Span<byte>(flags, start + 1, width - 2)

            // From one place that is still background to the next.
            if forth then
                let mutable at = inner.IndexOf 0uy

                while at >= 0 do
                    visit (start + 1 + at)
                    let next = inner.Slice(at + 1).IndexOf 0uy
                    at <- if next < 0 then -1 else at + 1 + next
            else
                let mutable at = inner.LastIndexOf 0uy

                while at >= 0 do
                    visit (start + 1 + at)
                    at <- inner.Slice(0, at).LastIndexOf 0uy

        for number in 0 .. (extent.Depth - 2) * (extent.Height - 2) - 1 do
            let number =
                if forth then
                    number
                else
                    (extent.Depth - 2) * (extent.Height - 2) - 1 - number

            line (Extent.index extent (1 + number / (extent.Height - 2)) (1 + number % (extent.Height - 2)) 0)

        found

    /// Cavities of flags filled in place: parts of the background (0), by its 6 neighbours, that do not reach the border,
    /// become 1. A plane is a volume of one slice here, in which everything reaches the border, so that it stays as it is.
    let private fillCavities (extent: Extent) (flags: byte[]) : unit =
        if
            extent.Rank = 3
            && extent.Depth > 2
            && extent.Height > 2
            && extent.Width > 2
            && Span<byte>(flags, 0, extent.Count).Contains 0uy
        then
            markBorder extent flags

            while sweep extent true flags && sweep extent false flags do
                ()

            for at in 0 .. extent.Count - 1 do
                flags[at] <- if flags[at] = Outside then 0uy else 1uy

    /// Writes 1 for the voxels at which any channel is not 0, cavities filled, and 0 for the others, into the first of at least as
    /// many flags as the image has voxels.
    let internal flagNonZero (image: Image) (flags: byte[]) : unit =
        let count = image.Extent.Count
        let lanes = Vector<float32>.Count
        Array.Clear(flags, 0, count)

        for channel in 0 .. image.Channels - 1 do
            let values = Image.channel channel image
            let vectors = MemoryMarshal.Cast<float32, Vector<float32>> values
            let mutable clean = 0

            for vector in 0 .. vectors.Length - 1 do
                if Vector.EqualsAny(vectors[vector], Vector<float32>.Zero) then
                    let first = vector * lanes
                    Array.Fill(flags, 1uy, clean, first - clean)
                    clean <- first + lanes

                    for place in first .. first + lanes - 1 do
                        if values[place] <> 0.0f then
                            flags[place] <- 1uy

            Array.Fill(flags, 1uy, clean, vectors.Length * lanes - clean)

            for place in vectors.Length * lanes .. count - 1 do
                if values[place] <> 0.0f then
                    flags[place] <- 1uy

        fillCavities image.Extent flags

    /// The voxels at which any channel is not 0, cavities filled.
    let nonZero (image: Image) : Mask =
        let flags = Array.zeroCreate<byte> image.Extent.Count
        flagNonZero image flags
        Volume.create image.Extent flags |> Mask.ofVolume (fun value -> value <> 0uy)

    /// The smallest box that holds all flags of an extent that are not 0; the whole extent where there are none.
    let internal boxOfFlags (extent: Extent) (flags: byte[]) : Box =
        let mutable box = whole extent
        let mutable found = false

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let line = ReadOnlySpan<byte>(flags, Extent.index extent slice row 0, extent.Width)

                let first = line.IndexOfAnyExcept 0uy
                let last = line.LastIndexOfAnyExcept 0uy

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

    /// The smallest box that holds the mask; the whole extent for an empty mask.
    let boundingBox (mask: Mask) : Box =
        boxOfFlags mask.Extent (Mask.toVolume mask).Data

    /// A volume's part inside the box, in a fresh array. Throws ArgumentException when the box leaves the extent.
    let values (extent: Extent) (box: Box) (values: 'T[]) : 'T[] =
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
                System.Array.Copy(values, start, result, target, width)
                target <- target + width

        result
