namespace SkeletonRecall.Charts

open System
open System.IO
open System.Text
open Giraffe.ViewEngine
open Plotly.NET
open SkeletonRecall
open SkeletonRecall.Training

/// All that the page shows. Runs go by their names, in the order of `Scores` (the baseline first).
type ReportInput =
    {
        Title: string
        /// One or two sentences under the title.
        Summary: string
        /// What was run: options by name.
        Options: (string * string) list
        /// Curves of training.
        Runs: Run list
        /// Scores of the held-out cases of each run.
        Scores: (string * Scores list) list
        /// Seed of the bootstrap behind the intervals.
        Seed: int
        Overlays: CaseOverlay list
    }

/// One page of HTML that holds all it needs and opens without a network.
[<RequireQualifiedAccess>]
module Report =

    /// The page is never longer, in bytes: pictures of the better cases are left out, and the page says so.
    let maximumBytes: int = 10_000_000

    let private resource (assembly: Reflection.Assembly) (ending: string) : string =
        let found =
            assembly.GetManifestResourceNames()
            |> Array.tryFind (fun name -> name.EndsWith(ending, StringComparison.Ordinal))

        match found |> Option.map assembly.GetManifestResourceStream with
        | Some(NonNull stream) ->
            use reader = new StreamReader(stream, Encoding.UTF8)
            reader.ReadToEnd()
        | _ ->
            raise (
                Resources.MissingManifestResourceException $"%s{assembly.GetName().Name} lacks its resource %s{ending}."
            )

    let private plotly: Lazy<string> =
        lazy (resource typeof<GenericChart>.Assembly ".min.js")

    let private own (name: string) : string =
        resource (Reflection.Assembly.GetExecutingAssembly()) name

    let private options (input: ReportInput) : XmlNode =
        section
            [ _id "options" ]
            [
                h2 [] [ str "What was run" ]
                dl
                    [ _class "options" ]
                    (input.Options
                     |> List.map (fun (name, value) -> div [] [ dt [] [ str name ]; dd [] [ str value ] ]))
            ]

    let private scores (names: string list) (input: ReportInput) : XmlNode =
        let comparison = Comparison.ofScores input.Seed input.Scores

        let words =
            match comparison.Runs with
            | baseline :: _ :: _ ->
                $"Means over %d{comparison.Cases} held-out cases. A difference is a run minus %s{baseline}, with the 95 %% interval of a bootstrap paired by case (%d{Statistics.resamples} resamples, seed %d{comparison.Seed}); better or worse is said only where the interval leaves out 0. n counts the pairs in which both runs have a value; p is that of Wilcoxon's signed-rank test of the same pairs, two-sided."
            | _ -> $"Means over %d{comparison.Cases} held-out cases."

        section
            [ _id "scores" ]
            [
                h2 [] [ str "Scores" ]
                p [ _class "note" ] [ str words ]
                Tables.scores names comparison
            ]

    let private curves (names: string list) (curves: Curve list) : XmlNode =
        let figure' (index: int) (curve: Curve) =
            let id = $"figure-%d{index}"

            figure
                []
                [
                    figcaption [] [ h3 [] [ str curve.Title ]; span [ _class "note" ] [ str curve.Caption ] ]
                    div
                        [
                            _class "plot"
                            attr "data-figure" id
                            attr "role" "img"
                            attr "aria-label" $"%s{curve.Title}. %s{curve.Description}"
                        ]
                        []
                    script [ _id id; _type "application/json" ] [ rawText (Curves.json curve.Chart) ]
                ]

        section
            [ _id "curves" ]
            [
                h2 [] [ str "Training" ]
                ul [ _class "legend" ] (names |> List.map (fun name -> li [] [ Tables.runName names name ]))
                noscript [] [ p [] [ str "The curves need JavaScript; scores and pictures do not." ] ]
                div [ _class "curves" ] (List.mapi figure' curves)
            ]

    let private head' (title: string) : XmlNode =
        // The policy makes the browser itself refuse anything from outside.
        let policy =
            "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

        head
            []
            [
                meta [ _charset "utf-8" ]
                meta [ _name "viewport"; _content "width=device-width, initial-scale=1" ]
                meta [ attr "http-equiv" "Content-Security-Policy"; _content policy ]
                tag "title" [] [ str title ]
                style [] [ rawText (own "Report.css") ]
            ]

    let private document
        (input: ReportInput)
        (sections: (string * string * XmlNode) list)
        (drawsCurves: bool)
        : string =
        let link (id: string, label: string, _) =
            li [] [ a [ _href $"#%s{id}" ] [ str label ] ]

        html
            [ _lang "en" ]
            [
                head' input.Title
                body
                    []
                    [
                        main
                            []
                            [
                                header
                                    []
                                    [
                                        h1 [] [ str input.Title ]
                                        p [ _class "lead" ] [ str input.Summary ]
                                        nav [ attr "aria-label" "Sections" ] [ ul [] (List.map link sections) ]
                                    ]
                                yield! sections |> List.map (fun (_, _, node) -> node)
                            ]
                        if drawsCurves then
                            script [] [ rawText plotly.Value ]
                        script [] [ rawText (own "Report.js") ]
                    ]
            ]
        |> RenderView.AsString.htmlDocument

    // The pictures of the worst cases, as many as the page has room for.
    let private blocks (names: string list) (input: ReportInput) (room: int) (cases: (string * Picture list) list) =
        let step (blocks: string list, room: int) (index: int, (case: string, pictures: Picture list)) =
            // Once one does not fit, no better case is shown in its place.
            if room < 0 then
                blocks, room
            else
                let block =
                    Pictures.case names input.Scores $"case-%d{index}" case pictures
                    |> RenderView.AsString.htmlNode

                let room = room - Encoding.UTF8.GetByteCount block
                (if room < 0 then blocks else block :: blocks), room

        cases |> List.indexed |> List.fold step ([], room) |> fst |> List.rev

    let private pictures (available: int) (blocks: string list) : XmlNode =
        section
            [ _id "pictures" ]
            [
                h2 [] [ str "Pictures, worst cases first" ]
                Pictures.legend
                if blocks.Length < available then
                    p
                        [ _class "note" ]
                        [
                            str $"The page is full: of %d{available} cases the worst %d{blocks.Length} are shown here."
                        ]
                yield! List.map rawText blocks
            ]

    let private cases (names: string list) (input: ReportInput) (link: string -> string option) (order: string list) =
        section
            [ _id "cases" ]
            [
                h2 [] [ str "Cases" ]
                p
                    [ _class "note" ]
                    [
                        str
                            "The lowest clDice first; a click on a header sorts. B0 counts components, B1 holes of a plane or tunnels of a volume, B2 cavities."
                    ]
                Tables.cases link names order input.Scores
            ]

    /// The page. Cases come worst first. Parts without anything to show are left out. Throws ArgumentException for an overlay
    /// whose image, truth and prediction are not of one extent.
    let page (input: ReportInput) : string =
        let names =
            List.distinct (List.map (fun (run: Run) -> run.Name) input.Runs @ List.map fst input.Scores)

        let drawn = List.map Picture.ofOverlay input.Overlays
        let order = Pictures.worstFirst input.Scores drawn
        let byCase = drawn |> List.groupBy _.Overlay.Case |> Map.ofList

        let withPictures =
            order
            |> List.choose (fun case -> Map.tryFind case byCase |> Option.map (fun pictures -> case, pictures))

        let charts = Curves.all input.Runs
        let scored = input.Scores |> List.exists (fun (_, scores) -> not scores.IsEmpty)

        let addresses (shown: int) : Map<string, string> =
            withPictures
            |> List.truncate shown
            |> List.mapi (fun index (case, _) -> case, $"#case-%d{index}")
            |> Map.ofList

        let assemble (blocks: string list) : string =
            let addresses = addresses blocks.Length
            let link (case: string) = Map.tryFind case addresses

            document
                input
                [
                    if not input.Options.IsEmpty then
                        "options", "What was run", options input
                    if scored then
                        "scores", "Scores", scores names input
                    if not charts.IsEmpty then
                        "curves", "Training", curves names charts
                    if scored then
                        "cases", "Cases", cases names input link order
                    if not blocks.IsEmpty then
                        "pictures", "Pictures", pictures (max withPictures.Length order.Length) blocks
                ]
                (not charts.IsEmpty)

        // The pictures get what the rest leaves; the links to them and the heading above take some of it.
        let links = 64 * (input.Scores |> List.sumBy (fun (_, scores) -> scores.Length))
        let rest = Encoding.UTF8.GetByteCount(assemble []) + links + 4_000
        assemble (blocks names input (maximumBytes - rest) withPictures)
