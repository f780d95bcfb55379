namespace SkeletonRecall.Training

open System
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json

/// What nnU-Net's dataset.json says about a data set.
type Dataset =
    {
        /// The name of its folder, e.g. `Dataset001_Vessels`.
        Name: string
        /// One name per channel, in order.
        ChannelNames: string list
        /// Class names and ids, ascending from background = 0, without the ignore label.
        Labels: (string * int) list
        /// The id of unannotated voxels, one more than the highest label.
        Ignore: int option
        /// Ending of the image files, with its dot.
        FileEnding: string
        /// Number of training cases.
        TrainingCount: int
    }

/// Reading and writing dataset.json (nnU-Net v2's documentation/dataset_format.md).
[<RequireQualifiedAccess>]
module Dataset =

    /// Number of classes, background included: the outputs of a network.
    let classes (dataset: Dataset) : int = dataset.Labels.Length

    let private bad (path: string) (reason: string) : Result<'T, Problem> = Error(Unreadable(path, reason))

    let private property (path: string) (name: string) (parent: JsonElement) : Result<JsonElement, Problem> =
        match parent.TryGetProperty name with
        | true, value -> Ok value
        | _ -> bad path $"the key \"%s{name}\" is missing"

    let private text (path: string) (key: string) (value: JsonElement) : Result<string, Problem> =
        match value.ValueKind, value with
        | JsonValueKind.String, value ->
            match value.GetString() with
            | null -> bad path $"\"%s{key}\" should be a text"
            | text -> Ok text
        | _ -> bad path $"\"%s{key}\" should be a text; it is %s{value.GetRawText()}"

    let private number (path: string) (key: string) (value: JsonElement) : Result<int, Problem> =
        let refused () =
            bad path $"\"%s{key}\" should be a whole number; it is %s{value.GetRawText()}"

        if value.ValueKind = JsonValueKind.Number then
            match value.TryGetInt32() with
            | true, number -> Ok number
            | _ -> refused ()
        else
            refused ()

    let private members
        (path: string)
        (key: string)
        (value: JsonElement)
        : Result<(string * JsonElement) list, Problem> =
        if value.ValueKind <> JsonValueKind.Object then
            bad path $"\"%s{key}\" should be an object of names; it is %s{value.GetRawText()}"
        else
            Ok [ for entry in value.EnumerateObject() -> entry.Name, entry.Value ]

    let private channelNames (path: string) (root: JsonElement) : Result<string list, Problem> =
        // `modality` is the key of nnU-Net v1, which v2 still reads.
        let key =
            match root.TryGetProperty "channel_names", root.TryGetProperty "modality" with
            | (false, _), (true, _) -> "modality"
            | _ -> "channel_names"

        Problem.attempt {
            let! value = property path key root
            let! entries = members path key value
            let entries = Map.ofList entries
            let numbers = [ 0 .. entries.Count - 1 ]

            if entries.IsEmpty then
                return! bad path $"\"%s{key}\" names no channel"
            elif not (numbers |> List.forall (fun number -> entries.ContainsKey(string number))) then
                let keys = entries |> Map.keys |> String.concat ", "
                return! bad path $"\"%s{key}\" should have the keys 0, 1, 2 and so on; it has %s{keys}"
            else
                return!
                    numbers
                    |> List.map (fun number -> text path $"%s{key}.%d{number}" entries[string number])
                    |> Problem.collect
        }

    let private labelValue (path: string) (name: string, value: JsonElement) : Result<string * int, Problem> =
        let key = $"labels.%s{name}"

        match value.ValueKind with
        | JsonValueKind.Array when value.GetArrayLength() = 1 ->
            number path key value[0] |> Result.map (fun id -> name, id)
        | JsonValueKind.Array ->
            bad path $"\"%s{key}\" is a region (several labels); regions are not served yet: give each label one number"
        | JsonValueKind.String ->
            bad
                path
                $"\"%s{key}\" is a text; labels are written as name: number (nnU-Net v1 had them the other way round)"
        | _ -> number path key value |> Result.map (fun id -> name, id)

    let private labels (path: string) (root: JsonElement) : Result<(string * int) list * int option, Problem> =
        Problem.attempt {
            let! value = property path "labels" root
            let! entries = members path "labels" value
            let! pairs = entries |> List.map (labelValue path) |> Problem.collect
            let ignored, named = pairs |> List.partition (fun (name, _) -> name = "ignore")
            let named = named |> List.sortBy snd
            let ids = named |> List.map snd

            if not (List.contains ("background", 0) named) then
                return! bad path "\"labels\" should hold \"background\": 0"
            elif ids <> [ 0 .. ids.Length - 1 ] then
                let found = ids |> List.map string |> String.concat ", "
                return! bad path $"the numbers in \"labels\" should be 0, 1, 2 and so on, each once; they are %s{found}"
            elif ids.Length < 2 then
                return! bad path "\"labels\" names nothing but the background"
            elif ids.Length > int Int16.MaxValue then
                return! bad path $"\"labels\" holds %d{ids.Length} labels; at most %d{Int16.MaxValue} are served"
            else
                match ignored with
                | [] -> return named, None
                | [ _, id ] when id = ids.Length -> return named, Some id
                | _ ->
                    let found = ignored |> List.map (snd >> string) |> String.concat ", "

                    return!
                        bad path $"\"labels.ignore\" should be %d{ids.Length}, one above the others; it is %s{found}"
        }

    let private nameOf (path: string) (root: JsonElement) : string =
        let folder =
            match Path.GetDirectoryName(Path.GetFullPath path) with
            | null -> ""
            | folder ->
                match Path.GetFileName folder with
                | null -> ""
                | name -> name

        let inside =
            match root.TryGetProperty "name" with
            | true, value when value.ValueKind = JsonValueKind.String -> value.GetString() |> Option.ofObj
            | _ -> None

        match inside with
        | Some name when not (folder.StartsWith("Dataset", StringComparison.Ordinal)) && name <> "" -> name
        | _ -> folder

    /// A data set from the text of its dataset.json. `path` serves the messages, and its folder gives the name; the
    /// key "name" does where the folder is not called `Dataset...`.
    /// Required: labels, channel_names (or modality), numTraining, file_ending; other keys are left alone, except for
    /// regions and lists of file paths ("dataset"), which are refused because ignoring them would change the result.
    let parse (path: string) (json: string) : Result<Dataset, Problem> =
        try
            use document = JsonDocument.Parse json
            let root = document.RootElement

            if root.ValueKind <> JsonValueKind.Object then
                bad path "it should be a JSON object"
            else
                Problem.attempt {
                    let! labels, ignored = labels path root
                    let! channels = channelNames path root

                    let! count =
                        property path "numTraining" root |> Result.bind (number path "numTraining")

                    let! ending =
                        property path "file_ending" root |> Result.bind (text path "file_ending")

                    if count < 0 then
                        return! bad path $"\"numTraining\" should be a count; it is %d{count}"
                    elif not (ending.StartsWith '.') || ending.Length < 2 then
                        return! bad path $"\"file_ending\" should begin with a dot, as .png; it is \"%s{ending}\""
                    elif fst (root.TryGetProperty "dataset") then
                        return!
                            bad
                                path
                                "the key \"dataset\" (a list of file paths) is not served; use imagesTr and labelsTr"
                    else
                        return
                            {
                                Name = nameOf path root
                                ChannelNames = channels
                                Labels = labels
                                Ignore = ignored
                                FileEnding = ending
                                TrainingCount = count
                            }
                }
        with :? JsonException as error ->
            let line = error.LineNumber.GetValueOrDefault() + 1L
            bad path $"it is not valid JSON (line %d{line})"

    /// The text of dataset.json, with nnU-Net's keys and an indent of 4.
    let print (dataset: Dataset) : string =
        use buffer = new MemoryStream()

        let options =
            JsonWriterOptions(
                Indented = true,
                IndentSize = 4,
                NewLine = "\n",
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
            )

        do
            use writer = new Utf8JsonWriter(buffer, options)
            writer.WriteStartObject()
            writer.WriteString("name", dataset.Name)
            writer.WriteStartObject "channel_names"

            dataset.ChannelNames
            |> List.iteri (fun i name -> writer.WriteString(string i, name))

            writer.WriteEndObject()
            writer.WriteStartObject "labels"
            dataset.Labels |> List.iter (fun (name, id) -> writer.WriteNumber(name, id))
            dataset.Ignore |> Option.iter (fun id -> writer.WriteNumber("ignore", id))
            writer.WriteEndObject()
            writer.WriteNumber("numTraining", dataset.TrainingCount)
            writer.WriteString("file_ending", dataset.FileEnding)
            writer.WriteEndObject()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"
