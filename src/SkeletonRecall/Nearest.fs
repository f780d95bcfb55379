namespace SkeletonRecall

open System
open System.Numerics

/// Distances from the voxels of one mask to the nearest of another.
[<RequireQualifiedAccess>]
module internal Nearest =

    // The least number of columns between a column and a set bit of a row, which is not empty; bit 0 of the first word
    // stands before the first column.
    let inline private along (words: uint64[]) (start: int) (stride: int) (column: int) : int =
        let bit = column + 1
        let word = bit >>> 6
        // From the column on to the right, and before it to the left.
        let right = words[start + word] >>> (bit &&& 63)
        let left = words[start + word] <<< (63 - (bit &&& 63))

        if right &&& 1UL <> 0UL then
            0
        else
            let mutable found = Int32.MaxValue

            if right <> 0UL then
                found <- BitOperations.TrailingZeroCount right
            else
                let mutable at = word + 1

                while at < stride do
                    let bits = words[start + at]

                    if bits <> 0UL then
                        found <- 64 * at + BitOperations.TrailingZeroCount bits - bit
                        at <- stride
                    else
                        at <- at + 1

            if left <> 0UL then
                found <- min found (BitOperations.LeadingZeroCount left)
            else
                let mutable at = word - 1

                while at >= 0 do
                    let bits = words[start + at]

                    if bits <> 0UL then
                        found <- min found (bit - (64 * at + 63 - BitOperations.LeadingZeroCount bits))
                        at <- -1
                    else
                        at <- at - 1

            found

    let private rowsWith (mask: Mask) : bool[] =
        let extent = mask.Extent
        let stride = Layout.stride extent

        Array.init (extent.Depth * extent.Height) (fun row ->
            let start = Layout.row extent (row / extent.Height) (row % extent.Height)
            let mutable any = 0UL

            for word in 0 .. stride - 1 do
                any <- any ||| mask.Words[start + word]

            any <> 0UL)

    /// The distance in mm, by the target's spacing, of each voxel of `mask`, in raster order, to the nearest of `target`; None where
    /// neighbourhoods would have to be searched so far that a distance transform is cheaper, and for an empty target. Rows are
    /// searched in rings around the voxel's own, until no row further out can be nearer. Both masks are of one extent.
    let tryDistances (mask: Mask) (target: Mask) : float[] option =
        let extent = mask.Extent
        let stride = Layout.stride extent
        let words = target.Words
        let deep = extent.Rank = 3

        let spacing = target.Spacing.Values |> List.rev |> Array.ofList
        let across, down = spacing[0], spacing[1]
        let inward = if deep then spacing[2] else infinity
        let filled = rowsWith target
        let result = Array.zeroCreate<float>(Mask.count mask)
        let slices = if deep then extent.Depth else 1
        let furthest = max extent.Height slices
        let least = min down inward
        // A small part of what a distance transform would cost, in rows looked at.
        let mutable budget = int64 extent.Count / 4L
        let mutable found = 0
        let mutable best = infinity

        if not (Array.contains true filled) then
            budget <- -1L

        let mutable slice = 0

        while slice < slices && budget >= 0L do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row

                for word in 0 .. stride - 1 do
                    let mutable bits = mask.Words[start + word]

                    while bits <> 0UL do
                        let column = 64 * word + BitOperations.TrailingZeroCount bits - 1
                        bits <- bits &&& (bits - 1UL)
                        best <- infinity
                        let mutable ring = 0

                        while ring < furthest && budget >= 0L do
                            let reach = float ring * least

                            if reach * reach >= best then
                                ring <- furthest
                            else
                                for z in max 0 (slice - ring) .. min (slices - 1) (slice + ring) do
                                    // Whole rows of the ring at its first and last slice, two rows elsewhere.
                                    let step = if abs (z - slice) = ring then 1 else max 1 (2 * ring)
                                    let mutable y = row - ring

                                    while y <= row + ring do
                                        if y >= 0 && y < extent.Height then
                                            budget <- budget - 1L

                                            if filled[z * extent.Height + y] then
                                                let dy = float (y - row) * down
                                                let dz = if z = slice then 0.0 else float (z - slice) * inward

                                                if dy * dy + dz * dz < best then
                                                    let dx =
                                                        float (along words (Layout.row extent z y) stride column)
                                                        * across

                                                    best <- min best (dx * dx + dy * dy + dz * dz)

                                        y <- y + step

                                ring <- ring + 1

                        result[found] <- sqrt best
                        found <- found + 1

            slice <- slice + 1

        if budget >= 0L then Some result else None
