namespace SkeletonRecall.Training

open System
open System.Text.Json

/// Reading parts of a JSON document under their keys. Errors are reasons, without the file's name.
[<RequireQualifiedAccess>]
module internal JsonParts =

    /// A configuration's keys, those of the one that it inherits from included.
    type Entries = Map<string, JsonElement>

    let list
        (read: string -> JsonElement -> Result<'T, string>)
        (key: string)
        (value: JsonElement)
        : Result<'T list, string> =
        if value.ValueKind <> JsonValueKind.Array then
            Error $"\"%s{key}\" should be a list; it is %s{value.GetRawText()}"
        else
            [ for item in value.EnumerateArray() -> read key item ] |> Problem.collect

    let whole (key: string) (value: JsonElement) : Result<int, string> =
        let mutable number = 0

        if
            value.ValueKind = JsonValueKind.Number
            && value.TryGetInt32 &number
            && number > 0
        then
            Ok number
        else
            Error $"\"%s{key}\" should hold positive whole numbers; it holds %s{value.GetRawText()}"

    let number (key: string) (value: JsonElement) : Result<float, string> =
        if value.ValueKind = JsonValueKind.Number && value.GetDouble() > 0.0 then
            Ok(value.GetDouble())
        else
            Error $"\"%s{key}\" should hold positive numbers; it holds %s{value.GetRawText()}"

    let text (key: string) (value: JsonElement) : Result<string, string> =
        let found =
            if value.ValueKind = JsonValueKind.String then
                value.GetString()
            else
                null

        match found with
        | null -> Error $"\"%s{key}\" should be a text; it is %s{value.GetRawText()}"
        | text -> Ok text

    let truth (key: string) (value: JsonElement) : Result<bool, string> =
        match value.ValueKind with
        | JsonValueKind.True -> Ok true
        | JsonValueKind.False -> Ok false
        | _ -> Error $"\"%s{key}\" should be true or false; it is %s{value.GetRawText()}"

    let entriesOf (value: JsonElement) : Entries =
        if value.ValueKind = JsonValueKind.Object then
            Map.ofList [ for entry in value.EnumerateObject() -> entry.Name, entry.Value ]
        else
            Map.empty

    let get (key: string) (read: string -> JsonElement -> Result<'T, string>) (entries: Entries) : Result<'T, string> =
        match Map.tryFind key entries with
        | Some value -> read key value
        | None -> Error $"\"%s{key}\" is missing"

    let require (condition: bool) (reason: string) : Result<unit, string> =
        if condition then Ok() else Error reason

    /// The entry, when it is there, must be one of the texts by its last dotted part (null counts as "null").
    let requireName (key: string) (allowed: string list) (entries: Entries) : Result<unit, string> =
        match Map.tryFind key entries with
        | None -> Ok()
        | Some value ->
            let name = value.ToString().Split '.' |> Array.last
            let name = if name = "" then "null" else name
            let wanted = String.concat " or " allowed
            require (List.contains name allowed) $"\"%s{key}\" is %s{name}; only %s{wanted} is served"

    /// The document's root read, or why the text is not JSON.
    let document (json: string) (read: JsonElement -> Result<'T, string>) : Result<'T, string> =
        try
            use document = JsonDocument.Parse json
            read document.RootElement
        with :? JsonException as error ->
            let line = error.LineNumber.GetValueOrDefault() + 1L
            Error $"it is not valid JSON (line %d{line})"
