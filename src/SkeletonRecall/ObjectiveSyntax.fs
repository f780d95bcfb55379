namespace SkeletonRecall

open System
open System.Globalization

/// A word or number of an objective's text and the place of its first character, counted from 1.
type internal Located<'T> = { At: int; Value: 'T }

/// `name` or `name=value` between the parentheses of a term.
type internal OptionTree =
    {
        Name: Located<string>
        Value: Located<string> option
    }

/// One term: `weight*name(options)` or, where it holds others, `weight*name(term + term, options)`.
type internal TermTree =
    {
        Weight: Located<float> option
        Name: Located<string>
        /// What stands before the options, where it can be nothing but terms: a bare name is an option without value.
        Inner: TermTree list
        Options: OptionTree list
    }

/// An objective as written: terms and, after `on`, a supervision.
type internal ObjectiveTree =
    {
        Terms: TermTree list
        Supervision: Located<string> option
    }

/// Reads the grammar of an objective's text; which names mean what is not its business.
/// text = sum [ "on" name ]; sum = term { "+" term };
/// term = [ number "*" ] name [ "(" ( sum | option ) { "," option } ")" ]; option = name [ "=" ( number | name ) ].
[<RequireQualifiedAccess>]
module internal ObjectiveSyntax =

    /// Where and why reading stopped; whoever reads a text catches it.
    exception internal Refused of at: int * reason: string

    /// A place in the text and what moves it. Private to one reading.
    [<Sealed>]
    type private Cursor(text: string) =
        let mutable position = 0

        member _.At: int = position + 1

        member this.Peek: char =
            while position < text.Length && Char.IsWhiteSpace text[position] do
                position <- position + 1

            if position < text.Length then text[position] else '\000'

        /// What stands at the place, for a message.
        member this.Found: string =
            match this.Peek with
            | '\000' -> "the end of the text"
            | found -> $"'%c{found}'"

        member this.Stop(wanted: string) : 'T =
            let found = this.Found
            raise (Refused(this.At, $"%s{wanted} is wanted, not %s{found}"))

        /// Steps over the character if it is next.
        member this.Skip(character: char) : bool =
            let next = this.Peek = character

            if next then
                position <- position + 1

            next

        /// The longest run of characters that fit, from the next that is no space.
        member this.Take(fits: string -> char -> bool) : Located<string> =
            this.Peek |> ignore
            let start = position

            while position < text.Length && fits text[start .. position - 1] text[position] do
                position <- position + 1

            {
                At = start + 1
                Value = text[start .. position - 1]
            }

    let private isWord (before: string) (character: char) : bool =
        Char.IsAsciiLetter character
        || (before <> "" && (Char.IsAsciiDigit character || character = '-'))

    /// Digits, a point, an exponent, and a sign in front or after the e.
    let private isNumber (before: string) (character: char) : bool =
        let afterExponent = before.EndsWith 'e' || before.EndsWith 'E'

        Char.IsAsciiDigit character
        || (character = '.' && not (before.Contains '.'))
        || ((character = 'e' || character = 'E')
            && before <> ""
            && not (before.Contains 'e' || before.Contains 'E'))
        || ((character = '-' || character = '+') && (before = "" || afterExponent))

    let private startsNumber (character: char) : bool =
        Char.IsAsciiDigit character || character = '.' || character = '-'

    /// A finite number in the invariant form: digits, a point for decimals, an exponent.
    let tryNumber (text: string) : float option =
        match Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture) with
        | true, value when Double.IsFinite value -> Some value
        | _ -> None

    /// The shortest text that reads back as the same number.
    let number (value: float) : string =
        value.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant()

    let private word (cursor: Cursor) (wanted: string) : Located<string> =
        match cursor.Take isWord with
        | { Value = "" } -> cursor.Stop wanted
        | word -> word

    let private weight (cursor: Cursor) : Located<float> option =
        if not (startsNumber cursor.Peek) then
            None
        else
            let text = cursor.Take isNumber

            match tryNumber text.Value with
            | None -> raise (Refused(text.At, $"a number is wanted, not '%s{text.Value}'"))
            | Some value when value < 0.0 ->
                raise (Refused(text.At, $"a weight of at least 0 is wanted, not %s{text.Value}"))
            | Some value ->
                if cursor.Peek = ',' then
                    cursor.Stop "a decimal point or '*'"

                if not (cursor.Skip '*') then
                    cursor.Stop "'*' and the name of a loss"

                Some { At = text.At; Value = value }

    /// An option, of which the name was read.
    let private optionOf (name: Located<string>) (cursor: Cursor) : OptionTree =
        if not (cursor.Skip '=') then
            { Name = name; Value = None }
        elif startsNumber cursor.Peek then
            {
                Name = name
                Value = Some(cursor.Take isNumber)
            }
        else
            {
                Name = name
                Value = Some(word cursor "a value")
            }

    let rec private term (cursor: Cursor) : TermTree =
        let weight = weight cursor
        termOf weight (word cursor "the name of a loss") cursor

    /// A term, of which weight and name were read.
    and private termOf (weight: Located<float> option) (name: Located<string>) (cursor: Cursor) : TermTree =
        if weight.IsNone && cursor.Peek = '*' then
            raise (Refused(name.At, $"a weight is a number of at least 0, as 0.5, not '%s{name.Value}'"))

        let inner, options = arguments cursor

        {
            Weight = weight
            Name = name
            Inner = inner
            Options = options
        }

    /// What stands in parentheses, if there are any: terms, or options, or terms and then options.
    and private arguments (cursor: Cursor) : TermTree list * OptionTree list =
        let rec options (read: OptionTree list) : OptionTree list =
            if cursor.Skip ',' then
                options (optionOf (word cursor "the name of an option") cursor :: read)
            elif cursor.Skip ')' then
                List.rev read
            else
                cursor.Stop "',' or ')'"

        let rec sum (read: TermTree list) : TermTree list =
            if cursor.Skip '+' then
                sum (term cursor :: read)
            else
                List.rev read

        if not (cursor.Skip '(') then
            [], []
        else
            let weight = weight cursor

            let name =
                word
                    cursor
                    (if weight.IsSome then
                         "the name of a loss"
                     else
                         "the name of an option or of a loss")

            match cursor.Peek with
            | '('
            | '+' ->
                let inner = sum [ termOf weight name cursor ]
                inner, options []
            | _ when weight.IsSome ->
                let inner = sum [ termOf weight name cursor ]
                inner, options []
            | _ -> [], options [ optionOf name cursor ]

    let private objective (cursor: Cursor) : ObjectiveTree =
        let rec more (read: TermTree list) : ObjectiveTree =
            let read = term cursor :: read

            if cursor.Skip '+' then
                more read
            elif cursor.Peek = '\000' then
                {
                    Terms = List.rev read
                    Supervision = None
                }
            else
                match cursor.Take isWord with
                | { Value = "on" } ->
                    let supervision = word cursor "a supervision"

                    if cursor.Peek <> '\000' then
                        cursor.Stop "the end of the text"

                    {
                        Terms = List.rev read
                        Supervision = Some supervision
                    }
                | { Value = "" } -> cursor.Stop "'+' and another term, or the end of the text,"
                | other -> raise (Refused(other.At, $"'+' or 'on' is wanted, not '%s{other.Value}'"))

        more []

    /// Names in a sentence: `a, b and c`.
    let listed (names: string list) : string =
        match List.rev names with
        | [] -> "none"
        | [ only ] -> only
        | last :: rest -> (rest |> List.rev |> String.concat ", ") + " and " + last

    /// How many characters have to be put in, left out or changed to make one word of another.
    let private changes (left: string) (right: string) : int =
        let first = [| 0 .. right.Length |]

        let row (above: int[]) (character: char) : int[] =
            let next = Array.zeroCreate<int> above.Length
            next[0] <- above[0] + 1

            for at in 1 .. right.Length do
                let change = above[at - 1] + (if right[at - 1] = character then 0 else 1)
                next[at] <- min change (1 + min above[at] next[at - 1])

            next

        left.ToCharArray() |> Array.fold row first |> Array.last

    /// ` (near: ...)` with the known names that a wrong one may have been meant for; nothing where there are none.
    let near (known: string list) (wrong: string) : string =
        let isNear (name: string) =
            changes wrong name <= max 1 (min wrong.Length name.Length / 3)
            || (wrong.Length >= 3
                && (name.StartsWith(wrong, StringComparison.Ordinal)
                    || name.EndsWith(wrong, StringComparison.Ordinal)))

        match known |> List.filter isNear with
        | [] -> ""
        | names -> $" (near: %s{listed names})"

    /// The tree of a text. Throws Refused where the grammar does.
    let read (text: string) : ObjectiveTree = objective (Cursor text)

    /// What reading gives, or a message that points at the character of the text where it stopped.
    let explain (text: string) (reading: string -> 'T) : Result<'T, string> =
        try
            Ok(reading text)
        with Refused(at, reason) ->
            Error $"At character %d{at} of \"%s{text}\": %s{reason}."
