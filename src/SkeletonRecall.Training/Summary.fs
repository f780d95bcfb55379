namespace SkeletonRecall.Training

open System
open System.Globalization
open System.Text
open System.Text.Json
open SkeletonRecall

/// Scores as files: nnU-Net's summary.json with our measures beside nnU-Net's own, and a table for spreadsheets.
[<RequireQualifiedAccess>]
module Summary =

    let private valuesOf (measures: Measure list) : (string * bool * (Scores -> float)) list =
        let value (measure: Measure) =
            Measure.print measure,
            Measure.unit measure <> "mm" && Measure.unit measure <> "",
            (fun (scores: Scores) -> scores.Value measure)

        let voxels (parts: Measure list) (scores: Scores) =
            parts |> List.sumBy (fun part -> scores.Value part)

        ("n_pred", true, voxels [ Measure.TruePositives; Measure.FalsePositives ])
        :: ("n_ref", true, voxels [ Measure.TruePositives; Measure.FalseNegatives ])
        :: List.map value measures
        |> List.sortWith (fun (left, _, _) (right, _, _) -> String.CompareOrdinal(left, right))

    // Python's json writes floats this way, NaN and Infinity included.
    let private float' (value: float) : string =
        if Double.IsNaN value then
            "NaN"
        elif Double.IsPositiveInfinity value then
            "Infinity"
        elif Double.IsNegativeInfinity value then
            "-Infinity"
        else
            let text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e')

            if text.Contains '.' || text.Contains 'e' then
                text
            else
                text + ".0"

    // Counts of a case are whole, as nnU-Net's are; averages of windows are not.
    let private ofCase (counts: bool) (value: float) : string =
        if counts && value = Math.Round value && abs value < 1e15 then
            value.ToString("F0", CultureInfo.InvariantCulture)
        else
            float' value

    let private quoted (text: string) : string =
        "\""
        + Text.Json.JsonEncodedText.Encode(text, Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString()
        + "\""

    // A value that is printed already, or a list of named ones; all that the summary needs.
    type private Json =
        | Plain of string
        | Object of (string * Json) list
        | List of Json list

    let rec private write (indent: string) (json: Json) : string =
        let inner = indent + "    "

        let lines (opening: string) (closing: string) (items: string list) =
            if items.IsEmpty then
                opening + closing
            else
                let body = items |> List.map (fun item -> inner + item) |> String.concat ",\n"
                $"%s{opening}\n%s{body}\n%s{indent}%s{closing}"

        match json with
        | Plain text -> text
        | List items -> items |> List.map (write inner) |> lines "[" "]"
        | Object fields ->
            fields
            |> List.map (fun (name, value) -> $"%s{quoted name}: %s{write inner value}")
            |> lines "{" "}"

    /// The key of a class or region by its labels: a number, or a tuple of Python's.
    let key (members: int list) : string =
        match members with
        | [ label ] -> string label
        | several -> several |> List.map string |> String.concat ", " |> sprintf "(%s)"

    let private members (key: string) : int list option =
        let numbers =
            key.Trim('(', ')').Split(',', StringSplitOptions.TrimEntries ||| StringSplitOptions.RemoveEmptyEntries)
            |> Array.map (fun part ->
                match Int32.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture) with
                | true, number -> Some number
                | _ -> None)

        if numbers.Length > 0 && Array.forall Option.isSome numbers then
            Some(numbers |> Array.choose id |> List.ofArray)
        else
            None

    /// nnU-Net's summary.json: per case and class or region, means over cases per class (NaN left out), and the plain mean of those
    /// over classes; every measure of ours beside nnU-Net's own, under the name that `Measure.print` gives. NaN is a bare
    /// token, as Python writes and reads it. `files` gives the prediction's and the reference's file of a case.
    let json (files: string -> string * string) (scores: Scores list) : string =
        let measures = valuesOf (Evaluation.measuresOf scores)

        let labels =
            scores |> List.map (fun score -> score.Label) |> List.distinct |> List.sort

        let keys =
            scores |> List.map (fun score -> score.Label, key score.Members) |> Map.ofList

        let values (score: Scores) =
            measures
            |> List.map (fun (name, counts, measure) -> name, Plain(ofCase counts (measure score)))
            |> Object

        let meanOf (label: int) (measure: Scores -> float) =
            scores
            |> List.filter (fun score -> score.Label = label)
            |> Evaluation.mean measure

        let overClasses (measure: Scores -> float) =
            match labels with
            | [] -> nan
            | _ -> labels |> List.averageBy (fun label -> meanOf label measure)

        let all (value: (Scores -> float) -> float) =
            measures
            |> List.map (fun (name, _, measure) -> name, Plain(float' (value measure)))
            |> Object

        let case (name: string, parts: Scores list) =
            let prediction, reference = files name

            Object
                [
                    "metrics",
                    Object
                        [
                            for score in parts |> List.sortBy (fun score -> score.Label) ->
                                key score.Members, values score
                        ]
                    "prediction_file", Plain(quoted prediction)
                    "reference_file", Plain(quoted reference)
                ]

        Object
            [
                "foreground_mean", all overClasses
                "mean", Object [ for label in labels -> keys[label], all (meanOf label) ]
                "metric_per_case", List(scores |> List.groupBy (fun score -> score.Case) |> List.map case)
            ]
        |> write ""

    /// A line per case and class under a heading, fields separated by commas: case, label and every measure. NaN is `NaN`.
    let table (scores: Scores list) : string =
        let measures = Evaluation.measuresOf scores

        let field (text: string) =
            if text.IndexOfAny [| ','; '"'; '\n'; '\r' |] >= 0 then
                "\"" + text.Replace("\"", "\"\"") + "\""
            else
                text

        let heading = "case" :: "label" :: List.map Measure.print measures

        let line (score: Scores) =
            field score.Case
            :: string score.Label
            :: (measures
                |> List.map (fun measure -> (score.Value measure).ToString("R", CultureInfo.InvariantCulture)))

        heading :: List.map line scores
        |> List.map (fun fields -> String.Join(",", fields) + "\n")
        |> String.concat ""

    // Bare NaN and infinities outside of texts become null, which JSON readers know.
    let private withoutNaN (text: string) : string =
        let result = StringBuilder text.Length
        let mutable at = 0
        let mutable inside = false

        let starts (word: string) =
            String.CompareOrdinal(text, at, word, 0, word.Length) = 0

        while at < text.Length do
            let letter = text[at]

            if inside && letter = '\\' && at + 1 < text.Length then
                result.Append(letter).Append(text[at + 1]) |> ignore
                at <- at + 2
            else
                if letter = '"' then
                    inside <- not inside

                match
                    [ "NaN"; "-Infinity"; "Infinity" ]
                    |> List.tryFind (fun word -> not inside && starts word)
                with
                | Some word ->
                    result.Append "null" |> ignore
                    at <- at + word.Length
                | None ->
                    result.Append letter |> ignore
                    at <- at + 1

        result.ToString()

    /// The scores of a summary.json, ours or nnU-Net's, with prediction file and reference file of each case by name. The
    /// case is named by its prediction file without ending. Numbers under names that are no measures are left out. Regions
    /// count from 1 in the file's order. `path` names the file in the problem.
    let parse (path: string) (text: string) : Result<Scores list * Map<string, string * string>, Problem> =
        let wrong (reason: string) = Error(Unreadable(path, reason))

        try
            use document = JsonDocument.Parse(withoutNaN text)

            let named (name: string) (element: JsonElement) =
                element.GetProperty(name).GetString() |> string

            let cases =
                [
                    for case in document.RootElement.GetProperty("metric_per_case").EnumerateArray() ->
                        let prediction = named "prediction_file" case
                        let name = LabelFolder.case prediction

                        let entries =
                            [
                                for entry in case.GetProperty("metrics").EnumerateObject() do
                                    match members entry.Name with
                                    | Some labels -> labels, entry
                                    | None -> ()
                            ]

                        let isRegions = entries |> List.exists (fun (labels, _) -> labels.Length > 1)

                        let scores =
                            [
                                for at, (labels, entry) in List.indexed entries do
                                    let values =
                                        [
                                            for value in entry.Value.EnumerateObject() do
                                                match Measure.parse value.Name with
                                                | Ok measure when value.Value.ValueKind = JsonValueKind.Number ->
                                                    measure, value.Value.GetDouble()
                                                | Ok measure -> measure, nan
                                                | Error _ -> ()
                                        ]

                                    {
                                        Case = name
                                        Label = if isRegions then at + 1 else labels.Head
                                        Members = labels
                                        Values = values
                                    }
                            ]

                        scores, (name, (prediction, named "reference_file" case))
                ]

            Ok(List.collect fst cases, cases |> List.map snd |> Map.ofList)
        with
        | :? JsonException -> wrong "it is no valid JSON"
        | :? Collections.Generic.KeyNotFoundException -> wrong "a key of nnU-Net's summary.json is missing"
        | :? InvalidOperationException -> wrong "its parts are not of the kinds that nnU-Net's summary.json has"
