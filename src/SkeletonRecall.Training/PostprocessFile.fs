namespace SkeletonRecall.Training

open System.Globalization
open System.Text.Json
open SkeletonRecall

/// nnU-Net's postprocessing.json: what is done, and the means before and after.
[<RequireQualifiedAccess>]
module PostprocessFile =

    /// The file's name in a folder of predictions.
    let name: string = "postprocessing.json"

    let private functionName = "remove_all_but_largest_component_from_segmentation"

    let private number (value: float) : string =
        if System.Double.IsNaN value then
            "NaN"
        else
            value.ToString("R", CultureInfo.InvariantCulture)

    // foreground_mean and mean of Dice.
    let private means (dice: (int list * float) list) : string =
        let classes =
            dice
            |> List.map (fun (members, value) -> $"\"%s{Summary.key members}\": {{\"Dice\": %s{number value}}}")
            |> String.concat ", "

        let foreground = dice |> List.averageBy snd
        $"{{\"foreground_mean\": {{\"Dice\": %s{number foreground}}}, \"mean\": {{%s{classes}}}}}"

    let private step (labels: int list) : string =
        match labels with
        | [ label ] -> $"{{\"labels_or_regions\": %d{label}}}"
        | _ ->
            let list = labels |> List.map string |> String.concat ", "
            $"{{\"labels_or_regions\": [%s{list}]}}"

    /// The text of a decision.
    let print (decision: Postprocessing) : string =
        let list (items: string list) = String.concat ", " items

        String.concat
            "\n"
            [
                "{"
                $"    \"input_folder\": %s{means decision.Before},"
                $"    \"postprocessed\": %s{means decision.After},"
                $"""    "postprocessing_fns": [%s{list (decision.Steps |> List.map (fun _ -> $"\"%s{functionName}\""))}],"""
                $"""    "postprocessing_kwargs": [%s{list (List.map step decision.Steps)}]"""
                "}"
                ""
            ]

    // A label, a region as a list of labels, or a list of those: all their labels together.
    let rec private labels (value: JsonElement) : int list option =
        if value.ValueKind = JsonValueKind.Number then
            Some [ value.GetInt32() ]
        elif value.ValueKind = JsonValueKind.Array then
            let parts = [ for item in value.EnumerateArray() -> labels item ]

            if List.forall Option.isSome parts then
                Some(parts |> List.choose id |> List.concat |> List.distinct)
            else
                None
        else
            None

    let private labelsOf (entry: JsonElement) : int list option =
        match entry.TryGetProperty "labels_or_regions" with
        | true, value -> labels value
        | _ -> None

    /// The steps of a postprocessing.json, ours or nnU-Net's; `path` serves the messages.
    let parse (path: string) (text: string) : Result<int list list, Problem> =
        let wrong () =
            Error(
                Unreadable(
                    path,
                    "it is no postprocessing.json: \"postprocessing_kwargs\" should list labels_or_regions"
                )
            )

        try
            // NaN is a bare token in Python's files, which JSON does not know.
            use document = JsonDocument.Parse(text.Replace("NaN", "null"))

            match document.RootElement.TryGetProperty "postprocessing_kwargs" with
            | true, entries when entries.ValueKind = JsonValueKind.Array ->
                let steps = [ for entry in entries.EnumerateArray() -> labelsOf entry ]

                if List.forall Option.isSome steps then
                    Ok(List.choose id steps)
                else
                    wrong ()
            | _ -> wrong ()
        with
        | :? JsonException
        | :? System.FormatException
        | :? System.InvalidOperationException -> wrong ()
