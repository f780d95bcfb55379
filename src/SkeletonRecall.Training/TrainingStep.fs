namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// One iteration of training, and what is wrong when it comes to no number.
[<RequireQualifiedAccess>]
module TrainingStep =

    /// Forward, loss, backward, gradients shortened, one step of the optimizer. Returns the loss before the step. When the
    /// loss or the gradient is not finite the result is not finite either and no weight is changed; the gradients stay for
    /// `cause` to look at. No tensor outlives the call but weights, gradients and momentum.
    let run (learningRate: float) (network: Network) (optimizer: Optimizer) (loss: HeadLoss) (batch: Batch) : float =
        use _scope = torch.NewDisposeScope()
        let images, targets = Batch.toTensors (Validation.device network) batch
        Optimizer.clear optimizer

        match Validation.tryLoss loss (network.Forward images) targets with
        | None -> nan
        | Some value ->
            let number = Tensors.item value

            if not (Double.IsFinite number) then
                number
            else
                value.backward ()

                if Double.IsFinite(Optimizer.step learningRate optimizer) then
                    number
                else
                    nan

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
