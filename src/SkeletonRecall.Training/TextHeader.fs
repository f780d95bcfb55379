namespace SkeletonRecall.Training

open System
open System.IO

/// Text headers with the voxels behind them or in a file beside them, as NRRD and MetaImage have them.
[<RequireQualifiedAccess>]
module internal TextHeader =

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
                Elements.refuse "its header does not end"

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
            | _ -> Elements.refuse $"its header gives %s{key} as '%s{text}', which is no number")

    /// The whole numbers of a header's value, separated by blanks.
    let wholes (key: string) (value: string) : int64 list =
        numbers key value
        |> List.map (fun number ->
            if Double.IsInteger number && abs number < 9e15 then
                int64 number
            else
                Elements.refuse $"its header gives %s{key} as %g{number}, which is no whole number")

    /// Numbers for a header's value, shortest that read back the same.
    let print (values: float list) : string =
        values
        |> List.map (fun value -> value.ToString("R", Globalization.CultureInfo.InvariantCulture))
        |> String.concat " "

    /// The data behind a text header: what is left of its own file or, opened by `beside`, of a file in the same folder.
    let dataFile (beside: string -> Result<Stream, string>) (name: string) : Stream =
        if name.IndexOfAny [| '/'; '\\'; ':' |] >= 0 || name = ".." then
            Elements.refuse
                $"its voxels are said to lie in '%s{name}'; they must lie in the same folder: give the plain name"

        match beside name with
        | Ok stream -> stream
        | Error reason -> Elements.refuse $"its voxels are said to lie in '%s{name}' beside it; %s{reason}"

    /// The numbers that a stream goes on with, inflated where that is given, to as many bytes as are promised (0: unknown).
    let read
        (kind: NumberType)
        (bigEndian: bool)
        (inflate: (Stream -> Stream) option)
        (promised: int64)
        (total: int)
        (data: Stream)
        : NpyValues =
        let held = data.Length - data.Position

        match inflate with
        | Some inflate ->
            use unzipped = inflate data

            let values =
                Elements.read kind bigEndian (Supply.Packed(held, promised)) total unzipped
            // Only beyond the last number is the check sum looked at.
            unzipped.ReadByte() |> ignore
            values
        | None -> Elements.read kind bigEndian (Supply.Plain held) total data
