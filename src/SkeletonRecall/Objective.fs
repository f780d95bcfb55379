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

/// What a loader has to prepare for an objective.
type ObjectiveNeeds =
    {
        /// The tubed skeletons; None where no term looks at them.
        Tube: TubeOptions option
        /// Whether the coarser heads need skeletons too.
        SkeletonOnAllHeads: bool
    }

/// Objectives: presets, changes, their text, and the functions they stand for.
/// The text is `dice + ce + 1.0*skeleton-recall`: losses joined by `+`, each with a weight and `*` before it where
/// that is not 1, and options in parentheses behind: `ce(label-smoothing=0.1)`, `dice(batch-dice, background,
/// smooth=1e-5)`, `skeleton-recall(batch-dice, smooth=1e-5, tube-radius=3, per-class)`; `after=100` and `warm-up=50` move the
/// weight of any term over the epochs. `scnp` holds losses: `dice + ce + scnp(dice + ce, window=5)`. A supervision other than
/// recall-at-full follows after `on`: `dice + ce + 1.0*skeleton-recall on all-heads`. Numbers have a decimal point in any
/// culture.
[<RequireQualifiedAccess>]
module Objective =

    let private dice: Term = Term.ofComponent (Component.SoftDice SoftDice.standard)

    let private crossEntropy: Term =
        Term.ofComponent (Component.CrossEntropy CrossEntropy.standard)

    let private recall: Term =
        Term.ofComponent (Component.SkeletonRecall SoftRecall.standard)

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

        objective.Terms
        |> List.tryPick Term.problem
        |> Option.iter (invalidArg (nameof objective))

    /// Whether the objective has a recall term at any depth, whatever its weight.
    let private hasRecall (objective: Objective) : bool =
        let rec isHeld (term: Term) : bool =
            Term.isRecall term || List.exists isHeld (Term.inner term)

        List.exists isHeld objective.Terms

    let private requireRecall (what: string) (objective: Objective) : unit =
        if not (hasRecall objective) then
            invalidArg (nameof objective) $"%s{what} has no meaning: the objective has no term skeleton-recall."

    /// The same objective with batch Dice on or off in all terms that know it, as nnU-Net's plans say.
    let withBatchDice (batchDice: bool) (objective: Objective) : Objective =
        let change (loss: Component) : Component =
            match loss with
            | Component.SoftDice options -> Component.SoftDice { options with BatchDice = batchDice }
            | Component.SkeletonRecall options -> Component.SkeletonRecall { options with BatchDice = batchDice }
            | Component.Tversky options -> Component.Tversky { options with BatchDice = batchDice }
            | other -> other

        { objective with
            Terms =
                objective.Terms
                |> List.map (
                    Term.map (fun term ->
                        { term with
                            Component = change term.Component
                        })
                )
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
                |> List.map (
                    Term.map (fun term ->
                        if Term.isRecall term then
                            { term with Weight = weight }
                        else
                            term)
                )
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

    /// Whether training needs tubed skeletons: whether a recall term, at any depth, has a weight above 0.
    let needsSkeleton (objective: Objective) : bool =
        objective.Terms |> List.exists (Term.exists Term.isRecall)

    /// What the loader has to prepare for the terms of a weight above 0, at whatever epoch they begin.
    let needs (objective: Objective) : ObjectiveNeeds =
        {
            Tube =
                if needsSkeleton objective then
                    Some objective.Tube
                else
                    None
            SkeletonOnAllHeads =
                match objective.Supervision with
                | AllHeads
                | AllHeadsNearest -> true
                | RecallAtFull
                | FullResolution -> false
        }

    /// The objective as it counts in an epoch, the first of which is 0: weights by their schedules, and no schedules left.
    let at (epoch: int) (objective: Objective) : Objective =
        let settle (term: Term) : Term =
            { term with
                Weight = term.Weight * WeightSchedule.factor epoch term.Schedule
                Schedule = WeightSchedule.Constant
            }

        { objective with
            Terms = objective.Terms |> List.map (Term.map settle)
        }

    /// The weighted sum of the objective's terms on one head: logits (B, C, spatial...) and target to a scalar.
    /// On the CPU, cross-entropy, Dice and recall are computed together in a fused form, which can be differentiated
    /// once; a sum that is to be differentiated twice is `Loss.sum` of the terms' losses. Weights count in full, whatever
    /// their schedules; `at` gives the objective of an epoch.
    /// Throws ArgumentException as the terms' losses do.
    let headLoss (objective: Objective) (logits: Tensor) (target: Target) : Tensor =
        requireTerms objective
        Term.sum objective.Terms logits target

    /// The objective over all heads, finest first, with their weights (`Loss.headWeights`).
    /// Throws ArgumentException for lists of unequal length and as the terms' losses do.
    let loss (objective: Objective) (headWeights: float list) (logits: Tensor list) (targets: Target list) : Tensor =
        requireTerms objective
        let full: Loss = Term.sum objective.Terms
        let coarse: Loss = Term.sum (Term.without Term.isRecall objective.Terms)

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

    /// The one tube that recall terms ask for; the standard one where none says anything.
    let private tubeOf (tubes: TubeText list) : TubeOptions =
        match tubes with
        | [] -> Tube.standard
        | first :: rest ->
            match rest |> List.tryFind (fun other -> other.Value <> first.Value) with
            | None -> first.Value
            | Some other ->
                let text (tube: TubeText) =
                    match TermText.printTube tube.Value with
                    | [] -> "the standard tube"
                    | options -> String.concat ", " options

                raise (ObjectiveSyntax.Refused(other.At, $"%s{text other} contradicts %s{text first} before it"))

    let private supervisionOf (syntax: Located<string> option) : Supervision =
        match syntax with
        | None -> RecallAtFull
        | Some name ->
            match Supervision.parse name.Value with
            | Ok supervision -> supervision
            | Error reason -> raise (ObjectiveSyntax.Refused(name.At, reason.TrimEnd '.'))

    /// The names of the published recipes and the text of each. A preset stands for an objective wherever its text may
    /// stand, alone or with a supervision: `nnunet`, `skeleton-recall on all-heads`. Some have the name of a loss; that loss
    /// alone is written with its weight: `1.0*tversky`.
    let presets: (string * string) list =
        [
            // Isensee et al. 2021; Kirchhoff et al. 2024.
            "nnunet", "dice + ce"
            "skeleton-recall", "dice + ce + 1.0*skeleton-recall"
            "skeleton-recall-per-class", "dice + ce + 1.0*skeleton-recall(present-only, per-class)"
            // Shit et al. 2021, alpha 0.5; Acebes et al. 2024; Shi et al. 2024, in the weights of their trainer.
            "cldice", "cldice(dice-share=0.5)"
            "clce", "dice + clce"
            "cbdice", "dice + 2.0*ce + cbdice"
            // nnU-Net's TopKLoss and DC_and_topk_loss.
            "topk", "topk"
            "dice-topk", "dice + topk"
            // Kervadec et al. 2019: a share that grows by 0.01 an epoch.
            "boundary", "dice + boundary(warm-up=100)"
            // Salehi et al. 2017; Abraham and Khan 2019.
            "tversky", "tversky"
            "focal-tversky", "tversky(gamma=1.3333333333333333)"
            // Lin et al. 2017.
            "focal", "focal(alpha=0.25)"
            // Valverde et al. 2026: raw and penalized, alone and with skeleton recall.
            "scnp", "dice + ce + scnp(dice + ce)"
            "scnp-skeleton-recall", "dice + ce + 1.0*skeleton-recall + scnp(dice + ce + 1.0*skeleton-recall)"
        ]

    let private presetOf (terms: TermTree list) : string option =
        match terms with
        | [ {
                Weight = None
                Name = name
                Inner = []
                Options = []
            } ] ->
            presets
            |> List.tryFind (fun (preset, _) -> preset = name.Value)
            |> Option.map snd
        | _ -> None

    let private termsOf (tree: ObjectiveTree) : Term list * TubeOptions =
        let trees =
            match presetOf tree.Terms with
            | Some text -> (ObjectiveSyntax.read text).Terms
            | None -> tree.Terms

        let isLoss (name: string) = List.contains name TermText.names

        for term in trees do
            let name = term.Name.Value

            if not (isLoss name) && presets |> List.exists (fun (preset, _) -> preset = name) then
                raise (
                    ObjectiveSyntax.Refused(
                        term.Name.At,
                        $"'%s{name}' is a preset, which stands alone or with 'on' and a supervision; a loss is wanted"
                    )
                )

            if trees.Length = 1 && not (isLoss name) then
                let known = TermText.names @ List.map fst presets |> List.distinct

                raise (
                    ObjectiveSyntax.Refused(
                        term.Name.At,
                        $"'%s{name}' is no loss and no preset%s{ObjectiveSyntax.near known name}; losses are %s{ObjectiveSyntax.listed TermText.names}, presets %s{ObjectiveSyntax.listed (List.map fst presets)}"
                    )
                )

        let terms, tubes = trees |> List.map TermText.ofTree |> List.unzip
        terms, tubeOf (List.concat tubes)

    /// The objective of a text or of a preset's name, or a message that points at the character where the text is wrong
    /// and says what is wanted there.
    let parse (text: string) : Result<Objective, string> =
        ObjectiveSyntax.explain text (fun text ->
            let tree = ObjectiveSyntax.read text
            let terms, tube = termsOf tree

            {
                Terms = terms
                Supervision = supervisionOf tree.Supervision
                Tube = tube
            })

    /// The text of an objective; `parse` gives the same objective back (a tube without recall term is not written).
    /// Options at their standard values are left out. Throws ArgumentException for an objective without terms and for
    /// weights and schedules out of range.
    let print (objective: Objective) : string =
        requireTerms objective

        let terms =
            objective.Terms
            |> List.map (TermText.print objective.Tube)
            |> String.concat " + "

        // The name of a preset alone would be read as the preset.
        let terms =
            if presets |> List.exists (fun (preset, _) -> preset = terms) then
                "1.0*" + terms
            else
                terms

        match objective.Supervision with
        | RecallAtFull -> terms
        | other -> $"%s{terms} on %s{Supervision.print other}"
