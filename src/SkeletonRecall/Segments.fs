namespace SkeletonRecall

open System

/// Drawing straight pieces of curves into masks.
[<RequireQualifiedAccess>]
module Segments =

    // The voxel at an offset from the middle. Halves go towards the middle, so that mirrored curves give mirrored voxels.
    let inline private nearest (middle: float) (offset: float) : int =
        if offset > 0.0 then
            int (Math.Ceiling(offset + middle - 0.5))
        else
            int (Math.Floor(offset + middle + 0.5))

    /// The voxels nearest to points along each segment, so close that two that follow one another touch (8 neighbours, or
    /// 26): a drawn segment has no gap, and its ends are drawn. `coordinates` holds six numbers for each segment: slice,
    /// row and column of one end, then of the other, in voxels from the middle of the extent (of a plane the slices are
    /// 0). What lies outside the extent is not drawn. Spacing 1 mm.
    /// Throws ArgumentException when the numbers are no multiple of six, or not finite.
    let rasterize (extent: Extent) (coordinates: float32[]) : Mask =
        if coordinates.Length % 6 <> 0 then
            invalidArg
                (nameof coordinates)
                $"A segment has 6 coordinates; %d{coordinates.Length} numbers are no whole number of them."

        let words = Array.zeroCreate<uint64>(Layout.length extent)
        let middle (size: int) : float = float (size - 1) / 2.0
        let middleSlice = middle extent.Depth
        let middleRow = middle extent.Height
        let middleColumn = middle extent.Width

        let draw (z: float) (y: float) (x: float) : unit =
            let slice = nearest middleSlice z
            let row = nearest middleRow y
            let column = nearest middleColumn x

            if
                uint slice < uint extent.Depth
                && uint row < uint extent.Height
                && uint column < uint extent.Width
            then
                let bit = column + 1
                let word = Layout.row extent slice row + (bit >>> 6)
                words[word] <- words[word] ||| (1UL <<< (bit &&& 63))

        for at in 0..6 .. coordinates.Length - 6 do
            let z, y, x =
                float coordinates[at], float coordinates[at + 1], float coordinates[at + 2]

            let toZ, toY, toX =
                float coordinates[at + 3], float coordinates[at + 4], float coordinates[at + 5]

            let longest = max (abs (toZ - z)) (max (abs (toY - y)) (abs (toX - x)))

            if not (Double.IsFinite(z + y + x + toZ + toY + toX)) then
                invalidArg (nameof coordinates) $"Segment %d{at / 6} has a coordinate that is no finite number."

            let steps = int (Math.Ceiling longest)
            draw z y x

            for step in 1 .. steps - 1 do
                let share = float step / float steps
                draw (z + share * (toZ - z)) (y + share * (toY - y)) (x + share * (toX - x))

            if steps > 0 then
                draw toZ toY toX

        Mask(extent, Spacing.unit extent.Rank, words)
