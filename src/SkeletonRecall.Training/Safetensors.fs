namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Text

/// What a safetensors file holds.
type Safetensors =
    {
        /// The strings of `__metadata__`.
        Metadata: Map<string, string>
        /// In the order of their bytes.
        Tensors: StoredTensor list
    }

/// The safetensors format: 8 bytes of header length (little-endian), a JSON header that gives each tensor's type, shape and
/// place, then the raw bytes without gaps. https://github.com/huggingface/safetensors
[<RequireQualifiedAccess>]
module Safetensors =

    /// A tensor of 32-bit floats. Throws ArgumentException when the number of values does not fit the shape.
    let ofFloats (array: NamedArray) : StoredTensor =
        let bytes = Array.zeroCreate<byte>(4 * array.Values.Length)

        if StoredTensor.expectedBytes Float32 array.Shape <> int64 bytes.Length then
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
        let size = snd (StoredTensor.nameAndSize stored.Type)

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

    /// Writes tensors to a stream, one after the other. Throws ArgumentException when two share a name, one is called
    /// `__metadata__`, or one writes another number of bytes than its shape needs.
    let writeSources (stream: Stream) (metadata: Map<string, string>) (tensors: TensorSource list) : unit =
        let names = tensors |> List.map (fun tensor -> tensor.Name)

        if List.contains "__metadata__" names || List.distinct names <> names then
            invalidArg (nameof tensors) "Tensor names must differ from each other and from __metadata__."

        let header =
            SafetensorsHeader.print
                metadata
                (tensors |> List.map (fun tensor -> tensor.Name, tensor.Type, tensor.Shape))

        let length = Array.zeroCreate<byte> 8
        BinaryPrimitives.WriteInt64LittleEndian(Span length, int64 header.Length)
        stream.Write(length, 0, 8)
        stream.Write(header, 0, header.Length)

        for tensor in tensors do
            let before = stream.Position
            tensor.Write stream

            if stream.Position - before <> StoredTensor.expectedBytes tensor.Type tensor.Shape then
                invalidArg
                    (nameof tensors)
                    $"%s{tensor.Name}: %A{tensor.Shape} of %A{tensor.Type} does not hold %d{stream.Position - before} bytes."

    /// Writes to a stream. Throws ArgumentException when two tensors share a name, one is called `__metadata__`, or
    /// bytes do not fit a shape.
    let write (stream: Stream) (content: Safetensors) : unit =
        for tensor in content.Tensors do
            if StoredTensor.expectedBytes tensor.Type tensor.Shape <> int64 tensor.Bytes.Length then
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

    let private parse (stream: Stream) : Safetensors =
        let metadata, places = SafetensorsHeader.parse stream

        {
            Metadata = metadata
            Tensors =
                places
                |> List.map (fun place ->
                    if place.Length > int64 Array.MaxLength then
                        SafetensorsHeader.broken $"%s{place.Name} is larger than an array can be"

                    {
                        StoredTensor.Name = place.Name
                        Type = place.Type
                        Shape = place.Shape
                        Bytes = SafetensorsHeader.take stream (int place.Length) place.Name
                    })
        }

    let private guarded (path: string) (work: unit -> 'T) : Result<'T, Problem> =
        try
            Ok(work ())
        with
        | BrokenTensors reason -> Error(Unreadable(path, reason))
        | :? IOException as wrong -> Error(Unreadable(path, wrong.Message.TrimEnd '.'))
        | :? DecoderFallbackException
        | :? InvalidOperationException -> Error(Unreadable(path, "its header is no valid text"))

    /// The strings of `__metadata__` and where the tensors lie, from the beginning of a stream, which is not read beyond
    /// its header; `path` only names it in the problem. The claims of the header are checked against the stream's length.
    let places (path: string) (stream: Stream) : Result<Map<string, string> * TensorPlace list, Problem> =
        guarded path (fun () -> SafetensorsHeader.parse stream)

    /// Reads from a stream; `path` only names it in the problem. Every claim of the header is checked before memory is
    /// asked for: a truncated or lying file gives Unreadable.
    let read (path: string) (stream: Stream) : Result<Safetensors, Problem> = guarded path (fun () -> parse stream)

    let private opened (path: string) (read: Stream -> Result<'T, Problem>) : Result<'T, Problem> =
        if not (File.Exists path) then
            Error(Missing(path, "a safetensors file is wanted"))
        else
            try
                use stream =
                    new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 <<< 20)

                read stream
            with
            | :? UnauthorizedAccessException -> Error(Unreadable(path, "reading it is not permitted"))
            | :? IOException as wrong -> Error(Unreadable(path, wrong.Message.TrimEnd '.'))

    /// Reads a file.
    let readFile (path: string) : Result<Safetensors, Problem> = opened path (read path)

    /// The strings of a file's `__metadata__`; its tensors are not read.
    let readMetadata (path: string) : Result<Map<string, string>, Problem> =
        opened path (places path) |> Result.map fst
