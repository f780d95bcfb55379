namespace SkeletonRecall.Training

open System
open System.Globalization
open System.Text.Json

/// Reading plans.json; `Plans.parse` is the public way. Errors are reasons, without the file's name.
[<RequireQualifiedAccess>]
module internal PlansReader =

    type private Entries = JsonParts.Entries

    /// A configuration's own keys over those of the configuration that it inherits from.
    let rec private resolve (all: Entries) (seen: string list) (name: string) : Result<Entries, string> =
        match Map.tryFind name all with
        | None -> Error $"it inherits from %s{name}, which is not there"
        | Some _ when List.contains name seen -> Error $"it inherits from itself, through %s{name}"
        | Some value ->
            let own = JsonParts.entriesOf value

            match Map.tryFind "inherits_from" own with
            | None -> Ok own
            | Some parent ->
                JsonParts.text "inherits_from" parent
                |> Result.bind (resolve all (name :: seen))
                |> Result.map (fun inherited ->
                    Map.fold (fun merged key value -> Map.add key value merged) inherited own)

    let private intensity (key: string) (value: JsonElement) : Result<IntensityProperties, string> =
        let entries = JsonParts.entriesOf value

        let get (name: string) =
            match Map.tryFind name entries with
            | Some value when value.ValueKind = JsonValueKind.Number -> Ok(value.GetDouble())
            | _ -> Error $"\"%s{name}\" of \"%s{key}\" should be a number"

        Problem.attempt {
            let! maximum = get "max"
            let! mean = get "mean"
            let! median = get "median"
            let! minimum = get "min"
            let! low = get "percentile_00_5"
            let! high = get "percentile_99_5"
            let! deviation = get "std"

            return
                {
                    Maximum = maximum
                    Mean = mean
                    Median = median
                    Minimum = minimum
                    Low = low
                    High = high
                    Deviation = deviation
                }
        }

    /// The channels' intensities under their numbers; the key of nnU-Net 2.0 to 2.2 says modality.
    let intensities (entries: Map<string, JsonElement>) : Result<Map<int, IntensityProperties>, string> =
        let keys =
            [
                "foreground_intensity_properties_per_channel"
                "foreground_intensity_properties_by_modality"
            ]

        match keys |> List.tryFind (fun key -> Map.containsKey key entries) with
        | None -> Ok Map.empty
        | Some key ->
            [
                for entry in JsonParts.entriesOf entries[key] ->
                    match Int32.TryParse(entry.Key, NumberStyles.None, CultureInfo.InvariantCulture) with
                    | true, channel ->
                        intensity entry.Key entry.Value
                        |> Result.map (fun values -> channel, values)
                        |> Result.mapError (fun reason -> $"%s{reason} in \"%s{key}\"")
                    | _ -> Error $"\"%s{key}\" should have the channels' numbers as keys; it has \"%s{entry.Key}\""
            ]
            |> Problem.collect
            |> Result.map Map.ofList

    /// What `print` writes by itself; the rest of a file is kept as it is.
    let private known =
        set
            [
                "dataset_name"
                "plans_name"
                "original_median_spacing_after_transp"
                "original_median_shape_after_transp"
                "image_reader_writer"
                "transpose_forward"
                "transpose_backward"
                "configurations"
                "experiment_planner_used"
                "label_manager"
                "foreground_intensity_properties_per_channel"
                "foreground_intensity_properties_by_modality"
            ]

    /// The order of three axes.
    let private axes (value: JsonElement) : Result<int list, string> =
        let order =
            if value.ValueKind = JsonValueKind.Array then
                [
                    for item in value.EnumerateArray() do
                        match item.ValueKind, item with
                        | JsonValueKind.Number, item when fst (item.TryGetInt32()) -> item.GetInt32()
                        | _ -> ()
                ]
            else
                []

        if List.sort order = [ 0; 1; 2 ] && value.GetArrayLength() = 3 then
            Ok order
        else
            Error $"\"transpose_forward\" should hold each of the axes 0, 1 and 2 once; it is %s{value.GetRawText()}"

    let private plans (root: JsonElement) (entries: Entries) (configurations: JsonElement) : Result<Plans, string> =
        let all = JsonParts.entriesOf configurations

        // Files trimmed by hand may lack what nothing here depends on.
        let fallback (value: 'T) (result: Result<'T, string>) : 'T = Result.defaultValue value result

        Problem.attempt {
            let! intensities = intensities entries
            let! dataset = JsonParts.get "dataset_name" JsonParts.text entries
            let! name = JsonParts.get "plans_name" JsonParts.text entries

            let! transpose =
                match Map.tryFind "transpose_forward" entries with
                | Some value -> axes value
                | None -> Ok [ 0; 1; 2 ]

            let results =
                [
                    for name in all.Keys ->
                        name,
                        resolve all [] name
                        |> Result.bind (ConfigurationReader.configuration intensities)
                ]

            return
                {
                    DatasetName = dataset
                    PlansName = name
                    MedianSpacing =
                        JsonParts.get "original_median_spacing_after_transp" (JsonParts.list JsonParts.number) entries
                        |> fallback [ 1.0; 1.0; 1.0 ]
                    MedianShape =
                        JsonParts.get "original_median_shape_after_transp" (JsonParts.list JsonParts.number) entries
                        |> fallback [ 1.0; 1.0; 1.0 ]
                    ImageReader =
                        JsonParts.get "image_reader_writer" JsonParts.text entries
                        |> fallback "SimpleITKIO"
                    Transpose = transpose
                    Configurations =
                        results
                        |> List.choose (fun (name, result) ->
                            result |> Result.toOption |> Option.map (fun found -> name, found))
                        |> Map.ofList
                    Planner =
                        JsonParts.get "experiment_planner_used" JsonParts.text entries
                        |> fallback "ExperimentPlanner"
                    Intensities = intensities
                    NotServed =
                        results
                        |> List.choose (fun (name, result) ->
                            match result with
                            | Ok _ -> None
                            | Error reason ->
                                Some(
                                    name,
                                    {
                                        Reason = reason
                                        Json = all[name].GetRawText()
                                    }
                                ))
                        |> Map.ofList
                    Other =
                        [
                            for entry in root.EnumerateObject() do
                                if not (known.Contains entry.Name) then
                                    entry.Name, entry.Value.GetRawText()
                        ]
                }
        }

    /// See `Plans.parse`.
    let parse (json: string) : Result<Plans, string> =
        JsonParts.document json (fun root ->
            let entries = JsonParts.entriesOf root

            match Map.tryFind "configurations" entries with
            | None -> Error "the key \"configurations\" is missing"
            | Some value -> plans root entries value)

/// Reading and writing plans.json (nnU-Net v2's plans_handler.py).
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Plans =

    /// The text of plans.json with nnU-Net's keys in its order, indent 4. What `parse` could not use is written as it was;
    /// a configuration that inherits is written as its differences.
    let print (plans: Plans) : string = PlansWriter.print plans

    /// Plans from the text of plans.json, new and old spelling (before nnU-Net 2.4) alike, `inherits_from` resolved.
    /// `path` serves the messages. Configurations that cannot be used here end in `NotServed`, with the reason.
    let parse (path: string) (json: string) : Result<Plans, Problem> =
        PlansReader.parse json
        |> Result.mapError (fun reason -> Unreadable(path, reason))

    /// One configuration to train or run, by name. A problem that says why when it is not there or not served.
    let configuration (name: string) (plans: Plans) : Result<Configuration, Problem> =
        let refused (reason: string) =
            Error(Mismatch($"configuration %s{name} of %s{plans.DatasetName}", reason, "one that is served"))

        match Map.tryFind name plans.Configurations, Map.tryFind name plans.NotServed with
        | Some found, _ -> Ok found
        | None, Some kept -> refused kept.Reason
        | None, None ->
            let known = plans.Configurations.Keys |> String.concat ", "
            Error(Mismatch($"configuration of %s{plans.DatasetName}", name, $"one of its plans: %s{known}"))
