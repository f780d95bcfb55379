namespace SkeletonRecall.Charts

open System
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open SkeletonRecall.Training

/// One measure of each run, and what sets each later run apart from the first.
type MeasureRow =
    {
        /// Its usual name, e.g. `clDice`.
        Measure: string
        HigherIsBetter: bool
        /// The measure in one row of scores.
        Value: Scores -> float
        /// Decimals that a reader needs.
        Digits: int
        /// Mean over cases of each run, runs in their order; NaN without any value.
        Means: (string * float) list
        /// Run minus baseline, paired by case, of each run after the first.
        Differences: (string * Interval) list
    }

/// Runs measured on the same cases. The first is the baseline.
type Comparison =
    {
        /// Names of the runs, the baseline first.
        Runs: string list
        /// Seed of the bootstrap.
        Seed: int
        /// How many cases were scored in any run.
        Cases: int
        Rows: MeasureRow list
    }

/// Which way a difference falls, as far as its 95 % interval tells.
type Verdict =
    /// The whole interval is on the good side of 0.
    | Better
    /// The whole interval is on the bad side of 0.
    | Worse
    /// The interval holds 0, or nothing could be compared.
    | Unclear

/// Means of several runs and their differences with intervals.
[<RequireQualifiedAccess>]
module Comparison =

    /// What the tables show, in this order: name, whether higher is better, decimals, value.
    let measures: (string * bool * int * (Scores -> float)) list =
        [
            "Dice", true, 3, _.Dice
            "precision", true, 3, _.Precision
            "clDice", true, 3, _.ClDice
            "b0 error", false, 2, (fun scores -> float scores.B0Error)
            "b1 error", false, 2, (fun scores -> float scores.B1Error)
        ]

    /// One value per case: the mean over its classes, NaN left out; cases in their first order.
    let perCase (value: Scores -> float) (scores: Scores list) : (string * float) list =
        scores
        |> List.groupBy _.Case
        |> List.map (fun (case, classes) -> case, Evaluation.mean value classes)

    /// Scores of each run, the baseline first, to means over cases and paired differences. Only cases that both runs of a
    /// pair have a value for count in a difference.
    let ofScores (seed: int) (runs: (string * Scores list) list) : Comparison =
        let row (name: string, higherIsBetter: bool, digits: int, value: Scores -> float) : MeasureRow =
            let perRun = runs |> List.map (fun (run, scores) -> run, perCase value scores)

            let difference (baseline: (string * float) list) (run: string, values: (string * float) list) =
                let byCase = Map.ofList values

                let pairs =
                    baseline
                    |> List.choose (fun (case, first) ->
                        Map.tryFind case byCase |> Option.map (fun second -> first, second))

                run, Statistics.paired (Seed.ofInt seed) pairs

            {
                Measure = name
                HigherIsBetter = higherIsBetter
                Value = value
                Digits = digits
                Means =
                    perRun
                    |> List.map (fun (run, values) -> run, Statistics.mean (List.map snd values))
                Differences =
                    match perRun with
                    | (_, baseline) :: others -> List.map (difference baseline) others
                    | [] -> []
            }

        {
            Runs = List.map fst runs
            Seed = seed
            Cases = runs |> List.collect snd |> List.map _.Case |> List.distinct |> List.length
            Rows = List.map row measures
        }

    /// What the interval of a difference says.
    let verdict (higherIsBetter: bool) (interval: Interval) : Verdict =
        if Double.IsNaN interval.Mean || (interval.Low <= 0.0 && interval.High >= 0.0) then
            Unclear
        elif interval.Low > 0.0 = higherIsBetter then
            Better
        else
            Worse

    let private number (json: Utf8JsonWriter) (name: string) (value: float) : unit =
        if Double.IsFinite value then
            json.WriteNumber(name, value)
        else
            json.WriteNull name

    /// The comparison as JSON: seed, cases, and per measure the mean of each run and each difference with the ends of its
    /// 95 % interval and the number of cases behind it. Values that are not finite are null.
    let json (comparison: Comparison) : string =
        use buffer = new MemoryStream()

        do
            use json =
                new Utf8JsonWriter(
                    buffer,
                    JsonWriterOptions(
                        Indented = true,
                        NewLine = "\n",
                        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
                    )
                )

            json.WriteStartObject()
            json.WriteNumber("seed", comparison.Seed)
            json.WriteNumber("cases", comparison.Cases)
            json.WriteStartObject "measures"

            for row in comparison.Rows do
                json.WriteStartObject row.Measure
                json.WriteStartObject "means"

                for run, mean in row.Means do
                    number json run mean

                json.WriteEndObject()
                json.WriteStartObject "differences"

                for run, difference in row.Differences do
                    json.WriteStartObject run
                    number json "mean" difference.Mean
                    number json "low" difference.Low
                    number json "high" difference.High
                    json.WriteNumber("n", difference.Count)
                    json.WriteEndObject()

                json.WriteEndObject()
                json.WriteEndObject()

            json.WriteEndObject()
            json.WriteEndObject()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"
