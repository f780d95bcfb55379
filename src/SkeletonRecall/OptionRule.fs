namespace SkeletonRecall

/// One option of a loss in the text form: how it is read into the options and printed from them.
type internal OptionRule<'T> =
    {
        Name: string
        /// The options with this one as written; throws ObjectiveSyntax.Refused for a value that does not fit.
        Read: OptionTree -> 'T -> 'T
        /// The option's text, or none where it says nothing.
        Print: 'T -> string option
    }

/// Rules of options, and reading and printing by them.
[<RequireQualifiedAccess>]
module internal OptionRule =

    let private refuse (at: int) (reason: string) : 'T =
        raise (ObjectiveSyntax.Refused(at, reason))

    let private wanted (option: OptionTree) (what: string) : Located<string> =
        match option.Value with
        | Some value -> value
        | None -> refuse option.Name.At $"%s{option.Name.Value} wants %s{what}: %s{option.Name.Value}=..."

    let private numberOf (option: OptionTree) : Located<float> =
        let text = wanted option "a number"

        match ObjectiveSyntax.tryNumber text.Value with
        | Some value -> { At = text.At; Value = value }
        | None -> refuse text.At $"%s{option.Name.Value} is a number, not '%s{text.Value}'"

    /// The value of `name=number`. Throws Refused for a value outside `least` to `greatest` and, unless `closed`, for the
    /// least one itself.
    let private numberWithin (closed: bool) (least: float) (greatest: float) (option: OptionTree) : float =
        let { At = at; Value = value } = numberOf option

        if value < least || value > greatest || (not closed && value = least) then
            let range =
                if System.Double.IsInfinity greatest then
                    (if closed then $"at least %g{least}" else $"above %g{least}")
                else
                    $"in %g{least}..%g{greatest}"

            refuse at $"%s{option.Name.Value} is %s{range}, not %s{ObjectiveSyntax.number value}"

        value

    /// `name` alone for true.
    let flag (name: string) (get: 'T -> bool) (set: 'T -> 'T) : OptionRule<'T> =
        {
            Name = name
            Read =
                fun option options ->
                    match option.Value with
                    | None -> set options
                    | Some value -> refuse value.At $"%s{name} stands alone, without '=%s{value.Value}'"
            Print = fun options -> if get options then Some name else None
        }

    let private optionalWithin
        (closed: bool)
        (name: string)
        (least: float)
        (greatest: float)
        (get: 'T -> float option)
        (set: float -> 'T -> 'T)
        : OptionRule<'T> =
        {
            Name = name
            Read = fun option options -> set (numberWithin closed least greatest option) options
            Print =
                fun options ->
                    get options
                    |> Option.map (fun value -> $"%s{name}=%s{ObjectiveSyntax.number value}")
        }

    /// `name=number` for a number from `least` to `greatest`, or nothing.
    let optional (name: string) (least: float) (greatest: float) (get: 'T -> float option) (set: float -> 'T -> 'T) =
        optionalWithin true name least greatest get set

    /// `name=number` for a number above `least`, or nothing.
    let optionalAbove (name: string) (least: float) (get: 'T -> float option) (set: float -> 'T -> 'T) =
        optionalWithin false name least infinity get set

    /// `name=number` for a number from `least` to `greatest`.
    let number (name: string) (least: float) (greatest: float) (get: 'T -> float) (set: float -> 'T -> 'T) =
        optional name least greatest (get >> Some) set

    /// `name=number` for a number above `least`.
    let above (name: string) (least: float) (get: 'T -> float) (set: float -> 'T -> 'T) =
        optionalAbove name least (get >> Some) set

    /// `name=number` for a whole number, or nothing; `what` it counts is for the message.
    let whole
        (name: string)
        (what: string)
        (least: int)
        (greatest: int)
        (get: 'T -> int option)
        (set: int -> 'T -> 'T)
        : OptionRule<'T> =
        {
            Name = name
            Read =
                fun option options ->
                    let value = numberWithin true (float least) (float greatest) option

                    if value <> floor value then
                        refuse
                            option.Name.At
                            $"%s{name} is a whole number of %s{what}, not %s{ObjectiveSyntax.number value}"

                    set (int value) options
            Print = fun options -> get options |> Option.map (fun value -> $"%s{name}=%d{value}")
        }

    /// `name=word` for one of the words, or nothing.
    let choice
        (name: string)
        (words: (string * 'V) list)
        (get: 'T -> 'V option)
        (set: 'V -> 'T -> 'T)
        : OptionRule<'T> =
        let known = words |> List.map fst |> String.concat " or "

        {
            Name = name
            Read =
                fun option options ->
                    let text = wanted option known

                    match words |> List.tryFind (fun (word, _) -> word = text.Value) with
                    | Some(_, value) -> set value options
                    | None -> refuse text.At $"%s{name} is %s{known}, not '%s{text.Value}'"
            Print =
                fun options ->
                    get options
                    |> Option.bind (fun value -> words |> List.tryFind (fun (_, other) -> other = value))
                    |> Option.map (fun (word, _) -> $"%s{name}=%s{word}")
        }

    /// The options as written over the standard ones, by rules that know all of them.
    let read (rules: OptionRule<'T> list) (standard: 'T) (options: OptionTree list) : 'T =
        (standard, options)
        ||> List.fold (fun value option ->
            match rules |> List.tryFind (fun rule -> rule.Name = option.Name.Value) with
            | Some rule -> rule.Read option value
            | None -> refuse option.Name.At $"'%s{option.Name.Value}' is no option here")

    /// The texts of the options that are not as the standard ones.
    let print (rules: OptionRule<'T> list) (standard: 'T) (value: 'T) : string list =
        rules
        |> List.filter (fun rule -> rule.Print value <> rule.Print standard)
        |> List.choose (fun rule -> rule.Print value)
