namespace SkeletonRecall.Training

open System
open System.Text.Json

/// A class that labels make up together, such as "all vessels" = 1 and 2. Regions may overlap.
type Region =
    {
        Name: string
        /// Ids of the labels that belong to it, ascending.
        Labels: int list
        /// The id that a label map gets where the region is found: the region's entry of `regions_class_order`. Later
        /// regions paint over earlier ones.
        Paint: int
    }

/// Where the files of a case lie, as dataset.json writes it: relative to the data set's folder, or absolute.
type CaseFiles =
    {
        Case: CaseId
        /// One file per channel, or fewer files of several channels.
        Images: string list
        /// The file of its label map.
        Labels: string
    }

/// Reading the entries of dataset.json. `path` names the file in messages.
[<RequireQualifiedAccess>]
module internal DatasetEntries =

    /// nnU-Net's readers, by the names that plans and `overwrite_image_reader_writer` call them.
    let imageReaders: string list =
        [
            "NaturalImage2DIO"
            "SimpleITKIO"
            "SimpleITKIOWithReorient"
            "Tiff3DIO"
            "NibabelIO"
            "NibabelIOWithReorient"
        ]

    let bad (path: string) (reason: string) : Result<'T, Problem> = Error(Unreadable(path, reason))

    let property (path: string) (name: string) (parent: JsonElement) : Result<JsonElement, Problem> =
        match parent.TryGetProperty name with
        | true, value -> Ok value
        | _ -> bad path $"the key \"%s{name}\" is missing"

    let text (path: string) (key: string) (value: JsonElement) : Result<string, Problem> =
        match value.ValueKind, value with
        | JsonValueKind.String, value ->
            match value.GetString() with
            | null -> bad path $"\"%s{key}\" should be a text"
            | text -> Ok text
        | _ -> bad path $"\"%s{key}\" should be a text; it is %s{value.GetRawText()}"

    let number (path: string) (key: string) (value: JsonElement) : Result<int, Problem> =
        let refused () =
            bad path $"\"%s{key}\" should be a whole number; it is %s{value.GetRawText()}"

        if value.ValueKind = JsonValueKind.Number then
            match value.TryGetInt32() with
            | true, number -> Ok number
            | _ -> refused ()
        else
            refused ()

    let members (path: string) (key: string) (value: JsonElement) : Result<(string * JsonElement) list, Problem> =
        if value.ValueKind <> JsonValueKind.Object then
            bad path $"\"%s{key}\" should be an object of names; it is %s{value.GetRawText()}"
        else
            Ok [ for entry in value.EnumerateObject() -> entry.Name, entry.Value ]

    let channelNames (path: string) (root: JsonElement) : Result<string list, Problem> =
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

    // The labels of an entry.
    let private labelValue (path: string) (name: string, value: JsonElement) : Result<string * int list, Problem> =
        let key = $"labels.%s{name}"

        match value.ValueKind with
        | JsonValueKind.Array when value.GetArrayLength() > 0 ->
            [ for item in value.EnumerateArray() -> number path key item ]
            |> Problem.collect
            |> Result.map (fun ids -> name, List.sort (List.distinct ids))
        | JsonValueKind.Array -> bad path $"\"%s{key}\" is an empty list; a label or several are wanted"
        | JsonValueKind.String ->
            bad
                path
                $"\"%s{key}\" is a text; labels are written as name: number (nnU-Net v1 had them the other way round)"
        | _ -> number path key value |> Result.map (fun id -> name, [ id ])

    // Regions take their colours from regions_class_order, entry by entry.
    let private regions
        (path: string)
        (root: JsonElement)
        (ids: int list)
        (named: (string * int list) list)
        : Result<Region list, Problem> =
        let key = "regions_class_order"
        let found = named |> List.filter (fun (_, labels) -> labels <> [ 0 ])

        Problem.attempt {
            let! order =
                match root.TryGetProperty key with
                | true, value when value.ValueKind = JsonValueKind.Array ->
                    [ for item in value.EnumerateArray() -> number path key item ]
                    |> Problem.collect
                | true, value -> bad path $"\"%s{key}\" should be a list of labels; it is %s{value.GetRawText()}"
                | _ ->
                    bad
                        path
                        $"\"labels\" holds regions (several labels in one entry), and the key \"%s{key}\" is missing: list the label to paint for each of the %d{found.Length} regions"

            let unknown = order |> List.filter (fun id -> not (List.contains id ids))

            if order.Length <> found.Length then
                return!
                    bad
                        path
                        $"\"%s{key}\" should have %d{found.Length} entries, one per region; it has %d{order.Length}"
            elif not unknown.IsEmpty then
                let known = ids |> List.map string |> String.concat ", "
                return! bad path $"\"%s{key}\" holds %d{unknown.Head}, which is no label; the labels are %s{known}"
            else
                return
                    List.map2
                        (fun (name, labels) paint ->
                            {
                                Name = name
                                Labels = labels
                                Paint = paint
                            })
                        found
                        order
        }

    // Each label, with the name of the entry that is this label alone.
    let private labelNames (named: (string * int list) list) (ids: int list) : (string * int) list =
        ids
        |> List.map (fun id ->
            named
            |> List.tryFind (fun (_, labels) -> labels = [ id ])
            |> Option.map fst
            |> Option.defaultValue $"label %d{id}",
            id)

    let labels (path: string) (root: JsonElement) : Result<(string * int) list * Region list * int option, Problem> =
        Problem.attempt {
            let! value = property path "labels" root
            let! entries = members path "labels" value
            let! pairs = entries |> List.map (labelValue path) |> Problem.collect
            let ignored, named = pairs |> List.partition (fun (name, _) -> name = "ignore")
            let hasRegions = named |> List.exists (fun (_, labels) -> labels.Length > 1)

            let ids =
                let all = named |> List.collect snd |> List.sort
                if hasRegions then List.distinct all else all

            if not (List.contains ("background", [ 0 ]) named) then
                return! bad path "\"labels\" should hold \"background\": 0"
            elif ids <> [ 0 .. ids.Length - 1 ] then
                let found = ids |> List.map string |> String.concat ", "

                return!
                    bad
                        path
                        $"the numbers in \"labels\" should be 0, 1, 2 and so on, each once; they are %s{found}: renumber the labels here and in the label maps"
            elif ids.Length < 2 then
                return! bad path "\"labels\" names nothing but the background"
            elif ids.Length > int Int16.MaxValue then
                return! bad path $"\"labels\" holds %d{ids.Length} labels; at most %d{Int16.MaxValue} are served"
            else
                let! regions = if hasRegions then regions path root ids named else Ok []

                let names =
                    if hasRegions then
                        labelNames named ids
                    else
                        named |> List.map (fun (name, labels) -> name, labels.Head) |> List.sortBy snd

                match ignored with
                | [] -> return names, regions, None
                | [ _, [ id ] ] when id = ids.Length -> return names, regions, Some id
                | _ ->
                    let found = ignored |> List.collect snd |> List.map string |> String.concat ", "

                    return!
                        bad path $"\"labels.ignore\" should be %d{ids.Length}, one above the others; it is %s{found}"
        }

    let private caseFiles (path: string) (name: string, value: JsonElement) : Result<CaseFiles, Problem> =
        let key = $"dataset.%s{name}"

        let entry (part: string) : Result<JsonElement, Problem> =
            match value.ValueKind with
            | JsonValueKind.Object ->
                match value.TryGetProperty part with
                | true, found -> Ok found
                | _ -> bad path $"\"%s{key}\" should hold \"images\" and \"label\"; \"%s{part}\" is missing"
            | _ ->
                bad path $"\"%s{key}\" should be an object with \"images\" and \"label\"; it is %s{value.GetRawText()}"

        Problem.attempt {
            let! images = entry "images"
            let! label = entry "label" |> Result.bind (text path $"%s{key}.label")

            let! images =
                if images.ValueKind = JsonValueKind.Array && images.GetArrayLength() > 0 then
                    [ for item in images.EnumerateArray() -> text path $"%s{key}.images" item ]
                    |> Problem.collect
                else
                    bad path $"\"%s{key}.images\" should be a list of files; it is %s{images.GetRawText()}"

            match CaseId.tryOfString name with
            | None -> return! bad path $"\"%s{key}\" is no case name that every system takes as a file name: rename it"
            | Some case ->
                return
                    {
                        Case = case
                        Images = images
                        Labels = label
                    }
        }

    let files (path: string) (root: JsonElement) : Result<CaseFiles list option, Problem> =
        match root.TryGetProperty "dataset" with
        | true, value ->
            Problem.attempt {
                let! entries = members path "dataset" value
                let! cases = entries |> List.map (caseFiles path) |> Problem.collect

                match
                    cases
                    |> List.countBy (fun files -> files.Case)
                    |> List.tryFind (fun (_, times) -> times > 1)
                with
                | Some(case, times) ->
                    return!
                        bad
                            path
                            $"\"dataset\" lists the case %s{CaseId.value case} %d{times} times: give each its own name"
                | None -> return Some cases
            }
        | _ -> Ok None

    let imageReader (path: string) (root: JsonElement) : Result<string option, Problem> =
        let key = "overwrite_image_reader_writer"

        match root.TryGetProperty key with
        | true, value when value.ValueKind <> JsonValueKind.Null ->
            text path key value
            |> Result.bind (fun name ->
                if name = "None" then
                    Ok None
                elif List.contains name imageReaders then
                    Ok(Some name)
                else
                    let known = String.concat ", " imageReaders
                    bad path $"\"%s{key}\" is \"%s{name}\"; known are %s{known}")
        | _ -> Ok None
