namespace SkeletonRecall.Tests

open System
open System.IO
open System.IO.Compression
open System.Text
open System.Text.Json
open System.Text.RegularExpressions
open Expecto
open SkeletonRecall

/// An array of a recorded call, as numbers.
type RecordedArray =
    {
        /// Axes, slowest first.
        Shape: int list
        Values: float[]
        /// In mm, slowest axis first, where the call had an image.
        Spacing: float list option
    }

/// The calls of other programs' functions in `shared/data/expected`.
[<RequireQualifiedAccess>]
module Recorded =

    /// One call.
    type Call(suite: string, test: string, json: JsonElement) =
        member _.Suite: string = suite
        /// The other program's test that made it.
        member _.Test: string = test
        member _.Function: string = string (json.GetProperty "function")

        /// An argument, by name.
        member _.Argument(name: string) : JsonElement =
            json.GetProperty("args").GetProperty name

        /// An argument, where there is one of the name.
        member _.TryArgument(name: string) : JsonElement option =
            match json.GetProperty("args").TryGetProperty name with
            | true, value when value.ValueKind <> JsonValueKind.Null -> Some value
            | _ -> None

        /// What it returned.
        member _.Result: JsonElement = json.GetProperty "result"

        /// The message with which it failed.
        member _.Raises: string option =
            match json.TryGetProperty "raises" with
            | true, kind ->
                let message = json.GetProperty "message"
                Some $"%O{kind}: %O{message}"
            | _ -> None

    let private document (suite: string) : JsonElement =
        use document =
            JsonDocument.Parse(File.ReadAllBytes(Golden.sharedPath $"data/expected/%s{suite}/cases.json"))

        document.RootElement.Clone()

    /// All calls of a suite.
    let calls (suite: string) : Call list =
        [
            for case in (document suite).GetProperty("cases").EnumerateArray() do
                for call in case.GetProperty("calls").EnumerateArray() do
                    Call(suite, string (case.GetProperty "test"), call)
        ]

    /// The cases of `computed_reference`.
    let computed () : JsonElement list =
        [ yield! (document "computed_reference").GetProperty("cases").EnumerateArray() ]

    let private bytes (path: string) : byte[] =
        if path.EndsWith ".gz" then
            use file = File.OpenRead path
            use unpacked = new GZipStream(file, CompressionMode.Decompress)
            use memory = new MemoryStream()
            unpacked.CopyTo memory
            memory.ToArray()
        else
            File.ReadAllBytes path

    let private load (suite: string) (file: JsonElement) : RecordedArray =
        let name = string (file.GetProperty "file")
        let raw = bytes (Golden.sharedPath $"data/expected/%s{suite}/%s{name}")

        let start = 10 + int (BitConverter.ToUInt16(raw, 8))

        let kind =
            Regex.Match(Encoding.ASCII.GetString(raw, 10, start - 10), "'descr':\\s*'([^']+)'").Groups[1].Value

        let shape =
            [ for size in file.GetProperty("shape").EnumerateArray() -> size.GetInt32() ]

        let count = List.fold (*) 1 shape

        let at (size: int) (read: int -> float) =
            Array.init count (fun index -> read (start + index * size))

        {
            Shape = shape
            Values =
                (match kind with
                 | "|u1"
                 | "|b1" -> at 1 (fun place -> float raw[place])
                 | "<i2" -> at 2 (fun place -> float (BitConverter.ToInt16(raw, place)))
                 | "<u2" -> at 2 (fun place -> float (BitConverter.ToUInt16(raw, place)))
                 | "<i4" -> at 4 (fun place -> float (BitConverter.ToInt32(raw, place)))
                 | "<i8" -> at 8 (fun place -> float (BitConverter.ToInt64(raw, place)))
                 | "<f4" -> at 4 (fun place -> float (BitConverter.ToSingle(raw, place)))
                 | "<f8" -> at 8 (fun place -> BitConverter.ToDouble(raw, place))
                 | _ -> invalidArg (nameof kind) $"The elements are %s{kind}.")
            Spacing = None
        }

    /// An array or image among the arguments or results of a suite.
    let array (suite: string) (json: JsonElement) : RecordedArray =
        match json.TryGetProperty "__image__" with
        | true, image ->
            { load suite image with
                Spacing =
                    Some(
                        List.rev
                            [
                                for value in json.GetProperty("spacing_xyz").EnumerateArray() -> value.GetDouble()
                            ]
                    )
            }
        | _ ->
            match json.TryGetProperty "__array__" with
            | true, file -> load suite file
            | _ -> load suite json

    /// The array as a volume of numbers; one axis is a plane of one row.
    let volume (array: RecordedArray) : Volume<float> =
        let shape =
            match array.Shape with
            | [ length ] -> [ 1; length ]
            | shape -> shape

        let plain = Volume.create (Extent.ofShape shape) array.Values

        match array.Spacing with
        | Some spacing -> Volume.withSpacing (Spacing.ofList spacing) plain
        | None -> plain

    /// What is not 0.
    let mask (array: RecordedArray) : Mask =
        volume array |> Mask.ofVolume (fun value -> value <> 0.0)

    /// The array as class ids.
    let labels (array: RecordedArray) : LabelMap = volume array |> Volume.map int16

    /// A number; "nan" and "inf" are written as text.
    let number (json: JsonElement) : float =
        if json.ValueKind = JsonValueKind.String then
            match string json with
            | "inf" -> infinity
            | "-inf" -> -infinity
            | _ -> nan
        else
            json.GetDouble()

    /// Fails unless the value is within the relative tolerance of the wanted one, or both are the same non-finite one.
    let requireClose (tolerance: float) (got: float) (wanted: float) (name: string) : unit =
        if Double.IsFinite wanted then
            if not (abs (got - wanted) <= tolerance * max 1.0 (abs wanted)) then
                failtestf "%s: %.17g where %.17g was recorded" name got wanted
        else
            Expect.equal (string got) (string wanted) name
