namespace SkeletonRecall.Benchmarks

open System
open System.IO
open System.Runtime.InteropServices
open System.Runtime.Intrinsics
open System.Text.Json
open SkeletonRecall.Training

/// What was measured of one case.
type Row =
    {
        Name: string
        /// Milliseconds of one run.
        Ours: float
        /// Milliseconds of one run.
        Theirs: float
        /// Whether both results are the same: to the last bit, of losses to their tolerance.
        Equal: bool
        /// Whose `Theirs` is.
        Whose: string
    }

/// Measuring cases, and the table of what was measured.
[<RequireQualifiedAccess>]
module Row =

    /// By how many times ours is faster.
    let ratio (row: Row) : float = row.Theirs / row.Ours

    /// Times both sides, one after the other, each warmed up and then for `seconds`.
    let measure (python: Python option) (seconds: float) (case: Comparison) : Row =
        let struct (ours, result) = Timing.best seconds case.Ours

        let struct (theirs, wanted), whose =
            match case.Rival, python with
            | Reference(operation, inputs, _), Some python ->
                Python.time python operation seconds inputs, Python.librariesOf operation
            | Reference(_, _, plain), None -> Timing.best seconds plain, "plain F#"
            | Ourselves(way, work), _ -> Timing.best seconds work, way

        {
            Name = case.Name
            Ours = ours
            Theirs = theirs
            Equal = (Npy.encode result).AsSpan().SequenceEqual(ReadOnlySpan(Npy.encode wanted))
            Whose = whose
        }

    /// The line above the rows.
    let header: string =
        sprintf "%-32s %10s %11s %9s  %-5s  %s" "case" "ours ms" "theirs ms" "ratio" "equal" "theirs is"

    /// One line of the table.
    let print (row: Row) : string =
        let equal = if row.Equal then "yes" else "NO"
        sprintf "%-32s %10.3f %11.2f %8.1fx  %-5s  %s" row.Name row.Ours row.Theirs (ratio row) equal row.Whose

    /// What the figures depend on.
    let machine: string =
        let vectors =
            if Vector512.IsHardwareAccelerated then 512
            elif Vector256.IsHardwareAccelerated then 256
            else 128

        $"%s{RuntimeInformation.FrameworkDescription} on %O{RuntimeInformation.ProcessArchitecture}, "
        + $"%d{Environment.ProcessorCount} cores, vectors of %d{vectors} bits"

    /// Writes the rows and what they depend on as JSON.
    let save (path: string) (python: Python option) (rows: Row list) : unit =
        use file = File.Create path
        use json = new Utf8JsonWriter(file, JsonWriterOptions(Indented = true))
        json.WriteStartObject()
        json.WriteString("machine", machine)

        match python with
        | Some python -> json.WriteString("reference", python.Versions)
        | None -> json.WriteNull "reference"

        json.WriteStartArray "rows"

        for row in rows do
            json.WriteStartObject()
            json.WriteString("name", row.Name)
            json.WriteNumber("ours_ms", row.Ours)
            json.WriteNumber("theirs_ms", row.Theirs)
            json.WriteNumber("ratio", ratio row)
            json.WriteBoolean("equal", row.Equal)
            json.WriteString("theirs", row.Whose)
            json.WriteEndObject()

        json.WriteEndArray()
        json.WriteEndObject()
