namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open System.Runtime.InteropServices
open System.Text
open System.Text.RegularExpressions
open SkeletonRecall

/// The values of a numpy array, flat, in the type that the file holds.
type NpyValues =
    | Bools of bool[]
    | Int8s of sbyte[]
    | UInt8s of byte[]
    | Int16s of int16[]
    | UInt16s of uint16[]
    | Int32s of int32[]
    | UInt32s of uint32[]
    | Int64s of int64[]
    | UInt64s of uint64[]
    | Float32s of float32[]
    | Float64s of float[]

/// A numpy array: its axes, slowest first, and its values in row-major order.
type NpyArray =
    {
        /// 0 to 5 axes; none for a single number.
        Shape: int list
        Values: NpyValues
    }

/// numpy's .npy files, versions 1 to 3 (numpy.lib.format).
[<RequireQualifiedAccess>]
module Npy =

    exception private Refused of reason: string

    let private refuse (reason: string) : 'T = raise (Refused reason)

    let private number (text: string) : int64 =
        match Int64.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture) with
        | true, value -> value
        | _ -> refuse $"its header has the axis %s{text}"

    let private entry (header: string) (key: string) (pattern: string) : string =
        let found = Regex.Match(header, $"['\"]%s{key}['\"]\\s*:\\s*%s{pattern}")

        if found.Success then
            found.Groups[1].Value
        else
            // A damaged header can be long and hold anything.
            let shown =
                String.filter (fun letter -> not (Char.IsControl letter)) (header.Trim())

            let shown =
                if shown.Length > 120 then
                    shown.Substring(0, 120) + "..."
                else
                    shown

            refuse $"its header does not say %s{key} in a known way: %s{shown}"

    /// Little-endian row-major copies of the elements.
    let private straighten (size: int) (bigEndian: bool) (fortran: bool) (shape: int list) (data: byte[]) : byte[] =
        if bigEndian && size > 1 then
            for first in 0..size .. data.Length - size do
                Array.Reverse(data, first, size)

        if not fortran || shape.Length < 2 then
            data
        else
            let shape = Array.ofList shape
            let strides = Array.scan (*) 1 shape
            let position = Array.zeroCreate<int> shape.Length
            let target = Array.zeroCreate<byte> data.Length

            for index in 0 .. data.Length / size - 1 do
                let mutable source = 0

                for axis in 0 .. shape.Length - 1 do
                    source <- source + position[axis] * strides[axis]

                Buffer.BlockCopy(data, source * size, target, index * size, size)
                let mutable axis = shape.Length - 1
                position[axis] <- position[axis] + 1

                while axis > 0 && position[axis] = shape[axis] do
                    position[axis] <- 0
                    axis <- axis - 1
                    position[axis] <- position[axis] + 1

            target

    let private cast<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (data: byte[])
        (start: int)
        : 'T[] =
        MemoryMarshal.Cast<byte, 'T>(ReadOnlySpan(data, start, data.Length - start)).ToArray()

    let private parse (bytes: byte[]) : NpyArray =
        let magic = "\u0093NUMPY"

        if bytes.Length < 10 || Encoding.Latin1.GetString(bytes, 0, 6) <> magic then
            refuse (
                if bytes.Length = 0 then
                    "the file is empty"
                else
                    "it is not a .npy file"
            )

        let start =
            match bytes[6] with
            | 1uy -> 10
            | 2uy
            | 3uy -> 12
            | version -> refuse $"its format version %d{version} is unknown"

        if bytes.Length < start then
            refuse "it is truncated in its header"

        let length =
            if start = 10 then
                int64 (Buffers.Binary.BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(bytes, 8, 2)))
            else
                int64 (Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(ReadOnlySpan(bytes, 8, 4)))

        if length > int64 (bytes.Length - start) then
            refuse "it is truncated in its header"

        let header = Encoding.UTF8.GetString(bytes, start, int length)
        let description = entry header "descr" "['\"]([<>|=][a-z][0-9]+)['\"]"
        let fortran = entry header "fortran_order" "(True|False)" = "True"
        let axes = entry header "shape" "\\(([0-9, ]*)\\)"

        let shape =
            axes.Split(',', StringSplitOptions.RemoveEmptyEntries ||| StringSplitOptions.TrimEntries)
            |> List.ofArray
            |> List.map number

        if shape.Length > 5 then
            refuse $"it has %d{shape.Length} axes; at most 5 are served"

        let kind = description.Substring 1

        let size =
            match kind with
            | "b1"
            | "i1"
            | "u1" -> 1
            | "i2"
            | "u2" -> 2
            | "i4"
            | "u4"
            | "f4" -> 4
            | "i8"
            | "u8"
            | "f8" -> 8
            | _ ->
                refuse $"its element type %s{description} is not served; convert it with .astype('int16') or 'float32'"

        let wanted =
            shape
            |> List.fold (fun (product: bigint) axis -> product * bigint axis) (bigint size)

        let stored = bytes.Length - start - int length

        if wanted <> bigint stored then
            refuse $"its shape (%s{axes.Trim()}) of %s{description} needs %O{wanted} bytes, and %d{stored} are there"

        let shape = List.map int shape

        let isSwapped = description[0] = '>' && size > 1

        // Bytes that stay as they are go to their array without another copy.
        let start, bytes =
            if isSwapped || fortran then
                0,
                bytes.AsSpan(start + int length).ToArray()
                |> straighten size isSwapped fortran shape
            else
                start + int length, bytes

        {
            Shape = shape
            Values =
                match kind with
                | "b1" -> Bools(Array.init (bytes.Length - start) (fun at -> bytes[start + at] <> 0uy))
                | "i1" -> Int8s(cast<sbyte> bytes start)
                | "u1" -> UInt8s(cast<byte> bytes start)
                | "i2" -> Int16s(cast<int16> bytes start)
                | "u2" -> UInt16s(cast<uint16> bytes start)
                | "i4" -> Int32s(cast<int32> bytes start)
                | "u4" -> UInt32s(cast<uint32> bytes start)
                | "i8" -> Int64s(cast<int64> bytes start)
                | "u8" -> UInt64s(cast<uint64> bytes start)
                | "f4" -> Float32s(cast<float32> bytes start)
                | _ -> Float64s(cast<float> bytes start)
        }

    /// The array in a .npy file: booleans, whole numbers of 8 to 64 bits, floats of 32 and 64 bits, either byte order, C
    /// or Fortran order, up to 5 axes. An error is one reason that follows "cannot be read".
    let decode (bytes: byte[]) : Result<NpyArray, string> =
        try
            Ok(parse bytes)
        with Refused reason ->
            Error reason

    let private raw (data: 'T[]) : byte[] =
        MemoryMarshal.AsBytes(ReadOnlySpan<'T> data).ToArray()

    let private stored (values: NpyValues) : struct (string * int * byte[]) =
        match values with
        | Bools data -> struct ("|b1", data.Length, Array.map (fun value -> if value then 1uy else 0uy) data)
        | Int8s data -> struct ("|i1", data.Length, raw data)
        | UInt8s data -> struct ("|u1", data.Length, data)
        | Int16s data -> struct ("<i2", data.Length, raw data)
        | UInt16s data -> struct ("<u2", data.Length, raw data)
        | Int32s data -> struct ("<i4", data.Length, raw data)
        | UInt32s data -> struct ("<u4", data.Length, raw data)
        | Int64s data -> struct ("<i8", data.Length, raw data)
        | UInt64s data -> struct ("<u8", data.Length, raw data)
        | Float32s data -> struct ("<f4", data.Length, raw data)
        | Float64s data -> struct ("<f8", data.Length, raw data)

    /// A .npy file of version 1.0, little-endian, C order. Throws ArgumentException when shape and values do not fit or
    /// the shape has more than 5 axes.
    let encode (array: NpyArray) : byte[] =
        let struct (description, count, data) = stored array.Values

        if
            array.Shape.Length > 5
            || List.exists (fun axis -> axis < 0) array.Shape
            || List.fold (*) 1 array.Shape <> count
        then
            invalidArg (nameof array) $"%d{count} values do not fill the shape %A{array.Shape} (at most 5 axes)."

        let axes =
            match array.Shape with
            | [ one ] -> $"%d{one},"
            | shape -> shape |> List.map string |> String.concat ", "

        let header =
            $"{{'descr': '%s{description}', 'fortran_order': False, 'shape': (%s{axes}), }}"
        // numpy pads with spaces, so that the data begin at a multiple of 64.
        let padded = header.PadRight(((10 + header.Length + 1 + 63) / 64 * 64) - 11) + "\n"
        use file = new MemoryStream()
        file.Write(Encoding.Latin1.GetBytes "\u0093NUMPY\u0001\u0000", 0, 8)
        file.Write(BitConverter.GetBytes(uint16 padded.Length), 0, 2)
        file.Write(Encoding.ASCII.GetBytes padded, 0, padded.Length)
        file.Write(data, 0, data.Length)
        file.ToArray()

    let private toInt16 (convert: 'T -> int64) (data: 'T[]) : int16[] =
        data
        |> Array.map (fun value ->
            let whole = convert value

            if whole < 0L || whole > int64 Int16.MaxValue then
                refuse $"it holds the value %d{whole}; labels lie in 0..%d{Int16.MaxValue}"

            int16 whole)

    let private whole (value: float) : int64 =
        if Double.IsInteger value && abs value < 1e15 then
            int64 value
        else
            refuse $"it holds the value %g{value}; labels are whole numbers"

    /// A label map: 2 or 3 axes of whole numbers (also stored as floats) in 0..32767. An error is one reason.
    let toLabels (array: NpyArray) : Result<LabelMap, string> =
        try
            if array.Shape.Length < 2 || array.Shape.Length > 3 || List.contains 0 array.Shape then
                Error $"it has the shape %A{array.Shape}; a label map has 2 or 3 axes"
            else
                let data =
                    match array.Values with
                    | Bools data -> data |> Array.map (fun value -> if value then 1s else 0s)
                    | Int8s data -> data |> toInt16 int64
                    | UInt8s data -> data |> Array.map int16
                    | Int16s data -> data |> toInt16 int64
                    | UInt16s data -> data |> toInt16 int64
                    | Int32s data -> data |> toInt16 int64
                    | UInt32s data -> data |> toInt16 int64
                    | Int64s data -> data |> toInt16 id
                    | UInt64s data -> data |> toInt16 (fun value -> int64 (min value (uint64 Int64.MaxValue)))
                    | Float32s data -> data |> toInt16 (float >> whole)
                    | Float64s data -> data |> toInt16 whole

                Ok(Volume.create (Extent.ofShape array.Shape) data)
        with Refused reason ->
            Error reason

    /// The array of a label map: 8 bits where they suffice, else 16.
    let ofLabels (labels: LabelMap) : NpyArray =
        {
            Shape = labels.Extent.Shape
            Values =
                if labels.Data |> Array.forall (fun value -> value >= 0s && value <= 255s) then
                    UInt8s(Array.map byte labels.Data)
                else
                    Int16s labels.Data
        }
