namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Runtime.InteropServices
open SkeletonRecall

/// Ends reading from any depth; never leaves `Elements.guard`.
exception internal RefusedFile of reason: string

/// The number types of image files and of pixels in memory.
[<RequireQualifiedAccess>]
type NumberType =
    /// 8 bits with sign.
    | Int8
    /// A byte.
    | UInt8
    /// 16 bits with sign.
    | Int16
    /// 16 bits without sign.
    | UInt16
    /// 32 bits with sign.
    | Int32
    /// 32 bits without sign.
    | UInt32
    /// 64 bits with sign.
    | Int64
    /// 64 bits without sign.
    | UInt64
    /// Floating point in single precision.
    | Float32
    /// Floating point in double precision.
    | Float64

/// Where the bytes of numbers come from.
[<RequireQualifiedAccess>]
type internal Supply =
    /// As they are; the file has this many bytes for them.
    | Plain of held: int64
    /// Out of this many compressed bytes, which say themselves that they unpack to `promised` bytes; 0 where they do not.
    | Packed of held: int64 * promised: int64

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

    let private fill<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (size: int)
        (total: int)
        (certain: int64)
        (stream: Stream)
        : 'T[] =
        let pieces = Pieces<'T>(total, certain / int64 size)
        let there = pieces.Fill stream

        if not pieces.IsFull then
            let needed = int64 total * int64 size
            refuse $"it is truncated: its header declares %d{needed} bytes of voxels, and %d{there} are there"

        pieces.ToArray()

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

    /// The bytes that the end of a gzip stream promises, as far as the 4 bytes of it tell; the stream stays where it is.
    let promised (stream: Stream) : int64 =
        let place = stream.Position

        if stream.Length - place < 18L then
            0L
        else
            let last = Array.zeroCreate<byte> 4
            stream.Position <- stream.Length - 4L
            stream.ReadExactly(last, 0, 4)
            stream.Position <- place
            int64 (BinaryPrimitives.ReadUInt32LittleEndian(ReadOnlySpan last))

    /// The next `total` numbers of a stream: a total that its supply cannot give is refused, and memory is taken as the
    /// numbers arrive, at once where the supply agrees that they are there.
    let read (kind: NumberType) (bigEndian: bool) (supply: Supply) (total: int) (stream: Stream) : NpyValues =
        let needed = int64 total * int64 (size kind)

        let possible, held, how =
            match supply with
            | Supply.Plain held -> held, held, "bytes"
            | Supply.Packed(held, _) -> ratio * (held + 1L), held, "compressed ones"

        if needed > possible then
            refuse
                $"its header declares %d{needed} bytes of voxels, which the file's %d{max 0L held} %s{how} cannot hold"

        let certain =
            match supply with
            | Supply.Plain _ -> needed
            // A header and what else stands before the voxels count as well.
            | Supply.Packed(_, promised) when promised >= needed && promised - needed <= 65536L -> needed
            | Supply.Packed(held, _) -> held

        let turned (swap: 'T[] -> 'T[]) (data: 'T[]) : 'T[] = if bigEndian then swap data else data

        match kind with
        | NumberType.Int8 -> Int8s(fill<sbyte> 1 total certain stream)
        | NumberType.UInt8 -> UInt8s(fill<byte> 1 total certain stream)
        | NumberType.Int16 -> Int16s(fill<int16> 2 total certain stream |> turned swap16)
        | NumberType.UInt16 -> UInt16s(fill<uint16> 2 total certain stream |> turned swap16)
        | NumberType.Int32 -> Int32s(fill<int32> 4 total certain stream |> turned swap32)
        | NumberType.UInt32 -> UInt32s(fill<uint32> 4 total certain stream |> turned swap32)
        | NumberType.Int64 -> Int64s(fill<int64> 8 total certain stream |> turned swap64)
        | NumberType.UInt64 -> UInt64s(fill<uint64> 8 total certain stream |> turned swap64)
        | NumberType.Float32 -> Float32s(fill<float32> 4 total certain stream |> turned swap32)
        | NumberType.Float64 -> Float64s(fill<float> 8 total certain stream |> turned swap64)

    /// The bytes that are left of a stream, at most `most` of them; refused where there are more. `certain` of them get
    /// their memory at once.
    let rest (most: int64) (certain: int64) (stream: Stream) : byte[] =
        let pieces = Pieces<byte>(int (min most (int64 Array.MaxLength)), certain)
        pieces.Fill stream |> ignore

        if pieces.IsFull && stream.ReadByte() >= 0 then
            refuse $"it holds more than the %d{most} bytes that its size allows"

        pieces.ToArray()

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
