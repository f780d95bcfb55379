namespace SkeletonRecall

/// What training minimizes, as data: stored with a run and in its checkpoint.
type Objective =
    {
        /// The losses that are summed; at least one.
        Terms: Term list
        /// Which heads learn what.
        Supervision: Supervision
        /// The tube that the recall terms want; the standard one where there is no such term.
        Tube: TubeOptions
    }

/// Objectives: presets, changes, their text, and the functions they stand for.
/// The text is `dice + ce + 1.0*skeleton-recall`: losses joined by `+`, each with a weight and `*` before it where
/// that is not 1, and options in parentheses behind: `ce(label-smoothing=0.1)`, `dice(batch-dice, background,
/// smooth=1e-5)`, `skeleton-recall(batch-dice, smooth=1e-5, tube-radius=3)`. A supervision other than recall-at-full
/// follows after `on`: `dice + ce + 1.0*skeleton-recall on all-heads`. Numbers have a decimal point in any culture.
[<RequireQualifiedAccess>]
module Objective =

    let private dice: Term =
        {
            Weight = 1.0
            Component = Component.SoftDice SoftDice.standard
        }

    let private crossEntropy: Term =
        {
            Weight = 1.0
            Component = Component.CrossEntropy CrossEntropy.standard
        }

    let private recall: Term =
        {
            Weight = 1.0
            Component = Component.SkeletonRecall SoftRecall.standard
        }

    /// nnU-Net's: `dice + ce`.
    let nnunet: Objective =
        {
            Terms = [ dice; crossEntropy ]
            Supervision = RecallAtFull
            Tube = Tube.standard
        }

    /// The paper's: `dice + ce + 1.0*skeleton-recall`.
    let skeletonRecall: Objective =
        { nnunet with
            Terms = [ dice; crossEntropy; recall ]
        }

    let private requireTerms (objective: Objective) : unit =
        if objective.Terms.IsEmpty then
            invalidArg (nameof objective) "An objective has at least one term; this one has none."

        for term in objective.Terms do
            if not (System.Double.IsFinite term.Weight && term.Weight >= 0.0) then
                invalidArg (nameof objective) $"A weight is a finite number of at least 0; got %g{term.Weight}."

    let private requireRecall (what: string) (objective: Objective) : unit =
        if not (List.exists Term.isRecall objective.Terms) then
            invalidArg (nameof objective) $"%s{what} has no meaning: the objective has no term skeleton-recall."

    /// The same objective with batch Dice on or off in all terms that know it, as nnU-Net's plans say.
    let withBatchDice (batchDice: bool) (objective: Objective) : Objective =
        let change (term: Term) : Term =
            match term.Component with
            | Component.SoftDice options ->
                { term with
                    Component = Component.SoftDice { options with BatchDice = batchDice }
                }
            | Component.SkeletonRecall options ->
                { term with
                    Component = Component.SkeletonRecall { options with BatchDice = batchDice }
                }
            | Component.CrossEntropy _ -> term

        { objective with
            Terms = List.map change objective.Terms
        }

    /// The same objective with another weight of its recall terms (at least 0).
    /// Throws ArgumentException for a weight out of range and for an objective without recall term.
    let withRecallWeight (weight: float) (objective: Objective) : Objective =
        requireRecall "A recall weight" objective

        if not (System.Double.IsFinite weight && weight >= 0.0) then
            invalidArg (nameof weight) $"A weight is a finite number of at least 0; got %g{weight}."

        { objective with
            Terms =
                objective.Terms
                |> List.map (fun term ->
                    if Term.isRecall term then
                        { term with Weight = weight }
                    else
                        term)
        }

    /// The same objective with another tube. Throws ArgumentException for options out of range and for an objective
    /// without recall term.
    let withTube (tube: TubeOptions) (objective: Objective) : Objective =
        requireRecall "A tube" objective
        TubeOptions.problem tube |> Option.iter (invalidArg (nameof tube))
        { objective with Tube = tube }

    /// The same objective with another radius of the tube, in steps of the cross (0 to 16).
    /// Throws ArgumentException for a radius out of range and for an objective without recall term.
    let withTubeRadius (radius: int) (objective: Objective) : Objective =
        requireRecall "A tube radius" objective
        let radius' = TubeRadius.Steps radius
        TubeOptions.radiusProblem radius' |> Option.iter (invalidArg (nameof radius))

        { objective with
            Tube = { objective.Tube with Radius = radius' }
        }

    /// The same objective with another supervision.
    let withSupervision (supervision: Supervision) (objective: Objective) : Objective =
        { objective with
            Supervision = supervision
        }

    /// Whether training needs tubed skeletons: whether a recall term has a weight above 0.
    let needsSkeleton (objective: Objective) : bool =
        objective.Terms
        |> List.exists (fun term -> Term.isRecall term && term.Weight > 0.0)

    /// The sum of terms as losses of their own, added up. Terms of weight 0 are not evaluated.
    let private plainLoss (terms: Term list) (logits: Tensor) (target: Target) : Tensor =
        let losses =
            terms |> List.map (fun term -> Loss.weighted term.Weight (Term.loss term))

        Loss.sum losses logits target

    /// The terms as one fused function, if it knows them: two or three different losses without label smoothing.
    let private fuse (terms: Term list) : FusedTerms option =
        let none =
            {
                CrossEntropy = 0.0
                DiceWeight = 0.0
                Dice = SoftDice.standard
                RecallWeight = 0.0
                Recall = SoftRecall.standard
            }

        let add (fused: FusedTerms option) (term: Term) : FusedTerms option =
            match fused, term.Component with
            | Some fused, Component.CrossEntropy options when fused.CrossEntropy = 0.0 && options.LabelSmoothing = 0.0 ->
                Some
                    { fused with
                        CrossEntropy = term.Weight
                    }
            | Some fused, Component.SoftDice options when fused.DiceWeight = 0.0 ->
                Some
                    { fused with
                        DiceWeight = term.Weight
                        Dice = options
                    }
            | Some fused, Component.SkeletonRecall options when fused.RecallWeight = 0.0 ->
                Some
                    { fused with
                        RecallWeight = term.Weight
                        Recall = options
                    }
            | _ -> None

        if terms.Length < 2 then
            None
        else
            List.fold add (Some none) terms

    /// The weighted sum of terms on one head, fused where that gives the same result at less cost.
    let private termsLoss (terms: Term list) (logits: Tensor) (target: Target) : Tensor =
        let terms = terms |> List.filter (fun term -> term.Weight > 0.0)

        match fuse terms with
        | Some fused when FusedLoss.serves logits target -> FusedLoss.loss fused logits target
        | _ -> plainLoss terms logits target

    /// The weighted sum of the objective's terms on one head: logits (B, C, spatial...) and target to a scalar.
    /// On the CPU, cross-entropy, Dice and recall are computed together in a fused form, which can be differentiated
    /// once; a sum that is to be differentiated twice is `Loss.sum` of the terms' losses.
    /// Throws ArgumentException as the terms' losses do.
    let headLoss (objective: Objective) (logits: Tensor) (target: Target) : Tensor =
        requireTerms objective
        termsLoss objective.Terms logits target

    /// The objective over all heads, finest first, with their weights (`Loss.headWeights`).
    /// Throws ArgumentException for lists of unequal length and as the terms' losses do.
    let loss (objective: Objective) (headWeights: float list) (logits: Tensor list) (targets: Target list) : Tensor =
        requireTerms objective
        let full: Loss = termsLoss objective.Terms

        let coarse: Loss =
            termsLoss (objective.Terms |> List.filter (fun term -> not (Term.isRecall term)))

        let heads: (float * Loss) list =
            headWeights
            |> List.mapi (fun head weight ->
                match head, objective.Supervision with
                | 0, _
                | _, AllHeads
                | _, AllHeadsNearest -> weight, full
                | _, RecallAtFull -> weight, coarse
                | _, FullResolution -> 0.0, full)

        Loss.deepSupervision heads logits targets

    /// Each term's name and unweighted value on the finest head, for a log; no gradient. Terms of weight 0 are left
    /// out, for their targets may not have been prepared.
    let breakdown (objective: Objective) (logits: Tensor) (target: Target) : (string * float) list =
        requireTerms objective

        [
            for term in objective.Terms do
                if term.Weight > 0.0 then
                    let value =
                        Tensors.measured (fun () ->
                            use _noGradient = TorchSharp.torch.no_grad ()
                            Tensors.item (Term.loss term logits target))

                    Term.name term, value
        ]

    let private radiusOf (radii: Located<int> list) : TubeRadius =
        match radii with
        | [] -> Tube.standard.Radius
        | first :: rest ->
            match rest |> List.tryFind (fun other -> other.Value <> first.Value) with
            | Some other ->
                raise (
                    ObjectiveSyntax.Refused(
                        other.At,
                        $"tube-radius=%d{other.Value} contradicts tube-radius=%d{first.Value} before it"
                    )
                )
            | None -> TubeRadius.Steps first.Value

    let private supervisionOf (syntax: Located<string> option) : Supervision =
        match syntax with
        | None -> RecallAtFull
        | Some name ->
            match Supervision.parse name.Value with
            | Ok supervision -> supervision
            | Error reason -> raise (ObjectiveSyntax.Refused(name.At, reason.TrimEnd '.'))

    /// The objective of a text, or a message that points at the character where the text is wrong and says what is
    /// wanted there.
    let parse (text: string) : Result<Objective, string> =
        ObjectiveSyntax.explain text (fun text ->
            let tree = ObjectiveSyntax.read text
            let terms, radii = tree.Terms |> List.map Term.ofTree |> List.unzip

            {
                Terms = terms
                Supervision = supervisionOf tree.Supervision
                Tube =
                    { Tube.standard with
                        Radius = radiusOf (List.choose id radii)
                    }
            })

    /// The text of an objective; `parse` gives the same objective back (a tube without recall term is not written).
    /// Options at their standard values are left out. Throws ArgumentException for an objective without terms
    /// and for options of the tube that have no text form.
    let print (objective: Objective) : string =
        requireTerms objective

        let radius =
            match objective.Tube with
            | tube when tube = Tube.standard -> None
            | { Radius = TubeRadius.Steps steps } as tube when
                tube =
                    { Tube.standard with
                        Radius = TubeRadius.Steps steps
                    }
                ->
                Some steps
            | tube -> invalidArg (nameof objective) $"Of a tube's options only steps have a text form; got %A{tube}."

        let terms = objective.Terms |> List.map (Term.print radius) |> String.concat " + "

        match objective.Supervision with
        | RecallAtFull -> terms
        | other -> $"%s{terms} on %s{Supervision.print other}"
