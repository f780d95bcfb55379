namespace SkeletonRecall

/// A term's name and its loss, and sums of terms. Terms form a tree: `scnp` holds terms of its own.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Term =

    /// A term of weight 1 at all epochs.
    let ofComponent (loss: Component) : Term =
        {
            Weight = 1.0
            Schedule = WeightSchedule.Constant
            Component = loss
        }

    /// Whether the term itself is a skeleton recall.
    let isRecall (term: Term) : bool =
        match term.Component with
        | Component.SkeletonRecall _ -> true
        | _ -> false

    /// The terms that a term holds.
    let inner (term: Term) : Term list =
        match term.Component with
        | Component.Scnp(_, terms) -> terms
        | _ -> []

    /// Whether the term or one that it holds, of a weight above 0, fits.
    let rec exists (fits: Term -> bool) (term: Term) : bool =
        term.Weight > 0.0 && (fits term || inner term |> List.exists (exists fits))

    /// The term with a change of it and of all that it holds, the inner ones first.
    let rec map (change: Term -> Term) (term: Term) : Term =
        match term.Component with
        | Component.Scnp(options, terms) ->
            { term with
                Component = Component.Scnp(options, List.map (map change) terms)
            }
        | _ -> term
        |> change

    /// The terms without those, at any depth, that fit; a term that held nothing else is gone as well.
    let rec without (fits: Term -> bool) (terms: Term list) : Term list =
        terms
        |> List.filter (fun term -> not (fits term))
        |> List.choose (fun term ->
            match term.Component with
            | Component.Scnp(options, held) ->
                match without fits held with
                | [] -> None
                | kept ->
                    Some
                        { term with
                            Component = Component.Scnp(options, kept)
                        }
            | _ -> Some term)

    /// The loss's name in the text form, such as `ce`, `dice`, `skeleton-recall` or, with what it holds,
    /// `scnp(dice + ce)`.
    let rec name (term: Term) : string =
        match term.Component with
        | Component.CrossEntropy _ -> "ce"
        | Component.SoftDice _ -> "dice"
        | Component.SkeletonRecall _ -> "skeleton-recall"
        | Component.Tversky _ -> "tversky"
        | Component.Focal _ -> "focal"
        | Component.TopK _ -> "topk"
        | Component.ClDice _ -> "cldice"
        | Component.ClCe _ -> "clce"
        | Component.CbDice _ -> "cbdice"
        | Component.Boundary -> "boundary"
        | Component.PrecisionGuard _ -> "precision-guard"
        | Component.Scnp(_, terms) ->
            let names = terms |> List.map name |> String.concat " + "
            $"scnp(%s{names})"

    /// The unweighted loss of a term.
    let rec loss (term: Term) (logits: Tensor) (target: Target) : Tensor =
        match term.Component with
        | Component.CrossEntropy options -> CrossEntropy.loss options logits target
        | Component.SoftDice options -> SoftDice.loss options logits target
        | Component.SkeletonRecall options -> SoftRecall.loss options logits target
        | Component.Tversky options -> Tversky.loss options logits target
        | Component.Focal options -> Focal.loss options logits target
        | Component.TopK options -> TopKCrossEntropy.loss options logits target
        | Component.ClDice options -> SoftClDice.loss options logits target
        | Component.ClCe options -> CentrelineCrossEntropy.loss options logits target
        | Component.CbDice options -> CbDice.loss options logits target
        | Component.Boundary -> Boundary.loss logits target
        | Component.PrecisionGuard options -> PrecisionGuard.loss options logits target
        | Component.Scnp(options, terms) -> Scnp.loss options (sum terms) logits target

    /// The weighted sum of terms, fused where that gives the same result at less cost; terms of weight 0 are not
    /// evaluated. Schedules are not looked at: weights count in full.
    and sum (terms: Term list) (logits: Tensor) (target: Target) : Tensor =
        let terms = terms |> List.filter (fun term -> term.Weight > 0.0)

        match Fusion.ofTerms terms with
        | Some fused when FusedLoss.serves logits target -> FusedLoss.loss fused logits target
        | _ ->
            let losses = terms |> List.map (fun term -> Loss.weighted term.Weight (loss term))
            Loss.sum losses logits target

    /// What is wrong with a term's weight, schedule or what it holds: what came and what is wanted; None for a good one.
    let rec problem (term: Term) : string option =
        if not (System.Double.IsFinite term.Weight && term.Weight >= 0.0) then
            Some $"A weight is a finite number of at least 0; got %g{term.Weight}."
        else
            match WeightSchedule.problem term.Schedule, term.Component with
            | Some problem, _ -> Some problem
            | None, Component.Scnp(_, []) -> Some "scnp holds at least one term; this one has none."
            | None, _ -> inner term |> List.tryPick problem
