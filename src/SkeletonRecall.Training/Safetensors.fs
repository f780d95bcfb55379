namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Text
open System.Text.Json

/// Element types of the safetensors format that are read and written here.
type ElementType =
    | Float64
    | Float32
    | Float16
    | BFloat16
    | Int64
    | Int32
    | Int16
    | Int8
    | UInt8
    | Boolean

/// One tensor of a file: little-endian values, row-major.
type StoredTensor =
    {
        Name: string
        Type: ElementType
        Shape: int list
        Bytes: byte[]
    }

/// What a safetensors file holds.
type Safetensors =
    {
        /// The strings of `__metadata__`.
        Metadata: Map<string, string>
        /// In the order of their bytes.
        Tensors: StoredTensor list
    }

/// A tensor that is written as it is made, without an array of all its bytes.
type TensorSource =
    {
        Name: string
        Type: ElementType
        Shape: int list
        /// Writes the little-endian values, row-major.
        Write: Stream -> unit
    }

/// Where a tensor lies in its file.
type TensorPlace =
    {
        Name: string
        Type: ElementType
        Shape: int list
        /// Its first byte, counted from the beginning of the file.
        First: int64
        /// The number of its bytes.
        Length: int64
    }

/// The safetensors format: 8 bytes of header length (little-endian), a JSON header that gives each tensor's type, shape and
/// place, then the raw bytes without gaps. https://github.com/huggingface/safetensors
[<RequireQualifiedAccess>]
module Safetensors =

    /// A header longer than this is refused, as the format's own library does.
    let private longestHeader = 100_000_000L

    let private types =
        [
            Float64, ("F64", 8)
            Float32, ("F32", 4)
            Float16, ("F16", 2)
            BFloat16, ("BF16", 2)
            Int64, ("I64", 8)
            Int32, ("I32", 4)
            Int16, ("I16", 2)
            Int8, ("I8", 1)
            UInt8, ("U8", 1)
            Boolean, ("BOOL", 1)
        ]

    let private nameAndSize (element: ElementType) : string * int =
        types |> List.find (fun (known, _) -> known = element) |> snd

    let private expectedBytes (element: ElementType) (shape: int list) : int64 =
        let size = snd (nameAndSize element)

        shape
        |> List.fold (fun total axis -> Checked.(*) total (int64 axis)) (int64 size)

    /// A tensor of 32-bit floats. Throws ArgumentException when the number of values does not fit the shape.
    let ofFloats (array: NamedArray) : StoredTensor =
        let bytes = Array.zeroCreate<byte>(4 * array.Values.Length)

        if expectedBytes Float32 array.Shape <> int64 bytes.Length then
            invalidArg (nameof array) $"%A{array.Shape} does not hold %d{array.Values.Length} values."

        if BitConverter.IsLittleEndian then
            Buffer.BlockCopy(array.Values, 0, bytes, 0, bytes.Length)
        else
            array.Values
            |> Array.iteri (fun i value -> BinaryPrimitives.WriteSingleLittleEndian(Span(bytes, 4 * i, 4), value))

        {
            Name = array.Name
            Type = Float32
            Shape = array.Shape
            Bytes = bytes
        }

    /// The values of a tensor of floats (64, 32, 16 bit or bfloat16) as 32-bit floats; None for other types.
    let toFloats (stored: StoredTensor) : NamedArray option =
        let size = snd (nameAndSize stored.Type)

        let read (convert: int -> float32) =
            Some
                {
                    Name = stored.Name
                    Shape = stored.Shape
                    Values = Array.init (stored.Bytes.Length / size) (fun index -> convert (index * size))
                }

        match stored.Type with
        | Float32 -> read (fun at -> BinaryPrimitives.ReadSingleLittleEndian(ReadOnlySpan(stored.Bytes, at, 4)))
        | Float64 ->
            read (fun at -> float32 (BinaryPrimitives.ReadDoubleLittleEndian(ReadOnlySpan(stored.Bytes, at, 8))))
        | Float16 -> read (fun at -> float32 (BinaryPrimitives.ReadHalfLittleEndian(ReadOnlySpan(stored.Bytes, at, 2))))
        | BFloat16 ->
            read (fun at ->
                let high =
                    BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(stored.Bytes, at, 2))

                BitConverter.UInt32BitsToSingle(uint32 high <<< 16))
        | Int64
        | Int32
        | Int16
        | Int8
        | UInt8
        | Boolean -> None

    let private header (metadata: Map<string, string>) (tensors: (string * ElementType * int list) list) : byte[] =
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
            json.WriteString("dtype", fst (nameAndSize element))
            json.WriteStartArray "shape"
            shape |> List.iter json.WriteNumberValue
            json.WriteEndArray()
            json.WriteStartArray "data_offsets"
            json.WriteNumberValue start
            start <- start + expectedBytes element shape
            json.WriteNumberValue start
            json.WriteEndArray()
            json.WriteEndObject()

        json.WriteEndObject()
        json.Flush()
        let text = buffer.ToArray()
        // Spaces up to a multiple of 8, so that the values begin aligned.
        Array.append text (Array.create ((8 - text.Length % 8) % 8) (byte ' '))

    /// Writes tensors to a stream, one after the other. Throws ArgumentException when two share a name, one is called
    /// `__metadata__`, or one writes another number of bytes than its shape needs.
    let writeSources (stream: Stream) (metadata: Map<string, string>) (tensors: TensorSource list) : unit =
        let names = tensors |> List.map (fun tensor -> tensor.Name)

        if List.contains "__metadata__" names || List.distinct names <> names then
            invalidArg (nameof tensors) "Tensor names must differ from each other and from __metadata__."

        let header =
            header metadata (tensors |> List.map (fun tensor -> tensor.Name, tensor.Type, tensor.Shape))

        let length = Array.zeroCreate<byte> 8
        BinaryPrimitives.WriteInt64LittleEndian(Span length, int64 header.Length)
        stream.Write(length, 0, 8)
        stream.Write(header, 0, header.Length)

        for tensor in tensors do
            let before = stream.Position
            tensor.Write stream

            if stream.Position - before <> expectedBytes tensor.Type tensor.Shape then
                invalidArg
                    (nameof tensors)
                    $"%s{tensor.Name}: %A{tensor.Shape} of %A{tensor.Type} does not hold %d{stream.Position - before} bytes."

    /// Writes to a stream. Throws ArgumentException when two tensors share a name, one is called `__metadata__`, or
    /// bytes do not fit a shape.
    let write (stream: Stream) (content: Safetensors) : unit =
        for tensor in content.Tensors do
            if expectedBytes tensor.Type tensor.Shape <> int64 tensor.Bytes.Length then
                invalidArg
                    (nameof content)
                    $"%s{tensor.Name}: %A{tensor.Shape} of %A{tensor.Type} does not hold %d{tensor.Bytes.Length} bytes."

        content.Tensors
        |> List.map (fun tensor ->
            {
                TensorSource.Name = tensor.Name
                Type = tensor.Type
                Shape = tensor.Shape
                Write = fun stream -> stream.Write(tensor.Bytes, 0, tensor.Bytes.Length)
            })
        |> writeSources stream content.Metadata

    exception private Broken of reason: string

    let private broken (reason: string) : 'T = raise (Broken reason)

    let private take (stream: Stream) (count: int) (what: string) : byte[] =
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
            match types |> List.tryFind (fun (_, (text, _)) -> text = dtype) with
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
                    expectedBytes element shape
                with :? OverflowException ->
                    broken $"the shape of %s{name} is larger than any file"

            if last - first <> wanted then
                broken $"%s{name} takes %d{last - first} bytes where its type and shape need %d{wanted}"

            name, element, shape, first, last
        | _ -> broken $"data_offsets of %s{name} needs a first and a last byte"

    // The header's content, checked against the stream's length, and the tensors' places after it.
    let private parseHeader (stream: Stream) : Map<string, string> * TensorPlace list =
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

    let private parse (stream: Stream) : Safetensors =
        let metadata, places = parseHeader stream

        {
            Metadata = metadata
            Tensors =
                places
                |> List.map (fun place ->
                    if place.Length > int64 Array.MaxLength then
                        broken $"%s{place.Name} is larger than an array can be"

                    {
                        StoredTensor.Name = place.Name
                        Type = place.Type
                        Shape = place.Shape
                        Bytes = take stream (int place.Length) place.Name
                    })
        }

    let private guarded (path: string) (work: unit -> 'T) : Result<'T, Problem> =
        try
            Ok(work ())
        with
        | Broken reason -> Error(Unreadable(path, reason))
        | :? IOException as wrong -> Error(Unreadable(path, wrong.Message.TrimEnd '.'))
        | :? DecoderFallbackException
        | :? InvalidOperationException -> Error(Unreadable(path, "its header is no valid text"))

    /// The strings of `__metadata__` and where the tensors lie, from the beginning of a stream, which is not read beyond
    /// its header; `path` only names it in the problem. The claims of the header are checked against the stream's length.
    let places (path: string) (stream: Stream) : Result<Map<string, string> * TensorPlace list, Problem> =
        guarded path (fun () -> parseHeader stream)

    /// Reads from a stream; `path` only names it in the problem. Every claim of the header is checked before memory is
    /// asked for: a truncated or lying file gives Unreadable.
    let read (path: string) (stream: Stream) : Result<Safetensors, Problem> = guarded path (fun () -> parse stream)

    /// Reads a file.
    let readFile (path: string) : Result<Safetensors, Problem> =
        if not (File.Exists path) then
            Error(Missing(path, "a safetensors file is wanted"))
        else
            try
                use stream =
                    new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 <<< 20)

                read path stream
            with
            | :? UnauthorizedAccessException -> Error(Unreadable(path, "reading it is not permitted"))
            | :? IOException as wrong -> Error(Unreadable(path, wrong.Message.TrimEnd '.'))
