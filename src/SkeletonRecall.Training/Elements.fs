namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Runtime.InteropServices
open SkeletonRecall

/// Ends reading from any depth; never leaves `Elements.guard`.
exception internal RefusedFile of reason: string

/// The number types of image files.
[<RequireQualifiedAccess>]
type internal NumberType =
    | Int8
    | UInt8
    | Int16
    | UInt16
    | Int32
    | UInt32
    | Int64
    | UInt64
    | Float32
    | Float64

/// A rearrangement of any array.
type internal Rearrangement =
    abstract Apply: values: 'T[] -> 'T[]

/// Numbers between image files and arrays.
[<RequireQualifiedAccess>]
module internal Elements =

    let refuse (reason: string) : 'T = raise (RefusedFile reason)

    /// The result of reading, with one reason for whatever the file's bytes led to.
    let guard (read: unit -> 'T) : Result<'T, string> =
        try
            Ok(read ())
        with
        | RefusedFile reason -> Error(String.map (fun letter -> if Char.IsControl letter then '?' else letter) reason)
        | :? EndOfStreamException -> Error "it is truncated"
        | :? InvalidDataException as error -> Error $"its compressed data are damaged (%s{error.Message.TrimEnd('.')})"

    /// Bytes of one number.
    let size (kind: NumberType) : int =
        match kind with
        | NumberType.Int8
        | NumberType.UInt8 -> 1
        | NumberType.Int16
        | NumberType.UInt16 -> 2
        | NumberType.Int32
        | NumberType.UInt32
        | NumberType.Float32 -> 4
        | NumberType.Int64
        | NumberType.UInt64
        | NumberType.Float64 -> 8

    /// The product of axes, channels included; refused where an axis is below 1 or an array cannot hold it.
    let count (axes: int64 list) : int =
        if axes |> List.exists (fun axis -> axis < 1L) then
            let list = axes |> List.map string |> String.concat " x "
            refuse $"its header declares %s{list} voxels"

        let product =
            axes |> List.fold (fun (product: bigint) axis -> product * bigint axis) 1I

        if product > bigint Array.MaxLength then
            refuse $"its header declares %O{product} numbers, more than one array holds (%d{Array.MaxLength})"

        int product

    [<Literal>]
    let private Chunk = 1048576

    // No stored bit gives more than 1032 bytes of deflated data for each byte.
    let private ratio = 1032L

    // The array grows with what arrives: a header alone costs nothing.
    let private fill<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (size: int)
        (total: int)
        (held: int64)
        (stream: Stream)
        : 'T[] =
        let expected = max (int64 (Chunk / 16)) (8L * held / int64 size)

        let mutable data =
            GC.AllocateUninitializedArray<'T>(int (min (int64 total) expected))

        let mutable filled = 0

        while filled < total do
            if filled = data.Length then
                let larger =
                    GC.AllocateUninitializedArray<'T>(int (min (int64 total) (2L * int64 filled)))

                Array.blit data 0 larger 0 filled
                data <- larger

            let wanted = min Chunk (data.Length - filled)
            let bytes = MemoryMarshal.AsBytes(Span<'T>(data, filled, wanted))
            let read = stream.ReadAtLeast(bytes, bytes.Length, false)

            if read < bytes.Length then
                let there = int64 filled * int64 size + int64 read
                let needed = int64 total * int64 size
                refuse $"it is truncated: its header declares %d{needed} bytes of voxels, and %d{there} are there"

            filled <- filled + wanted

        data

    let private swap16<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType> (data: 'T[]) : 'T[] =
        let words = MemoryMarshal.Cast<'T, uint16>(Span<'T> data)
        let source: ReadOnlySpan<uint16> = Span.op_Implicit words
        BinaryPrimitives.ReverseEndianness(source, words)
        data

    let private swap32<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType> (data: 'T[]) : 'T[] =
        let words = MemoryMarshal.Cast<'T, uint32>(Span<'T> data)
        let source: ReadOnlySpan<uint32> = Span.op_Implicit words
        BinaryPrimitives.ReverseEndianness(source, words)
        data

    let private swap64<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType> (data: 'T[]) : 'T[] =
        let words = MemoryMarshal.Cast<'T, uint64>(Span<'T> data)
        let source: ReadOnlySpan<uint64> = Span.op_Implicit words
        BinaryPrimitives.ReverseEndianness(source, words)
        data

    /// The next `total` numbers of a stream. `held` is how many bytes the file has for them, compressed or not: a total
    /// that they cannot give is refused, and memory is taken as the numbers arrive.
    let read
        (kind: NumberType)
        (bigEndian: bool)
        (compressed: bool)
        (total: int)
        (held: int64)
        (stream: Stream)
        : NpyValues =
        let needed = int64 total * int64 (size kind)
        let possible = if compressed then ratio * (held + 1L) else held

        if needed > possible then
            let how = if compressed then "compressed ones" else "bytes"

            refuse
                $"its header declares %d{needed} bytes of voxels, which the file's %d{max 0L held} %s{how} cannot hold"

        let turned (swap: 'T[] -> 'T[]) (data: 'T[]) : 'T[] = if bigEndian then swap data else data

        match kind with
        | NumberType.Int8 -> Int8s(fill<sbyte> 1 total held stream)
        | NumberType.UInt8 -> UInt8s(fill<byte> 1 total held stream)
        | NumberType.Int16 -> Int16s(fill<int16> 2 total held stream |> turned swap16)
        | NumberType.UInt16 -> UInt16s(fill<uint16> 2 total held stream |> turned swap16)
        | NumberType.Int32 -> Int32s(fill<int32> 4 total held stream |> turned swap32)
        | NumberType.UInt32 -> UInt32s(fill<uint32> 4 total held stream |> turned swap32)
        | NumberType.Int64 -> Int64s(fill<int64> 8 total held stream |> turned swap64)
        | NumberType.UInt64 -> UInt64s(fill<uint64> 8 total held stream |> turned swap64)
        | NumberType.Float32 -> Float32s(fill<float32> 4 total held stream |> turned swap32)
        | NumberType.Float64 -> Float64s(fill<float> 8 total held stream |> turned swap64)

    /// The bytes that are left of a stream, at most `most` of them; refused where there are more.
    let rest (most: int64) (stream: Stream) : byte[] =
        use buffer = new MemoryStream()
        let part = Array.zeroCreate<byte> 65536
        let mutable read = stream.Read(part, 0, part.Length)

        while read > 0 do
            if buffer.Length + int64 read > most then
                refuse $"it holds more than the %d{most} bytes that its size allows"

            buffer.Write(part, 0, read)
            read <- stream.Read(part, 0, part.Length)

        buffer.ToArray()

    /// The next line of a text header, without its end; none at the end of the file. Refused where a line or what was read
    /// so far (`budget`) is too long for a header.
    let line (budget: int ref) (stream: Stream) : string option =
        let bytes = ResizeArray<byte>()
        let mutable next = stream.ReadByte()
        let atEnd = next < 0

        while next >= 0 && next <> int '\n' do
            bytes.Add(byte next)
            budget.Value <- budget.Value - 1

            if budget.Value < 0 then
                refuse "its header does not end"

            next <- stream.ReadByte()

        if atEnd then
            None
        else
            Some(Text.Encoding.UTF8.GetString(bytes.ToArray()).TrimEnd '\r')

    /// The numbers of a header's value, separated by blanks.
    let numbers (key: string) (value: string) : float list =
        value.Split([| ' '; '\t' |], StringSplitOptions.RemoveEmptyEntries)
        |> List.ofArray
        |> List.map (fun text ->
            match
                Double.TryParse(text, Globalization.NumberStyles.Float, Globalization.CultureInfo.InvariantCulture)
            with
            | true, number -> number
            | _ -> refuse $"its header gives %s{key} as '%s{text}', which is no number")

    /// The whole numbers of a header's value, separated by blanks.
    let wholes (key: string) (value: string) : int64 list =
        numbers key value
        |> List.map (fun number ->
            if Double.IsInteger number && abs number < 9e15 then
                int64 number
            else
                refuse $"its header gives %s{key} as %g{number}, which is no whole number")

    /// Numbers for a header's value, shortest that read back the same.
    let print (values: float list) : string =
        values
        |> List.map (fun value -> value.ToString("R", Globalization.CultureInfo.InvariantCulture))
        |> String.concat " "

    /// The data behind a text header: what is left of its own file or, opened by `beside`, of a file in the same folder.
    let dataFile (beside: string -> Result<Stream, string>) (name: string) : Stream =
        if name.IndexOfAny [| '/'; '\\'; ':' |] >= 0 || name = ".." then
            refuse $"its voxels are said to lie in '%s{name}'; they must lie in the same folder: give the plain name"

        match beside name with
        | Ok stream -> stream
        | Error reason -> refuse $"its voxels are said to lie in '%s{name}' beside it; %s{reason}"

    let private writeRaw (stream: Stream) (data: 'T[]) : unit =
        let mutable at = 0

        while at < data.Length do
            let some = min Chunk (data.Length - at)
            stream.Write(MemoryMarshal.AsBytes(ReadOnlySpan<'T>(data, at, some)))
            at <- at + some

    /// Writes the numbers, little-endian; booleans as bytes.
    let write (stream: Stream) (values: NpyValues) : unit =
        match values with
        | Bools data -> writeRaw stream data
        | Int8s data -> writeRaw stream data
        | UInt8s data -> writeRaw stream data
        | Int16s data -> writeRaw stream data
        | UInt16s data -> writeRaw stream data
        | Int32s data -> writeRaw stream data
        | UInt32s data -> writeRaw stream data
        | Int64s data -> writeRaw stream data
        | UInt64s data -> writeRaw stream data
        | Float32s data -> writeRaw stream data
        | Float64s data -> writeRaw stream data

    /// The type of the numbers; booleans are bytes.
    let kind (values: NpyValues) : NumberType =
        match values with
        | Int8s _ -> NumberType.Int8
        | Bools _
        | UInt8s _ -> NumberType.UInt8
        | Int16s _ -> NumberType.Int16
        | UInt16s _ -> NumberType.UInt16
        | Int32s _ -> NumberType.Int32
        | UInt32s _ -> NumberType.UInt32
        | Int64s _ -> NumberType.Int64
        | UInt64s _ -> NumberType.UInt64
        | Float32s _ -> NumberType.Float32
        | Float64s _ -> NumberType.Float64

    /// How many numbers there are.
    let length (values: NpyValues) : int =
        match values with
        | Bools data -> data.Length
        | Int8s data -> data.Length
        | UInt8s data -> data.Length
        | Int16s data -> data.Length
        | UInt16s data -> data.Length
        | Int32s data -> data.Length
        | UInt32s data -> data.Length
        | Int64s data -> data.Length
        | UInt64s data -> data.Length
        | Float32s data -> data.Length
        | Float64s data -> data.Length

    /// The numbers in another order.
    let rearrange (rearrangement: Rearrangement) (values: NpyValues) : NpyValues =
        match values with
        | Bools data -> Bools(rearrangement.Apply data)
        | Int8s data -> Int8s(rearrangement.Apply data)
        | UInt8s data -> UInt8s(rearrangement.Apply data)
        | Int16s data -> Int16s(rearrangement.Apply data)
        | UInt16s data -> UInt16s(rearrangement.Apply data)
        | Int32s data -> Int32s(rearrangement.Apply data)
        | UInt32s data -> UInt32s(rearrangement.Apply data)
        | Int64s data -> Int64s(rearrangement.Apply data)
        | UInt64s data -> UInt64s(rearrangement.Apply data)
        | Float32s data -> Float32s(rearrangement.Apply data)
        | Float64s data -> Float64s(rearrangement.Apply data)

    /// (slow, fast) to (fast, slow): with `fast` channels side by side in each voxel, one channel after the other.
    let transpose (fast: int) : Rearrangement =
        { new Rearrangement with
            member _.Apply(values: 'T[]) : 'T[] =
                if fast = 1 then
                    values
                else
                    let slow = values.Length / fast
                    let result = Array.zeroCreate<'T> values.Length

                    for inner in 0 .. fast - 1 do
                        for outer in 0 .. slow - 1 do
                            result[inner * slow + outer] <- values[outer * fast + inner]

                    result
        }

    let inline private converted ([<InlineIfLambda>] convert: 'T -> float32) (data: 'T[]) : float32[] =
        let result = GC.AllocateUninitializedArray<float32> data.Length

        for at in 0 .. data.Length - 1 do
            result[at] <- convert data[at]

        result

    /// The numbers as an image's; those that are float32 already are not copied.
    let toFloats (values: NpyValues) : float32[] =
        match values with
        | Bools data -> data |> converted (fun value -> if value then 1.0f else 0.0f)
        | Int8s data -> data |> converted float32
        | UInt8s data -> data |> converted float32
        | Int16s data -> data |> converted float32
        | UInt16s data -> data |> converted float32
        | Int32s data -> data |> converted float32
        | UInt32s data -> data |> converted float32
        | Int64s data -> data |> converted float32
        | UInt64s data -> data |> converted float32
        | Float32s data -> data
        | Float64s data -> data |> converted float32

    /// slope * value + intercept, of whole numbers reckoned in double precision.
    let scaled (slope: float) (intercept: float) (values: NpyValues) : NpyValues =
        let inline scale (data: ^T[]) : NpyValues =
            data
            |> converted (fun value -> float32 (slope * float value + intercept))
            |> Float32s

        match values with
        | Bools data -> data |> Array.map (fun value -> if value then 1uy else 0uy) |> scale
        | Int8s data -> scale data
        | UInt8s data -> scale data
        | Int16s data -> scale data
        | UInt16s data -> scale data
        | Int32s data -> scale data
        | UInt32s data -> scale data
        | Int64s data -> scale data
        | UInt64s data -> scale data
        | Float32s data -> scale data
        | Float64s data -> scale data

    let inline private whole ([<InlineIfLambda>] toWhole: 'T -> int64) (data: 'T[]) : uint16[] =
        let result = GC.AllocateUninitializedArray<uint16> data.Length

        for at in 0 .. data.Length - 1 do
            let value = toWhole data[at]

            if uint64 value > 65535UL then
                refuse $"it holds the value %d{value}; labels are whole numbers in 0..%d{Int16.MaxValue}"

            result[at] <- uint16 value

        result

    let private ofFloat (value: float) : int64 =
        if Double.IsInteger value && abs value < 1e15 then
            int64 value
        else
            refuse $"it holds the value %g{value}; labels are whole numbers: round or threshold them"

    /// The numbers as labels, 0..65535; refused where one is negative, larger or no whole number.
    let toLabels (values: NpyValues) : uint16[] =
        match values with
        | Bools data -> data |> whole (fun value -> if value then 1L else 0L)
        | Int8s data -> data |> whole int64
        | UInt8s data -> data |> whole int64
        | Int16s data -> data |> whole int64
        | UInt16s data -> data
        | Int32s data -> data |> whole int64
        | UInt32s data -> data |> whole int64
        | Int64s data -> data |> whole id
        | UInt64s data -> data |> whole (fun value -> int64 (min value (uint64 Int64.MaxValue)))
        | Float32s data -> data |> whole (fun value -> ofFloat (float value))
        | Float64s data -> data |> whole ofFloat

    /// How many numbers are NaN or infinite.
    let strange (data: float32[]) : int =
        // One sum tells whether any is: 0 * infinity and 0 * NaN are NaN.
        let vectors =
            MemoryMarshal.Cast<float32, Numerics.Vector<float32>>(ReadOnlySpan data)

        let mutable sum = Numerics.Vector<float32>.Zero

        for at in 0 .. vectors.Length - 1 do
            sum <- sum + vectors[at] * Numerics.Vector<float32>.Zero

        let mutable found = 0

        if Single.IsNaN(Numerics.Vector.Sum sum) then
            for value in data do
                if not (Single.IsFinite value) then
                    found <- found + 1
        else
            for at in vectors.Length * Numerics.Vector<float32>.Count .. data.Length - 1 do
                if not (Single.IsFinite data[at]) then
                    found <- found + 1

        found
