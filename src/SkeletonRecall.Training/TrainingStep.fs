namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// One iteration of training, and what is wrong when it comes to no number.
[<RequireQualifiedAccess>]
module TrainingStep =

    // The loss before the step, and whether the gradients were finite; no weight is changed where either is not. The loss is
    // multiplied by the factor before the backward pass, and the gradients divided by it after.
    let private step
        (learningRate: float)
        (factor: float)
        (network: Network)
        (optimizer: Optimizer)
        (loss: HeadLoss)
        (batch: Batch)
        : struct (float * bool) =
        use _scope = torch.NewDisposeScope()
        let images, targets = Batch.toTensors (Validation.device network) batch
        Optimizer.clear optimizer

        match Validation.tryLoss loss (network.Forward images) targets with
        | None -> struct (nan, false)
        | Some value ->
            let number = Tensors.item value

            if not (Double.IsFinite number) then
                struct (number, false)
            elif factor = 1.0 then
                value.backward ()
                struct (number, Double.IsFinite(Optimizer.step learningRate optimizer))
            else
                use scale = factor.ToScalar()
                value.mul(scale).backward()
                Optimizer.shrink (1.0 / factor) optimizer
                struct (number, Double.IsFinite(Optimizer.step learningRate optimizer))

    /// Forward, loss, backward, gradients shortened, one step of the optimizer. Returns the loss before the step. When the
    /// loss or the gradient is not finite the result is not finite either and no weight is changed; the gradients stay for
    /// `cause` to look at. No tensor outlives the call but weights, gradients and momentum.
    let run (learningRate: float) (network: Network) (optimizer: Optimizer) (loss: HeadLoss) (batch: Batch) : float =
        match step learningRate 1.0 network optimizer loss batch with
        | struct (number, true) -> number
        | struct (number, false) -> if Double.IsFinite number then nan else number

    /// The same with a scaled loss, for half precision: the loss, and the scale of the next step. Where the gradients are not
    /// finite at this scale the step is left out, the loss is a number all the same, and the scale is halved; at the
    /// least scale the result is as of `run`.
    let scaled
        (learningRate: float)
        (scale: LossScale)
        (network: Network)
        (optimizer: Optimizer)
        (loss: HeadLoss)
        (batch: Batch)
        : struct (float * LossScale) =
        match step learningRate scale.Factor network optimizer loss batch with
        | struct (number, false) when Double.IsFinite number && LossScale.isLeast scale -> struct (nan, scale)
        | struct (number, finite) -> struct (number, LossScale.next finite scale)

    let private isFinite (tensor: Tensor) : bool =
        torch.isfinite(tensor).all().item<bool>()

    let private firstWrongWeight (network: Network) : string option =
        Network.parameters network
        |> List.tryFind (fun (_, parameter) -> not (isFinite parameter))
        |> Option.map (fun (name, _) -> $"the weights %s{name} are not finite")

    let private firstWrongGradient (network: Network) : string option =
        Network.parameters network
        |> List.tryPick (fun (name, parameter) ->
            match parameter.grad with
            | null -> None
            | gradient when isFinite gradient -> None
            | _ -> Some $"the gradient of %s{name} is not finite")

    let private wrongTerm (objective: Objective) (logits: Tensor list) (targets: Target list) : string option =
        Objective.breakdown objective logits.Head targets.Head
        |> List.tryFind (fun (_, value) -> not (Double.IsFinite value))
        |> Option.map (fun (name, value) -> $"the term %s{name} is %g{value}")

    /// Where a batch after which `run` gave no number went wrong first: in the images, the weights, the network's outputs,
    /// a term of the objective, or a gradient.
    let cause (objective: Objective) (network: Network) (batch: Batch) : string =
        use _scope = torch.NewDisposeScope()
        use _off = torch.no_grad ()

        if batch.Images |> Array.exists (fun value -> not (Single.IsFinite value)) then
            "the images hold values that are no numbers"
        else
            match firstWrongWeight network with
            | Some reason -> reason
            | None ->
                let images, targets = Batch.toTensors (Validation.device network) batch
                let logits = network.Forward images

                match logits |> List.tryFindIndex (fun head -> not (isFinite head)) with
                | Some head -> $"the outputs of head %d{head} are not finite: activations overflowed"
                | None ->
                    wrongTerm objective logits targets
                    |> Option.orElseWith (fun () -> firstWrongGradient network)
                    |> Option.defaultValue "the sum of the gradients is not finite"
