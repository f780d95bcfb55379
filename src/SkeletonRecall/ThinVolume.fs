namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.Intrinsics

/// Thinning of volumes as scikit-image's `skeletonize` (formerly `skeletonize_3d`) does it (T.-C. Lee, R. L. Kashyap and
/// C.-N. Chu, "Building skeleton models via 3-D medial surface/axis thinning algorithms", 1994).
[<RequireQualifiedAccess>]
module internal ThinVolume =

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

    [<Literal>]
    let private Ends = 0x8000000000000001UL

    // Of the candidates of one word, those that may go.
    let private test (words: uint64[]) (stride: int) (slab: int) (at: int) (candidates: uint64) : uint64 =
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

    // Removes, one after the other, those candidates of one word that are still simple, or, guarded, that pass the whole
    // test once more.
    let private remove
        (guarded: bool)
        (words: uint64[])
        (stride: int)
        (slab: int)
        (at: int)
        (candidates: uint64)
        : uint64 =
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

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Vector512.LoadUnsafe &words[at]

    // What the passes share. `Settled` marks voxels that were tested and whose neighbours have not changed since; the
    // test does not depend on the direction, so that they need no second one. `Active` marks chunks of 8 words that may
    // hold a voxel in need of one. `Places` and `Accepted` list the candidates of a pass, a word each, in raster order.
    [<Sealed>]
    type private Work(extent: Extent, words: uint64[], settled: uint64[]) =
        let length = Layout.length extent
        let stride = Layout.stride extent

        let end' = Layout.row extent (extent.Depth - 1) (extent.Height - 1) + stride

        let capacity = length - MemoryExtensions.Count(ReadOnlySpan(words, 0, length), 0UL)
        member _.Words: uint64[] = words
        member _.Stride: int = stride
        member _.Slab: int = Layout.slab extent
        member _.First: int = Layout.row extent 0 0 >>> 3
        member _.Last: int = (end' - 1) >>> 3
        member _.Settled: uint64[] = settled

        member val Active: byte[] =
            let active = Array.zeroCreate<byte>((length >>> 3) + 16)
            let first = Layout.row extent 0 0 >>> 3
            Array.Fill(active, 1uy, first, ((end' - 1) >>> 3) - first + 1)
            active

        member val Places: int[] = ArrayPool<int>.Shared.Rent capacity
        member val Accepted: uint64[] = ArrayPool<uint64>.Shared.Rent capacity
        member val Border: uint64[] = Array.zeroCreate 8

        interface IDisposable with
            member this.Dispose() : unit =
                ArrayPool<int>.Shared.Return this.Places
                ArrayPool<uint64>.Shared.Return this.Accepted

    // Lists the words with voxels that have no neighbour on one side and may go; the number of words.
    let inline private collect ([<InlineIfLambda>] neighbour: int -> Vector512<uint64>) (work: Work) : int =
        let words = work.Words
        let settled = work.Settled
        let active = work.Active
        let border = work.Border
        let mutable found = 0

        for group in work.First >>> 3 .. work.Last >>> 3 do
            // Eight chunks at a time: most are quiet.
            let mutable flags = BitConverter.ToUInt64(active, 8 * group)

            while flags <> 0UL do
                let chunk = 8 * group + (BitOperations.TrailingZeroCount flags >>> 3)
                flags <- flags &&& (flags - 1UL)
                let at = 8 * chunk
                let pending = Vector512.AndNot(load words at, load settled at)

                if Vector512.EqualsAll(pending, Vector512<uint64>.Zero) then
                    active[chunk] <- 0uy
                else
                    let open' = Vector512.AndNot(pending, neighbour at)

                    if not (Vector512.EqualsAll(open', Vector512<uint64>.Zero)) then
                        Vector512.StoreUnsafe(open', &border[0])

                        let mutable rest =
                            Vector512.ExtractMostSignificantBits(
                                Vector512.OnesComplement(Vector512.Equals(open', Vector512<uint64>.Zero))
                            )

                        while rest <> 0UL do
                            let word = BitOperations.TrailingZeroCount rest
                            rest <- rest &&& (rest - 1UL)
                            let at = at + word
                            settled[at] <- settled[at] ||| border[word]
                            let accepted = test words work.Stride work.Slab at border[word]

                            if accepted <> 0UL then
                                work.Places[found] <- at
                                work.Accepted[found] <- accepted
                                found <- found + 1

        found

    // Unsettles the voxels around those that were removed.
    let private unsettle (work: Work) (at: int) (removed: uint64) : unit =
        let settled = work.Settled
        let active = work.Active
        let around = ~~~(removed ||| (removed <<< 1) ||| (removed >>> 1))

        let inline touch (at: int) (kept: uint64) =
            settled[at] <- settled[at] &&& kept
            active[at >>> 3] <- 1uy

        let inline row (at: int) =
            touch at around

            if removed &&& Ends <> 0UL then
                if removed &&& 1UL <> 0UL then
                    touch (at - 1) (UInt64.MaxValue >>> 1)

                if removed >>> 63 <> 0UL then
                    touch (at + 1) (UInt64.MaxValue <<< 1)

        let inline slice (at: int) =
            row (at - work.Stride)
            row at
            row (at + work.Stride)

        slice (at - work.Slab)
        slice at
        slice (at + work.Slab)

    // One pass over one side of the structure: 0 to 3 along rows and columns, 4 and 5 along slices.
    let private pass (guarded: bool) (work: Work) (side: int) : bool =
        let words = work.Words

        let inline offset (by: int) =
            collect (fun at -> load words (at + by)) work

        let found =
            match side with
            | 0 -> offset -work.Stride
            | 1 -> offset work.Stride
            | 2 ->
                collect
                    (fun at ->
                        Vector512.ShiftRightLogical(load words at, 1)
                        ||| Vector512.ShiftLeft(load words (at + 1), 63))
                    work
            | 3 ->
                collect
                    (fun at ->
                        Vector512.ShiftLeft(load words at, 1)
                        ||| Vector512.ShiftRightLogical(load words (at - 1), 63))
                    work
            | 4 -> offset work.Slab
            | _ -> offset -work.Slab

        let mutable changed = false

        let inline take (index: int) (candidates: uint64) =
            let at = work.Places[index]
            let removed = remove guarded words work.Stride work.Slab at candidates

            if removed <> 0UL then
                unsettle work at removed
                changed <- true

        if guarded then
            // In eight fields, by the parities of slice, row and column: no two voxels of a field are neighbours.
            let rows = work.Slab / work.Stride

            for field in 0..7 do
                let columns = 0x5555555555555555UL <<< (field &&& 1)

                for index in 0 .. found - 1 do
                    let candidates = work.Accepted[index] &&& columns

                    if candidates <> 0UL then
                        let row = (work.Places[index] - Layout.Lead) / work.Stride
                        let parities = 4 * (row / rows &&& 1) + 2 * (row % rows &&& 1)

                        if parities = (field &&& 6) then
                            take index candidates
        else
            for index in 0 .. found - 1 do
                take index work.Accepted[index]

        changed

    // Thins the words of a volume, with a second array of at least as many. Passes over the sides alternate until none
    // removes a voxel; within a pass candidates are chosen on what the pass before left, and removed one by one in
    // raster order as long as they are still simple. Guards of the second array are zero afterwards.
    let private thinSpace (guarded: bool) (extent: Extent) (words: uint64[]) (settled: uint64[]) : unit =
        Array.Clear(settled, 0, Layout.length extent)
        use work = new Work(extent, words, settled)
        let sides = if extent.Depth = 1 then 4 else 6
        let mutable changing = true

        while changing do
            changing <- false

            for side in 0 .. sides - 1 do
                if pass guarded work side then
                    changing <- true

    // A plane lies as a slice of a volume: with guard slices.
    let private thinAsSlice (guarded: bool) (extent: Extent) (words: uint64[]) : unit =
        let space = Extent.space 1 extent.Height extent.Width
        let inside = Array.zeroCreate<uint64>(Layout.length space)
        let length = Layout.length extent
        Array.Copy(words, 0, inside, Layout.slab space, length)
        thinSpace guarded space inside (Array.zeroCreate<uint64> inside.Length)
        Array.Copy(inside, Layout.slab space, words, 0, length)

    /// Thins the words of a volume, or of a plane taken as a volume of one slice, with a second array of at least as many,
    /// whose guards are zero afterwards.
    let thinInPlace (guarded: bool) (extent: Extent) (words: uint64[]) (other: uint64[]) : unit =
        if extent.Rank = 3 then
            thinSpace guarded extent words other
        else
            Array.Clear(other, 0, Layout.length extent)
            thinAsSlice guarded extent words

    /// The skeleton of a volume, or of a plane taken as a volume of one slice.
    /// It may erase whole components, as scikit-image's does (its issue 3757), unless it is guarded: then a voxel only goes
    /// if it passes, at that moment, the whole test again by which it was chosen. It has more than one neighbour, its
    /// neighbours are one 26-component, and it is Euler-invariant, which together make it a simple point of 26/6, so that
    /// the topology stays by definition, one voxel after the other.
    let thin (guarded: bool) (mask: Mask) : Mask =
        let words = Array.copy mask.Words
        let other = ArrayPool<uint64>.Shared.Rent words.Length
        thinInPlace guarded mask.Extent words other
        ArrayPool<uint64>.Shared.Return other
        Mask(mask.Extent, mask.Spacing, words)
