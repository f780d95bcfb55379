namespace SkeletonRecall

/// A loss and its options.
[<RequireQualifiedAccess>]
type Component =
    /// `ce`
    | CrossEntropy of CrossEntropyOptions
    /// `dice`
    | SoftDice of SoftDiceOptions
    /// `skeleton-recall`
    | SkeletonRecall of SoftRecallOptions

/// A loss and its weight.
type Term =
    {
        /// Finite, at least 0. A term of weight 0 is not evaluated.
        Weight: float
        /// What is weighted.
        Component: Component
    }

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

    let private isRecall (term: Term) : bool =
        match term.Component with
        | Component.SkeletonRecall _ -> true
        | _ -> false

    let private requireTerms (objective: Objective) : unit =
        if objective.Terms.IsEmpty then
            invalidArg (nameof objective) "An objective has at least one term; this one has none."

        for term in objective.Terms do
            if not (System.Double.IsFinite term.Weight && term.Weight >= 0.0) then
                invalidArg (nameof objective) $"A weight is a finite number of at least 0; got %g{term.Weight}."

    let private requireRecall (what: string) (objective: Objective) : unit =
        if not (List.exists isRecall objective.Terms) then
            invalidArg (nameof objective) $"%s{what} has no meaning: the objective has no term skeleton-recall."

    /// The loss's name in the text form: `ce`, `dice` or `skeleton-recall`.
    let componentName (loss: Component) : string =
        match loss with
        | Component.CrossEntropy _ -> "ce"
        | Component.SoftDice _ -> "dice"
        | Component.SkeletonRecall _ -> "skeleton-recall"

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
                    if isRecall term then
                        { term with Weight = weight }
                    else
                        term)
        }

    /// The same objective with another radius of the tube, in voxels (at least 0).
    /// Throws ArgumentException for a radius out of range and for an objective without recall term.
    let withTubeRadius (radius: int) (objective: Objective) : Objective =
        requireRecall "A tube radius" objective

        if radius < 0 then
            invalidArg (nameof radius) $"A tube's radius is at least 0 voxels; got %d{radius}."

        { objective with
            Tube = { objective.Tube with Radius = radius }
        }

    /// The same objective with another supervision.
    let withSupervision (supervision: Supervision) (objective: Objective) : Objective =
        { objective with
            Supervision = supervision
        }

    /// Whether training needs tubed skeletons: whether a recall term has a weight above 0.
    let needsSkeleton (objective: Objective) : bool =
        objective.Terms |> List.exists (fun term -> isRecall term && term.Weight > 0.0)

    /// The loss of one component.
    let componentLoss (loss: Component) (logits: Tensor) (target: Target) : Tensor =
        match loss with
        | Component.CrossEntropy options -> CrossEntropy.loss options logits target
        | Component.SoftDice options -> SoftDice.loss options logits target
        | Component.SkeletonRecall options -> SoftRecall.loss options logits target

    /// The weighted sum of an objective's terms on one head. Terms of weight 0 are not evaluated.
    let private termsLoss (terms: Term list) (logits: Tensor) (target: Target) : Tensor =
        let losses =
            terms
            |> List.filter (fun term -> term.Weight > 0.0)
            |> List.map (fun term -> Loss.weighted term.Weight (componentLoss term.Component))

        Loss.sum losses logits target

    /// The weighted sum of the objective's terms on one head: logits (B, C, spatial...) and target to a scalar.
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
            termsLoss (objective.Terms |> List.filter (fun term -> not (isRecall term)))

        let heads: (float * Loss) list =
            headWeights
            |> List.mapi (fun head weight ->
                match head, objective.Supervision with
                | 0, _
                | _, AllHeads -> weight, full
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
                            Tensors.item (componentLoss term.Component logits target))

                    componentName term.Component, value
        ]

    // ---- text ----

    /// Stops the reading of one option or term; caught in `parse`.
    exception private Refused of at: int * reason: string

    let private numberOf (option: OptionSyntax) : float =
        match option.Value with
        | Some text ->
            match ObjectiveText.tryNumber text.Value with
            | Some value -> value
            | None -> raise (Refused(text.At, $"%s{option.Name.Value} is a number, not '%s{text.Value}'"))
        | None -> raise (Refused(option.Name.At, $"%s{option.Name.Value} wants a number: %s{option.Name.Value}=..."))

    let private numberWithin (least: float) (greatest: float) (option: OptionSyntax) : float =
        let value = numberOf option

        if value < least || value > greatest then
            let at = option.Value |> Option.map _.At |> Option.defaultValue option.Name.At

            let range =
                if System.Double.IsInfinity greatest then
                    $"at least %g{least}"
                else
                    $"in %g{least}..%g{greatest}"

            raise (Refused(at, $"%s{option.Name.Value} is %s{range}, not %s{ObjectiveText.number value}"))

        value

    let private flag (option: OptionSyntax) : unit =
        match option.Value with
        | None -> ()
        | Some value -> raise (Refused(value.At, $"%s{option.Name.Value} stands alone, without '=%s{value.Value}'"))

    let private unknown (loss: string) (known: string) (option: OptionSyntax) : 'T =
        raise (Refused(option.Name.At, $"'%s{option.Name.Value}' is no option of %s{loss}; it knows %s{known}"))

    let private crossEntropyOption (options: CrossEntropyOptions) (option: OptionSyntax) : CrossEntropyOptions =
        ignore options

        match option.Name.Value with
        | "label-smoothing" ->
            {
                LabelSmoothing = numberWithin 0.0 1.0 option
            }
        | _ -> unknown "ce" "label-smoothing" option

    let private diceOption (options: SoftDiceOptions) (option: OptionSyntax) : SoftDiceOptions =
        match option.Name.Value with
        | "batch-dice" ->
            flag option
            { options with BatchDice = true }
        | "background" ->
            flag option
            { options with Background = true }
        | "smooth" ->
            { options with
                Smooth = numberWithin 0.0 infinity option
            }
        | _ -> unknown "dice" "batch-dice, background and smooth" option

    let private recallOption
        (options: SoftRecallOptions, radius: Located<int> option)
        (option: OptionSyntax)
        : SoftRecallOptions * Located<int> option =
        match option.Name.Value with
        | "batch-dice" ->
            flag option
            { options with BatchDice = true }, radius
        | "smooth" ->
            { options with
                Smooth = numberWithin 0.0 infinity option
            },
            radius
        | "tube-radius" ->
            let value = numberWithin 0.0 1000.0 option

            if value <> floor value then
                raise (
                    Refused(
                        option.Name.At,
                        $"tube-radius is a whole number of voxels, not %s{ObjectiveText.number value}"
                    )
                )

            options,
            Some
                {
                    At = option.Name.At
                    Value = int value
                }
        | _ -> unknown "skeleton-recall" "batch-dice, smooth and tube-radius" option

    let private refuseRepeated (options: OptionSyntax list) : unit =
        (Set.empty, options)
        ||> List.fold (fun seen option ->
            if seen.Contains option.Name.Value then
                raise (Refused(option.Name.At, $"'%s{option.Name.Value}' is given twice"))

            seen.Add option.Name.Value)
        |> ignore

    let private termOf (syntax: TermSyntax) : Term * Located<int> option =
        refuseRepeated syntax.Options

        let loss, radius =
            match syntax.Name.Value with
            | "ce" ->
                let options = List.fold crossEntropyOption CrossEntropy.standard syntax.Options
                Component.CrossEntropy options, None
            | "dice" ->
                let options = List.fold diceOption SoftDice.standard syntax.Options
                Component.SoftDice options, None
            | "skeleton-recall" ->
                let options, radius =
                    List.fold recallOption (SoftRecall.standard, None) syntax.Options

                Component.SkeletonRecall options, radius
            | other -> raise (Refused(syntax.Name.At, $"'%s{other}' is no loss; ce, dice and skeleton-recall are"))

        {
            Weight = syntax.Weight |> Option.map _.Value |> Option.defaultValue 1.0
            Component = loss
        },
        radius

    let private radiusOf (radii: Located<int> list) : int =
        match radii with
        | [] -> Tube.standard.Radius
        | first :: rest ->
            match rest |> List.tryFind (fun other -> other.Value <> first.Value) with
            | Some other ->
                raise (
                    Refused(other.At, $"tube-radius=%d{other.Value} contradicts tube-radius=%d{first.Value} before it")
                )
            | None -> first.Value

    let private supervisionOf (syntax: Located<string> option) : Supervision =
        match syntax with
        | None -> RecallAtFull
        | Some name ->
            match Supervision.parse name.Value with
            | Ok supervision -> supervision
            | Error reason -> raise (Refused(name.At, reason.TrimEnd '.'))

    /// The objective of a text, or a message that points at the character where the text is wrong and says what is
    /// wanted there.
    let parse (text: string) : Result<Objective, string> =
        ObjectiveText.read text
        |> Result.bind (fun syntax ->
            try
                let terms, radii = syntax.Terms |> List.map termOf |> List.unzip

                Ok
                    {
                        Terms = terms
                        Supervision = supervisionOf syntax.Supervision
                        Tube =
                            {
                                Radius = radiusOf (List.choose id radii)
                            }
                    }
            with Refused(at, reason) ->
                Error(ObjectiveText.pointAt text at reason))

    let private printOptions (options: string list) : string =
        match options with
        | [] -> ""
        | _ ->
            let text = String.concat ", " options
            $"(%s{text})"

    let private printTerm (radius: int option) (term: Term) : string =
        let smooth (value: float) (standard: float) =
            if value = standard then
                []
            else
                [ "smooth=" + ObjectiveText.number value ]

        let options =
            match term.Component with
            | Component.CrossEntropy options when options = CrossEntropy.standard -> []
            | Component.CrossEntropy options -> [ "label-smoothing=" + ObjectiveText.number options.LabelSmoothing ]
            | Component.SoftDice options ->
                [
                    if options.BatchDice then
                        "batch-dice"
                    if options.Background then
                        "background"
                    yield! smooth options.Smooth SoftDice.standard.Smooth
                ]
            | Component.SkeletonRecall options ->
                [
                    if options.BatchDice then
                        "batch-dice"
                    yield! smooth options.Smooth SoftRecall.standard.Smooth
                    match radius with
                    | Some radius -> $"tube-radius=%d{radius}"
                    | None -> ()
                ]

        let number = ObjectiveText.number term.Weight
        // The weight of recall is what users change: it is always shown.
        let weight =
            if term.Weight = 1.0 && not (isRecall term) then
                ""
            elif number.Contains '.' || number.Contains 'e' then
                number + "*"
            else
                number + ".0*"

        weight + componentName term.Component + printOptions options

    /// The text of an objective; `parse` gives the same objective back (a tube without recall term is not written).
    /// Options at their standard values are left out. Throws ArgumentException for an objective without terms.
    let print (objective: Objective) : string =
        requireTerms objective

        let radius =
            if objective.Tube = Tube.standard then
                None
            else
                Some objective.Tube.Radius

        let terms = objective.Terms |> List.map (printTerm radius) |> String.concat " + "

        match objective.Supervision with
        | RecallAtFull -> terms
        | other -> $"%s{terms} on %s{Supervision.print other}"
