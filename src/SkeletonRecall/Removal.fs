namespace SkeletonRecall

open System
open System.Numerics
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open System.Runtime.Intrinsics.X86

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

    // Those of the voxels that go for certain that have gone before a voxel, as neighbours of it: what is before it in
    // raster order.
    let private goneBefore (certain: uint64[]) (stride: int) (slab: int) (at: int) (place: int) : uint =
        threeAt certain (at - slab - stride) place
        ||| (threeAt certain (at - slab) place <<< 3)
        ||| (threeAt certain (at - slab + stride) place <<< 6)
        ||| (threeAt certain (at - stride) place <<< 9)
        ||| ((threeAt certain at place &&& 1u) <<< 12)

    // The bits of a word whose neighbours lie in other words, too.
    [<Literal>]
    let private Ends = 0x8000000000000001UL

    // Goes through the voxels of listed words, from `first` to before `stop`, in raster order, a batch at a time: reads the
    // neighbours of each but those that have `gone`, takes it out or not, and looks at the batch. No listed word is empty.
    // Most hold one or two voxels, so that a loop over each word would mispredict its end every time; here the next word
    // begins without a branch.
    let inline private eachBatch
        (takesOut: bool)
        ([<InlineIfLambda>] gone: int -> int -> uint)
        ([<InlineIfLambda>] look: unit -> unit)
        (work: ThinWork)
        (leaving: Leaving)
        (first: int)
        (stop: int)
        : unit =
        let words = work.Words
        let stride = work.Stride
        let slab = work.Slab
        let places = leaving.Places
        let candidates = leaving.Accepted
        let batch = work.Batch
        let neighbours = batch.Neighbours
        let owners = batch.Owners
        let bits = batch.Bits
        let mutable owner = first
        let mutable rest = candidates[first]

        while owner < stop do
            let mutable voxel = 0

            while owner < stop && voxel < VoxelBatch.Most do
                let at = places[owner]
                let place = BitOperations.TrailingZeroCount rest
                let bit = rest &&& (0UL - rest)
                // Guards lie around all voxels, so that nothing here is outside the array.
                let here = &Unsafe.Add(&MemoryMarshal.GetArrayDataReference words, at)

                let around =
                    if bit &&& Ends <> 0UL then
                        gatherAt words stride slab at place
                    else
                        let above = &Unsafe.Subtract(&here, slab)
                        let below = &Unsafe.Add(&here, slab)

                        let lower =
                            8u * (8u * three (Unsafe.Add(&below, stride)) place + three below place)
                            + three (Unsafe.Subtract(&below, stride)) place

                        let middle =
                            8u * (8u * three (Unsafe.Add(&here, stride)) place + (three here place &&& 5u))
                            + three (Unsafe.Subtract(&here, stride)) place

                        let upper =
                            8u * (8u * three (Unsafe.Add(&above, stride)) place + three above place)
                            + three (Unsafe.Subtract(&above, stride)) place

                        (lower <<< 18) + (middle <<< 9) + upper

                neighbours[voxel] <- around &&& ~~~(gone at place)

                if takesOut then
                    here <- here ^^^ bit

                owners[voxel] <- owner
                bits[voxel] <- bit
                rest <- rest ^^^ bit
                let isDone = BitOperations.LeadingZeroCount rest >>> 6
                owner <- owner + isDone
                rest <- rest ||| (candidates[owner] &&& (0UL - uint64 isDone))
                voxel <- voxel + 1

            batch.Count <- voxel
            look ()

    // Fills the last vector of a batch with voxels that may go: of two neighbours, side by side.
    let private fillUp (batch: VoxelBatch) : unit =
        Array.Fill(batch.Neighbours, 3u, batch.Count, -batch.Count &&& 15)

    // Strikes those of a batch that may not go from the candidates of their words.
    let private strike (batch: VoxelBatch) (candidates: uint64[]) : unit =
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

    // Settles which voxels of a batch that were taken out do go: those that were simple then. At the first that was not,
    // it and all later ones are put back and looked at one by one. Whether any went.
    let private confirm (work: ThinWork) (leaving: Leaving) : bool =
        let batch = work.Batch
        let words = work.Words
        let places = leaving.Places
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
                let place = BitOperations.TrailingZeroCount bit

                let neighbours =
                    gatherAt words work.Stride work.Slab at place
                    &&& ~~~(goneBefore work.Certain work.Stride work.Slab at place)

                if SimplePoint.isSimple slices neighbours then
                    words[at] <- words[at] ^^^ bit
                    changed <- true

        changed

    /// Strikes from the accepted words of a list, from `first` on, the voxels that may not go as the volume is. No word is
    /// empty.
    let test (work: ThinWork) (leaving: Leaving) (first: int) : unit =
        let inline look () = strike work.Batch leaving.Accepted
        eachBatch false (fun _ _ -> 0u) look work leaving first leaving.Found

    /// Removes the voxels of the first accepted words of a list, one after the other as far as anyone can tell, as long as
    /// they are simple; whether any went. Of the voxels that go for certain, which are still in the volume, those before
    /// a voxel in raster order count as gone. No word is empty.
    let remove (work: ThinWork) (leaving: Leaving) (count: int) : bool =
        let certain = work.Certain
        let stride = work.Stride
        let slab = work.Slab
        let mutable changed = false

        let inline gone (at: int) (place: int) = goneBefore certain stride slab at place

        let inline look () =
            if confirm work leaving then
                changed <- true

        eachBatch true gone look work leaving 0 count
        changed

    // The neighbours of a voxel of each field that are of an earlier field. Fields are by the parities of slice, row and
    // column: 4, 2 and 1.
    let private earlierFields: uint[] =
        Array.init 8 (fun field ->
            List.init 27 (fun at ->
                let odd (step: int) = if step = 1 then 0 else 1
                let other = field ^^^ (4 * odd (at / 9) + 2 * odd (at / 3 % 3) + odd (at % 3))
                if other < field then 1u <<< at else 0u)
            |> List.sum)

    /// Removes, one after the other, those candidates of one word that still pass the whole test when the turn of their
    /// field comes; those that went. Of the voxels that go for certain, which are still in the volume, those of earlier
    /// fields count as gone.
    let removeGuarded (work: ThinWork) (field: int) (at: int) (candidates: uint64) : uint64 =
        let words = work.Words
        let slices = SimplePoint.slices
        let earlier = earlierFields[field]
        let mutable removed = 0UL
        let mutable rest = candidates

        while rest <> 0UL do
            let bit = rest &&& (0UL - rest)
            rest <- rest ^^^ bit
            let place = BitOperations.TrailingZeroCount bit

            let neighbours =
                gatherAt words work.Stride work.Slab at place
                &&& ~~~(gatherAt work.Certain work.Stride work.Slab at place &&& earlier)

            if SimplePoint.isRemovable slices neighbours then
                words[at] <- words[at] ^^^ bit
                removed <- removed ||| bit

        removed
