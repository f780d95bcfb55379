namespace SkeletonRecall

open System.Numerics
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open System.Runtime.Intrinsics.X86

/// Eight words of a volume, the first a multiple of eight: what thinning takes in hand at once. A byte for each chunk says,
/// by bits, for which sides it is awake: something in it or beside it went since that side was looked at.
[<RequireQualifiedAccess>]
module internal Chunk =

    /// Awake for all sides.
    [<Literal>]
    let AllSides = 63uy

    /// Eight words, which the array is trusted to hold: guards lie around all voxels, as many as a vector reaches.
    let inline load (words: uint64[]) (at: int) : Vector512<uint64> =
        Vector512.LoadUnsafe(&MemoryMarshal.GetArrayDataReference words, unativeint at)

    /// 1 if any of eight words holds something and 0 if none does, without a branch.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let any (eight: Vector512<uint64>) : int =
        let empty =
            int (Vector512.ExtractMostSignificantBits(Vector512.Equals(eight, Vector512<uint64>.Zero)))

        int (uint (empty - 255) >>> 31)

    /// Lists those of eight words that hold something, at the end of lists with room for eight; how long these are then.
    /// All eight are written, and the next takes the place of an empty one: branches would be mispredicted. `scratch` holds
    /// eight.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let append
        (eight: Vector512<uint64>)
        (at: int)
        (scratch: uint64[])
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
            Vector512.StoreUnsafe(eight, &scratch[0])
            let mutable found = found

            for word in 0..7 do
                places[found] <- at + word
                taken[found] <- scratch[word]
                found <- found + 1 - (BitOperations.LeadingZeroCount scratch[word] >>> 6)

            found

    // Wakes the chunks of words of a row, at most 8, and of the rows above and below.
    let inline private wakeRows (active: byref<byte>) (stride: int) (first: int) (last: int) : unit =
        Unsafe.Add(&active, (first - stride) >>> 3) <- AllSides
        Unsafe.Add(&active, first >>> 3) <- AllSides
        Unsafe.Add(&active, last >>> 3) <- AllSides
        Unsafe.Add(&active, (last + stride) >>> 3) <- AllSides

        // Else these are the ones before and after, or between them.
        if stride > 8 then
            Unsafe.Add(&active, (last - stride) >>> 3) <- AllSides
            Unsafe.Add(&active, (first + stride) >>> 3) <- AllSides

    /// Wakes the chunks of words, and of the rows around them in all slices, since what these hold or touch goes.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let wake (active: byte[]) (stride: int) (slab: int) (first: int) (last: int) : unit =
        // Guards lie around all voxels, so that nothing here is outside the array.
        let active = &MemoryMarshal.GetArrayDataReference active
        wakeRows &active stride (first - slab) (last - slab)
        wakeRows &active stride first last
        wakeRows &active stride (first + slab) (last + slab)

    /// The same for voxels of one word.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let wakeAround (active: byte[]) (stride: int) (slab: int) (at: int) (voxels: uint64) : unit =
        wake active stride slab (at - int (voxels &&& 1UL)) (at + int (voxels >>> 63))
