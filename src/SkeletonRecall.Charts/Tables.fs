namespace SkeletonRecall.Charts

open System
open Giraffe.ViewEngine
open SkeletonRecall
open SkeletonRecall.Training

/// The tables of the report.
[<RequireQualifiedAccess>]
module internal Tables =

    let private header (label: string) : XmlNode = th [ _scope "col" ] [ str label ]

    let private runColour (names: string list) (name: string) : XmlAttribute =
        let index = List.tryFindIndex ((=) name) names |> Option.defaultValue 0
        _style $"--run:%s{Curves.colour index}"

    /// A run's name with the dot of its colour.
    let runName (names: string list) (name: string) : XmlNode =
        span [ _class "run"; runColour names name ] [ str name ]

    let private verdict (row: MeasureRow) (interval: Interval) : XmlNode =
        let style, words =
            match Comparison.verdict row.HigherIsBetter interval with
            | Better -> "better", "better"
            | Worse -> "worse", "worse"
            | Unclear -> "unclear", "not clear"

        span [ _class $"verdict %s{style}" ] [ str words ]

    let private probability (row: MeasureRow) (run: string) : string =
        match List.tryFind (fun (name, _) -> name = run) row.Tests with
        | Some(_, test) when Double.IsFinite test.P ->
            if test.P < 0.001 then
                ", p < 0.001"
            else
                $", p = %s{Numeral.fixedPoint 3 test.P}"
        | _ -> ""

    // The interval on a line around 0; `reach` is the value at either end.
    let private forest (colour: XmlAttribute) (reach: float) (interval: Interval) : XmlNode =
        let at (value: float) =
            Numeral.machine (Math.Round(70.0 + 66.0 * Math.Clamp(value / reach, -1.0, 1.0), 2))

        let line (style: string) (x1: string) (x2: string) (y1: string) (y2: string) =
            tag "line" [ _class style; attr "x1" x1; attr "x2" x2; attr "y1" y1; attr "y2" y2 ] []

        tag
            "svg"
            [
                _class "forest"
                attr "viewBox" "0 0 140 20"
                attr "aria-hidden" "true"
                colour
            ]
            [
                line "zero" "70" "70" "0" "20"
                line "bar" (at interval.Low) (at interval.High) "10" "10"
                tag "circle" [ attr "cx" (at interval.Mean); attr "cy" "10"; attr "r" "4.5" ] []
            ]

    let private labelled (label: string) : XmlAttribute = attr "data-label" label

    let private differenceCells
        (names: string list)
        (label: string)
        (reach: float)
        (row: MeasureRow)
        (run: string, interval: Interval)
        : XmlNode list =
        let signed = Numeral.signed row.Digits

        if interval.Count = 0 then
            [
                td [ labelled label ] [ str Numeral.none ]
                td [ labelled "" ] []
                td [ _class "text"; labelled "" ] [ str "no pair of values" ]
            ]
        else
            let range =
                $"%s{signed interval.Low} to %s{signed interval.High}, n = %s{Numeral.count interval.Count}%s{probability row run}"

            [
                td
                    [ labelled label ]
                    [
                        span [ _class "value" ] [ str (signed interval.Mean); span [ _class "range" ] [ str range ] ]
                    ]
                td [ labelled "95 % interval" ] [ forest (runColour names run) reach interval ]
                td [ _class "text"; labelled "" ] [ verdict row interval ]
            ]

    /// Means of each run, and differences from the first with their intervals.
    let scores (names: string list) (comparison: Comparison) : XmlNode =
        // With one difference the column needs no name.
        let label (run: string) =
            if comparison.Runs.Length = 2 then
                "difference"
            else
                $"difference, %s{run}"

        // Rows of one kind share a scale: ratios one, counting errors the other.
        let reach (row: MeasureRow) =
            comparison.Rows
            |> List.filter (fun other -> other.HigherIsBetter = row.HigherIsBetter)
            |> List.collect _.Differences
            |> List.collect (fun (_, interval) -> [ abs interval.Low; abs interval.High ])
            |> List.filter Double.IsFinite
            |> List.fold max 0.0
            |> fun largest -> if largest > 0.0 then largest else 1.0

        let row (row: MeasureRow) =
            let direction =
                if row.HigherIsBetter then
                    "higher is better"
                else
                    "lower is better"

            tr
                []
                [
                    th [ _scope "row" ] [ str row.Measure; span [ _class "range" ] [ str direction ] ]
                    yield!
                        row.Means
                        |> List.map (fun (run, mean) ->
                            td [ labelled run ] [ str (Numeral.fixedPoint row.Digits mean) ])
                    yield!
                        row.Differences
                        |> List.collect (fun (run, interval) ->
                            differenceCells names (label run) (reach row) row (run, interval))
                ]

        let differenceHeaders (run: string) =
            [
                th [ _scope "col" ] [ str (label run) ]
                th [ _class "text"; _scope "colgroup"; attr "colspan" "2" ] [ str "95 % interval, 0 dotted" ]
            ]

        div
            [
                _class "scroll"
                attr "tabindex" "0"
                attr "role" "region"
                attr "aria-label" "Scores of the runs"
            ]
            [
                table
                    [ _class "scores" ]
                    [
                        thead
                            []
                            [
                                tr
                                    []
                                    [
                                        header "Mean over cases"
                                        yield!
                                            comparison.Runs
                                            |> List.map (fun name -> th [ _scope "col" ] [ runName names name ])
                                        yield!
                                            comparison.Runs
                                            |> List.skip (min 1 comparison.Runs.Length)
                                            |> List.collect differenceHeaders
                                    ]
                            ]
                        tbody [] (List.map row comparison.Rows)
                    ]
            ]

    // Label, decimals, the order that a first click wants (worst first), value.
    let private caseColumns (scores: Scores list) : (string * int * string * (Scores -> float)) list =
        let shown = Comparison.measures scores |> List.map (fun (name, _, _, _) -> name)

        let counts =
            [
                Measure.B0Error, [ Measure.B0Predicted; Measure.B0True ]
                Measure.B1Error, [ Measure.B1Predicted; Measure.B1True ]
                Measure.B2Error, [ Measure.B2Predicted; Measure.B2True ]
            ]
            |> List.filter (fun (error, _) -> List.contains (Measure.print error) shown)
            |> List.collect snd

        Evaluation.measuresOf scores
        |> List.filter (fun measure -> List.contains (Measure.print measure) shown || List.contains measure counts)
        |> List.map (fun measure ->
            let whole =
                Measure.unit measure = "count"
                && scores
                   |> List.forall (fun score ->
                       let value = score.Value measure
                       Double.IsNaN value || value = Math.Round value)

            let first =
                if Measure.better measure = Better.Higher then
                    "ascending"
                else
                    "descending"

            Measure.print measure,
            (if whole then 0 else Comparison.digits measure),
            first,
            (fun (scores: Scores) -> scores.Value measure))

    /// One row per case, run and class, in the order of `cases`; headers sort. `link` gives the address of a case's
    /// picture on the page.
    let cases
        (link: string -> string option)
        (names: string list)
        (cases: string list)
        (runs: (string * Scores list) list)
        : XmlNode =
        let rank = cases |> List.mapi (fun index case -> case, index) |> Map.ofList

        let columns = runs |> List.collect snd |> caseColumns

        let manyClasses =
            runs |> List.collect snd |> List.exists (fun scores -> scores.Label <> 1)

        let sortable (first: string) (style: string) (label: string) =
            th [ _scope "col"; _class style; attr "data-first" first ] [ button [ _type "button" ] [ str label ] ]

        let number (digits: int) (value: float) =
            td [ attr "data-value" (Numeral.machine value) ] [ str (Numeral.fixedPoint digits value) ]

        let row (run: string, scores: Scores) =
            let name =
                match link scores.Case with
                | Some address -> a [ _href address ] [ str scores.Case ]
                | None -> str scores.Case

            tr
                []
                [
                    th [ _scope "row" ] [ name ]
                    td [ _class "text" ] [ runName names run ]
                    if manyClasses then
                        number 0 (float scores.Label)
                    yield! columns |> List.map (fun (_, digits, _, value) -> number digits (value scores))
                ]

        div
            [
                _class "scroll cases"
                attr "tabindex" "0"
                attr "role" "region"
                attr "aria-label" "Scores of each case"
            ]
            [
                table
                    [ _class "sortable" ]
                    [
                        thead
                            []
                            [
                                tr
                                    []
                                    [
                                        sortable "ascending" "" "Case"
                                        sortable "ascending" "text" "Run"
                                        if manyClasses then
                                            sortable "ascending" "" "class"
                                        yield! columns |> List.map (fun (label, _, first, _) -> sortable first "" label)
                                    ]
                            ]
                        runs
                        |> List.collect (fun (run, scores) -> scores |> List.map (fun scores -> run, scores))
                        |> List.sortBy (fun (_, scores) ->
                            Map.tryFind scores.Case rank |> Option.defaultValue Int32.MaxValue)
                        |> List.map row
                        |> tbody []
                    ]
            ]

    /// The scores of one case, a column per run; nothing when it has none.
    let oneCase (names: string list) (scores: (string * Scores list) list) (case: string) : XmlNode list =
        let values =
            scores
            |> List.choose (fun (run, scores) ->
                match List.filter (fun (score: Scores) -> score.Case = case) scores with
                | [] -> None
                | found -> Some(run, found))

        if values.IsEmpty then
            []
        else
            [
                table
                    []
                    [
                        thead
                            []
                            [
                                tr
                                    []
                                    (td [] []
                                     :: List.map (fun (run, _) -> th [ _scope "col" ] [ runName names run ]) values)
                            ]
                        scores
                        |> List.collect snd
                        |> Comparison.measures
                        |> List.map (fun (name, _, digits, value) ->
                            tr
                                []
                                (th [ _scope "row" ] [ str name ]
                                 :: List.map
                                     (fun (_, found) ->
                                         let mean = Evaluation.mean value found
                                         // Counts of one class are whole.
                                         let digits = if mean = Math.Round mean && digits = 2 then 0 else digits
                                         td [] [ str (Numeral.fixedPoint digits mean) ])
                                     values))
                        |> tbody []
                    ]
            ]
