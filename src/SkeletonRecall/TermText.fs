namespace SkeletonRecall

/// What a recall term says about its tube, where it says something, and where.
type internal TubeText = Located<TubeOptions>

/// Terms as text.
[<RequireQualifiedAccess>]
module internal TermText =

    let private refuse (at: int) (reason: string) : 'T =
        raise (ObjectiveSyntax.Refused(at, reason))

    let private scnpRules: OptionRule<ScnpOptions> list =
        [
            let width =
                OptionRule.whole
                    "window"
                    "voxels"
                    3
                    99
                    (fun (options: ScnpOptions) -> Some options.Window)
                    (fun value _ -> { Window = value })

            { width with
                Read =
                    fun option options ->
                        let read = width.Read option options

                        if read.Window % 2 = 0 then
                            refuse option.Name.At $"window is an odd number of voxels, not %d{read.Window}"

                        read
            }
        ]

    let private scnpName = "scnp"

    /// The names of the losses.
    let names: string list = scnpName :: (LossForm.all |> List.map _.Name) |> List.sort

    let private tubeRules: OptionRule<TubeOptions> list =
        [
            OptionRule.whole
                "tube-radius"
                "voxels"
                0
                TubeOptions.MostSteps
                (fun tube ->
                    match tube.Radius with
                    | TubeRadius.Steps steps -> Some steps
                    | TubeRadius.Ball _ -> None)
                (fun steps tube ->
                    { tube with
                        Radius = TubeRadius.Steps steps
                    })
            OptionRule.optionalAbove
                "tube-ball"
                0.0
                (fun tube ->
                    match tube.Radius with
                    | TubeRadius.Ball millimetres -> Some millimetres
                    | TubeRadius.Steps _ -> None)
                (fun millimetres tube ->
                    { tube with
                        Radius = TubeRadius.Ball millimetres
                    })
            OptionRule.flag "per-class" (fun tube -> tube.SkeletonOf = SkeletonOf.EachClass) (fun tube ->
                { tube with
                    SkeletonOf = SkeletonOf.EachClass
                })
            OptionRule.whole
                "ignore"
                "a label"
                0
                (int System.Int16.MaxValue)
                (fun tube -> tube.Ignore |> Option.map int)
                (fun label tube -> { tube with Ignore = Some(int16 label) })
            OptionRule.flag "guard" _.Guard (fun tube -> { tube with Guard = true })
            OptionRule.number "prune" 0.0 infinity _.Prune (fun length tube -> { tube with Prune = length })
            OptionRule.choice
                "thinning"
                [ "zhang", Thinning.Zhang; "lee", Thinning.Lee ]
                _.Thinning
                (fun thinning tube -> { tube with Thinning = Some thinning })
        ]

    let private scheduleRules: OptionRule<WeightSchedule> list =
        [
            OptionRule.whole
                "after"
                "epochs"
                0
                1_000_000
                (function
                | WeightSchedule.After epoch -> Some epoch
                | _ -> None)
                (fun epoch _ -> WeightSchedule.After epoch)
            OptionRule.whole
                "warm-up"
                "epochs"
                1
                1_000_000
                (function
                | WeightSchedule.WarmUp epochs -> Some epochs
                | _ -> None)
                (fun epochs _ -> WeightSchedule.WarmUp epochs)
        ]

    let private refuseRepeated (options: OptionTree list) : unit =
        (Set.empty, options)
        ||> List.fold (fun seen option ->
            if seen.Contains option.Name.Value then
                refuse option.Name.At $"'%s{option.Name.Value}' is given twice"

            seen.Add option.Name.Value)
        |> ignore

    /// Throws Refused where two options say what only one may.
    let private refuseBoth (first: string) (second: string) (options: OptionTree list) : unit =
        match
            options
            |> List.filter (fun option -> option.Name.Value = first || option.Name.Value = second)
        with
        | [ before; option ] ->
            refuse option.Name.At $"%s{option.Name.Value} and %s{before.Name.Value} exclude each other"
        | _ -> ()

    let private isOf (rules: OptionRule<'T> list) (option: OptionTree) : bool =
        rules |> List.exists (fun rule -> rule.Name = option.Name.Value)

    let private refuseUnknown (loss: string) (known: string list) (options: OptionTree list) : unit =
        let all = known @ (scheduleRules |> List.map _.Name)

        match
            options
            |> List.tryFind (fun option -> not (List.contains option.Name.Value all))
        with
        | None -> ()
        | Some option ->
            refuse
                option.Name.At
                $"'%s{option.Name.Value}' is no option of %s{loss}%s{ObjectiveSyntax.near all option.Name.Value}; it knows %s{ObjectiveSyntax.listed all}"

    let private schedule (options: OptionTree list) : WeightSchedule =
        refuseBoth "after" "warm-up" options

        options
        |> List.filter (isOf scheduleRules)
        |> OptionRule.read scheduleRules WeightSchedule.Constant

    /// What stands between the parentheses of `scnp`: terms, which a bare name may be, and options.
    let private held (syntax: TermTree) : TermTree list * OptionTree list =
        match syntax.Inner, syntax.Options with
        | [], { Name = name; Value = None } :: options ->
            [
                {
                    Weight = None
                    Name = name
                    Inner = []
                    Options = []
                }
            ],
            options
        | [], _ -> refuse syntax.Name.At $"%s{scnpName} wants losses in parentheses: %s{scnpName}(dice + ce)"
        | terms, options -> terms, options

    /// The term of a tree, and what its recall terms say about tubes. Throws ObjectiveSyntax.Refused for unknown names and
    /// values out of range.
    let rec ofTree (syntax: TermTree) : Term * TubeText list =
        let loss, options, tubes =
            if syntax.Name.Value = scnpName then
                let terms, options = held syntax
                let terms, tubes = terms |> List.map ofTree |> List.unzip
                refuseUnknown scnpName (scnpRules |> List.map _.Name) options
                refuseRepeated options

                let chosen =
                    options
                    |> List.filter (isOf scnpRules)
                    |> OptionRule.read scnpRules Scnp.standard

                Component.Scnp(chosen, terms), options, List.concat tubes
            else
                let loss, tubes = plain syntax
                loss, syntax.Options, tubes

        {
            Weight = syntax.Weight |> Option.map _.Value |> Option.defaultValue 1.0
            Schedule = schedule options
            Component = loss
        },
        tubes

    and private plain (syntax: TermTree) : Component * TubeText list =
        match LossForm.all |> List.tryFind (fun form -> form.Name = syntax.Name.Value) with
        | None ->
            refuse
                syntax.Name.At
                $"'%s{syntax.Name.Value}' is no loss%s{ObjectiveSyntax.near names syntax.Name.Value}; %s{ObjectiveSyntax.listed names} are"
        | Some form ->
            let ofTube =
                if form.Name = LossForm.recall.Name then
                    tubeRules |> List.map _.Name
                else
                    []

            match syntax.Inner with
            | first :: _ ->
                refuse
                    (first.Weight |> Option.map _.At |> Option.defaultValue first.Name.At)
                    $"%s{form.Name} holds no losses; its options are %s{ObjectiveSyntax.listed (form.Options @ ofTube)}"
            | [] -> ()

            refuseUnknown form.Name (form.Options @ ofTube) syntax.Options
            refuseRepeated syntax.Options
            refuseBoth "tube-radius" "tube-ball" syntax.Options

            let tube =
                syntax.Options
                |> List.filter (fun option -> List.contains option.Name.Value ofTube)

            let options =
                syntax.Options
                |> List.filter (fun option -> List.contains option.Name.Value form.Options)

            form.Read options,
            match tube with
            | [] -> []
            | first :: _ ->
                [
                    {
                        At = first.Name.At
                        Value = OptionRule.read tubeRules Tube.standard tube
                    }
                ]

    /// What a tube's options are as options of a recall term.
    let printTube (tube: TubeOptions) : string list =
        OptionRule.print tubeRules Tube.standard tube

    /// The term's text, with the tube's options where it is a recall.
    let rec print (tube: TubeOptions) (term: Term) : string =
        let own =
            match term.Component with
            | Component.Scnp(options, terms) ->
                (terms |> List.map (print tube) |> String.concat " + ")
                :: OptionRule.print scnpRules Scnp.standard options
            | other ->
                (LossForm.all |> List.pick (fun form -> form.Print other))
                @ (if Term.isRecall term then printTube tube else [])

        let options =
            own @ OptionRule.print scheduleRules WeightSchedule.Constant term.Schedule

        let name =
            match term.Component with
            | Component.Scnp _ -> scnpName
            | _ -> Term.name term

        let number = ObjectiveSyntax.number term.Weight
        // The weight of recall is what users change: it is always shown.
        let weight =
            if term.Weight = 1.0 && not (Term.isRecall term) then
                ""
            elif number.Contains '.' || number.Contains 'e' then
                number + "*"
            else
                number + ".0*"

        match options with
        | [] -> weight + name
        | _ ->
            let text = String.concat ", " options
            $"%s{weight}%s{name}(%s{text})"
