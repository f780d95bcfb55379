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

/// The skeleton voxels that count, sample after sample.
type internal SparseVoxels =
    {
        /// Place within the sample.
        Places: int[]
        /// Class of the skeleton.
        Classes: int16[]
        /// Where each sample's voxels begin; one more than samples.
        Starts: int[]
    }

/// Skeleton recall that looks at the voxels of the skeleton alone: the softmax is computed there and nowhere else, and
/// the gradient is kept as one number per skeleton voxel and channel until autograd spreads it.
[<RequireQualifiedAccess>]
module internal SparseRecall =

    /// Whether it serves these logits, on the CPU and of an index's reach, and this target, of class ids.
    let serves (logits: Tensor) (target: Target) : bool =
        logits.device_type = DeviceType.CPU
        && (match logits.dtype with
            | torch.ScalarType.Float32
            | torch.ScalarType.Float64 -> true
            | _ -> false)
        && logits.numel () > 0L
        && logits.numel () / logits.shape[0] < 2_000_000_000L
        && Target.hasSkeletonIds target

    let private span (memory: nativeint) (index: int64) (count: int) : ReadOnlySpan<int16> =
        ReadOnlySpan<int16>(NativePtr.toVoidPtr (NativePtr.ofNativeInt<int16>(memory + nativeint (index * 2L))), count)

    /// The voxels of the skeleton (batch, voxels) that count; `valid` is 0 where all do.
    let private voxels (batch: int) (count: int) (skeleton: nativeint) (valid: nativeint) : SparseVoxels =
        let places = ResizeArray<int>()
        let classes = ResizeArray<int16>()
        let starts = Array.zeroCreate<int>(batch + 1)

        for sample in 0 .. batch - 1 do
            let ids = span skeleton (int64 sample * int64 count) count

            let counts =
                if valid = 0n then
                    ReadOnlySpan<int16>()
                else
                    span valid (int64 sample * int64 count) count

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
                            places.Add at
                            classes.Add ids[at]

                        at <- at + 1

            starts[sample + 1] <- places.Count

        {
            Places = places.ToArray()
            Classes = classes.ToArray()
            Starts = starts
        }

    /// Probabilities at a sample's skeleton voxels, [class * padded + voxel], where `padded` is the number of voxels
    /// rounded up to whole vectors.
    let private probabilities<'T, 'M when 'T: unmanaged and 'M: struct and 'M :> IVectorMath<'T>>
        (classes: int)
        (places: ReadOnlySpan<int>)
        (sample: nativeint)
        (stride: int)
        : struct ('T[] * int) =
        let math = Unchecked.defaultof<'M>
        let lanes = Vector256<'T>.Count
        let padded = (places.Length + lanes - 1) / lanes * lanes
        let result = Array.zeroCreate<'T>(classes * padded)

        for channel in 0 .. classes - 1 do
            let memory = sample + nativeint (int64 channel * int64 stride * int64 sizeof<'T>)

            let row =
                ReadOnlySpan<'T>(NativePtr.toVoidPtr (NativePtr.ofNativeInt<'T> memory), stride)

            for voxel in 0 .. places.Length - 1 do
                result[channel * padded + voxel] <- row[places[voxel]]

        let load (channel: int) (voxel: int) : Vector256<'T> =
            Vector256.LoadUnsafe(&MemoryMarshal.GetArrayDataReference result, unativeint (channel * padded + voxel))

        let store (channel: int) (voxel: int) (value: Vector256<'T>) : unit =
            value.StoreUnsafe(&MemoryMarshal.GetArrayDataReference result, unativeint (channel * padded + voxel))

        let mutable voxel = 0

        while voxel < padded do
            let mutable greatest = load 0 voxel

            for channel in 1 .. classes - 1 do
                greatest <- Vector256.MaxNative(greatest, load channel voxel)

            let mutable sum = Vector256<'T>.Zero

            for channel in 0 .. classes - 1 do
                let power = math.Exp(load channel voxel - greatest)
                store channel voxel power
                sum <- sum + power

            let reciprocal = Vector256<'T>.One / sum

            for channel in 0 .. classes - 1 do
                store channel voxel (load channel voxel * reciprocal)

            voxel <- voxel + lanes

        struct (result, padded)

    /// The value, and, if wanted, where the gradient is not zero (places within the logits) and what it is there.
    let private run<'T, 'M when 'T: unmanaged and 'M: struct and 'M :> IVectorMath<'T>>
        (options: SoftRecallOptions)
        (batch: int)
        (classes: int)
        (count: int)
        (logits: nativeint)
        (found: SparseVoxels)
        (wantsGradient: bool)
        : struct (float * int64[] * 'T[]) =
        let math = Unchecked.defaultof<'M>
        let recalled = Array.zeroCreate<float>(batch * classes)
        let wanted = Array.zeroCreate<float>(batch * classes)
        let sampleBytes = int64 classes * int64 count * int64 sizeof<'T>

        let softmax =
            Array.init batch (fun sample ->
                let start, stop = found.Starts[sample], found.Starts[sample + 1]
                let places = ReadOnlySpan(found.Places, start, stop - start)

                let struct (values, padded) =
                    probabilities<'T, 'M> classes places (logits + nativeint (int64 sample * sampleBytes)) count

                for index in start .. stop - 1 do
                    let channel = int found.Classes[index]
                    let at = sample * classes + channel
                    recalled[at] <- recalled[at] + math.ToFloat values[channel * padded + index - start]
                    wanted[at] <- wanted[at] + 1.0

                struct (values, padded))

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

        if not wantsGradient then
            struct (value, [||], [||])
        else
            let indices = Array.zeroCreate<int64>(classes * found.Places.Length)
            let gradient = Array.zeroCreate<'T>(classes * found.Places.Length)

            for sample in 0 .. batch - 1 do
                let struct (values, padded) = softmax[sample]
                let start, stop = found.Starts[sample], found.Starts[sample + 1]

                for index in start .. stop - 1 do
                    let own = int found.Classes[index]
                    let voxel = index - start

                    let factor =
                        slopes[sample * classes + own] * math.ToFloat values[own * padded + voxel]

                    for channel in 0 .. classes - 1 do
                        let at = classes * start + channel * (stop - start) + voxel
                        let isOwn = if channel = own then 1.0 else 0.0

                        gradient[at] <- math.OfFloat(factor * (isOwn - math.ToFloat values[channel * padded + voxel]))

                        indices[at] <-
                            (int64 sample * int64 classes + int64 channel) * int64 count
                            + int64 found.Places[index]

            struct (value, indices, gradient)

    /// The recall of logits (B, C, spatial...) and the target's skeleton, both checked and served.
    let loss (options: SoftRecallOptions) (logits: Tensor) (target: Target) : Tensor =
        Tensors.scoped (fun () ->
            let scores = logits.contiguous ()
            let plain = scores.detach ()
            let skeleton = GivenGradient.narrow target.Skeleton.Value

            let valid =
                target.Valid
                |> Option.map (fun valid -> GivenGradient.narrow (valid.ne (KeptScalar.Of 0)))

            let batch, classes = int logits.shape[0], int logits.shape[1]
            let count = int (logits.numel () / int64 batch / int64 classes)

            let found =
                voxels
                    batch
                    count
                    (GivenGradient.address skeleton)
                    (valid |> Option.map GivenGradient.address |> Option.defaultValue 0n)

            let wantsGradient = torch.is_grad_enabled () && logits.requires_grad
            let memory = GivenGradient.address plain

            let attach (value: float) (indices: int64[]) (gradient: Tensor) : Tensor =
                let result = torch.tensor (value, dtype = plain.dtype)

                if wantsGradient then
                    let places = torch.tensor (indices, dtype = torch.int64)
                    GivenGradient.attach result (scores.flatten().index_select(0L, places)) gradient
                else
                    result

            if plain.dtype = torch.float32 then
                let struct (value, indices, gradient) =
                    run<float32, SingleMath> options batch classes count memory found wantsGradient

                attach value indices (torch.tensor (gradient, dtype = torch.float32))
            else
                let struct (value, indices, gradient) =
                    run<float, DoubleMath> options batch classes count memory found wantsGradient

                attach value indices (torch.tensor (gradient, dtype = torch.float64)))
