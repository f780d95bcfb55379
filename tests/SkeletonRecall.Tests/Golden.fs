namespace SkeletonRecall.Tests

open System
open System.Buffers.Binary
open System.IO
open System.Text
open System.Text.RegularExpressions
open Expecto
open SkeletonRecall

/// A NumPy array as read from a file: C order, little-endian.
type NumpyArray =
    {
        /// Axes, slowest first.
        Shape: int list
        /// NumPy's name of the type, such as "|u1", "<i2", "<f4".
        Kind: string
        /// The elements, one after the other.
        Bytes: byte[]
    }

/// Files with expected results: those beside the checkout (`shared`), and those in `tests/golden`.
[<RequireQualifiedAccess>]
module Golden =

    let private ancestors =
        Some __SOURCE_DIRECTORY__
        |> List.unfold (Option.map (fun folder -> folder, folder |> Path.GetDirectoryName |> Option.ofObj))

    /// The folder `shared`, where there is one: named by SKELETONRECALL_SHARED, or beside the checkout.
    let shared: string option =
        let named =
            Environment.GetEnvironmentVariable "SKELETONRECALL_SHARED"
            |> Option.ofObj
            |> Option.toList

        named @ (ancestors |> List.map (fun folder -> Path.Combine(folder, "shared")))
        |> List.tryFind (fun folder -> File.Exists(Path.Combine(folder, "parity", "index.json")))

    /// A path inside `shared`, with forward slashes; skips the test where there is no such folder.
    let sharedPath (relative: string) : string =
        match shared with
        | Some folder -> Path.Combine(folder, relative)
        | None -> skiptestf "No folder `shared` beside the checkout, so %s cannot be compared with." relative

    /// The top folder of the checkout.
    let root: string =
        ancestors
        |> List.find (fun folder -> File.Exists(Path.Combine(folder, "SkeletonRecall.sln")))

    /// A path inside `tests/golden`, with forward slashes.
    let path (relative: string) : string =
        Path.Combine(root, "tests", "golden", relative)

    let private bytes (path: string) : byte[] =
        if path.EndsWith(".gz", StringComparison.Ordinal) then
            use file = File.OpenRead path

            use unpacked =
                new Compression.GZipStream(file, Compression.CompressionMode.Decompress)

            use result = new MemoryStream()
            unpacked.CopyTo result
            result.ToArray()
        else
            File.ReadAllBytes path

    /// Reads a .npy or .npy.gz file of any version; throws InvalidDataException for Fortran order and big-endian types.
    let numpy (path: string) : NumpyArray =
        let file = bytes path

        if
            file.Length < 10
            || file[0] <> 0x93uy
            || Encoding.ASCII.GetString(file, 1, 5) <> "NUMPY"
        then
            raise (InvalidDataException $"%s{path} is no .npy file.")

        let start, length =
            if file[6] = 1uy then
                10, int (BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(file, 8, 2)))
            else
                12, BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan(file, 8, 4))

        let header = Encoding.ASCII.GetString(file, start, length)

        let field (pattern: string) =
            let found = Regex.Match(header, pattern)

            if not found.Success then
                raise (InvalidDataException $"%s{path}: the header %s{header} lacks %s{pattern}.")

            found.Groups[1].Value

        let kind = field "'descr':\\s*'([^']+)'"

        if field "'fortran_order':\\s*(True|False)" = "True" || kind.StartsWith '>' then
            raise (InvalidDataException $"%s{path} is in Fortran order or big-endian: %s{header}")

        let shape =
            (field "'shape':\\s*\\(([^)]*)\\)").Split(',', StringSplitOptions.RemoveEmptyEntries)
            |> Array.map (fun text -> text.Trim())
            |> Array.filter (fun text -> text <> "")
            |> Array.map int
            |> Array.toList

        {
            Shape = shape
            Kind = kind
            Bytes = file[start + length ..]
        }

    /// The elements as numbers of type 'T, whose size and kind must be the array's (byte for "|u1" and "|b1").
    let values<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType> (array: NumpyArray) : 'T[] =
        let wanted =
            match typeof<'T> with
            | kind when kind = typeof<byte> -> [ "|u1"; "|b1" ]
            | kind when kind = typeof<int16> -> [ "<i2" ]
            | kind when kind = typeof<int32> -> [ "<i4" ]
            | kind when kind = typeof<int64> -> [ "<i8" ]
            | kind when kind = typeof<float32> -> [ "<f4" ]
            | kind when kind = typeof<float> -> [ "<f8" ]
            | kind -> invalidArg "T" $"No .npy type is read as %O{kind}."

        if not (List.contains array.Kind wanted) then
            invalidArg (nameof array) $"The elements are %s{array.Kind}; %A{wanted} is wanted."

        let result = Array.zeroCreate<'T>(List.fold (*) 1 array.Shape)
        Runtime.InteropServices.MemoryMarshal.Cast<byte, 'T>(ReadOnlySpan array.Bytes).CopyTo(Span result)
        result

    /// Any integer array, as int64.
    let integers (array: NumpyArray) : int64[] =
        match array.Kind with
        | "|u1"
        | "|b1" -> values<byte> array |> Array.map int64
        | "<i2" -> values<int16> array |> Array.map int64
        | "<i4" -> values<int32> array |> Array.map int64
        | _ -> values<int64> array

    /// A file of 0 and 1 as a mask.
    let mask (path: string) : Mask =
        let array = numpy path

        Volume.create (Extent.ofShape array.Shape) (integers array)
        |> Mask.ofVolume (fun value -> value <> 0L)

    /// A file of class ids.
    let labels (path: string) : LabelMap =
        let array = numpy path
        Volume.create (Extent.ofShape array.Shape) (integers array |> Array.map int16)
