namespace SkeletonRecall.Training

open System
open System.Collections.Generic
open System.IO
open System.IO.Compression
open System.Text
open SkeletonRecall

/// NRRD files (teem.sourceforge.net/nrrd/format.html), with the voxels in the file or in one beside it, raw or gzipped.
/// Written here because no library of the package feed reads them.
[<RequireQualifiedAccess>]
module Nrrd =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    let private element (name: string) : NumberType =
        match name with
        | "signed char"
        | "int8"
        | "int8_t" -> NumberType.Int8
        | "uchar"
        | "unsigned char"
        | "uint8"
        | "uint8_t" -> NumberType.UInt8
        | "short"
        | "short int"
        | "signed short"
        | "signed short int"
        | "int16"
        | "int16_t" -> NumberType.Int16
        | "ushort"
        | "unsigned short"
        | "unsigned short int"
        | "uint16"
        | "uint16_t" -> NumberType.UInt16
        | "int"
        | "signed int"
        | "int32"
        | "int32_t" -> NumberType.Int32
        | "uint"
        | "unsigned int"
        | "uint32"
        | "uint32_t" -> NumberType.UInt32
        | "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" -> NumberType.Int64
        | "ulonglong"
        | "unsigned long long"
        | "unsigned long long int"
        | "uint64"
        | "uint64_t" -> NumberType.UInt64
        | "float" -> NumberType.Float32
        | "double" -> NumberType.Float64
        | name -> refuse $"its type '%s{name}' is not served; whole numbers, float and double are"

    let private nameOf (kind: NumberType) : string =
        match kind with
        | NumberType.Int8 -> "int8"
        | NumberType.UInt8 -> "uint8"
        | NumberType.Int16 -> "int16"
        | NumberType.UInt16 -> "uint16"
        | NumberType.Int32 -> "int32"
        | NumberType.UInt32 -> "uint32"
        | NumberType.Int64 -> "int64"
        | NumberType.UInt64 -> "uint64"
        | NumberType.Float32 -> "float"
        | NumberType.Float64 -> "double"

    let private fields (stream: Stream) : Dictionary<string, string> =
        let budget = ref 1048576
        let found = Dictionary<string, string>()

        match TextHeader.line budget stream with
        | Some first when first.StartsWith("NRRD000", StringComparison.Ordinal) -> ()
        | None -> refuse "the file is empty"
        | Some _ -> refuse "it is not a NRRD file"

        let rec walk () : unit =
            match TextHeader.line budget stream with
            | None
            | Some "" -> ()
            | Some line ->
                let colon = line.IndexOf(": ", StringComparison.Ordinal)

                if not (line.StartsWith '#') && not (line.Contains ":=") && colon > 0 then
                    let name = line.Substring(0, colon).Trim().ToLowerInvariant()
                    found[if name = "datafile" then "data file" else name] <- line.Substring(colon + 2).Trim()

                walk ()

        walk ()
        found

    // `(1,0,0) none (0,1,0)` as one entry per axis.
    let private vectors (value: string) : float list option list =
        let text = value.Replace(" ", "").Replace(")", ") ").Replace("none", "none ")

        text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        |> List.ofArray
        |> List.map (fun entry ->
            if entry = "none" then
                None
            else
                Some(TextHeader.numbers "a vector" (entry.Trim('(', ')').Replace(',', ' '))))

    // The signs that turn the file's space into LPS.
    let private signs (space: string) : float list =
        match space.ToLowerInvariant() with
        | "right-anterior-superior"
        | "ras" -> [ -1.0; -1.0; 1.0 ]
        | "left-anterior-superior"
        | "las" -> [ 1.0; -1.0; 1.0 ]
        | _ -> [ 1.0; 1.0; 1.0 ]

    type private Header =
        {
            Sizes: int64 list
            Directions: float list option list option
            Spacings: float list option
            /// The axis that is channels.
            ChannelAxis: int option
            Signs: float list
            Origin: float list option
        }

    let private header (fields: Dictionary<string, string>) : Header =
        let find (name: string) : string option =
            match fields.TryGetValue name with
            | true, value -> Some value
            | _ -> None

        let sizes =
            match find "sizes" with
            | Some value -> TextHeader.wholes "sizes" value
            | None -> refuse "its header does not say sizes"

        let perAxis (name: string) (length: int) : unit =
            if length <> sizes.Length then
                refuse $"its header has %d{sizes.Length} sizes and %d{length} %s{name}"

        let directions = find "space directions" |> Option.map vectors
        directions |> Option.iter (fun list -> perAxis "space directions" list.Length)

        let spacings =
            find "spacings"
            |> Option.map (fun value -> TextHeader.numbers "spacings" (value.ToLowerInvariant().Replace("nan", "NaN")))

        spacings |> Option.iter (fun list -> perAxis "spacings" list.Length)

        let kinds =
            find "kinds"
            |> Option.map (fun value ->
                value.Split([| ' '; '\t' |], StringSplitOptions.RemoveEmptyEntries)
                |> List.ofArray)
            |> Option.defaultValue []

        let isChannel (axis: int) : bool =
            match directions, List.tryItem axis kinds with
            | Some list, _ when list[axis].IsNone -> true
            | Some _, _ -> false
            | None, Some kind ->
                let kind = kind.ToLowerInvariant()

                kind = "vector"
                || kind = "list"
                || kind.EndsWith("-vector", StringComparison.Ordinal)
                || kind.EndsWith("-color", StringComparison.Ordinal)
            | None, None -> false

        let channelAxis =
            match [ 0 .. sizes.Length - 1 ] |> List.filter isChannel with
            | [] -> None
            | [ axis ] when axis = 0 || axis = sizes.Length - 1 -> Some axis
            | [ axis ] -> refuse $"its channels are axis %d{axis}; the first or the last axis is served"
            | several -> refuse $"%d{several.Length} of its axes are no axes of space; one, the channels, is served"

        {
            Sizes = sizes
            Directions = directions
            Spacings = spacings
            ChannelAxis = channelAxis
            Signs = signs (find "space" |> Option.defaultValue "")
            Origin =
                find "space origin"
                |> Option.bind (fun value -> List.tryHead (vectors value) |> Option.flatten)
        }

    let private without (axis: int option) (list: 'T list) : 'T list =
        match axis with
        | Some axis -> List.removeAt axis list
        | None -> list

    // Spacing (x first) and geometry of the axes of space.
    let private place (header: Header) (rank: int) : float list * Geometry =
        // The last digits are those of the square root, not of the file: 0.75 along a slanted axis is 0.75 again.
        let length (values: float list) =
            let exact = values |> List.sumBy (fun value -> value * value) |> sqrt

            if Double.IsFinite exact then
                Double.Parse(
                    exact.ToString("G15", Globalization.CultureInfo.InvariantCulture),
                    Globalization.CultureInfo.InvariantCulture
                )
            else
                exact

        match header.Directions |> Option.map (List.choose id) with
        | Some axes when axes.Length = rank ->
            let sizes = List.map length axes

            if axes |> List.forall (fun axis -> axis.Length = rank) then
                let signs = List.truncate rank header.Signs
                let turned = axes |> List.map (List.map2 (*) signs)
                let origin = header.Origin |> Option.defaultValue (List.replicate rank 0.0)

                if origin.Length <> rank then
                    refuse $"its header gives an origin of %d{origin.Length} numbers to %d{rank} axes"

                sizes, ImageFile.geometry (List.map2 (*) signs origin) turned
            else
                sizes, Geometry.standard rank
        | _ ->
            let sizes =
                match header.Spacings with
                | Some list ->
                    without header.ChannelAxis list
                    |> List.map (fun value -> if Double.IsNaN value then 1.0 else abs value)
                | None -> List.replicate rank 1.0

            sizes, Geometry.standard rank

    let private space (header: Header) : int64 list = without header.ChannelAxis header.Sizes

    /// How many voxels of space the header declares; the rest of the file is not read. An error is one reason.
    let declared (stream: Stream) : Result<int64, string> =
        Elements.guard (fun () -> fields stream |> header |> space |> Elements.count |> int64)

    let private voxels (beside: string -> Result<Stream, string>) (stream: Stream) : ImageFile =
        let fields = fields stream

        let wanted (name: string) : string =
            match fields.TryGetValue name with
            | true, value -> value
            | _ -> refuse $"its header does not say %s{name}"

        let kind = element (wanted "type")
        let header = header fields
        let extent = ImageFile.extent (List.rev (space header))
        let total = Elements.count header.Sizes

        let inflate =
            match (wanted "encoding").ToLowerInvariant() with
            | "raw" -> None
            | "gzip"
            | "gz" -> Some(fun data -> new GZipStream(data, CompressionMode.Decompress, true) :> Stream)
            | other -> refuse $"its encoding '%s{other}' is not served; raw and gzip are"

        let bigEndian =
            Elements.size kind > 1
            && (match (wanted "endian").ToLowerInvariant() with
                | "little" -> false
                | "big" -> true
                | other -> refuse $"its endian '%s{other}' is neither little nor big")

        for name in [ "line skip"; "byte skip" ] do
            match fields.TryGetValue name with
            | true, value when value <> "0" -> refuse $"its header says %s{name}, which is not served"
            | _ -> ()

        let read (data: Stream) : NpyValues =
            let promised = if inflate.IsSome then Elements.promised data else 0L
            TextHeader.read kind bigEndian inflate promised total data

        let values =
            match fields.TryGetValue "data file" with
            | true, name ->
                use data = TextHeader.dataFile beside name
                read data
            | _ -> read stream

        let channels =
            header.ChannelAxis
            |> Option.map (fun axis -> int header.Sizes[axis])
            |> Option.defaultValue 1

        let sizes, geometry = place header extent.Rank

        {
            Channels = channels
            Extent = extent
            Spacing = ImageFile.spacing (List.rev sizes)
            Geometry = geometry
            Values =
                if header.ChannelAxis = Some 0 then
                    Elements.rearrange (Elements.transpose channels) values
                else
                    values
        }

    /// What a .nrrd file holds, or a .nhdr file, whose voxels `beside` opens by name. An error is one reason that follows
    /// "cannot be read"; no more memory is taken than twice what arrives.
    let decode (beside: string -> Result<Stream, string>) (stream: Stream) : Result<ImageFile, string> =
        Elements.guard (fun () -> voxels beside stream)

    /// Writes a NRRD file, gzipped, little-endian, in LPS; the channels are the slowest axis.
    let encode (file: ImageFile) (stream: Stream) : unit =
        let rank = file.Extent.Rank
        let steps = List.rev file.Spacing.Values
        let sizes = List.rev file.Extent.Shape
        let several = file.Channels > 1

        let vector (values: float list) : string =
            "(" + (TextHeader.print values).Replace(' ', ',') + ")"

        let directions =
            List.init rank (fun axis ->
                file.Geometry.Axis axis |> List.map (fun value -> value * steps[axis]) |> vector)

        let lines =
            [
                "NRRD0004"
                $"type: %s{nameOf (Elements.kind file.Values)}"
                $"dimension: %d{rank + (if several then 1 else 0)}"
                if rank = 3 then
                    "space: left-posterior-superior"
                else
                    "space dimension: 2"
                let all = sizes @ (if several then [ file.Channels ] else [])
                "sizes: " + (all |> List.map string |> String.concat " ")

                "space directions: "
                + String.concat " " (directions @ (if several then [ "none" ] else []))

                "kinds: "
                + String.concat " " (List.replicate rank "domain" @ (if several then [ "list" ] else []))

                "endian: little"
                "encoding: gzip"
                "space origin: " + vector file.Geometry.Origin
                ""
                ""
            ]

        stream.Write(ReadOnlySpan(Encoding.ASCII.GetBytes(String.concat "\n" lines)))
        use zipped = new GZipStream(stream, CompressionLevel.Optimal, true)
        Elements.write zipped file.Values
