namespace SkeletonRecall

open System
open System.Numerics
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open System.Runtime.Intrinsics.X86

/// Voxels that wait to be looked at together: the neighbours of each, the entry of a list of words that it belongs to, and
/// its bit. Most words of a border hold one or two, too few to be worth a vector of their own.
[<Sealed>]
type internal VoxelBatch() =
    // What is `Full`, one more word, and the rest of a vector.
    let neighbours = Array.zeroCreate<uint32> 208
    let owners = Array.zeroCreate<int> 208
    let bits = Array.zeroCreate<uint64> 208
    member _.Neighbours: uint32[] = neighbours
    member _.Owners: int[] = owners
    member _.Bits: uint64[] = bits
    member val Count: int = 0 with get, set
    /// Whether it is to be looked at before another word is added.
    member batch.IsFull: bool = batch.Count >= 128

/// Testing and removing voxels of a volume. `stride` and `slab` are the words in a row and in a slice.
[<RequireQualifiedAccess>]
module internal Removal =

    // Three columns around a place of a row, the place not being at an end of its word.
    let inline private three (word: uint64) (place: int) : uint =
        if Bmi1.X64.IsSupported then
            uint (Bmi1.X64.BitFieldExtract(word, uint16 ((place - 1) ||| 0x300)))
        else
            uint (word >>> (place - 1)) &&& 7u

    let private threeAt (words: uint64[]) (at: int) (place: int) : uint =
        if place = 0 then
            uint ((words[at] <<< 1) ||| (words[at - 1] >>> 63)) &&& 7u
        elif place = 63 then
            uint ((words[at] >>> 62) ||| (words[at + 1] <<< 2)) &&& 7u
        else
            three words[at] place

    // The neighbours of a voxel at any place of its word.
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

    // Adds the voxels of one word to a batch; each is taken out, or not, before the next.
    let inline private addBy
        (takesOut: bool)
        (batch: VoxelBatch)
        (words: uint64[])
        (stride: int)
        (slab: int)
        (at: int)
        (owner: int)
        (candidates: uint64)
        : unit =
        // Guards lie around all voxels, so that nothing here is outside the array.
        let here = &Unsafe.Add(&MemoryMarshal.GetArrayDataReference words, at)
        let above = &Unsafe.Subtract(&here, slab)
        let below = &Unsafe.Add(&here, slab)
        let upper0 = Unsafe.Subtract(&above, stride)
        let upper1 = above
        let upper2 = Unsafe.Add(&above, stride)
        let middle0 = Unsafe.Subtract(&here, stride)
        let mutable middle1 = here
        let middle2 = Unsafe.Add(&here, stride)
        let lower0 = Unsafe.Subtract(&below, stride)
        let lower1 = below
        let lower2 = Unsafe.Add(&below, stride)
        let neighbours = batch.Neighbours
        let owners = batch.Owners
        let bits = batch.Bits
        let mutable count = batch.Count
        let mutable rest = candidates

        while rest <> 0UL do
            let place = BitOperations.TrailingZeroCount rest
            let bit = rest &&& (0UL - rest)
            rest <- rest ^^^ bit

            neighbours[count] <-
                if bit &&& Ends <> 0UL then
                    if takesOut then
                        words[at] <- middle1

                    gatherAt words stride slab at place
                else
                    let lower = 8u * (8u * three lower2 place + three lower1 place) + three lower0 place

                    let middle =
                        8u * (8u * three middle2 place + (three middle1 place &&& 5u))
                        + three middle0 place

                    let upper = 8u * (8u * three upper2 place + three upper1 place) + three upper0 place
                    (lower <<< 18) + (middle <<< 9) + upper

            owners[count] <- owner
            bits[count] <- bit
            count <- count + 1

            if takesOut then
                middle1 <- middle1 ^^^ bit

        if takesOut then
            words[at] <- middle1

        batch.Count <- count

    /// Adds the voxels of one word to a batch, as they are.
    let add
        (batch: VoxelBatch)
        (words: uint64[])
        (stride: int)
        (slab: int)
        (at: int)
        (owner: int)
        (candidates: uint64)
        : unit =
        addBy false batch words stride slab at owner candidates

    /// Takes the voxels of one word out, one after the other, and adds them to a batch, each as it is when it goes.
    let takeOut
        (batch: VoxelBatch)
        (words: uint64[])
        (stride: int)
        (slab: int)
        (at: int)
        (owner: int)
        (candidates: uint64)
        : unit =
        addBy true batch words stride slab at owner candidates

    // Fills the last vector of a batch with voxels that may go: of two neighbours, side by side.
    let private fillUp (batch: VoxelBatch) : unit =
        Array.Fill(batch.Neighbours, 3u, batch.Count, -batch.Count &&& 15)

    /// Tests a batch, and strikes those that may not go from the candidates of their words; the batch is empty then.
    let strike (batch: VoxelBatch) (candidates: uint64[]) : unit =
        fillUp batch
        let neighbours = batch.Neighbours

        for vector in 0 .. (batch.Count + 15) / 16 - 1 do
            let may = SimplePoints.areRemovable (Vector512.LoadUnsafe &neighbours[16 * vector])
            let mutable stays = ~~~(Vector512.ExtractMostSignificantBits may) &&& 0xFFFFUL

            while stays <> 0UL do
                let voxel = 16 * vector + BitOperations.TrailingZeroCount stays
                stays <- stays &&& (stays - 1UL)
                let owner = batch.Owners[voxel]
                candidates[owner] <- candidates[owner] ^^^ batch.Bits[voxel]

        batch.Count <- 0

    // The first voxel of a batch that is not simple, or the number of voxels.
    let private firstFixed (batch: VoxelBatch) : int =
        fillUp batch
        let neighbours = batch.Neighbours
        let mutable first = batch.Count
        let mutable vector = 0

        while 16 * vector < first do
            let simple = SimplePoints.areSimple (Vector512.LoadUnsafe &neighbours[16 * vector])
            let stays = ~~~(Vector512.ExtractMostSignificantBits simple) &&& 0xFFFFUL

            if stays <> 0UL then
                first <- 16 * vector + BitOperations.TrailingZeroCount stays

            vector <- vector + 1

        first

    /// Settles which voxels of a batch that were taken out do go: those that were simple then. At the first that was not,
    /// it and all later ones are put back and looked at one by one. Whether any went; the batch is empty then.
    let confirm (batch: VoxelBatch) (words: uint64[]) (stride: int) (slab: int) (places: int[]) : bool =
        let first = firstFixed batch
        let mutable changed = first > 0

        if first < batch.Count then
            let slices = SimplePoint.slices

            for voxel in first .. batch.Count - 1 do
                let at = places[batch.Owners[voxel]]
                words[at] <- words[at] ||| batch.Bits[voxel]

            for voxel in first .. batch.Count - 1 do
                let at = places[batch.Owners[voxel]]
                let bit = batch.Bits[voxel]

                if
                    SimplePoint.isSimple slices (gatherAt words stride slab at (BitOperations.TrailingZeroCount bit))
                then
                    words[at] <- words[at] ^^^ bit
                    changed <- true

        batch.Count <- 0
        changed

    /// Removes, one after the other, those candidates of one word that still pass the whole test; those that went.
    let removeGuarded (words: uint64[]) (stride: int) (slab: int) (at: int) (candidates: uint64) : uint64 =
        let slices = SimplePoint.slices
        let mutable removed = 0UL
        let mutable rest = candidates

        while rest <> 0UL do
            let bit = rest &&& (0UL - rest)
            rest <- rest ^^^ bit

            if SimplePoint.isRemovable slices (gatherAt words stride slab at (BitOperations.TrailingZeroCount bit)) then
                words[at] <- words[at] ^^^ bit
                removed <- removed ||| bit

        removed
