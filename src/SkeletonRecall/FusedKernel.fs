namespace SkeletonRecall

#nowarn "9" // Kernels read and write the memory of tensors.

open System
open System.Runtime.Intrinsics
open System.Threading.Tasks
open Microsoft.FSharp.NativeInterop

/// What the kernels read: the memory of contiguous tensors on the CPU.
type internal FusedInput =
    {
        /// Samples of the batch.
        Batch: int
        /// Channels of the logits.
        Classes: int
        /// Voxels of a sample.
        Voxels: int
        /// Logits, (batch, classes, voxels) in the kernel's precision.
        Logits: nativeint
        /// Class ids, (batch, voxels) as int16.
        Truth: nativeint
        /// Class ids of the skeleton, (batch, voxels) as int16; 0 where there is none.
        Skeleton: nativeint
        /// 1 where a voxel counts, (batch, voxels) as int16; 0 where all do.
        Valid: nativeint
        /// How many threads may work.
        Threads: int
    }

/// Sums over voxels that count, per sample and class: [sample * classes + class].
type internal FusedSums =
    {
        /// Of probabilities.
        Predicted: float[]
        /// Of probabilities where the class is true.
        Overlap: float[]
        /// Voxels of the class.
        Truth: float[]
        /// Of probabilities where the class's skeleton is.
        Recalled: float[]
        /// Voxels of the class's skeleton.
        Skeleton: float[]
        /// Minus the log of the true class's probability, whole batch.
        mutable CrossEntropy: float
        /// Voxels, whole batch.
        mutable Counted: float
    }

/// The derivative of a loss by the sums, per sample and class, from which the gradient follows voxel by voxel.
type internal FusedSlopes =
    {
        /// By `Predicted`.
        Predicted: float[]
        /// By `Overlap`.
        Overlap: float[]
        /// By `Recalled`.
        Recalled: float[]
        /// By `CrossEntropy`.
        CrossEntropy: float
    }

/// Cross-entropy, soft Dice and skeleton recall in two passes over the logits: one for the sums of which all three are
/// made, one for the gradient. Nothing of the logits' size is kept between them; the softmax is computed in both.
/// Voxels are worked on in tiles that stay in the nearest cache. Sums are added in an order that does not depend on
/// the number of threads.
[<Sealed>]
type internal FusedKernel<'T, 'M when 'T: unmanaged and 'M: struct and 'M :> IVectorMath<'T>>(input: FusedInput) =
    /// Voxels of a tile; a multiple of the lanes of a vector.
    let tile = 256
    /// Tiles that one thread takes at a time.
    let tilesPerPiece = 64
    let lanes = Vector256<'T>.Count
    let classes = input.Classes
    let tilesPerSample = (input.Voxels + tile - 1) / tile
    let piecesPerSample = (tilesPerSample + tilesPerPiece - 1) / tilesPerPiece
    let hasSkeleton = input.Skeleton <> 0n
    let math = Unchecked.defaultof<'M>

    let at (memory: nativeint) (index: int64) : nativeptr<'T> =
        NativePtr.ofNativeInt (memory + nativeint (index * int64 sizeof<'T>))

    let ids (memory: nativeint) (index: int64) (count: int) : ReadOnlySpan<int16> =
        ReadOnlySpan<int16>(NativePtr.toVoidPtr (NativePtr.ofNativeInt<int16>(memory + nativeint (index * 2L))), count)

    let load (pointer: nativeptr<'T>) (index: int) : Vector256<'T> =
        Vector256.Load(NativePtr.add pointer index)

    let store (pointer: nativeptr<'T>) (index: int) (value: Vector256<'T>) : unit =
        Vector256.Store(value, NativePtr.add pointer index)

    let filled (pointer: nativeptr<'T>) (count: int) : Span<'T> =
        Span<'T>(NativePtr.toVoidPtr pointer, count)

    let broadcast (value: float) : Vector256<'T> = Vector256.Create(math.OfFloat value)

    /// Each channel's number in every lane, to compare labels with.
    let channelIds = Array.init classes (fun channel -> broadcast (float channel))

    /// Runs the work over all pieces: sample, first tile, tile after the last, and the piece's number.
    let overPieces (work: int -> int -> int -> int -> unit) : unit =
        let run (piece: int) : unit =
            let first = piece % piecesPerSample * tilesPerPiece
            work (piece / piecesPerSample) first (min tilesPerSample (first + tilesPerPiece)) piece

        let pieces = input.Batch * piecesPerSample

        if input.Threads <= 1 || pieces = 1 then
            for piece in 0 .. pieces - 1 do
                run piece
        else
            Parallel.For(0, pieces, ParallelOptions(MaxDegreeOfParallelism = input.Threads), run)
            |> ignore

    /// One thread's place for a tile: exponentials, labels, skeleton, validity, reciprocal and log of the sum of
    /// exponentials, and logits and gradient where the tile is not full.
    let scratch () : 'T[] =
        GC.AllocateUninitializedArray<'T>(tile * (3 * classes + 5), true)

    /// Fills labels, skeleton and validity of a tile, padded by voxels that do not count; whether it holds skeleton.
    let readLabels (place: nativeptr<'T>) (sample: int) (start: int) (count: int) : bool =
        let position = int64 sample * int64 input.Voxels + int64 start
        let part (index: int) = NativePtr.add place (index * tile)

        if count < tile then
            (filled place (3 * tile)).Clear()

        math.Widen(ids input.Truth position count, filled (part 0) count)

        if input.Valid = 0n then
            (filled (part 2) count).Fill(math.OfFloat 1.0)
        else
            math.Widen(ids input.Valid position count, filled (part 2) count)

        if hasSkeleton then
            let skeleton = ids input.Skeleton position count
            let some = skeleton.IndexOfAnyExcept 0s >= 0

            if some then
                math.Widen(skeleton, filled (part 1) count)

            some
        else
            false

    /// The tile's logits and the distance between their channels: in place, or padded copies.
    let readLogits (copy: nativeptr<'T>) (sample: int) (start: int) (count: int) : struct (nativeptr<'T> * int64) =
        let from (channel: int) =
            at
                input.Logits
                ((int64 sample * int64 classes + int64 channel) * int64 input.Voxels
                 + int64 start)

        if count = tile then
            struct (from 0, int64 input.Voxels)
        else
            (filled copy (classes * tile)).Clear()

            for channel in 0 .. classes - 1 do
                (filled (from channel) count).CopyTo(filled (NativePtr.add copy (channel * tile)) count)

            struct (copy, int64 tile)

    let channelOf (logits: nativeptr<'T>) (stride: int64) (channel: int) : nativeptr<'T> =
        at (NativePtr.toNativeInt logits) (int64 channel * stride)

    /// Exponentials of a tile's logits (less their maximum), and per voxel the reciprocal of their sum and the log of
    /// the sum of the logits' own exponentials.
    let exponentials
        (logits: nativeptr<'T>)
        (stride: int64)
        (exponentials: nativeptr<'T>)
        (reciprocal: nativeptr<'T>)
        (logSum: nativeptr<'T>)
        (wantsLog: bool)
        : unit =
        let mutable voxel = 0

        while voxel < tile do
            let mutable greatest = load logits voxel

            for channel in 1 .. classes - 1 do
                greatest <- Vector256.MaxNative(greatest, load (channelOf logits stride channel) voxel)

            let mutable sum = Vector256<'T>.Zero

            for channel in 0 .. classes - 1 do
                let power = math.Exp(load (channelOf logits stride channel) voxel - greatest)
                store exponentials (channel * tile + voxel) power
                sum <- sum + power

            store reciprocal voxel (Vector256<'T>.One / sum)

            if wantsLog then
                store logSum voxel (math.Log sum + greatest)

            voxel <- voxel + lanes

    let sumOf (vector: Vector256<'T>) : float = math.ToFloat(Vector256.Sum vector)

    /// Adds one tile to a piece's sums: five numbers per class, then cross-entropy and count.
    let addTile (sums: float[]) (place: nativeptr<'T>) (sample: int) (start: int) (count: int) : unit =
        let powers = NativePtr.add place (5 * tile)
        let part (index: int) = NativePtr.add place (index * tile)

        let truth, skeleton, valid, reciprocal, logSum =
            part 0, part 1, part 2, part 3, part 4

        let recalls = readLabels place sample start count

        let struct (logits, stride) =
            readLogits (NativePtr.add powers (classes * tile)) sample start count

        exponentials logits stride powers reciprocal logSum true
        let mutable surprise = Vector256<'T>.Zero

        for channel in 0 .. classes - 1 do
            let id = channelIds[channel]
            let scores = channelOf logits stride channel
            let power = NativePtr.add powers (channel * tile)
            let mutable predicted = Vector256<'T>.Zero
            let mutable overlap = Vector256<'T>.Zero
            let mutable voxels = Vector256<'T>.Zero
            let mutable voxel = 0

            while voxel < tile do
                let counts = load valid voxel
                let probability = load power voxel * load reciprocal voxel * counts
                let isTrue = Vector256.Equals(load truth voxel, id)
                predicted <- predicted + probability
                overlap <- overlap + (probability &&& isTrue)
                voxels <- voxels + (counts &&& isTrue)
                surprise <- surprise + (((load logSum voxel - load scores voxel) * counts) &&& isTrue)
                voxel <- voxel + lanes

            let sum = 5 * channel
            sums[sum] <- sums[sum] + sumOf predicted
            sums[sum + 1] <- sums[sum + 1] + sumOf overlap
            sums[sum + 2] <- sums[sum + 2] + sumOf voxels

            if recalls then
                let mutable recalled = Vector256<'T>.Zero
                let mutable tube = Vector256<'T>.Zero
                let mutable voxel = 0

                while voxel < tile do
                    let counts = load valid voxel
                    let isTube = Vector256.Equals(load skeleton voxel, id)
                    recalled <- recalled + ((load power voxel * load reciprocal voxel * counts) &&& isTube)
                    tube <- tube + (counts &&& isTube)
                    voxel <- voxel + lanes

                sums[sum + 3] <- sums[sum + 3] + sumOf recalled
                sums[sum + 4] <- sums[sum + 4] + sumOf tube

        sums[5 * classes] <- sums[5 * classes] + sumOf surprise

    /// Writes one tile of the gradient.
    let writeTile
        (slopes: Vector256<'T>[])
        (perVoxel: Vector256<'T>)
        (gradient: nativeint)
        (place: nativeptr<'T>)
        (sample: int)
        (start: int)
        (count: int)
        : unit =
        let powers = NativePtr.add place (5 * tile)
        let part (index: int) = NativePtr.add place (index * tile)
        let truth, skeleton, valid, reciprocal = part 0, part 1, part 2, part 3
        let recalls = readLabels place sample start count
        let copy = NativePtr.add powers (classes * tile)
        let struct (logits, stride) = readLogits copy sample start count
        exponentials logits stride powers reciprocal reciprocal false

        let target (channel: int) =
            at
                gradient
                ((int64 sample * int64 classes + int64 channel) * int64 input.Voxels
                 + int64 start)

        let isFull = (count = tile)
        let padded = NativePtr.add copy (classes * tile)
        let first = 3 * classes * sample
        let mutable voxel = 0

        while voxel < tile do
            let label = load truth voxel
            let tube = if recalls then load skeleton voxel else Vector256<'T>.Zero
            let counts = load valid voxel
            let scale = load reciprocal voxel
            let mutable mean = Vector256<'T>.Zero

            // The mean of the loss's slopes by the probabilities; the slopes are cheap enough to be made twice.
            for channel in 0 .. classes - 1 do
                let id = channelIds[channel]
                let at = first + 3 * channel
                let slope = slopes[at] + (slopes[at + 1] &&& Vector256.Equals(label, id))

                let slope =
                    if recalls then
                        slope + (slopes[at + 2] &&& Vector256.Equals(tube, id))
                    else
                        slope

                let probability = load powers (channel * tile + voxel) * scale
                store powers (channel * tile + voxel) probability
                mean <- math.MultiplyAdd(probability, slope, mean)

            for channel in 0 .. classes - 1 do
                let id = channelIds[channel]
                let at = first + 3 * channel
                let isTrue = Vector256.Equals(label, id)
                let slope = slopes[at] + (slopes[at + 1] &&& isTrue)

                let slope =
                    if recalls then
                        slope + (slopes[at + 2] &&& Vector256.Equals(tube, id))
                    else
                        slope

                let probability = load powers (channel * tile + voxel)
                let value = probability * (slope - mean + perVoxel) - (perVoxel &&& isTrue)

                store
                    (if isFull then
                         target channel
                     else
                         NativePtr.add padded (channel * tile))
                    voxel
                    (value * counts)

            voxel <- voxel + lanes

        if not isFull then
            for channel in 0 .. classes - 1 do
                (filled (NativePtr.add padded (channel * tile)) count).CopyTo(filled (target channel) count)

    /// Runs an action over the tiles of all pieces, each piece with a place of its own.
    let overTiles (work: int -> nativeptr<'T> -> int -> int -> int -> unit) : unit =
        overPieces (fun sample first afterLast piece ->
            let place = scratch ()
            use pinned = fixed place

            for index in first .. afterLast - 1 do
                let start = index * tile
                work piece pinned sample start (min tile (input.Voxels - start)))

    /// The sums of the whole batch.
    member _.Sums() : FusedSums =
        let pieces =
            Array.init (input.Batch * piecesPerSample) (fun _ -> Array.zeroCreate<float>(5 * classes + 1))

        overTiles (fun piece place sample start count -> addTile pieces[piece] place sample start count)

        let collect (index: int) : float[] =
            Array.init (input.Batch * classes) (fun at ->
                let sample, channel = at / classes, at % classes
                let mutable sum = 0.0

                for piece in sample * piecesPerSample .. (sample + 1) * piecesPerSample - 1 do
                    sum <- sum + pieces[piece][5 * channel + index]

                sum)

        let truth = collect 2

        {
            Predicted = collect 0
            Overlap = collect 1
            Truth = truth
            Recalled = collect 3
            Skeleton = collect 4
            CrossEntropy = pieces |> Array.sumBy (fun sums -> sums[5 * classes])
            Counted = Array.sum truth
        }

    /// Writes the loss's gradient by the logits, in their shape, given its slopes by the sums.
    member _.WriteGradient(slopes: FusedSlopes, gradient: nativeint) : unit =
        let vectors =
            Array.init (3 * input.Batch * classes) (fun index ->
                let at = index / 3

                match index % 3 with
                | 0 -> broadcast slopes.Predicted[at]
                | 1 -> broadcast slopes.Overlap[at]
                | _ -> broadcast slopes.Recalled[at])

        let perVoxel = broadcast slopes.CrossEntropy

        overTiles (fun _ place sample start count -> writeTile vectors perVoxel gradient place sample start count)
