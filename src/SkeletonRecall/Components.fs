namespace SkeletonRecall

open System.Collections.Generic

/// Connected components.
[<RequireQualifiedAccess>]
module Components =

    // A flood from every voxel that has no label yet, over labels padded by one voxel on each side.
    let private flood (connectivity: Connectivity) (mask: Mask) : struct (int[] * int) =
        let extent = mask.Extent
        Connectivity.requireRank connectivity extent
        let bytes = (Mask.toVolume mask).Data
        let labels = Array.zeroCreate<int> extent.Count
        let steps = List.toArray (Connectivity.neighbours connectivity)
        let waiting = Stack<int>()
        let mutable found = 0

        for start in 0 .. labels.Length - 1 do
            if bytes[start] <> 0uy && labels[start] = 0 then
                found <- found + 1
                labels[start] <- found
                waiting.Push start

                while waiting.Count > 0 do
                    let at = waiting.Pop()
                    let column = at % extent.Width
                    let row = at / extent.Width % extent.Height
                    let slice = at / extent.Width / extent.Height

                    for struct (down, along, across) in steps do
                        let slice = slice + down
                        let row = row + along
                        let column = column + across

                        if
                            uint slice < uint extent.Depth
                            && uint row < uint extent.Height
                            && uint column < uint extent.Width
                        then
                            let next = Extent.index extent slice row column

                            if bytes[next] <> 0uy && labels[next] = 0 then
                                labels[next] <- found
                                waiting.Push next

        struct (labels, found)

    /// Each voxel's component, numbered from 1 in the order in which a raster scan meets them, 0 outside the mask; and
    /// the number of components. Throws ArgumentException when the connectivity is not one of the mask's rank.
    let label (connectivity: Connectivity) (mask: Mask) : struct (Volume<int32> * int) =
        let struct (labels, found) = flood connectivity mask
        struct (Volume<int32>(mask.Extent, mask.Spacing, labels), found)

    /// The number of components. Throws ArgumentException when the connectivity is not one of the mask's rank.
    let count (connectivity: Connectivity) (mask: Mask) : int =
        let struct (_, found) = flood connectivity mask
        found
