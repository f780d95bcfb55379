namespace SkeletonRecall.Charts

open System
open System.Globalization
open System.Net
open Plotly.NET
open Plotly.NET.LayoutObjects
open SkeletonRecall
open SkeletonRecall.Training

/// One training run under the name that the page shows.
type Run =
    {
        Name: string
        /// What it minimized, as text; losses of different objectives are on different scales.
        Objective: string
        /// Oldest epoch first; may be empty.
        History: EpochReport list
    }

/// One chart of the report with the words around it.
type Curve =
    {
        Title: string
        /// What is drawn, in a few words.
        Caption: string
        /// First and last values in words, for readers who cannot see the chart.
        Description: string
        Chart: GenericChart
    }

/// Curves of training over epochs, runs side by side in one chart.
[<RequireQualifiedAccess>]
module Curves =

    /// The colour of a run by its place in the list, as #rrggbb; after the last it starts again. Each stands out from
    /// a white and from a nearly black page (contrast 3:1) and from the others under colour blindness.
    let colour (index: int) : string =
        // Okabe and Ito's blue, orange, green and purple, moved to a lightness that serves both pages.
        let palette = [| "#2f86c9"; "#cf6e14"; "#179a77"; "#b0649c" |]
        palette[((index % palette.Length) + palette.Length) % palette.Length]

    let private number (value: float) : string =
        value.ToString("0.####", CultureInfo.InvariantCulture)

    let private isFinite (_: float, value: float) : bool = Double.IsFinite value

    /// Epochs counted from 1, and a value of each.
    let private points (value: EpochReport -> float) (run: Run) : (float * float) list =
        run.History |> List.map (fun report -> float (report.Epoch + 1), value report)

    /// A line of one run; values that are not finite are gaps.
    let private line
        (dash: StyleParam.DrawingStyle)
        (index: int)
        (name: string)
        (points: (float * float) list)
        : GenericChart =
        // Plotly reads names as markup.
        Chart.Line(
            x = List.map fst points,
            y = List.map snd points,
            Name = string (WebUtility.HtmlEncode name),
            ShowMarkers = (List.length (List.filter isFinite points) <= 3),
            LineColor = Color.fromHex (colour index),
            LineDash = dash,
            LineWidth = 2.0,
            UseDefaults = false
        )

    let private describe (name: string) (points: (float * float) list) : string =
        match List.filter isFinite points with
        | [] -> $"%s{name}: no value."
        | (first, from) :: rest ->
            let last, until = List.tryLast rest |> Option.defaultValue (first, from)

            $"%s{name}: %s{number from} at epoch %s{number first}, %s{number until} at epoch %s{number last}."

    /// Axes only: colours and fonts follow the page, whose script sets them.
    let private layout (yTitle: string) (chart: GenericChart) : GenericChart =
        let axis (title: string) =
            LinearAxis.init (Title = Title.init (Text = title, Standoff = 8), AxisType = StyleParam.AxisType.Linear)

        chart
        |> Chart.withXAxis (axis "epoch")
        |> Chart.withYAxis (axis yTitle)
        |> Chart.withLayoutStyle (
            ShowLegend = false,
            HoverMode = StyleParam.HoverMode.XUnified,
            Margin = Margin.init (Left = 48, Right = 12, Top = 12, Bottom = 44)
        )

    /// None when no line has a value.
    let private curve
        (title: string)
        (caption: string)
        (yTitle: string)
        (lines: (StyleParam.DrawingStyle * int * string * (float * float) list) list)
        : Curve option =
        match lines |> List.filter (fun (_, _, _, points) -> List.exists isFinite points) with
        | [] -> None
        | lines ->
            Some
                {
                    Title = title
                    Caption = caption
                    Description =
                        lines
                        |> List.map (fun (_, _, name, points) -> describe name points)
                        |> String.concat " "
                    Chart =
                        lines
                        |> List.map (fun (dash, index, name, points) -> line dash index name points)
                        |> Chart.combine
                        |> layout yTitle
                }

    // Of runs of one objective, each with its place among all.
    let private lossOf (title: string) (runs: (int * Run) list) : Curve option =
        let isValidated =
            runs
            |> List.exists (fun (_, run) -> points _.ValidationLoss run |> List.exists isFinite)

        runs
        |> List.collect (fun (index, run) ->
            [
                StyleParam.DrawingStyle.Solid, index, $"%s{run.Name}, training", points _.TrainLoss run
                StyleParam.DrawingStyle.Dash, index, $"%s{run.Name}, validation", points _.ValidationLoss run
            ])
        |> curve
            title
            (if isValidated then
                 "Solid: training. Dashed: validation."
             else
                 "Training patches.")
            "loss"

    /// Training loss (solid) and validation loss (dashed) of each run, in a chart for each objective, since losses of several
    /// are not to be compared. A run without validation has the first alone; none without any value.
    let loss (runs: Run list) : Curve list =
        match List.indexed runs |> List.groupBy (fun (_, run) -> run.Objective) with
        | [ _, runs ] -> lossOf "Loss" runs |> Option.toList
        | several ->
            several
            |> List.choose (fun (objective, runs) -> lossOf $"Loss: %s{objective}" runs)

    /// Mean pseudo Dice of the foreground classes on validation patches; None without any value.
    let pseudoDice (runs: Run list) : Curve option =
        runs
        |> List.mapi (fun index run -> StyleParam.DrawingStyle.Solid, index, run.Name, points EpochReport.meanDice run)
        |> curve "Pseudo Dice" "Validation patches, mean over classes." "Dice"

    /// One chart per loss term, in order of first appearance; a run without the term is not drawn in it.
    let terms (runs: Run list) : Curve list =
        let value (term: string) (report: EpochReport) : float =
            report.Terms
            |> List.tryPick (fun (name, value) -> if name = term then Some value else None)
            |> Option.defaultValue nan

        runs
        |> List.collect _.History
        |> List.collect (fun report -> List.map fst report.Terms)
        |> List.distinct
        |> List.choose (fun term ->
            runs
            |> List.mapi (fun index run -> StyleParam.DrawingStyle.Solid, index, run.Name, points (value term) run)
            |> curve $"Term: %s{term}" "Validation, finest head, before weighting." "value")

    /// One chart per measure on whole validation cases, in order of first appearance.
    let measures (runs: Run list) : Curve list =
        let measured (measure: Measure) (run: Run) : (float * float) list =
            run.History
            |> List.choose (fun report ->
                report.Measures
                |> List.tryPick (fun (known, value) ->
                    if known = measure then
                        Some(float (report.Epoch + 1), value)
                    else
                        None))

        let better (measure: Measure) : string =
            match Measure.better measure with
            | Better.Higher -> "; higher is better"
            | Better.Lower -> "; lower is better"
            | Better.Neither -> ""

        runs
        |> List.collect _.History
        |> List.collect (fun report -> List.map fst report.Measures)
        |> List.distinct
        |> List.choose (fun measure ->
            let name = Measure.print measure

            runs
            |> List.mapi (fun index run -> StyleParam.DrawingStyle.Solid, index, run.Name, measured measure run)
            |> curve
                name
                $"Whole validation cases, mean%s{better measure}."
                (match Measure.unit measure with
                 | "" -> name
                 | unit -> unit))

    /// All charts that have something to show: loss, pseudo Dice, measures on whole cases, then each term.
    let all (runs: Run list) : Curve list =
        loss runs @ Option.toList (pseudoDice runs) @ measures runs @ terms runs

    /// The chart as plotly.js takes it: JSON of `data` and `layout`. Safe inside a script element: `<` is escaped.
    let json (chart: GenericChart) : string =
        GenericChart.toFigureJson(chart).Replace("<", "\\u003c")
