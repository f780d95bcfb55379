namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// What validation patches came to.
type Validation =
    {
        /// Mean loss over all heads.
        Loss: float
        /// Mean of each term of the objective on the finest head, unweighted.
        Terms: (string * float) list
        /// Dice of each foreground class over all patches together.
        PseudoDice: float list
    }

/// Measuring a network on batches.
[<RequireQualifiedAccess>]
module Validation =

    let internal device (network: Network) : torch.Device =
        match Network.parameters network with
        | (_, parameter) :: _ -> parameter.device
        | [] -> torch.CPU

    // Losses refuse logits that are not finite; here they count as a loss that is no number.
    let internal tryLoss (loss: HeadLoss) (logits: Tensor list) (targets: Target list) : Tensor option =
        try
            Some(loss logits targets)
        with :? ArgumentException when
            logits
            |> List.exists (fun head -> not (torch.isfinite(head).all().item<bool>())) ->
            None

    // True and false positives and negatives of each class, added to `counts` (3 per class).
    let private count (classes: int) (logits: Tensor) (head: HeadTarget) (counts: int64[]) : unit =
        let predicted = Tensors.toArray<int64>(logits.argmax 1L)

        for voxel in 0 .. predicted.Length - 1 do
            let counted =
                match head.Valid with
                | Some valid -> valid[voxel] <> 0uy
                | None -> true

            if counted then
                let found = int predicted[voxel]
                let there = int head.Labels[voxel]

                if found = there then
                    counts[3 * found] <- counts[3 * found] + 1L
                else
                    counts[3 * found + 1] <- counts[3 * found + 1] + 1L

                    if there >= 0 && there < classes then
                        counts[3 * there + 2] <- counts[3 * there + 2] + 1L

    /// The objective and the pseudo-Dice on batches, without any change of the network. All NaN without a batch.
    let measure
        (objective: Objective)
        (headWeights: float list)
        (classes: int)
        (network: Network)
        (batches: Batch seq)
        : Validation =
        let counts = Array.zeroCreate<int64>(3 * classes)

        let one (batch: Batch) : float * (string * float) list =
            use _scope = torch.NewDisposeScope()
            use _off = torch.no_grad ()
            let images, targets = Batch.toTensors (device network) batch
            let logits = network.Forward images

            match tryLoss (Objective.loss objective headWeights) logits targets with
            | None -> nan, []
            | Some value ->
                count classes logits.Head batch.Heads.Head counts
                Tensors.item value, Objective.breakdown objective logits.Head targets.Head

        let results = batches |> Seq.map one |> Seq.toList

        let dice (label: int) : float =
            let hits = float counts[3 * label]
            let misses = float (counts[3 * label + 1] + counts[3 * label + 2])
            2.0 * hits / (2.0 * hits + misses)

        let names =
            results
            |> List.tryPick (fun (_, terms) -> if terms.IsEmpty then None else Some(List.map fst terms))

        {
            Loss =
                if results.IsEmpty then
                    nan
                else
                    results |> List.averageBy fst
            Terms =
                names
                |> Option.defaultValue []
                |> List.mapi (fun index name ->
                    name,
                    results
                    |> List.averageBy (fun (_, terms) -> if terms.IsEmpty then nan else snd terms[index]))
            PseudoDice = List.init (classes - 1) (fun label -> dice (label + 1))
        }
