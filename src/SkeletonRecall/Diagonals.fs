namespace SkeletonRecall

open System.Numerics

/// Where connectivity 18 differs from 26: two voxels of a cube of eight that share nothing but its middle.
[<RequireQualifiedAccess>]
module internal Diagonals =

    // The cubes of 2 x 2 x 2 voxels, 64 at once, in which nothing but two opposite corners is set, of a mask or of its
    // complement. Whatever has both corners, or all the others, lies inside the grid: the guards are never set.
    let private count (flip: uint64) (mask: Mask) : int =
        let extent = mask.Extent
        let stride = Layout.stride extent
        let slab = Layout.slab extent
        let words = mask.Words
        let mutable sum = 0

        for slice in 0 .. extent.Depth - 2 do
            for row in 0 .. extent.Height - 2 do
                let start = Layout.row extent slice row

                for at in start .. start + stride - 1 do
                    let inline here offset = words[at + offset] ^^^ flip

                    let inline next offset =
                        ((words[at + offset] >>> 1) ||| (words[at + offset + 1] <<< 63)) ^^^ flip

                    let a, b = here 0, next 0
                    let c, d = here stride, next stride
                    let e, f = here slab, next slab
                    let g, h = here (slab + stride), next (slab + stride)

                    let inline only (one: uint64) (other: uint64) (rest: uint64) =
                        BitOperations.PopCount(one &&& other &&& ~~~rest)

                    sum <-
                        sum
                        + only a h (b ||| c ||| d ||| e ||| f ||| g)
                        + only b g (a ||| c ||| d ||| e ||| f ||| h)
                        + only c f (a ||| b ||| d ||| e ||| g ||| h)
                        + only d e (a ||| b ||| c ||| f ||| g ||| h)

        sum

    /// Cubes that hold two opposite corners of the mask and nothing else of it.
    let ofForeground (mask: Mask) : int = count 0UL mask

    /// Cubes that hold all of the mask but two opposite corners. Guards count as set in none.
    let ofBackground (mask: Mask) : int = count System.UInt64.MaxValue mask
