namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Text.Json

/// Ends reading from any depth; never leaves `Safetensors`.
exception internal BrokenTensors of reason: string

/// The JSON header of a safetensors file: each tensor's type, shape and place.
[<RequireQualifiedAccess>]
module internal SafetensorsHeader =

    /// A header longer than this is refused, as the format's own library does.
    let private longestHeader = 100_000_000L

    /// The header of tensors that follow each other in this order.
    let print (metadata: Map<string, string>) (tensors: (string * ElementType * int list) list) : byte[] =
        use buffer = new MemoryStream()
        use json = new Utf8JsonWriter(buffer)
        json.WriteStartObject()

        if not metadata.IsEmpty then
            json.WriteStartObject "__metadata__"

            for KeyValue(key, value) in metadata do
                json.WriteString(key, value)

            json.WriteEndObject()

        let mutable start = 0L

        for name, element, shape in tensors do
            json.WriteStartObject name
            json.WriteString("dtype", fst (StoredTensor.nameAndSize element))
            json.WriteStartArray "shape"
            shape |> List.iter json.WriteNumberValue
            json.WriteEndArray()
            json.WriteStartArray "data_offsets"
            json.WriteNumberValue start
            start <- start + StoredTensor.expectedBytes element shape
            json.WriteNumberValue start
            json.WriteEndArray()
            json.WriteEndObject()

        json.WriteEndObject()
        json.Flush()
        let text = buffer.ToArray()
        // Spaces up to a multiple of 8, so that the values begin aligned.
        Array.append text (Array.create ((8 - text.Length % 8) % 8) (byte ' '))

    let broken (reason: string) : 'T = raise (BrokenTensors reason)

    /// The next bytes of a stream, all of them or none.
    let take (stream: Stream) (count: int) (what: string) : byte[] =
        let bytes = Array.zeroCreate<byte> count
        let got = stream.ReadAtLeast(Span bytes, count, false)

        if got < count then
            broken $"it ends after %d{got} of %d{count} bytes of %s{what}"

        bytes

    let private number (what: string) (element: JsonElement) : int64 =
        match element.ValueKind, element.TryGetInt64() with
        | JsonValueKind.Number, (true, value) when value >= 0L -> value
        | _ -> broken $"%s{what} holds %s{element.GetRawText()} where a whole number from 0 is wanted"

    let private property (name: string) (kind: JsonValueKind) (owner: string) (element: JsonElement) : JsonElement =
        match element.TryGetProperty name with
        | true, value when value.ValueKind = kind -> value
        | _ -> broken $"%s{owner} has no %s{name} of the kind %A{kind}"

    // Type, shape, first and last byte of one header entry.
    let private entry (field: JsonProperty) : string * ElementType * int list * int64 * int64 =
        let name = field.Name

        if field.Value.ValueKind <> JsonValueKind.Object then
            broken $"the header's entry %s{name} is no object"

        let dtype =
            (property "dtype" JsonValueKind.String name field.Value).GetString()
            |> Option.ofObj
            |> Option.defaultValue ""

        let element =
            match StoredTensor.types |> List.tryFind (fun (_, (text, _)) -> text = dtype) with
            | Some(element, _) -> element
            | None -> broken $"%s{name} has the unknown type %s{dtype}"

        let shape =
            [
                for axis in (property "shape" JsonValueKind.Array name field.Value).EnumerateArray() ->
                    let size = number $"the shape of %s{name}" axis

                    if size > int64 Array.MaxLength then
                        broken $"the shape of %s{name} holds %d{size}, which no array can"

                    int size
            ]

        let offsets =
            [
                for offset in (property "data_offsets" JsonValueKind.Array name field.Value).EnumerateArray() ->
                    number $"data_offsets of %s{name}" offset
            ]

        match offsets with
        | [ first; last ] ->
            let wanted =
                try
                    StoredTensor.expectedBytes element shape
                with :? OverflowException ->
                    broken $"the shape of %s{name} is larger than any file"

            if last - first <> wanted then
                broken $"%s{name} takes %d{last - first} bytes where its type and shape need %d{wanted}"

            name, element, shape, first, last
        | _ -> broken $"data_offsets of %s{name} needs a first and a last byte"

    /// The strings of `__metadata__` and the tensors' places, checked against the stream's length.
    let parse (stream: Stream) : Map<string, string> * TensorPlace list =
        let size =
            BinaryPrimitives.ReadInt64LittleEndian(ReadOnlySpan(take stream 8 "the header's length"))

        let available =
            if stream.CanSeek then
                stream.Length - stream.Position
            else
                longestHeader

        if size < 2L || size > min longestHeader available then
            broken $"it claims a header of %d{size} bytes, which cannot be (is it a safetensors file?)"

        let header = take stream (int size) "the header"

        use document =
            try
                JsonDocument.Parse(ReadOnlyMemory header)
            with :? JsonException as wrong ->
                broken $"its header is no JSON: %s{wrong.Message}"

        if document.RootElement.ValueKind <> JsonValueKind.Object then
            broken "its header is no JSON object"

        let fields = [ for field in document.RootElement.EnumerateObject() -> field ]

        let metadata =
            [
                for field in fields do
                    if field.Name = "__metadata__" then
                        if field.Value.ValueKind <> JsonValueKind.Object then
                            broken "__metadata__ is no object"

                        for item in field.Value.EnumerateObject() do
                            match item.Value.ValueKind, item.Value.ToString() with
                            | JsonValueKind.String, text -> item.Name, text
                            | _ -> broken $"the metadata %s{item.Name} is no string"
            ]

        let entries =
            fields
            |> List.filter (fun field -> field.Name <> "__metadata__")
            |> List.map entry
            |> List.sortBy (fun (_, _, _, first, last) -> first, last)

        let names = entries |> List.map (fun (name, _, _, _, _) -> name)

        if List.distinct names <> names then
            broken "its header names a tensor twice"

        // The format allows neither gaps nor overlaps; so bytes can be read from front to back.
        let finish =
            (0L, entries)
            ||> List.fold (fun position (name, _, _, first, last) ->
                if first <> position then
                    broken $"%s{name} begins at byte %d{first} where the one before it ends at %d{position}"

                last)

        if stream.CanSeek && stream.Length - stream.Position <> finish then
            broken $"%d{stream.Length - stream.Position} bytes of values follow where the header tells of %d{finish}"

        let start = 8L + size

        Map.ofList metadata,
        entries
        |> List.map (fun (name, element, shape, first, last) ->
            {
                TensorPlace.Name = name
                Type = element
                Shape = shape
                First = start + first
                Length = last - first
            })
