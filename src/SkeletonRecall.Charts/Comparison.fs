namespace SkeletonRecall.Charts

open System
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open SkeletonRecall
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
        /// Wilcoxon's signed-rank test of the same pairs.
        Tests: (string * PairedTest) list
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

    /// Decimals that a reader needs of a measure.
    let digits (measure: Measure) : int =
        match Measure.unit measure with
        | "" -> 3
        | "voxels" -> 0
        | _ -> 2

    /// What the tables show of these scores, in the order of `Measure.all`: name, whether higher is better, decimals,
    /// value. Counts that are neither good nor bad are left out, voxels too, and cavities where there are none.
    let measures (scores: Scores list) : (string * bool * int * (Scores -> float)) list =
        let tells (measure: Measure) =
            Measure.better measure <> Better.Neither
            && Measure.unit measure <> "voxels"
            && (not (List.contains measure [ Measure.B2Error; Measure.BettiMatching2 ])
                || scores |> List.exists (fun (score: Scores) -> score.Value measure <> 0.0))

        Evaluation.measuresOf scores
        |> List.filter tells
        |> List.map (fun measure ->
            Measure.print measure,
            Measure.better measure = Better.Higher,
            digits measure,
            (fun (scores: Scores) -> scores.Value measure))

    /// One value per case: the mean over its classes, NaN left out; cases in their first order.
    let perCase (value: Scores -> float) (scores: Scores list) : (string * float) list = Evaluation.perCase value scores

    /// Scores of each run, the baseline first, to means over cases and paired differences. Only cases that both runs of a
    /// pair have a value for count in a difference.
    let ofScores (seed: int) (runs: (string * Scores list) list) : Comparison =
        let row (name: string, higherIsBetter: bool, digits: int, value: Scores -> float) : MeasureRow =
            let perRun = runs |> List.map (fun (run, scores) -> run, perCase value scores)

            let pairs (baseline: (string * float) list) (values: (string * float) list) =
                let byCase = Map.ofList values

                baseline
                |> List.choose (fun (case, first) ->
                    Map.tryFind case byCase |> Option.map (fun second -> first, second))

            let againstFirst (compare: (float * float) list -> 'T) : (string * 'T) list =
                match perRun with
                | (_, baseline) :: others ->
                    others |> List.map (fun (run, values) -> run, compare (pairs baseline values))
                | [] -> []

            {
                Measure = name
                HigherIsBetter = higherIsBetter
                Value = value
                Digits = digits
                Means =
                    perRun
                    |> List.map (fun (run, values) -> run, Statistics.mean (List.map snd values))
                Differences = againstFirst (Statistics.paired (Seed.ofInt seed))
                Tests = againstFirst SignedRank.test
            }

        {
            Runs = List.map fst runs
            Seed = seed
            Cases = runs |> List.collect snd |> List.map _.Case |> List.distinct |> List.length
            Rows = runs |> List.collect snd |> measures |> List.map row
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
    /// 95 % interval, the number of cases behind it and the p of Wilcoxon's signed-rank test. Values that are not finite are null.
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

                    match List.tryFind (fun (name, _) -> name = run) row.Tests with
                    | Some(_, test) ->
                        number json "p" test.P
                        json.WriteBoolean("p_is_exact", test.IsExact)
                    | None -> ()

                    json.WriteEndObject()

                json.WriteEndObject()
                json.WriteEndObject()

            json.WriteEndObject()
            json.WriteEndObject()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"
