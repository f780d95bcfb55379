namespace SkeletonRecall

open System
open System.Numerics

/// Cutting masks.
[<RequireQualifiedAccess>]
module Windows =

    /// The part of a mask that starts at a voxel and has an extent of its own.
    /// Throws ArgumentException when the ranks differ or the part sticks out.
    let crop (slice: int) (row: int) (column: int) (extent: Extent) (mask: Mask) : Mask =
        let whole = mask.Extent

        if
            extent.Rank <> whole.Rank
            || slice < 0
            || row < 0
            || column < 0
            || slice + extent.Depth > whole.Depth
            || row + extent.Height > whole.Height
            || column + extent.Width > whole.Width
        then
            invalidArg
                (nameof extent)
                $"%O{extent} from (%d{slice}, %d{row}, %d{column}) on does not lie inside %O{whole}."

        let words = Array.zeroCreate<uint64>(Layout.length extent)
        let stride = Layout.stride extent
        let shift = column &&& 63

        for at in 0 .. extent.Depth - 1 do
            for line in 0 .. extent.Height - 1 do
                let source = Layout.row whole (slice + at) (row + line) + (column >>> 6)
                let target = Layout.row extent at line

                for word in 0 .. stride - 1 do
                    let low = mask.Words[source + word] >>> shift

                    let high =
                        if shift = 0 then
                            0UL
                        else
                            mask.Words[source + word + 1] <<< (64 - shift)

                    words[target + word] <- (low ||| high) &&& Layout.voxelBits extent word

        Mask(extent, mask.Spacing, words)

    /// The extents and starts (slice, row, column) of windows of a given side that stand side by side and cover an
    /// extent; those at the far borders may be smaller. Throws ArgumentException for a side below 1.
    let tiles (side: int) (extent: Extent) : struct (Extent * int * int * int) list =
        if side < 1 then
            invalidArg (nameof side) $"A window is at least 1 voxel wide; got %d{side}."

        [
            for slice in 0..side .. extent.Depth - 1 do
                for row in 0..side .. extent.Height - 1 do
                    for column in 0..side .. extent.Width - 1 do
                        let height = min side (extent.Height - row)
                        let width = min side (extent.Width - column)

                        let part =
                            if extent.Rank = 2 then
                                Extent.plane height width
                            else
                                Extent.space (min side (extent.Depth - slice)) height width

                        struct (part, slice, row, column)
        ]

    /// A function of two masks in every window, in the order of `tiles`.
    /// Throws ArgumentException for a side below 1 and when the extents differ.
    let map (side: int) (measure: Mask -> Mask -> 'T) (prediction: Mask) (truth: Mask) : 'T list =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent

        tiles side prediction.Extent
        |> List.map (fun struct (extent, slice, row, column) ->
            measure (crop slice row column extent prediction) (crop slice row column extent truth))

    /// The smallest part of the grid that holds every voxel of a mask, as its extent and start (slice, row, column); None
    /// for an empty mask.
    let bounds (mask: Mask) : struct (Extent * int * int * int) option =
        let extent = mask.Extent
        let stride = Layout.stride extent
        let columns = Array.zeroCreate<uint64> stride
        let mutable firstSlice, lastSlice = Int32.MaxValue, -1
        let mutable firstRow, lastRow = Int32.MaxValue, -1

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row
                let mutable any = 0UL

                for word in 0 .. stride - 1 do
                    any <- any ||| mask.Words[start + word]
                    columns[word] <- columns[word] ||| mask.Words[start + word]

                if any <> 0UL then
                    firstSlice <- min firstSlice slice
                    lastSlice <- max lastSlice slice
                    firstRow <- min firstRow row
                    lastRow <- max lastRow row

        if lastSlice < 0 then
            None
        else
            let firstWord = columns |> Array.findIndex (fun word -> word <> 0UL)
            let lastWord = columns |> Array.findIndexBack (fun word -> word <> 0UL)
            let first = 64 * firstWord + BitOperations.TrailingZeroCount columns[firstWord] - 1
            let last = 64 * lastWord + 63 - BitOperations.LeadingZeroCount columns[lastWord] - 1
            let height, width = lastRow - firstRow + 1, last - first + 1

            let part =
                if extent.Rank = 2 then
                    Extent.plane height width
                else
                    Extent.space (lastSlice - firstSlice + 1) height width

            Some(struct (part, firstSlice, firstRow, first))

    /// The voxels at the border of a grid.
    let rim (extent: Extent) : Mask =
        let inner =
            if extent.Rank = 2 then
                extent.Height > 2 && extent.Width > 2
            else
                extent.Depth > 2 && extent.Height > 2 && extent.Width > 2

        let all = Mask.complement (Mask.empty extent)

        if not inner then
            all
        else
            let words = Array.copy all.Words
            let first = if extent.Rank = 3 then 1 else 0

            for slice in first .. extent.Depth - 1 - first do
                for row in 1 .. extent.Height - 2 do
                    let start = Layout.row extent slice row
                    Array.Fill(words, 0UL, start, Layout.stride extent)
                    words[start] <- 2UL
                    let last = extent.Width
                    words[start + (last >>> 6)] <- words[start + (last >>> 6)] ||| (1UL <<< (last &&& 63))

            Mask(extent, all.Spacing, words)
