namespace SkeletonRecall

#nowarn "9" // The kernel reads the memory of tensors.

open System
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open Microsoft.FSharp.NativeInterop
open TorchSharp

/// What soft skeleton recall may be told.
type SoftRecallOptions =
    {
        /// Whether sums are taken over the batch before the ratio (true), or each sample has its own ratio and the
        /// mean is taken (false, the default).
        BatchDice: bool
        /// Added to numerator and denominator; at least 0, 1e-5 by default.
        Smooth: float
        /// Whether a class without skeleton is left out of the mean (per sample, or per batch with `BatchDice`); with
        /// none at all the loss is 0. False, upstream's, by default: such a class counts as perfectly recalled, so the
        /// loss says less the fewer classes a patch holds; the gradient of the others shrinks with it.
        PresentOnly: bool
    }

/// The skeleton voxels that count, sample after sample, in memory of tensors: arrays of their size would be new to the
/// process at each call, and faulting them in costs more than the loss.
type internal SparseVoxels =
    {
        /// Place within the sample, int32.
        Places: Tensor
        /// Class of the skeleton, int16.
        Classes: Tensor
        /// Where each sample's voxels begin; one more than samples.
        Starts: int[]
    }

/// Skeleton recall that looks at the voxels of the skeleton alone: the softmax is computed there and nowhere else, and
/// the gradient is kept as one number per skeleton voxel and channel until it is wanted.
[<RequireQualifiedAccess>]
module internal SparseRecall =

    /// Voxels that are worked on at a time, small enough for the nearest cache; a multiple of the lanes of a vector.
    let private tile = 256

    /// Whether it serves these logits, on the CPU and of an index's reach, and this target, of class ids.
    let serves (logits: Tensor) (target: Target) : bool =
        logits.device_type = DeviceType.CPU
        && (match logits.dtype with
            | torch.ScalarType.Float32
            | torch.ScalarType.Float64 -> true
            | _ -> false)
        && logits.numel () > 0L
        && logits.numel () < 250_000_000L
        && Target.hasSkeletonIds target

    /// The voxels of the skeleton (batch, voxels) that count; `valid` is 0 where all do.
    let private voxels (batch: int) (count: int) (skeleton: nativeint) (valid: nativeint) : SparseVoxels =
        let mutable most = 0

        for sample in 0 .. batch - 1 do
            let ids = TensorMemory.span<int16> skeleton (int64 sample * int64 count) count

            most <- most + count - MemoryExtensions.Count(ids, 0s)

        let places = torch.empty (int64 most, dtype = torch.int32)
        let classes = torch.empty (int64 most, dtype = torch.int16)
        let placesOut = TensorMemory.span<int> (TensorMemory.address places) 0L most
        let classesOut = TensorMemory.span<int16> (TensorMemory.address classes) 0L most
        let starts = Array.zeroCreate<int>(batch + 1)
        let mutable found = 0

        for sample in 0 .. batch - 1 do
            let ids = TensorMemory.span<int16> skeleton (int64 sample * int64 count) count

            let counts =
                if valid = 0n then
                    Span<int16>()
                else
                    TensorMemory.span valid (int64 sample * int64 count) count

            let mutable at = 0

            while at < count do
                let step = ids.Slice(at).IndexOfAnyExcept 0s

                if step < 0 then
                    at <- count
                else
                    at <- at + step

                    // A tube's voxels lie together: no search between them.
                    while at < count && ids[at] <> 0s do
                        if valid = 0n || counts[at] <> 0s then
                            placesOut[found] <- at
                            classesOut[found] <- ids[at]
                            found <- found + 1

                        at <- at + 1

            starts[sample + 1] <- found

        {
            Places = places
            Classes = classes
            Starts = starts
        }

    /// The softmax in place of a tile of logits, [class * tile + voxel].
    let private softmax<'T, 'M when 'T: unmanaged and 'M: struct and 'M :> IVectorMath<'T>>
        (classes: int)
        (padded: int)
        (values: Span<'T>)
        : unit =
        let math = Unchecked.defaultof<'M>
        let lanes = Vector256<'T>.Count
        let first = &MemoryMarshal.GetReference values
        let mutable voxel = 0

        while voxel < padded do
            let mutable greatest = Vector256.LoadUnsafe(&first, unativeint voxel)

            for channel in 1 .. classes - 1 do
                greatest <-
                    Vector256.MaxNative(greatest, Vector256.LoadUnsafe(&first, unativeint (channel * tile + voxel)))

            let mutable sum = Vector256<'T>.Zero

            for channel in 0 .. classes - 1 do
                let at = unativeint (channel * tile + voxel)
                let power = math.Exp(Vector256.LoadUnsafe(&first, at) - greatest)
                power.StoreUnsafe(&first, at)
                sum <- sum + power

            let reciprocal = Vector256<'T>.One / sum

            for channel in 0 .. classes - 1 do
                let at = unativeint (channel * tile + voxel)
                (Vector256.LoadUnsafe(&first, at) * reciprocal).StoreUnsafe(&first, at)

            voxel <- voxel + lanes

    /// Multiplies a row by as many factors.
    let private multiply<'T when 'T: unmanaged> (row: Span<'T>) (factors: Span<'T>) : unit =
        let first = &MemoryMarshal.GetReference row
        let factor = &MemoryMarshal.GetReference factors
        let lanes = Vector256<'T>.Count
        let mutable at = 0

        while at <= row.Length - lanes do
            let product =
                Vector256.LoadUnsafe(&first, unativeint at)
                * Vector256.LoadUnsafe(&factor, unativeint at)

            product.StoreUnsafe(&first, unativeint at)
            at <- at + lanes

        if at < row.Length then
            // The rest, by way of a vector on the side.
            let rest = row.Slice at
            let held = Array.zeroCreate<'T> lanes
            rest.CopyTo(held.AsSpan())
            let side = &MemoryMarshal.GetArrayDataReference held

            (Vector256.LoadUnsafe(&side, 0un) * Vector256.LoadUnsafe(&factor, unativeint at)).StoreUnsafe(&side, 0un)

            held.AsSpan(0, rest.Length).CopyTo rest

    /// The value, and, where `gradient` is memory for [channel, voxel], there what it is by the logits at the voxels.
    let private run<'T, 'M when 'T: unmanaged and 'M: struct and 'M :> IVectorMath<'T>>
        (options: SoftRecallOptions)
        (batch: int)
        (classes: int)
        (count: int)
        (logits: nativeint)
        (found: SparseVoxels)
        (gradient: nativeint)
        : float =
        let math = Unchecked.defaultof<'M>
        let lanes = Vector256<'T>.Count
        let total = found.Starts[batch]
        let places = TensorMemory.span<int> (TensorMemory.address found.Places) 0L total
        let own = TensorMemory.span<int16> (TensorMemory.address found.Classes) 0L total
        let recalled = Array.zeroCreate<float>(batch * classes)
        let wanted = Array.zeroCreate<float>(batch * classes)
        let values = Array.zeroCreate<'T>(classes * tile)

        for sample in 0 .. batch - 1 do
            let mutable start = found.Starts[sample]
            let stop = found.Starts[sample + 1]

            while start < stop do
                let length = min tile (stop - start)
                let padded = (length + lanes - 1) / lanes * lanes
                let here = places.Slice(start, length)

                for channel in 0 .. classes - 1 do
                    let row =
                        TensorMemory.span<'T>
                            logits
                            ((int64 sample * int64 classes + int64 channel) * int64 count)
                            count

                    let into = values.AsSpan(channel * tile, padded)

                    for voxel in 0 .. length - 1 do
                        into[voxel] <- row[here[voxel]]

                    into.Slice(length).Clear()

                softmax<'T, 'M> classes padded (values.AsSpan())

                for voxel in 0 .. length - 1 do
                    let channel = int own[start + voxel]
                    let at = sample * classes + channel
                    recalled[at] <- recalled[at] + math.ToFloat values[channel * tile + voxel]
                    wanted[at] <- wanted[at] + 1.0

                if gradient <> 0n then
                    for channel in 0 .. classes - 1 do
                        values
                            .AsSpan(channel * tile, length)
                            .CopyTo(TensorMemory.span gradient (int64 channel * int64 total + int64 start) length)

                start <- start + length

        let smooth = Ratios.smoothing options.BatchDice classes options.Smooth

        let struct (value, slopes, _) =
            Ratios.evaluate
                options.BatchDice
                batch
                classes
                1
                (fun at -> recalled[at] + smooth at)
                (fun at -> wanted[at] + smooth at)
                (if options.PresentOnly then Some wanted else None)

        if gradient <> 0n then
            let offset (channel: int) (start: int) : int64 =
                int64 channel * int64 total + int64 start

            let factors = values.AsSpan(0, tile)

            for sample in 0 .. batch - 1 do
                let mutable start = found.Starts[sample]
                let stop = found.Starts[sample + 1]

                // Of the class's own probability p: slope p (1 - p), and of another q: -slope p q.
                while start < stop do
                    let length = min tile (stop - start)

                    for voxel in 0 .. length - 1 do
                        let channel = int own[start + voxel]
                        let row = TensorMemory.span<'T> gradient (offset channel start) length
                        let probability = math.ToFloat row[voxel]
                        factors[voxel] <- math.OfFloat(-slopes[sample * classes + channel] * probability)

                    for channel in 0 .. classes - 1 do
                        multiply<'T> (TensorMemory.span gradient (offset channel start) length) factors

                    for voxel in 0 .. length - 1 do
                        let row =
                            TensorMemory.span<'T> gradient (offset (int own[start + voxel]) start) length

                        row[voxel] <- math.OfFloat(math.ToFloat row[voxel] - math.ToFloat factors[voxel])

                    start <- start + length

        value

    let private name = "SkeletonRecall's skeleton recall"

    /// The recall of logits (B, C, spatial...) and the target's skeleton, both checked and served.
    let loss (options: SoftRecallOptions) (logits: Tensor) (target: Target) : Tensor =
        Tensors.scoped (fun () ->
            let scores = logits.contiguous ()
            let plain = scores.detach ()
            let skeleton = TensorMemory.narrow target.Skeleton.Value

            let valid =
                target.Valid
                |> Option.map (fun valid -> TensorMemory.narrow (valid.ne (KeptScalar.Of 0)))

            let batch, classes = int logits.shape[0], int logits.shape[1]
            let count = int (logits.numel () / int64 batch / int64 classes)

            let found =
                voxels
                    batch
                    count
                    (TensorMemory.address skeleton)
                    (valid |> Option.map TensorMemory.address |> Option.defaultValue 0n)

            let wantsGradient = torch.is_grad_enabled () && logits.requires_grad

            let gradient =
                if wantsGradient then
                    Some(torch.empty ([| int64 classes; int64 found.Starts[batch] |], dtype = plain.dtype))
                else
                    None

            let memory = gradient |> Option.map TensorMemory.address |> Option.defaultValue 0n

            let value =
                if plain.dtype = torch.float32 then
                    run<float32, SingleMath> options batch classes count (TensorMemory.address plain) found memory
                else
                    run<float, DoubleMath> options batch classes count (TensorMemory.address plain) found memory

            let result = torch.tensor (value, dtype = plain.dtype)

            match gradient with
            | None -> result
            | Some gradient ->
                GivenGradient.attach
                    name
                    result
                    scores
                    (GivenValues.Scattered
                        {
                            Values = gradient
                            Places = found.Places
                            Starts = found.Starts
                        }))
