namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.InteropServices
open System.Runtime.Intrinsics

/// The workers of tubes: label maps to bits and back, and the whole way between them on two arrays of bits.
[<RequireQualifiedAccess>]
module internal TubeBits =

    // Which of 64 labels pass a test, the first in bit 0.
    let inline private sixtyFour
        ([<InlineIfLambda>] test: Vector512<int16> -> Vector512<int16>)
        (labels: ReadOnlySpan<int16>)
        (at: int)
        : uint64 =
        let low = Vector512.LoadUnsafe(&MemoryMarshal.GetReference labels, unativeint at)

        let high =
            Vector512.LoadUnsafe(&MemoryMarshal.GetReference labels, unativeint (at + 32))

        Vector512.ExtractMostSignificantBits(test low)
        ||| (Vector512.ExtractMostSignificantBits(test high) <<< 32)

    // Sets the bits of all labels that pass a test. All words of the rows are written.
    let inline private bitsOf
        ([<InlineIfLambda>] test: Vector512<int16> -> Vector512<int16>)
        ([<InlineIfLambda>] testOne: int16 -> bool)
        (extent: Extent)
        (labels: ReadOnlySpan<int16>)
        (words: uint64[])
        : unit =
        let width = extent.Width

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0
                let mutable target = Layout.row extent slice row
                let mutable column = 0
                let mutable carry = 0UL

                while column + 64 <= width do
                    let bits = sixtyFour test labels (start + column)
                    words[target] <- (bits <<< 1) ||| carry
                    carry <- bits >>> 63
                    target <- target + 1
                    column <- column + 64

                if column < width then
                    // Of the last labels of the row, less than 64.
                    let stop = start + width
                    let count = width - column

                    let tail =
                        if stop >= 64 then
                            sixtyFour test labels (stop - 64) >>> (64 - count)
                        else
                            let mutable bits = 0UL

                            for place in 0 .. count - 1 do
                                if testOne labels[stop - count + place] then
                                    bits <- bits ||| (1UL <<< place)

                            bits

                    carry <- carry ||| (tail <<< 1)

                words[target] <- carry

    /// Sets the bits of all labels above 0. All words of the rows are written; guard rows and slices must be zero.
    let binarizeInto (extent: Extent) (labels: ReadOnlySpan<int16>) (words: uint64[]) : unit =
        bitsOf
            (fun labels -> Vector512.GreaterThan(labels, Vector512<int16>.Zero))
            (fun label -> label > 0s)
            extent
            labels
            words

    /// Sets the bits of all voxels of one label, as `binarizeInto` does.
    let equalInto (extent: Extent) (label: int16) (labels: ReadOnlySpan<int16>) (words: uint64[]) : unit =
        let all = Vector512.Create label
        bitsOf (fun labels -> Vector512.Equals(labels, all)) (fun one -> one = label) extent labels words

    // Lane i of 16 has bit i alone.
    let private places: Vector256<int16> =
        Vector256.Create<int16>(Array.init 16 (fun place -> int16 (1 <<< place)))

    // Blocks of 16 labels that are painted together: where each begins, and which of its labels.
    [<Literal>]
    let private Blocks = 2048

    // Paints listed blocks. The list is made first since the labels and the target are mostly far away in memory: without
    // branches in between many are fetched at once.
    let private paintBlocks
        (count: int)
        (at: int[])
        (bits: int16[])
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        : unit =
        let places = places

        for block in 0 .. count - 1 do
            let inside = Vector256.Equals(Vector256.Create bits[block] &&& places, places)
            let place = unativeint at[block]
            let from = Vector256.LoadUnsafe(&MemoryMarshal.GetReference labels, place)
            Vector256.StoreUnsafe(inside &&& from, &MemoryMarshal.GetReference target, place)

    // Rows that are cleared and painted together: as many as the cache nearest to one core holds well.
    [<Literal>]
    let private Together = 65536

    // Writes the labels of the voxels that are in the words into a target of zeros, or one that is cleared on the way.
    let private paintOnZeros
        (extent: Extent)
        (words: uint64[])
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        (isZero: bool)
        : unit =
        let width = extent.Width
        let stride = Layout.stride extent
        let wholes = width / 64
        let blocksAtEnd = width % 64 / 16
        let at = ArrayPool<int>.Shared.Rent(Blocks + 4)
        let bits = ArrayPool<int16>.Shared.Rent(Blocks + 4)
        let together = max 1 (Together / width)
        let mutable count = 0

        for slice in 0 .. extent.Depth - 1 do
            let mutable row = 0
            let mutable start = Extent.index extent slice 0 0
            let mutable first = Layout.row extent slice 0

            while row < extent.Height do
                let stop = min extent.Height (row + together)

                if not isZero then
                    target.Slice(start, (stop - row) * width).Clear()

                while row < stop do
                    // Columns 64 * word to 64 * word + 63 are bits 1 to 63 and the first of the next word.
                    for word in 0..wholes do
                        let here = (words[first + word] >>> 1) ||| (words[first + word + 1] <<< 63)

                        if here <> 0UL then
                            let from = start + 64 * word
                            let blocks = if word < wholes then 4 else blocksAtEnd

                            for block in 0 .. blocks - 1 do
                                let some = int16 (here >>> (16 * block))
                                at[count] <- from + 16 * block
                                bits[count] <- some
                                count <- count + (if some <> 0s then 1 else 0)

                            if count >= Blocks then
                                paintBlocks count at bits labels target
                                count <- 0

                            if word = wholes then
                                // Less than 16 labels at the end of the row.
                                let mutable rest = here >>> (16 * blocksAtEnd)

                                while rest <> 0UL do
                                    let place = from + 16 * blocksAtEnd + BitOperations.TrailingZeroCount rest
                                    target[place] <- labels[place]
                                    rest <- rest &&& (rest - 1UL)

                    row <- row + 1
                    start <- start + width
                    first <- first + stride

                paintBlocks count at bits labels target
                count <- 0

        ArrayPool<int>.Shared.Return at
        ArrayPool<int16>.Shared.Return bits

    // The same where the target is the labels themselves.
    let private paintOver
        (extent: Extent)
        (words: uint64[])
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        : unit =
        let places = places
        let width = extent.Width

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0
                let first = Layout.row extent slice row

                for word in 0 .. Layout.stride extent - 1 do
                    let at = start + 64 * word

                    if 64 * word + 64 <= width then
                        let bits = (words[first + word] >>> 1) ||| (words[first + word + 1] <<< 63)

                        if bits = 0UL then
                            target.Slice(at, 64).Clear()
                        else
                            for block in 0..3 do
                                let here = int16 (bits >>> (16 * block))
                                let inside = Vector256.Equals(Vector256.Create here &&& places, places)
                                let place = unativeint (at + 16 * block)
                                let from = Vector256.LoadUnsafe(&MemoryMarshal.GetReference labels, place)
                                Vector256.StoreUnsafe(inside &&& from, &MemoryMarshal.GetReference target, place)
                    else
                        let mutable bits = words[first + word] >>> 1

                        for place in at .. start + width - 1 do
                            target[place] <- labels[place] * int16 (bits &&& 1UL)
                            bits <- bits >>> 1

    /// What is known of the target of painting.
    [<RequireQualifiedAccess>]
    type Ground =
        /// It is zero throughout.
        | Zero
        /// It holds anything, but not the labels.
        | Apart
        /// It is the labels themselves.
        | Labels

    /// Writes the labels of the voxels that are in the words and 0 for the others.
    let paintInto
        (extent: Extent)
        (words: uint64[])
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        (ground: Ground)
        : unit =
        match ground with
        | Ground.Zero -> paintOnZeros extent words labels target true
        | Ground.Apart -> paintOnZeros extent words labels target false
        | Ground.Labels -> paintOver extent words labels target

    /// Upstream's tubed skeleton: binarized, thinned by the method, grown by steps of the cross, painted. Everything
    /// in between are two arrays of bits, which are borrowed.
    let tubeInto
        (extent: Extent)
        (thinning: Thinning)
        (steps: int)
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        (ground: Ground)
        : unit =
        let length = Layout.length extent
        let words = ArrayPool<uint64>.Shared.Rent length
        let other = ArrayPool<uint64>.Shared.Rent length

        try
            Array.Clear(words, 0, length)
            binarizeInto extent labels words

            match thinning with
            | Thinning.Zhang ->
                ThinPlane.thinInPlace extent words
                Array.Clear(other, 0, length)
            | Thinning.Lee -> ThinVolume.thinInPlace false extent words other

            let grown = Morphology.crossInPlace extent steps words other
            paintInto extent grown labels target ground
        finally
            ArrayPool<uint64>.Shared.Return words
            ArrayPool<uint64>.Shared.Return other
