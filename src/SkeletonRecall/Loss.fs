namespace SkeletonRecall

open TorchSharp

/// Logits (B, C, spatial...) and target of one head to a differentiable scalar; smaller is better.
type Loss = Tensor -> Target -> Tensor

/// The same for all heads of a network, finest first.
type HeadLoss = Tensor list -> Target list -> Tensor

/// What `Loss.check` found.
type LossCheck =
    {
        /// The loss of the given logits.
        Value: float
        /// The largest absolute entry of the gradient by autograd.
        LargestGradient: float
        /// The largest absolute difference between the gradient by autograd and by central differences.
        LargestDifference: float
        /// Tensors that were alive afterwards and not before; 0 for a loss that frees what it makes.
        LeftAlive: int64
    }

    /// Whether the gradient agrees to 1e-5 of its largest entry (1e-8 where it vanishes) and nothing was left alive.
    member this.Passed: bool =
        this.LargestDifference <= max 1e-8 (1e-5 * this.LargestGradient)
        && this.LeftAlive = 0L

/// The algebra of losses. Any function of the type is a loss; these put them together.
[<RequireQualifiedAccess>]
module Loss =

    let private requireWeight (name: string) (weight: float) : unit =
        if not (System.Double.IsFinite weight && weight >= 0.0) then
            invalidArg name $"A weight is a finite number that is not negative; got %g{weight}."

    /// The loss that is 0 everywhere, with a zero gradient; the sum of no losses. It reads no logits.
    let zero (logits: Tensor) (target: Target) : Tensor =
        ignore target

        Tensors.scoped (fun () ->
            let nothing = logits.narrow (0L, 0L, 0L)
            (Tensors.atLeastSingle nothing).sum())

    /// A loss times a weight of at least 0. At weight 0 the loss is not evaluated.
    /// Throws ArgumentException for a negative, infinite or NaN weight.
    let weighted (weight: float) (loss: Loss) (logits: Tensor) (target: Target) : Tensor =
        requireWeight (nameof weight) weight

        if weight = 0.0 then
            zero logits target
        elif weight = 1.0 then
            loss logits target
        else
            Tensors.scoped (fun () -> loss logits target * KeptScalar.Of weight)

    /// The sum of losses; `zero` for none.
    let sum (losses: Loss list) (logits: Tensor) (target: Target) : Tensor =
        match losses with
        | [] -> zero logits target
        | first :: rest ->
            Tensors.scoped (fun () ->
                (first logits target, rest)
                ||> List.fold (fun total loss -> KeptScalar.Sum(total, loss logits target)))

    /// A loss of transformed logits, such as logits penalized by their neighbourhood. The mapping must be
    /// differentiable and return a fresh tensor.
    let mapLogits (mapping: Tensor -> Target -> Tensor) (loss: Loss) (logits: Tensor) (target: Target) : Tensor =
        Tensors.scoped (fun () -> loss (mapping logits target) target)

    /// The weights of `count` heads, finest first, as nnU-Net sets them: 1/2^i, the coarsest 0, normalized to the
    /// sum 1; a single head counts 1. Throws ArgumentException for a count below 1.
    let headWeights (count: int) : float list =
        if count < 1 then
            invalidArg (nameof count) $"A network has at least 1 head; got %d{count}."
        elif count = 1 then
            [ 1.0 ]
        else
            let halves =
                List.init count (fun head -> if head = count - 1 then 0.0 else 1.0 / float (1L <<< head))

            let total = List.sum halves
            halves |> List.map (fun weight -> weight / total)

    /// A loss on each head, finest first, times the head's weight, summed. A head of weight 0 is not evaluated: its
    /// target may lack what its loss needs. Throws ArgumentException when the three lists differ in length or are
    /// empty, and for a negative, infinite or NaN weight.
    let deepSupervision (heads: (float * Loss) list) (logits: Tensor list) (targets: Target list) : Tensor =
        let count = heads.Length

        if count = 0 then
            invalidArg (nameof heads) "At least one head is wanted; got none."

        if logits.Length <> count then
            invalidArg (nameof logits) $"%d{count} heads have a loss; logits came from %d{logits.Length}."

        if targets.Length <> count then
            invalidArg (nameof targets) $"%d{count} heads have a loss; targets came for %d{targets.Length}."

        for weight, _ in heads do
            requireWeight (nameof heads) weight

        let counted =
            List.zip3 heads logits targets
            |> List.filter (fun ((weight, _), _, _) -> weight > 0.0)

        match counted with
        | [] -> zero logits.Head targets.Head
        | _ ->
            Tensors.scoped (fun () ->
                counted
                |> List.map (fun ((weight, loss), logits, target) -> weighted weight loss logits target)
                |> List.reduce (fun total next -> KeptScalar.Sum(total, next)))

    /// The loss of double-precision logits, freed; no gradient.
    let private valueAt (loss: Loss) (logits: Tensor) (target: Target) : float =
        Tensors.measured (fun () ->
            use _noGradient = torch.no_grad ()
            Tensors.item (loss logits target))

    /// Gradient of the loss by autograd, in double precision, and its value.
    let private differentiate (loss: Loss) (logits: Tensor) (target: Target) : struct (float * float[]) =
        Tensors.measured (fun () ->
            let variable = logits.detach().``to``(torch.float64).clone().requires_grad_ true
            let value = loss variable target
            value.backward ()

            match variable.grad with
            | null -> struct (Tensors.item value, Array.zeroCreate (int (logits.numel ())))
            | gradient -> struct (Tensors.item value, Tensors.toArray<float> gradient))

    /// Compares a loss's gradient by autograd with central differences over every logit (step 1e-5, in double
    /// precision), and counts the tensors that it leaves alive. Meant for small logits: two evaluations per logit.
    let check (loss: Loss) (logits: Tensor) (target: Target) : LossCheck =
        LibTorch.ensure ()
        let step = 1e-5
        let before = Tensors.liveCount ()
        let struct (value, gradient) = differentiate loss logits target

        let values =
            Tensors.measured (fun () -> Tensors.toArray<float>(logits.detach().``to`` torch.float64))

        let shape = List.ofArray logits.shape

        let slope (index: int) : float =
            let at (offset: float) =
                let moved = Array.copy values
                moved[index] <- moved[index] + offset
                use tensor = Tensors.ofDoubles shape moved
                use placed = tensor.``to`` logits.device
                valueAt loss placed target

            (at step - at -step) / (2.0 * step)

        let largestDifference =
            gradient
            |> Array.mapi (fun index exact -> abs (exact - slope index))
            |> Array.max

        {
            Value = value
            LargestGradient = gradient |> Array.map abs |> Array.max
            LargestDifference = largestDifference
            LeftAlive = Tensors.liveCount () - before
        }
