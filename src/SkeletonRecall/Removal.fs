namespace SkeletonRecall

open System.Numerics

/// Testing and removing the voxels of one word of a volume. `stride` and `slab` are the words in a row and in a slice.
[<RequireQualifiedAccess>]
module internal Removal =

    // Three columns around a place of a row, the place not being at an end of its word.
    let inline private three (word: uint64) (place: int) : uint = uint (word >>> (place - 1)) &&& 7u

    let private threeAt (words: uint64[]) (at: int) (place: int) : uint =
        if place = 0 then
            uint ((words[at] <<< 1) ||| (words[at - 1] >>> 63)) &&& 7u
        elif place = 63 then
            uint ((words[at] >>> 62) ||| (words[at + 1] <<< 2)) &&& 7u
        else
            three words[at] place

    // The neighbours of a voxel at either end of its word.
    let private gatherAt (words: uint64[]) (stride: int) (slab: int) (at: int) (place: int) : uint =
        let slice (at: int) =
            threeAt words (at - stride) place
            ||| (threeAt words at place <<< 3)
            ||| (threeAt words (at + stride) place <<< 6)

        (slice (at - slab) ||| (slice at <<< 9) ||| (slice (at + slab) <<< 18))
        &&& ~~~(1u <<< 13)

    /// The bits of a word whose neighbours lie in other words, too.
    [<Literal>]
    let Ends = 0x8000000000000001UL

    /// Of the candidates of one word, those that may go.
    let test (words: uint64[]) (stride: int) (slab: int) (at: int) (candidates: uint64) : uint64 =
        let upper0 = words[at - slab - stride]
        let upper1 = words[at - slab]
        let upper2 = words[at - slab + stride]
        let middle0 = words[at - stride]
        let middle1 = words[at]
        let middle2 = words[at + stride]
        let lower0 = words[at + slab - stride]
        let lower1 = words[at + slab]
        let lower2 = words[at + slab + stride]
        let slices = SimplePoint.slices
        let mutable accepted = 0UL
        let mutable rest = candidates

        while rest <> 0UL do
            let place = BitOperations.TrailingZeroCount rest
            let bit = rest &&& (0UL - rest)
            rest <- rest ^^^ bit

            let neighbours =
                if bit &&& Ends <> 0UL then
                    gatherAt words stride slab at place
                else
                    three upper0 place
                    ||| (three upper1 place <<< 3)
                    ||| (three upper2 place <<< 6)
                    ||| (three middle0 place <<< 9)
                    ||| ((three middle1 place &&& 5u) <<< 12)
                    ||| (three middle2 place <<< 15)
                    ||| (three lower0 place <<< 18)
                    ||| (three lower1 place <<< 21)
                    ||| (three lower2 place <<< 24)

            if SimplePoint.isRemovable slices neighbours then
                accepted <- accepted ||| bit

        accepted

    /// Removes, one after the other, those candidates of one word that are still simple, or, guarded, that pass the whole
    /// test once more; those that went.
    let remove (guarded: bool) (words: uint64[]) (stride: int) (slab: int) (at: int) (candidates: uint64) : uint64 =
        let upper0 = words[at - slab - stride]
        let upper1 = words[at - slab]
        let upper2 = words[at - slab + stride]
        let middle0 = words[at - stride]
        let mutable middle1 = words[at]
        let middle2 = words[at + stride]
        let lower0 = words[at + slab - stride]
        let lower1 = words[at + slab]
        let lower2 = words[at + slab + stride]
        let slices = SimplePoint.slices
        let before = middle1
        let mutable rest = candidates

        while rest <> 0UL do
            let place = BitOperations.TrailingZeroCount rest
            let bit = rest &&& (0UL - rest)
            rest <- rest ^^^ bit

            let neighbours =
                if bit &&& Ends <> 0UL then
                    words[at] <- middle1
                    gatherAt words stride slab at place
                else
                    three upper0 place
                    ||| (three upper1 place <<< 3)
                    ||| (three upper2 place <<< 6)
                    ||| (three middle0 place <<< 9)
                    ||| ((three middle1 place &&& 5u) <<< 12)
                    ||| (three middle2 place <<< 15)
                    ||| (three lower0 place <<< 18)
                    ||| (three lower1 place <<< 21)
                    ||| (three lower2 place <<< 24)

            if
                SimplePoint.isSimple slices neighbours
                && (not guarded || SimplePoint.isRemovable slices neighbours)
            then
                middle1 <- middle1 ^^^ bit

        words[at] <- middle1
        before ^^^ middle1
