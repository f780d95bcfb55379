namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// How hard a term of an objective pulls: means over batches, without its weight.
type TermPull =
    {
        /// The term's name in the text form.
        Name: string
        /// Its weight in the objective.
        Weight: float
        /// Its value over all heads, as the supervision has them.
        Value: float
        /// The L2 norm of its gradient by the logits of all heads.
        LogitsNorm: float
        /// The L2 norm of its gradient by the network's weights.
        WeightsNorm: float
        /// The same norms of the sum of all other terms, with their weights; 0 where there is no other.
        RestLogitsNorm: float
        RestWeightsNorm: float
    }

/// What a weight finder measured and advises.
type WeightReport =
    {
        /// Batches that were measured.
        Batches: int
        /// The wanted ratio of a term's pull, its weight included, to that of the rest.
        Ratio: float
        /// The objective's terms, in their order.
        Terms: TermPull list
    }

/// Finding the weight of a term: what it pulls at the logits and at the network's weights, beside the rest of the objective.
/// Losses of one size can have gradients of very different sizes: those of overlap losses shrink as the structures grow,
/// those of cross-entropy do not.
[<RequireQualifiedAccess>]
module WeightFinder =

    let private norm (tensors: Tensor list) : float =
        tensors
        |> List.sumBy (fun tensor ->
            Tensors.measured (fun () ->
                let flat = tensor.detach().``to``(torch.float64).flatten()
                flat.dot(flat).item<float>()))
        |> sqrt

    let private forget (parameters: Modules.Parameter list) : unit =
        for parameter in parameters do
            match parameter.grad with
            | null -> ()
            | gradient ->
                gradient.Dispose()
                parameter.grad <- null

    /// A loss's value on all heads, and the norms of its gradient by logits and by parameters.
    let private pull
        (parameters: Modules.Parameter list)
        (logits: Tensor list)
        (targets: Target list)
        (loss: HeadLoss)
        : struct (float * float * float) =
        Tensors.measured (fun () ->
            let leaves =
                logits |> List.map (fun head -> head.detach().clone().requires_grad_ true)

            let value = loss leaves targets
            value.backward ()

            let pulled =
                List.zip logits leaves
                |> List.choose (fun (head, leaf) ->
                    match leaf.grad with
                    | null -> None
                    | gradient -> Some(head, gradient))

            match pulled with
            | [] -> struct (Tensors.item value, 0.0, 0.0)
            | _ ->
                let heads, gradients = List.unzip pulled
                forget parameters

                torch.autograd.backward (List.toArray heads, List.toArray gradients, Nullable true)

                let weights =
                    parameters |> List.choose (fun parameter -> Option.ofObj parameter.grad)

                let result = struct (Tensors.item value, norm gradients, norm weights)
                forget parameters
                result)

    /// Measures every term of the objective on batches, drawn for it, and wants each one's pull to be `ratio` times that of the
    /// rest. Schedules are not looked at: weights count in full. The network and its weights stay as they are; gradients that
    /// its weights held are forgotten. Throws ArgumentException for a ratio that is not above 0, no batch, and as the
    /// objective's losses do.
    let measure
        (ratio: float)
        (headWeights: float list)
        (objective: Objective)
        (network: Network)
        (batches: Batch seq)
        : WeightReport =
        if not (Double.IsFinite ratio && ratio > 0.0) then
            invalidArg (nameof ratio) $"A ratio is a finite number above 0; got %g{ratio}."

        let parameters = Network.parameters network |> List.map snd

        let only (terms: Term list) : HeadLoss =
            Objective.loss { objective with Terms = terms } headWeights

        let without (index: int) : Term list = List.removeAt index objective.Terms

        let one (batch: Batch) : TermPull list =
            use _scope = torch.NewDisposeScope()
            let images, targets = Batch.toTensors (Validation.device network) batch
            let logits = network.Forward images

            objective.Terms
            |> List.mapi (fun index term ->
                let struct (value, atLogits, atWeights) =
                    pull parameters logits targets (only [ { term with Weight = 1.0 } ])

                let struct (_, restAtLogits, restAtWeights) =
                    match without index |> List.filter (fun other -> other.Weight > 0.0) with
                    | [] -> struct (0.0, 0.0, 0.0)
                    | rest -> pull parameters logits targets (only rest)

                {
                    Name = Term.name term
                    Weight = term.Weight
                    Value = value
                    LogitsNorm = atLogits
                    WeightsNorm = atWeights
                    RestLogitsNorm = restAtLogits
                    RestWeightsNorm = restAtWeights
                })

        let measured = batches |> Seq.map one |> Seq.toList

        if measured.IsEmpty then
            invalidArg (nameof batches) "Weights are found on at least one batch; got none."

        let mean (index: int) (value: TermPull -> float) : float =
            measured |> List.averageBy (fun terms -> value terms[index])

        {
            Batches = measured.Length
            Ratio = ratio
            Terms =
                measured.Head
                |> List.mapi (fun index term ->
                    { term with
                        Value = mean index _.Value
                        LogitsNorm = mean index _.LogitsNorm
                        WeightsNorm = mean index _.WeightsNorm
                        RestLogitsNorm = mean index _.RestLogitsNorm
                        RestWeightsNorm = mean index _.RestWeightsNorm
                    })
        }

    let private weight (ratio: float) (own: float) (rest: float) : float option =
        if own > 0.0 && rest > 0.0 then
            Some(ratio * rest / own)
        else
            None

    /// The weight with which the term pulls at the logits `ratio` times as hard as the rest; None where either does not
    /// pull at all, for want of a rest or of structures in the batches.
    let atLogits (report: WeightReport) (term: TermPull) : float option =
        weight report.Ratio term.LogitsNorm term.RestLogitsNorm

    /// The same at the network's weights.
    let atWeights (report: WeightReport) (term: TermPull) : float option =
        weight report.Ratio term.WeightsNorm term.RestWeightsNorm

    /// The objective with the weight that was found at the logits, of two digits, for its first skeleton recall, or, without
    /// one, for its last term; None where there is nothing to weigh. The report must be of this objective.
    let suggest (objective: Objective) (report: WeightReport) : Objective option =
        if objective.Terms.Length <> report.Terms.Length then
            invalidArg
                (nameof report)
                $"The report is of %d{report.Terms.Length} terms; the objective has %d{objective.Terms.Length}."

        let chosen =
            objective.Terms
            |> List.tryFindIndex Term.isRecall
            |> Option.defaultValue (objective.Terms.Length - 1)

        atLogits report report.Terms[chosen]
        |> Option.map (fun weight ->
            let digits = 1 - int (floor (log10 weight))
            let scale = Math.Pow(10.0, float digits)
            let rounded = Math.Round(weight * scale) / scale

            { objective with
                Terms =
                    objective.Terms
                    |> List.mapi (fun index term ->
                        if index = chosen then
                            { term with Weight = rounded }
                        else
                            term)
            })
