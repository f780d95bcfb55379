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

/// A term's name, its loss and its text.
[<RequireQualifiedAccess>]
module Term =

    /// Whether the term is a skeleton recall, which needs tubed skeletons.
    let isRecall (term: Term) : bool =
        match term.Component with
        | Component.SkeletonRecall _ -> true
        | _ -> false

    /// The loss's name in the text form: `ce`, `dice` or `skeleton-recall`.
    let name (term: Term) : string =
        match term.Component with
        | Component.CrossEntropy _ -> "ce"
        | Component.SoftDice _ -> "dice"
        | Component.SkeletonRecall _ -> "skeleton-recall"

    /// The unweighted loss of a term.
    let loss (term: Term) (logits: Tensor) (target: Target) : Tensor =
        match term.Component with
        | Component.CrossEntropy options -> CrossEntropy.loss options logits target
        | Component.SoftDice options -> SoftDice.loss options logits target
        | Component.SkeletonRecall options -> SoftRecall.loss options logits target

    let private numberOf (option: OptionTree) : float =
        match option.Value with
        | Some text ->
            match ObjectiveSyntax.tryNumber text.Value with
            | Some value -> value
            | None ->
                raise (ObjectiveSyntax.Refused(text.At, $"%s{option.Name.Value} is a number, not '%s{text.Value}'"))
        | None ->
            raise (
                ObjectiveSyntax.Refused(
                    option.Name.At,
                    $"%s{option.Name.Value} wants a number: %s{option.Name.Value}=..."
                )
            )

    let private numberWithin (least: float) (greatest: float) (option: OptionTree) : float =
        let value = numberOf option

        if value < least || value > greatest then
            let at = option.Value |> Option.map _.At |> Option.defaultValue option.Name.At

            let range =
                if System.Double.IsInfinity greatest then
                    $"at least %g{least}"
                else
                    $"in %g{least}..%g{greatest}"

            raise (
                ObjectiveSyntax.Refused(at, $"%s{option.Name.Value} is %s{range}, not %s{ObjectiveSyntax.number value}")
            )

        value

    let private flag (option: OptionTree) : unit =
        match option.Value with
        | None -> ()
        | Some value ->
            raise (ObjectiveSyntax.Refused(value.At, $"%s{option.Name.Value} stands alone, without '=%s{value.Value}'"))

    let private unknown (loss: string) (known: string) (option: OptionTree) : 'T =
        raise (
            ObjectiveSyntax.Refused(
                option.Name.At,
                $"'%s{option.Name.Value}' is no option of %s{loss}; it knows %s{known}"
            )
        )

    let private crossEntropyOption (options: CrossEntropyOptions) (option: OptionTree) : CrossEntropyOptions =
        ignore options

        match option.Name.Value with
        | "label-smoothing" ->
            {
                LabelSmoothing = numberWithin 0.0 1.0 option
            }
        | _ -> unknown "ce" "label-smoothing" option

    let private diceOption (options: SoftDiceOptions) (option: OptionTree) : SoftDiceOptions =
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
        (option: OptionTree)
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
            let value = numberWithin 0.0 (float TubeOptions.MostSteps) option

            if value <> floor value then
                raise (
                    ObjectiveSyntax.Refused(
                        option.Name.At,
                        $"tube-radius is a whole number of voxels, not %s{ObjectiveSyntax.number value}"
                    )
                )

            options,
            Some
                {
                    At = option.Name.At
                    Value = int value
                }
        | _ -> unknown "skeleton-recall" "batch-dice, smooth and tube-radius" option

    let private refuseRepeated (options: OptionTree list) : unit =
        (Set.empty, options)
        ||> List.fold (fun seen option ->
            if seen.Contains option.Name.Value then
                raise (ObjectiveSyntax.Refused(option.Name.At, $"'%s{option.Name.Value}' is given twice"))

            seen.Add option.Name.Value)
        |> ignore

    /// The term of a tree and the tube radius that it asks for. Throws ObjectiveSyntax.Refused for unknown names and
    /// values out of range.
    let internal ofTree (syntax: TermTree) : Term * Located<int> option =
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
            | other ->
                raise (
                    ObjectiveSyntax.Refused(syntax.Name.At, $"'%s{other}' is no loss; ce, dice and skeleton-recall are")
                )

        {
            Weight = syntax.Weight |> Option.map _.Value |> Option.defaultValue 1.0
            Component = loss
        },
        radius

    let private printOptions (options: string list) : string =
        match options with
        | [] -> ""
        | _ ->
            let text = String.concat ", " options
            $"(%s{text})"

    /// The term's text, with the given tube radius if it is a recall.
    let internal print (radius: int option) (term: Term) : string =
        let smooth (value: float) (standard: float) =
            if value = standard then
                []
            else
                [ "smooth=" + ObjectiveSyntax.number value ]

        let options =
            match term.Component with
            | Component.CrossEntropy options when options = CrossEntropy.standard -> []
            | Component.CrossEntropy options -> [ "label-smoothing=" + ObjectiveSyntax.number options.LabelSmoothing ]
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

        let number = ObjectiveSyntax.number term.Weight
        // The weight of recall is what users change: it is always shown.
        let weight =
            if term.Weight = 1.0 && not (isRecall term) then
                ""
            elif number.Contains '.' || number.Contains 'e' then
                number + "*"
            else
                number + ".0*"

        weight + name term + printOptions options
