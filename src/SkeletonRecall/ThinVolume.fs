namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.Intrinsics

/// Thinning of volumes as scikit-image's `skeletonize` (formerly `skeletonize_3d`) does it (T.-C. Lee, R. L. Kashyap and
/// C.-N. Chu, "Building skeleton models via 3-D medial surface/axis thinning algorithms", 1994).
[<RequireQualifiedAccess>]
module internal ThinVolume =

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Chunk.load words at

    // Lists what of one block has no neighbour on one side and may go: what goes for certain by the rule of `PSimple`, and
    // the words of what is tested.
    let inline private collectBy
        ([<InlineIfLambda>] neighbour: int -> Vector512<uint64>)
        ([<InlineIfLambda>] rule: int -> Vector512<uint64>)
        (work: ThinWork)
        (side: int)
        (block: int)
        : unit =
        let words = work.Words
        let certain = work.Certain
        let active = work.Active
        let scratch = work.Scratch
        let leaving = work.Leaving side
        let places = leaving.Places
        let taken = leaving.Accepted
        let chunks = leaving.Chunks
        let first = leaving.Found
        let mutable found = first
        let mutable foundChunks = leaving.FoundChunks
        let mutable listed = foundChunks
        let afterLast = work.AfterLast block
        let mutable chunk = work.First block
        let bit = Vector512.Create(1uy <<< side)

        // First the chunks that hold an open voxel are listed (`certain` keeps all that are open meanwhile), then each is looked
        // at: in one loop, whether a chunk holds any would often be mispredicted.
        while chunk < afterLast do
            // 64 chunks at a time: most are quiet.
            let quiet =
                Vector512.Equals(Vector512.LoadUnsafe(&active[chunk]) &&& bit, Vector512<byte>.Zero)

            let mutable flags = ~~~(Vector512.ExtractMostSignificantBits quiet)

            if chunk + 64 > afterLast then
                flags <- flags &&& ((1UL <<< (afterLast - chunk)) - 1UL)

            while flags <> 0UL do
                let this = chunk + BitOperations.TrailingZeroCount flags
                flags <- flags &&& (flags - 1UL)
                let at = 8 * this
                active[this] <- active[this] &&& ~~~(1uy <<< side)
                let open' = Vector512.AndNot(load words at, neighbour at)
                Vector512.StoreUnsafe(open', &certain[at])
                chunks[listed] <- this
                listed <- listed + Chunk.any open'

            chunk <- chunk + 64

        for index in leaving.FoundChunks .. listed - 1 do
            let this = chunks[index]
            let at = 8 * this
            let open' = load certain at
            let goes = open' &&& rule at
            found <- Chunk.append (open' ^^^ goes) at scratch places taken found
            Vector512.StoreUnsafe(goes, &certain[at])
            chunks[foundChunks] <- this
            foundChunks <- foundChunks + Chunk.any goes

        leaving.Found <- found
        leaving.FoundChunks <- foundChunks
        Removal.test work leaving first

    // Open on the side of another row or slice.
    let private collectAcrossRows (ahead: int) (beside: int) (work: ThinWork) (side: int) (block: int) : unit =
        let words = work.Words

        collectBy
            (fun at -> load words (at + ahead))
            (fun at -> PSimple.acrossRows words at ahead beside)
            work
            side
            block

    // What of one block may go on one side of the structure: 0 to 3 along rows and columns, 4 and 5 along slices.
    let private collect (work: ThinWork) (side: int) (block: int) : unit =
        let words = work.Words
        let stride = work.Stride
        let slab = work.Slab

        match side with
        | 0 -> collectAcrossRows -stride slab work side block
        | 1 -> collectAcrossRows stride slab work side block
        | 2 ->
            collectBy
                (fun at ->
                    Vector512.ShiftRightLogical(load words at, 1)
                    ||| Vector512.ShiftLeft(load words (at + 1), 63))
                (fun at -> PSimple.toNext words at stride slab)
                work
                side
                block
        | 3 ->
            collectBy
                (fun at ->
                    Vector512.ShiftLeft(load words at, 1)
                    ||| Vector512.ShiftRightLogical(load words (at - 1), 63))
                (fun at -> PSimple.toLast words at stride slab)
                work
                side
                block
        | 4 -> collectAcrossRows slab stride work side block
        | _ -> collectAcrossRows -slab stride work side block

    // Takes out what goes for certain; it has no neighbour in a word before or after its own.
    let private removeCertain (work: ThinWork) (leaving: Leaving) : unit =
        let words = work.Words
        let certain = work.Certain
        let active = work.Active
        let stride = work.Stride
        let slab = work.Slab
        let chunks = leaving.Chunks

        for index in 0 .. leaving.EarlierChunks - 1 do
            let at = 8 * chunks[index]
            let goes = load certain at
            Vector512.StoreUnsafe(load words at ^^^ goes, &words[at])
            Vector512.StoreUnsafe(Vector512<uint64>.Zero, &certain[at])

            let empty =
                Vector512.ExtractMostSignificantBits(Vector512.Equals(goes, Vector512<uint64>.Zero))

            let some = ~~~empty &&& 0xFFUL
            Chunk.wake active stride slab (at + BitOperations.TrailingZeroCount some) (at + BitOperations.Log2 some)

    // Takes out tested voxels one by one, as long as they may go; whether any went.
    let private removeTested (work: ThinWork) (leaving: Leaving) : bool =
        let places = leaving.Places
        let accepted = leaving.Accepted
        let active = work.Active
        let stride = work.Stride
        let slab = work.Slab
        let mutable listed = 0

        for index in 0 .. leaving.Earlier - 1 do
            let candidates = accepted[index]
            places[listed] <- places[index]
            accepted[listed] <- candidates
            listed <- listed + 1 - (BitOperations.LeadingZeroCount candidates >>> 6)

        // Nearly all go. Those that stay after all wake their chunks for nothing, which does no harm.
        for index in 0 .. listed - 1 do
            Chunk.wakeAround active stride slab places[index] accepted[index]

        Removal.remove work leaving listed

    // The same with the guard, in eight fields, by the parities of slice, row and column: no two voxels of a field are
    // neighbours.
    let private removeGuarded (work: ThinWork) (leaving: Leaving) : bool =
        let rows = work.Slab / work.Stride
        let mutable changed = false

        for field in 0..7 do
            let columns = 0x5555555555555555UL <<< (field &&& 1)

            for index in 0 .. leaving.Earlier - 1 do
                let candidates = leaving.Accepted[index] &&& columns

                if candidates <> 0UL then
                    let at = leaving.Places[index]
                    let row = (at - Layout.Lead) / work.Stride
                    let parities = 4 * (row / rows &&& 1) + 2 * (row % rows &&& 1)

                    if parities = (field &&& 6) then
                        let removed = Removal.removeGuarded work field at candidates

                        if removed <> 0UL then
                            Chunk.wakeAround work.Active work.Stride work.Slab at removed
                            changed <- true

        changed

    // Takes out what may go of the block before, and keeps the list of what follows; whether anything went.
    let private removeEarlier (guarded: bool) (work: ThinWork) (side: int) : bool =
        let leaving = work.Leaving side

        // Tested ones first: to them what goes for certain is there until its turn comes.
        let changed =
            if guarded then
                removeGuarded work leaving
            else
                removeTested work leaving

        removeCertain work leaving
        let changed = changed || leaving.EarlierChunks > 0
        leaving.Pass()
        changed

    // Passes over all sides, one after the other as far as anyone can tell. A pass may take its candidates of a block as soon
    // as the pass before has done with the block after it, and remove them when it has taken those of the next: so all
    // passes go through the volume together, each two blocks behind the one before, while the words between them are
    // near at hand.
    let private round (guarded: bool) (work: ThinWork) (sides: int) : bool =
        let blocks = work.Blocks
        let mutable changed = false

        for step in 0 .. blocks + 2 * (sides - 1) do
            for side in 0 .. sides - 1 do
                let block = step - 2 * side

                if block >= 0 && block < blocks then
                    collect work side block

                if block = 0 then
                    (work.Leaving side).Pass()
                elif block > 0 && block <= blocks then
                    if removeEarlier guarded work side then
                        changed <- true

        changed

    // Thins the words of a volume, with a second array of at least as many. Passes over the sides alternate until none
    // removes a voxel; within a pass candidates are chosen on what the pass before left, and removed one by one in
    // raster order as long as they are still simple. Blocks are `least` chunks or more; guarded, all is one. The second
    // array is zero afterwards.
    let private thinSpace (guarded: bool) (least: int) (extent: Extent) (words: uint64[]) (certain: uint64[]) : unit =
        Array.Clear(certain, 0, Layout.length extent)
        let sides = if extent.Depth = 1 then 4 else 6
        use work = new ThinWork(least, sides, extent, words, certain)

        while round guarded work sides do
            ()

    // A plane lies as a slice of a volume: with guard slices.
    let private thinAsSlice (guarded: bool) (extent: Extent) (words: uint64[]) : unit =
        let space = Extent.space 1 extent.Height extent.Width
        let inside = Array.zeroCreate<uint64>(Layout.length space)
        let length = Layout.length extent
        Array.Copy(words, 0, inside, Layout.slab space, length)
        thinSpace guarded Int32.MaxValue space inside (Array.zeroCreate<uint64> inside.Length)
        Array.Copy(inside, Layout.slab space, words, 0, length)

    /// Thins the words of a volume, or of a plane taken as a volume of one slice, with a second array of at least as many,
    /// which is zero afterwards.
    let thinInPlace (guarded: bool) (extent: Extent) (words: uint64[]) (other: uint64[]) : unit =
        if extent.Rank = 3 then
            // What the cache nearest to one core holds needs no blocks.
            let isNear = Layout.length extent <= 65536
            thinSpace guarded (if guarded || isNear then Int32.MaxValue else 256) extent words other
        else
            Array.Clear(other, 0, Layout.length extent)
            thinAsSlice guarded extent words

    /// The unguarded skeleton of a volume through the smallest blocks that there can be; `thin` gives the same.
    let thinInBlocks (mask: Mask) : Mask =
        let words = Array.copy mask.Words
        thinSpace false 1 mask.Extent words (Array.zeroCreate<uint64> words.Length)
        Mask(mask.Extent, mask.Spacing, words)

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
