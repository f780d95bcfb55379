namespace SkeletonRecall

#nowarn "9" // The kernels get the memory of tensors.

open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open TorchSharp

/// The weights and options of a fused sum; weight 0 for what is not in it.
type internal FusedTerms =
    {
        CrossEntropy: float
        DiceWeight: float
        Dice: SoftDiceOptions
        RecallWeight: float
        Recall: SoftRecallOptions
    }

/// Cross-entropy + soft Dice + skeleton recall in one function: the same value and gradient as the sum of the three
/// losses, computed on the CPU in two passes over the logits in place of some twenty operations, without a one-hot
/// copy of the labels. The gradient is made together with the value. It can be differentiated once.
[<RequireQualifiedAccess>]
module internal FusedLoss =

    /// Whether the kernel serves these logits, on the CPU, in one piece of memory that an index reaches, and this target,
    /// of class ids, skeleton too.
    let serves (logits: Tensor) (target: Target) : bool =
        logits.device_type = DeviceType.CPU
        && (match target.Truth with
            | Classes _ -> true
            | Regions _ -> false)
        && (target.Skeleton.IsNone || Target.hasSkeletonIds target)
        && (match logits.dtype with
            | torch.ScalarType.Float32
            | torch.ScalarType.Float64
            | torch.ScalarType.Float16
            | torch.ScalarType.BFloat16 -> true
            | _ -> false)
        && logits.numel () > 0L
        && logits.numel () < 250_000_000L
        && logits.shape[1] < 30_000L

    let private address (tensor: Tensor) : nativeint =
        let bytes = tensor.bytes

        Unsafe.AsPointer(&MemoryMarshal.GetReference bytes)
        |> NativeInterop.NativePtr.ofVoidPtr<byte>
        |> NativeInterop.NativePtr.toNativeInt

    /// Ids or a mask as contiguous int16.
    let private narrow (tensor: Tensor) : Tensor = tensor.``to``(torch.int16).contiguous()

    /// One ratio per class, or per sample and class: value of the loss -mean(numerator / denominator), and the
    /// factors for its slopes by numerator and denominator. Where `wanted` is given, the mean goes over the ratios in
    /// which it is above 0.
    let private ratios
        (batch: bool)
        (samples: int)
        (classes: int)
        (first: int)
        (numerator: int -> float)
        (denominator: int -> float)
        (wanted: float[] option)
        : struct (float * float[] * float[]) =
        let byNumerator = Array.zeroCreate<float>(samples * classes)
        let byDenominator = Array.zeroCreate<float>(samples * classes)
        let mutable value = 0.0

        let groups =
            [|
                for group in 0 .. (if batch then 0 else samples - 1) do
                    for index in first .. classes - 1 do
                        let members =
                            [|
                                for sample in (if batch then 0 else group) .. (if batch then samples - 1 else group) do
                                    sample * classes + index
                            |]

                        let isPresent (wanted: float[]) : bool =
                            members |> Array.exists (fun at -> wanted[at] > 0.0)

                        if wanted |> Option.forall isPresent then
                            members
            |]

        let share = 1.0 / float (max 1 groups.Length)

        for members in groups do
            let above = members |> Array.sumBy numerator
            let below = members |> Array.sumBy denominator
            let bounded = max below 1e-8
            value <- value - share * above / bounded

            for at in members do
                byNumerator[at] <- -share / bounded

                byDenominator[at] <-
                    if below >= 1e-8 then
                        share * above / (bounded * bounded)
                    else
                        0.0

        struct (value, byNumerator, byDenominator)

    /// `smooth` once per ratio: with batch Dice, the first sample brings it.
    let private smoothing (batch: bool) (classes: int) (smooth: float) (at: int) : float =
        if batch && at >= classes then 0.0 else smooth

    /// The weighted loss of the sums and its slopes by them.
    let private evaluate
        (terms: FusedTerms)
        (samples: int)
        (classes: int)
        (sums: FusedSums)
        : struct (float * FusedSlopes) =
        let counted = max 1.0 sums.Counted
        let first = if terms.Dice.Background then 0 else 1
        let diceSmooth = smoothing terms.Dice.BatchDice classes terms.Dice.Smooth
        let recallSmooth = smoothing terms.Recall.BatchDice classes terms.Recall.Smooth

        let struct (dice, diceByAbove, diceByBelow) =
            ratios
                terms.Dice.BatchDice
                samples
                classes
                first
                (fun at -> 2.0 * sums.Overlap[at] + diceSmooth at)
                (fun at -> sums.Predicted[at] + sums.Truth[at] + diceSmooth at)
                (if terms.Dice.PresentOnly then Some sums.Truth else None)

        let struct (recall, recallByAbove, _) =
            ratios
                terms.Recall.BatchDice
                samples
                classes
                1
                (fun at -> sums.Recalled[at] + recallSmooth at)
                (fun at -> sums.Skeleton[at] + recallSmooth at)
                (if terms.Recall.PresentOnly then
                     Some sums.Skeleton
                 else
                     None)

        let term (weight: float) (value: float) : float =
            if weight = 0.0 then 0.0 else weight * value

        let slope (weight: float) (factor: float) (slopes: float[]) : float[] =
            slopes |> Array.map (fun slope -> term weight (factor * slope))

        let value =
            term terms.CrossEntropy (sums.CrossEntropy / counted)
            + term terms.DiceWeight dice
            + term terms.RecallWeight recall

        struct (value,
                {
                    Predicted = slope terms.DiceWeight 1.0 diceByBelow
                    Overlap = slope terms.DiceWeight 2.0 diceByAbove
                    Recalled = slope terms.RecallWeight 1.0 recallByAbove
                    CrossEntropy = terms.CrossEntropy / counted
                })

    let private run<'T, 'M when 'T: unmanaged and 'M: struct and 'M :> IVectorMath<'T>>
        (terms: FusedTerms)
        (input: FusedInput)
        (gradient: Tensor option)
        : float =
        let kernel = FusedKernel<'T, 'M>(input)

        let struct (value, slopes) =
            evaluate terms input.Batch input.Classes (kernel.Sums())

        match gradient with
        | Some gradient -> kernel.WriteGradient(slopes, address gradient)
        | None -> ()

        value

    /// A scalar of the given value whose gradient by the scores is the given one: the linear function with that
    /// gradient, moved to the value.
    let private withGradient (value: Tensor) (scores: Tensor) (gradient: Tensor) : Tensor =
        let linear = scores.flatten().dot(gradient.flatten ())
        value + (linear - linear.detach ())

    /// The fused loss of logits (B, C, spatial...), which it must serve, and class ids. Throws as the three losses do.
    let loss (terms: FusedTerms) (logits: Tensor) (target: Target) : Tensor =
        SoftDice.requireOptions terms.Dice
        SoftRecall.requireOptions terms.Recall
        Target.requireLogits logits
        let ids = Target.classIds logits target

        let skeleton =
            if terms.RecallWeight > 0.0 then
                Some(Target.skeleton logits target)
            else
                None

        Tensors.scoped (fun () ->
            let scores = (Tensors.atLeastSingle logits).contiguous()
            let plain = scores.detach ()
            let truth = narrow ids
            let tube = skeleton |> Option.map narrow

            let valid =
                target.Valid
                |> Option.map (fun valid -> narrow (valid.ne (Scalar.op_Implicit 0)))

            let needsGradient = torch.is_grad_enabled () && logits.requires_grad
            let gradient = if needsGradient then Some(torch.empty_like plain) else None
            let shape = logits.shape

            let input =
                {
                    Batch = int shape[0]
                    Classes = int shape[1]
                    Voxels = int (logits.numel () / (shape[0] * shape[1]))
                    Logits = address plain
                    Truth = address truth
                    Skeleton = tube |> Option.map address |> Option.defaultValue 0n
                    Valid = valid |> Option.map address |> Option.defaultValue 0n
                    Threads = torch.get_num_threads ()
                }

            let value =
                if plain.dtype = torch.float32 then
                    run<float32, SingleMath> terms input gradient
                else
                    run<float, DoubleMath> terms input gradient

            let result = torch.tensor (value, dtype = plain.dtype)
            Target.requireFinite logits result

            match gradient with
            | Some gradient -> withGradient result scores gradient
            | None -> result)
