namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open SkeletonRecall

/// A run as text: its options and what each epoch came to. It stands in run.json beside the checkpoints and in each
/// checkpoint's metadata. Numbers that are not finite are written as null and read as NaN.
[<RequireQualifiedAccess>]
module RunRecord =

    let private number (json: Utf8JsonWriter) (name: string) (value: float) : unit =
        if Double.IsFinite value then
            json.WriteNumber(name, value)
        else
            json.WriteNull name

    let private writeOptions (json: Utf8JsonWriter) (options: TrainOptions) : unit =
        json.WriteStartObject "options"
        json.WriteString("objective", Objective.print options.Objective)
        json.WriteString("skeletons", SkeletonSource.print options.Skeletons)
        json.WriteNumber("epochs", options.Epochs)
        json.WriteNumber("iterations", options.Iterations)
        json.WriteNumber("validation_iterations", options.ValidationIterations)
        json.WriteNumber("learning_rate", options.LearningRate)
        json.WriteNumber("momentum", options.Momentum)
        json.WriteNumber("weight_decay", options.WeightDecay)
        json.WriteNumber("clip", options.Clip)
        json.WriteNumber("oversampling", options.Oversampling)
        json.WriteBoolean("mirror", options.Mirror)
        json.WriteNumber("seed", options.Seed)
        json.WriteNumber("workers", options.Workers)
        json.WriteNumber("save_every", options.SaveEvery)
        json.WriteNumber("validate_every", options.ValidateEvery)
        json.WriteStartArray "measures"

        for measure in options.Measures do
            json.WriteStringValue(Measure.print measure)

        json.WriteEndArray()

        match options.BestBy with
        | Some measure -> json.WriteString("best_by", Measure.print measure)
        | None -> json.WriteNull "best_by"

        json.WriteString("device", Device.print options.Device)
        json.WriteString("precision", Precision.print options.Precision)

        json.WriteEndObject()

    let private writeReport (json: Utf8JsonWriter) (report: EpochReport) : unit =
        json.WriteStartObject()
        json.WriteNumber("epoch", report.Epoch)
        number json "learning_rate" report.LearningRate
        number json "train_loss" report.TrainLoss
        number json "validation_loss" report.ValidationLoss
        json.WriteStartObject "terms"

        for name, value in report.Terms do
            number json name value

        json.WriteEndObject()
        json.WriteStartArray "pseudo_dice"

        for value in report.PseudoDice do
            if Double.IsFinite value then
                json.WriteNumberValue value
            else
                json.WriteNullValue()

        json.WriteEndArray()

        if not report.Measures.IsEmpty then
            json.WriteStartObject "measures"

            for measure, value in report.Measures do
                number json (Measure.print measure) value

            json.WriteEndObject()

        number json "seconds" report.Seconds
        json.WriteEndObject()

    /// Options and history, oldest epoch first, as JSON.
    let print (options: TrainOptions) (history: EpochReport list) : string =
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
            writeOptions json options
            json.WriteStartArray "history"
            history |> List.iter (writeReport json)
            json.WriteEndArray()
            json.WriteEndObject()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"

    exception private Wrong of reason: string

    let private wrong (reason: string) : 'T = raise (Wrong reason)

    let private field (name: string) (parent: JsonElement) : JsonElement =
        match parent.ValueKind with
        | JsonValueKind.Object ->
            match parent.TryGetProperty name with
            | true, value -> value
            | _ -> wrong $"the key \"%s{name}\" is missing"
        | _ -> wrong $"an object with the key \"%s{name}\" is wanted; got %s{parent.GetRawText()}"

    let private integer (name: string) (parent: JsonElement) : int =
        let value = field name parent

        if value.ValueKind <> JsonValueKind.Number then
            wrong $"\"%s{name}\" should be a whole number"

        match value.TryGetInt32() with
        | true, number -> number
        | _ -> wrong $"\"%s{name}\" should be a whole number; got %s{value.GetRawText()}"

    let private toFloat (name: string) (value: JsonElement) : float =
        match value.ValueKind with
        | JsonValueKind.Number -> value.GetDouble()
        | JsonValueKind.Null -> nan
        | _ -> wrong $"\"%s{name}\" should be a number or null; got %s{value.GetRawText()}"

    let private real (name: string) (parent: JsonElement) : float = toFloat name (field name parent)

    let private text (name: string) (parent: JsonElement) : string =
        let value = field name parent

        match value.ValueKind, value.ToString() with
        | JsonValueKind.String, text -> text
        | _ -> wrong $"\"%s{name}\" should be a text"

    let private truth (name: string) (parent: JsonElement) : bool =
        match (field name parent).ValueKind with
        | JsonValueKind.True -> true
        | JsonValueKind.False -> false
        | _ -> wrong $"\"%s{name}\" should be true or false"

    let private readOptions (json: JsonElement) : TrainOptions =
        let objective =
            match Objective.parse (text "objective" json) with
            | Ok objective -> objective
            | Error reason -> wrong reason

        // Records of earlier versions lack it.
        let skeletons =
            match json.TryGetProperty "skeletons" with
            | true, _ ->
                let name = text "skeletons" json

                match SkeletonSource.tryParse name with
                | Some source -> source
                | None -> wrong $"\"skeletons\" should be patch or cached; got %s{name}"
            | _ -> SkeletonSource.Patch

        let measure (name: string) =
            match Measure.parse name with
            | Ok measure -> measure
            | Error reason -> wrong reason

        // Records of earlier versions lack these.
        let ifThere (name: string) (read: JsonElement -> 'T) (standard: 'T) =
            match json.TryGetProperty name with
            | true, value when value.ValueKind <> JsonValueKind.Null -> read value
            | _ -> standard

        let named (name: string) (tryParse: string -> 'T option) (all: string list) (standard: 'T) : 'T =
            ifThere
                name
                (fun value ->
                    match tryParse (value.ToString()) with
                    | Some found -> found
                    | None ->
                        let known = String.Join(", ", all)
                        wrong $"\"%s{name}\" should be one of %s{known}; got %s{value.GetRawText()}")
                standard

        {
            Objective = objective
            Skeletons = skeletons
            Epochs = integer "epochs" json
            Iterations = integer "iterations" json
            ValidationIterations = integer "validation_iterations" json
            LearningRate = real "learning_rate" json
            Momentum = real "momentum" json
            WeightDecay = real "weight_decay" json
            Clip = real "clip" json
            Oversampling = real "oversampling" json
            Mirror = truth "mirror" json
            Seed = integer "seed" json
            Workers = integer "workers" json
            SaveEvery = integer "save_every" json
            ValidateEvery = ifThere "validate_every" (fun _ -> integer "validate_every" json) 0
            Measures =
                ifThere
                    "measures"
                    (fun list ->
                        if list.ValueKind <> JsonValueKind.Array then
                            wrong "\"measures\" should be a list of names"

                        [ for name in list.EnumerateArray() -> measure (name.ToString()) ])
                    TrainOptions.standard.Measures
            BestBy = ifThere "best_by" (fun name -> Some(measure (name.ToString()))) None
            Device = named "device" Device.tryParse (List.map Device.print Device.all) Device.Cpu
            Precision = named "precision" Precision.tryParse (List.map Precision.print Precision.all) Precision.Float32
        }

    let private readReport (json: JsonElement) : EpochReport =
        let items (name: string) (kind: JsonValueKind) =
            let value = field name json

            if value.ValueKind <> kind then
                wrong $"\"%s{name}\" should be an %A{kind}"

            value

        {
            Epoch = integer "epoch" json
            LearningRate = real "learning_rate" json
            TrainLoss = real "train_loss" json
            ValidationLoss = real "validation_loss" json
            Terms =
                [
                    for term in (items "terms" JsonValueKind.Object).EnumerateObject() ->
                        term.Name, toFloat term.Name term.Value
                ]
            PseudoDice =
                [
                    for value in (items "pseudo_dice" JsonValueKind.Array).EnumerateArray() ->
                        toFloat "pseudo_dice" value
                ]
            Measures =
                match json.TryGetProperty "measures" with
                | true, _ ->
                    [
                        for value in (items "measures" JsonValueKind.Object).EnumerateObject() do
                            match Measure.parse value.Name with
                            | Ok measure -> measure, toFloat value.Name value.Value
                            | Error reason -> wrong reason
                    ]
                | _ -> []
            Seconds = real "seconds" json
        }

    /// Options and history from JSON; `path` names the file in the problem.
    let parse (path: string) (json: string) : Result<TrainOptions * EpochReport list, Problem> =
        try
            use document = JsonDocument.Parse json
            let history = field "history" document.RootElement

            if history.ValueKind <> JsonValueKind.Array then
                wrong "\"history\" should be a list"

            let options = readOptions (field "options" document.RootElement)
            TrainOptions.check options
            Ok(options, [ for report in history.EnumerateArray() -> readReport report ])
        with
        | Wrong reason -> Error(Unreadable(path, reason))
        | :? JsonException -> Error(Unreadable(path, "its record of the run is no valid JSON"))
        | :? ArgumentException as error -> Error(Unreadable(path, error.Message.TrimEnd '.'))

    /// The history as a table with a heading, one line per epoch, fields separated by commas: for spreadsheets. Measures on
    /// whole cases come last, and are empty for epochs without.
    let table (history: EpochReport list) : string =
        let text (value: float) =
            value.ToString("R", CultureInfo.InvariantCulture)

        let names =
            match history with
            | first :: _ -> List.map fst first.Terms
            | [] -> []

        let measures =
            history
            |> List.collect (fun report -> List.map fst report.Measures)
            |> List.distinct

        let line (report: EpochReport) (moving: float) =
            [
                string report.Epoch
                text report.LearningRate
                text report.TrainLoss
                text report.ValidationLoss
                text (EpochReport.meanDice report)
                text moving
                text report.Seconds
                yield!
                    names
                    |> List.map (fun name ->
                        match report.Terms |> List.tryFind (fun (term, _) -> term = name) with
                        | Some(_, value) -> text value
                        | None -> "")
                yield!
                    measures
                    |> List.map (fun measure ->
                        match report.Measures |> List.tryFind (fun (known, _) -> known = measure) with
                        | Some(_, value) -> text value
                        | None -> "")
            ]

        let heading =
            [
                "epoch"
                "learning_rate"
                "train_loss"
                "validation_loss"
                "pseudo_dice"
                "moving_pseudo_dice"
                "seconds"
            ]
            @ names
            @ List.map Measure.print measures

        let rows = List.map2 line history (EpochReport.movingDice history)

        heading :: rows
        |> List.map (fun fields -> String.Join(",", fields) + "\n")
        |> String.concat ""
