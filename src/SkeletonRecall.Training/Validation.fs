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
        /// Dice of each foreground class, or of each region, over all patches together.
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

    // Whether a voxel counts, in every channel of it.
    let private counted (head: HeadTarget) (voxel: int) : bool =
        match head.Valid with
        | Some valid -> valid[voxel] <> 0uy
        | None -> true

    // Hits, false alarms and misses of each class but the background, added to `counts` (3 per class).
    let private countClasses (classes: int) (logits: Tensor) (head: HeadTarget) (counts: int64[]) : unit =
        let predicted = Tensors.toArray<int64>(logits.argmax 1L)

        let add (label: int) (kind: int) =
            if label > 0 && label < classes then
                counts[3 * (label - 1) + kind] <- counts[3 * (label - 1) + kind] + 1L

        for voxel in 0 .. predicted.Length - 1 do
            if counted head voxel then
                let found = int predicted[voxel]
                let there = int head.Labels[voxel]

                if found = there then
                    add found 0
                else
                    add found 1
                    add there 2

    // The same of regions, each found where its logit is above 0 (its sigmoid above a half).
    let private countRegions
        (regions: int16 list list)
        (logits: Tensor)
        (size: int)
        (head: HeadTarget)
        (counts: int64[])
        =
        use zero = Scalar.op_Implicit 0.0f
        let predicted = Tensors.toArray<byte>((logits.gt zero).``to`` torch.uint8)

        let truth = Batch.regionChannels regions size head.Labels
        let voxels = head.Extent.Count

        for channel in 0 .. size * regions.Length - 1 do
            let region = channel % regions.Length
            let patch = channel / regions.Length

            for voxel in 0 .. voxels - 1 do
                if counted head (patch * voxels + voxel) then
                    let found = predicted[channel * voxels + voxel] <> 0uy
                    let there = truth[channel * voxels + voxel] <> 0uy

                    if found || there then
                        let kind =
                            if found && there then 0
                            elif found then 1
                            else 2

                        counts[3 * region + kind] <- counts[3 * region + kind] + 1L

    /// A loss of all heads, the objective's terms and the pseudo-Dice on batches, without any change of the network. All NaN
    /// without a batch. `classes` counts the network's outputs: classes with the background, or regions.
    let measureBy
        (loss: HeadLoss)
        (objective: Objective)
        (classes: int)
        (network: Network)
        (batches: Batch seq)
        : Validation =
        let counts = Array.zeroCreate<int64>(3 * classes)
        // The background is measured by nobody; regions have none.
        let hasBackground = ref true

        let one (batch: Batch) : float * (string * float) list =
            use _scope = torch.NewDisposeScope()
            use _off = torch.no_grad ()
            let images, targets = Batch.toTensors (device network) batch
            let logits = network.Forward images

            match tryLoss loss logits targets with
            | None -> nan, []
            | Some value ->
                if batch.Regions.IsEmpty then
                    countClasses classes logits.Head batch.Heads.Head counts
                else
                    hasBackground.Value <- false
                    countRegions batch.Regions logits.Head batch.Size batch.Heads.Head counts

                Tensors.item value, Objective.breakdown objective logits.Head targets.Head

        let results = batches |> Seq.map one |> Seq.toList

        let dice (number: int) : float =
            let hits = float counts[3 * number]
            let misses = float (counts[3 * number + 1] + counts[3 * number + 2])
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
            PseudoDice = List.init (if hasBackground.Value then classes - 1 else classes) dice
        }

    /// The same by the objective itself, with the weights of its heads.
    let measure
        (objective: Objective)
        (headWeights: float list)
        (classes: int)
        (network: Network)
        (batches: Batch seq)
        : Validation =
        measureBy (Objective.loss objective headWeights) objective classes network batches
