namespace SkeletonRecall.Cli

open System
open SkeletonRecall.Charts
open SkeletonRecall.Training

/// Scores as tables on the terminal.
[<RequireQualifiedAccess>]
module ScoreTable =

    let private number (digits: int) (value: float) : string =
        if Double.IsNaN value then
            "-"
        else
            value.ToString("F" + string digits, Globalization.CultureInfo.InvariantCulture)

    let private signed (digits: int) (value: float) : string =
        if value > 0.0 then
            "+" + number digits value
        else
            number digits value

    let private probability (p: float) : string =
        if p < 0.001 then "<0.001" else number 3 p

    /// One line per measure: mean and median over cases, and the 95 % bootstrap interval of the mean.
    let single (terminal: Terminal) (seed: int) (scores: Scores list) : unit =
        Comparison.measures scores
        |> List.map (fun (name, _, digits, value) ->
            let values = Comparison.perCase value scores |> List.map snd
            let interval = Statistics.bootstrap (Seed.ofInt seed) values

            [
                name
                number digits interval.Mean
                number digits (Statistics.median values)
                $"[%s{number digits interval.Low}, %s{number digits interval.High}]"
                string interval.Count
            ])
        |> Terminal.table terminal [ "measure"; "mean"; "median"; "95 % interval"; "n" ]

    /// One line per measure and later run: the means of the first run and of that one, and their paired difference with
    /// its 95 % bootstrap interval, and the p of Wilcoxon's signed-rank test.
    let compared (terminal: Terminal) (comparison: Comparison) : unit =
        let baseline = List.head comparison.Runs

        for run in List.tail comparison.Runs do
            comparison.Rows
            |> List.map (fun row ->
                let mean (name: string) =
                    row.Means |> List.find (fst >> (=) name) |> snd

                let difference = row.Differences |> List.find (fst >> (=) run) |> snd
                let test = row.Tests |> List.find (fst >> (=) run) |> snd

                [
                    row.Measure
                    number row.Digits (mean baseline)
                    number row.Digits (mean run)
                    signed row.Digits difference.Mean
                    $"[%s{signed row.Digits difference.Low}, %s{signed row.Digits difference.High}]"
                    probability test.P
                    string difference.Count
                ])
            |> Terminal.table terminal [ "measure"; baseline; run; "difference"; "95 % interval"; "p"; "n" ]
