namespace SkeletonRecall

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

    /// The weighted loss of the sums and its slopes by them.
    let private evaluate
        (terms: FusedTerms)
        (samples: int)
        (classes: int)
        (sums: FusedSums)
        : struct (float * FusedSlopes) =
        let counted = max 1.0 sums.Counted
        let first = if terms.Dice.Background then 0 else 1
        let diceSmooth = Ratios.smoothing terms.Dice.BatchDice classes terms.Dice.Smooth

        let recallSmooth =
            Ratios.smoothing terms.Recall.BatchDice classes terms.Recall.Smooth

        let struct (dice, diceByAbove, diceByBelow) =
            Ratios.evaluate
                terms.Dice.BatchDice
                samples
                classes
                first
                (fun at -> 2.0 * sums.Overlap[at] + diceSmooth at)
                (fun at -> sums.Predicted[at] + sums.Truth[at] + diceSmooth at)
                (if terms.Dice.PresentOnly then Some sums.Truth else None)

        let struct (recall, recallByAbove, _) =
            Ratios.evaluate
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
        | Some gradient -> kernel.WriteGradient(slopes, TensorMemory.address gradient)
        | None -> ()

        value

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
            let truth = TensorMemory.narrow ids
            let tube = skeleton |> Option.map TensorMemory.narrow

            let valid =
                target.Valid
                |> Option.map (fun valid -> TensorMemory.narrow (valid.ne (KeptScalar.Of 0)))

            let needsGradient = torch.is_grad_enabled () && logits.requires_grad
            let gradient = if needsGradient then Some(torch.empty_like plain) else None
            let shape = logits.shape

            let input =
                {
                    Batch = int shape[0]
                    Classes = int shape[1]
                    Voxels = int (logits.numel () / (shape[0] * shape[1]))
                    Logits = TensorMemory.address plain
                    Truth = TensorMemory.address truth
                    Skeleton = tube |> Option.map TensorMemory.address |> Option.defaultValue 0n
                    Valid = valid |> Option.map TensorMemory.address |> Option.defaultValue 0n
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
            | Some gradient ->
                GivenGradient.attach
                    "SkeletonRecall's fused cross-entropy, Dice and recall"
                    result
                    scores
                    (GivenValues.Dense gradient)
            | None -> result)
