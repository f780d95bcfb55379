namespace SkeletonRecall.Tests

open System.Collections.Generic
open SkeletonRecall

/// Components by floods, one voxel at a time: what `Components` must equal.
[<RequireQualifiedAccess>]
module PlainComponents =

    /// Labels in raster order, from 1, and their number.
    let label (connectivity: Connectivity) (mask: Mask) : struct (int[] * int) =
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
