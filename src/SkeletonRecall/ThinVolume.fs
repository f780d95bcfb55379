namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open System.Runtime.Intrinsics.X86

/// Thinning of volumes as scikit-image's `skeletonize` (formerly `skeletonize_3d`) does it (T.-C. Lee, R. L. Kashyap and
/// C.-N. Chu, "Building skeleton models via 3-D medial surface/axis thinning algorithms", 1994).
[<RequireQualifiedAccess>]
module internal ThinVolume =

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Vector512.LoadUnsafe &words[at]

    // The bits of all sides of a chunk.
    [<Literal>]
    let private AllSides = 63uy

    // What the passes share. `Settled` marks voxels that were tested and whose neighbours have not changed since; the
    // test does not depend on the direction, so that they need no second one. `Active` marks, a bit for each side, chunks
    // of 8 words that may hold a voxel in need of one: where it lies open on a side since something beside it went.
    // `Places` and `Accepted` list the candidates of each side, a word each, in raster order; there are `Found` of them,
    // of which `Earlier` are of the block before.
    // A block is so many groups of 8 chunks that the neighbours of its words lie in it or in the ones beside it.
    [<Sealed>]
    type private Work(least: int, sides: int, extent: Extent, words: uint64[], settled: uint64[]) =
        let length = Layout.length extent
        let stride = Layout.stride extent
        let end' = Layout.row extent (extent.Depth - 1) (extent.Height - 1) + stride
        let first = Layout.row extent 0 0 >>> 6
        let groups = ((end' - 1) >>> 6) - first + 1
        let reach = Layout.slab extent + stride + 1

        let blockGroups = min groups (max least ((reach + 63) >>> 6))

        let capacity =
            min (128 * blockGroups) (length - MemoryExtensions.Count(ReadOnlySpan(words, 0, length), 0UL))

        // One list serves all sides where each pass ends before the next begins.
        let lists = if blockGroups = groups then 1 else sides
        let places = Array.init lists (fun _ -> ArrayPool<int>.Shared.Rent(capacity + 8))

        let accepted =
            Array.init lists (fun _ -> ArrayPool<uint64>.Shared.Rent(capacity + 8))

        member _.Words: uint64[] = words
        member _.Stride: int = stride
        member _.Slab: int = Layout.slab extent
        member _.FirstGroup: int = first
        member _.Groups: int = groups
        member _.BlockGroups: int = blockGroups
        member _.Settled: uint64[] = settled

        member val Active: byte[] =
            let active = Array.zeroCreate<byte>((length >>> 3) + 16)
            Array.Fill(active, AllSides, 8 * first, ((end' - 1) >>> 3) - 8 * first + 1)
            active

        member _.Places: int[][] = places
        member _.Accepted: uint64[][] = accepted
        member val Found: int[] = Array.zeroCreate sides
        member val Earlier: int[] = Array.zeroCreate sides
        member val Border: uint64[] = Array.zeroCreate 8
        member val Batch: VoxelBatch = VoxelBatch()

        interface IDisposable with
            member this.Dispose() : unit =
                places |> Array.iter ArrayPool<int>.Shared.Return
                accepted |> Array.iter ArrayPool<uint64>.Shared.Return

    // Lists those of eight words that hold something, at the end of lists with room for eight; how long these are then.
    // All eight are written, and the next takes the place of an empty one: branches would be mispredicted.
    let inline private append
        (eight: Vector512<uint64>)
        (at: int)
        (side: uint64[])
        (places: int[])
        (taken: uint64[])
        (found: int)
        : int =
        if Avx512F.IsSupported then
            let holds =
                Vector512.OnesComplement(Vector512.Equals(eight, Vector512<uint64>.Zero))

            let names = Vector512.CreateSequence(int64 at, 1L)
            let packed = Avx512F.Compress(Vector512<uint64>.Zero, holds, eight)
            let named = Avx512F.Compress(Vector512<int64>.Zero, holds.AsInt64(), names)
            Vector512.StoreUnsafe(packed, &taken[found])
            Vector256.StoreUnsafe(Avx512F.ConvertToVector256Int32 named, &places[found])
            found + BitOperations.PopCount(Vector512.ExtractMostSignificantBits holds)
        else
            Vector512.StoreUnsafe(eight, &side[0])
            let mutable found = found

            for word in 0..7 do
                places[found] <- at + word
                taken[found] <- side[word]
                found <- found + 1 - (BitOperations.LeadingZeroCount side[word] >>> 6)

            found

    // Lists the words of one block with voxels that have no neighbour on one side and may go.
    let inline private collectBy
        ([<InlineIfLambda>] neighbour: int -> Vector512<uint64>)
        (work: Work)
        (side: int)
        (block: int)
        : unit =
        let words = work.Words
        let settled = work.Settled
        let active = work.Active
        let border = work.Border
        let places = work.Places[side % work.Places.Length]
        let taken = work.Accepted[side % work.Accepted.Length]
        let first = work.Found[side]
        let mutable found = first
        let start = block * work.BlockGroups
        let stop = min work.Groups (start + work.BlockGroups)

        for group in work.FirstGroup + start .. work.FirstGroup + stop - 1 do
            // Eight chunks at a time: most are quiet.
            let mutable flags =
                BitConverter.ToUInt64(active, 8 * group) &&& (0x0101010101010101UL <<< side)

            while flags <> 0UL do
                let chunk = 8 * group + (BitOperations.TrailingZeroCount flags >>> 3)
                flags <- flags &&& (flags - 1UL)
                let at = 8 * chunk
                let before = load settled at
                let pending = Vector512.AndNot(load words at, before)

                if Vector512.EqualsAll(pending, Vector512<uint64>.Zero) then
                    active[chunk] <- 0uy
                else
                    active[chunk] <- active[chunk] &&& ~~~(1uy <<< side)
                    let open' = Vector512.AndNot(pending, neighbour at)

                    if not (Vector512.EqualsAll(open', Vector512<uint64>.Zero)) then
                        Vector512.StoreUnsafe(before ||| open', &settled[at])
                        found <- append open' at border places taken found

        Removal.test work.Batch words work.Stride work.Slab places taken first found
        work.Found[side] <- found

    // Three rows, and the chunks that they lie in: of short rows the first and the last are in all.
    let inline private touch
        (settled: byref<uint64>)
        (active: byref<byte>)
        (stride: int)
        (at: int)
        (kept: uint64)
        : unit =
        let here = &Unsafe.Add(&settled, at)
        let above = &Unsafe.Subtract(&here, stride)
        let below = &Unsafe.Add(&here, stride)
        above <- above &&& kept
        here <- here &&& kept
        below <- below &&& kept
        Unsafe.Add(&active, (at - stride) >>> 3) <- AllSides
        Unsafe.Add(&active, (at + stride) >>> 3) <- AllSides

        if stride > 4 then
            Unsafe.Add(&active, at >>> 3) <- AllSides

    // Unsettles the voxels around those that were removed.
    let private unsettle (work: Work) (at: int) (removed: uint64) : unit =
        // Guards lie around all voxels, so that nothing here is outside the arrays.
        let settled = &MemoryMarshal.GetArrayDataReference work.Settled
        let active = &MemoryMarshal.GetArrayDataReference work.Active
        let stride = work.Stride
        let slab = work.Slab
        let around = ~~~(removed ||| (removed <<< 1) ||| (removed >>> 1))
        touch &settled &active stride (at - slab) around
        touch &settled &active stride at around
        touch &settled &active stride (at + slab) around

        if removed &&& Removal.Ends <> 0UL then
            if removed &&& 1UL <> 0UL then
                let before = UInt64.MaxValue >>> 1
                touch &settled &active stride (at - slab - 1) before
                touch &settled &active stride (at - 1) before
                touch &settled &active stride (at + slab - 1) before

            if removed >>> 63 <> 0UL then
                let after = UInt64.MaxValue <<< 1
                touch &settled &active stride (at - slab + 1) after
                touch &settled &active stride (at + 1) after
                touch &settled &active stride (at + slab + 1) after

    // The candidates of one block for one side of the structure: 0 to 3 along rows and columns, 4 and 5 along slices.
    let private collect (work: Work) (side: int) (block: int) : unit =
        let words = work.Words

        let inline offset (by: int) =
            collectBy (fun at -> load words (at + by)) work side block

        match side with
        | 0 -> offset -work.Stride
        | 1 -> offset work.Stride
        | 2 ->
            collectBy
                (fun at ->
                    Vector512.ShiftRightLogical(load words at, 1)
                    ||| Vector512.ShiftLeft(load words (at + 1), 63))
                work
                side
                block
        | 3 ->
            collectBy
                (fun at ->
                    Vector512.ShiftLeft(load words at, 1)
                    ||| Vector512.ShiftRightLogical(load words (at - 1), 63))
                work
                side
                block
        | 4 -> offset work.Slab
        | _ -> offset -work.Slab

    // Removes the candidates of the block before, and keeps the list of those that follow; whether any went.
    let private removeEarlier (guarded: bool) (work: Work) (side: int) : bool =
        let words = work.Words
        let places = work.Places[side % work.Places.Length]
        let accepted = work.Accepted[side % work.Accepted.Length]
        let earlier = work.Earlier[side]
        let mutable changed = false

        if guarded then
            // In eight fields, by the parities of slice, row and column: no two voxels of a field are neighbours.
            let rows = work.Slab / work.Stride

            for field in 0..7 do
                let columns = 0x5555555555555555UL <<< (field &&& 1)

                for index in 0 .. earlier - 1 do
                    let candidates = accepted[index] &&& columns

                    if candidates <> 0UL then
                        let at = places[index]
                        let row = (at - Layout.Lead) / work.Stride
                        let parities = 4 * (row / rows &&& 1) + 2 * (row % rows &&& 1)

                        if parities = (field &&& 6) then
                            let removed = Removal.removeGuarded words work.Stride work.Slab at candidates

                            if removed <> 0UL then
                                unsettle work at removed
                                changed <- true
        else
            // Nearly all go. Those that stay after all had their neighbours unsettled for nothing, which does no harm.
            let mutable listed = 0

            for index in 0 .. earlier - 1 do
                let candidates = accepted[index]

                if candidates <> 0UL then
                    let at = places[index]
                    unsettle work at candidates
                    places[listed] <- at
                    accepted[listed] <- candidates
                    listed <- listed + 1

            changed <- Removal.remove work.Batch words work.Stride work.Slab places accepted listed

        let later = work.Found[side] - earlier
        Array.Copy(places, earlier, places, 0, later)
        Array.Copy(accepted, earlier, accepted, 0, later)
        work.Found[side] <- later
        work.Earlier[side] <- later
        changed

    // Passes over all sides, one after the other as far as anyone can tell. A pass may take its candidates of a block as soon
    // as the pass before has done with the block after it, and remove them when it has taken those of the next: so all
    // passes go through the volume together, each two blocks behind the one before, while the words between them are
    // near at hand.
    let private round (guarded: bool) (work: Work) (sides: int) : bool =
        let blocks = (work.Groups + work.BlockGroups - 1) / work.BlockGroups
        let mutable changed = false

        for step in 0 .. blocks + 2 * (sides - 1) do
            for side in 0 .. sides - 1 do
                let block = step - 2 * side

                if block >= 0 && block < blocks then
                    collect work side block

                if block = 0 then
                    work.Earlier[side] <- work.Found[side]
                elif block > 0 && block <= blocks then
                    if removeEarlier guarded work side then
                        changed <- true

        changed

    // Thins the words of a volume, with a second array of at least as many. Passes over the sides alternate until none
    // removes a voxel; within a pass candidates are chosen on what the pass before left, and removed one by one in
    // raster order as long as they are still simple. Blocks are `least` groups or more; guarded, all is one. Guards of the
    // second array are zero afterwards.
    let private thinSpace (guarded: bool) (least: int) (extent: Extent) (words: uint64[]) (settled: uint64[]) : unit =
        Array.Clear(settled, 0, Layout.length extent)
        let sides = if extent.Depth = 1 then 4 else 6
        use work = new Work(least, sides, extent, words, settled)

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
    /// whose guards are zero afterwards.
    let thinInPlace (guarded: bool) (extent: Extent) (words: uint64[]) (other: uint64[]) : unit =
        if extent.Rank = 3 then
            // What the cache nearest to one core holds needs no blocks.
            let isNear = Layout.length extent <= 65536
            thinSpace guarded (if guarded || isNear then Int32.MaxValue else 32) extent words other
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
