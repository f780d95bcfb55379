namespace SkeletonRecall.Training

open System
open System.Collections.Generic
open System.IO
open System.IO.Compression
open System.Text
open SkeletonRecall

/// MetaImage files (itk.org/Wiki/ITK/MetaIO/Documentation): .mha with the voxels inside, .mhd with them in a file beside
/// it, raw or compressed. Written here because no library of the package feed reads them.
[<RequireQualifiedAccess>]
module MetaImage =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    let private element (name: string) : NumberType =
        match name.Replace("_ARRAY", "") with
        | "MET_CHAR" -> NumberType.Int8
        | "MET_UCHAR" -> NumberType.UInt8
        | "MET_SHORT" -> NumberType.Int16
        | "MET_USHORT" -> NumberType.UInt16
        | "MET_INT"
        | "MET_LONG" -> NumberType.Int32
        | "MET_UINT"
        | "MET_ULONG" -> NumberType.UInt32
        | "MET_LONG_LONG" -> NumberType.Int64
        | "MET_ULONG_LONG" -> NumberType.UInt64
        | "MET_FLOAT" -> NumberType.Float32
        | "MET_DOUBLE" -> NumberType.Float64
        | name -> refuse $"its ElementType '%s{name}' is not served; whole numbers, MET_FLOAT and MET_DOUBLE are"

    let private nameOf (kind: NumberType) : string =
        match kind with
        | NumberType.Int8 -> "MET_CHAR"
        | NumberType.UInt8 -> "MET_UCHAR"
        | NumberType.Int16 -> "MET_SHORT"
        | NumberType.UInt16 -> "MET_USHORT"
        | NumberType.Int32 -> "MET_INT"
        | NumberType.UInt32 -> "MET_UINT"
        | NumberType.Int64 -> "MET_LONG_LONG"
        | NumberType.UInt64 -> "MET_ULONG_LONG"
        | NumberType.Float32 -> "MET_FLOAT"
        | NumberType.Float64 -> "MET_DOUBLE"

    let private fields (stream: Stream) : Dictionary<string, string> =
        let budget = ref 1048576
        let found = Dictionary<string, string>()

        // The key ElementDataFile ends the header.
        let rec walk () : unit =
            match TextHeader.line budget stream with
            | None -> ()
            | Some line ->
                let equals = line.IndexOf '='

                if equals > 0 then
                    found[line.Substring(0, equals).Trim()] <- line.Substring(equals + 1).Trim()

                    match found.TryGetValue "ObjectType" with
                    | true, kind when kind <> "Image" -> refuse $"it holds a %s{kind}, not an image"
                    | _ -> ()

                if not (found.ContainsKey "ElementDataFile") then
                    walk ()

        walk ()
        found

    let private isTrue (value: string) : bool =
        match value.ToLowerInvariant() with
        | "true"
        | "t"
        | "1"
        | "yes" -> true
        | _ -> false

    let private inflate (data: Stream) : Stream =
        let start = data.Position
        let first = data.ReadByte()
        data.Position <- start

        if first = 0x1F then
            new GZipStream(data, CompressionMode.Decompress, true)
        else
            new ZLibStream(data, CompressionMode.Decompress, true)

    // A fourth axis is channels, where no voxel has several.
    let private layout (inside: int64) (sizes: int64 list) : int64 list * int64 =
        match sizes with
        | [ x; y; z; channels ] when inside = 1L -> [ x; y; z ], channels
        | _ -> sizes, 1L

    /// How many voxels of space the header declares; the rest of the file is not read. An error is one reason.
    let declared (stream: Stream) : Result<int64, string> =
        Elements.guard (fun () ->
            match (fields stream).TryGetValue "DimSize" with
            | true, value -> TextHeader.wholes "DimSize" value |> layout 1L |> fst |> Elements.count |> int64
            | _ -> refuse "its header does not say DimSize")

    let private voxels (beside: string -> Result<Stream, string>) (stream: Stream) : ImageFile =
        let fields = fields stream

        let find (names: string list) : string option =
            names
            |> List.tryPick (fun name ->
                match fields.TryGetValue name with
                | true, value -> Some value
                | _ -> None)

        let wanted (name: string) : string =
            match find [ name ] with
            | Some value -> value
            | None when fields.Count = 0 -> refuse "it is not a MetaImage file"
            | None -> refuse $"its header does not say %s{name}"

        let says (names: string list) : bool = find names |> Option.exists isTrue
        let file = wanted "ElementDataFile"
        let sizes = TextHeader.wholes "DimSize" (wanted "DimSize")
        let kind = element (wanted "ElementType")

        let inside =
            match find [ "ElementNumberOfChannels" ] with
            | Some value ->
                match TextHeader.wholes "ElementNumberOfChannels" value with
                | [ channels ] -> channels
                | _ -> refuse "its header gives ElementNumberOfChannels in a strange way"
            | None -> 1L

        let axes, outside = layout inside sizes
        let extent = ImageFile.extent (List.rev axes)
        let total = Elements.count (inside :: sizes)
        let compressed = says [ "CompressedData" ]
        let bigEndian = says [ "BinaryDataByteOrderMSB"; "ElementByteOrderMSB" ]

        if find [ "BinaryData" ] |> Option.exists (isTrue >> not) then
            refuse "its voxels are written as text; save it with BinaryData = True"

        let read (data: Stream) : NpyValues =
            match find [ "HeaderSize" ] |> Option.map (TextHeader.wholes "HeaderSize") with
            | None
            | Some [ 0L ] -> ()
            | Some [ -1L ] when not compressed ->
                data.Position <- max data.Position (data.Length - int64 total * int64 (Elements.size kind))
            | Some [ offset ] when offset > 0L && offset <= data.Length -> data.Position <- offset
            | Some _ -> refuse "its header gives a HeaderSize that lies outside the file"

            TextHeader.read kind bigEndian (if compressed then Some inflate else None) 0L total data

        let values =
            if file.Equals("LOCAL", StringComparison.OrdinalIgnoreCase) then
                read stream
            elif file = "LIST" || file.Contains '%' || file.Contains ' ' then
                refuse $"its voxels are spread over several files (%s{file}); save them in one"
            else
                use data = TextHeader.dataFile beside file
                read data

        let rank = extent.Rank

        let several (names: string list) : float list option =
            find names
            |> Option.map (fun value -> TextHeader.numbers names.Head value)
            |> Option.map (fun values ->
                if values.Length < rank then
                    refuse $"its header gives %d{values.Length} numbers of %s{names.Head} to %d{rank} axes"
                else
                    values)

        let spacing =
            several [ "ElementSpacing"; "ElementSize" ]
            |> Option.map (List.truncate rank >> List.map abs)
            |> Option.defaultValue (List.replicate rank 1.0)

        let origin =
            several [ "Offset"; "Position"; "Origin" ]
            |> Option.map (List.truncate rank)
            |> Option.defaultValue (List.replicate rank 0.0)

        let sides =
            match several [ "TransformMatrix"; "Rotation"; "Orientation" ] with
            | Some values when values.Length = sizes.Length * sizes.Length ->
                values
                |> List.chunkBySize sizes.Length
                |> List.truncate rank
                |> List.map (List.truncate rank)
            | Some values -> refuse $"its TransformMatrix has %d{values.Length} numbers for %d{sizes.Length} axes"
            | None -> List.init rank (fun axis -> List.init rank (fun at -> if at = axis then 1.0 else 0.0))

        {
            Channels = int (inside * outside)
            Extent = extent
            Spacing = ImageFile.spacing (List.rev spacing)
            Geometry = ImageFile.geometry origin sides
            Values = Elements.rearrange (Elements.transpose (int inside)) values
        }

    /// What a .mha file holds, or a .mhd file, whose voxels `beside` opens by name. An error is one reason that follows
    /// "cannot be read"; no more memory is taken than twice what arrives.
    let decode (beside: string -> Result<Stream, string>) (stream: Stream) : Result<ImageFile, string> =
        Elements.guard (fun () ->
            if stream.Length = stream.Position then
                refuse "the file is empty"

            voxels beside stream)

    let private header (file: ImageFile) (compressedSize: int64) (dataFile: string) : byte[] =
        let rank = file.Extent.Rank
        let matrix = List.init rank file.Geometry.Axis |> List.concat

        [
            "ObjectType = Image"
            $"NDims = %d{rank}"
            "BinaryData = True"
            "BinaryDataByteOrderMSB = False"
            "CompressedData = True"
            $"CompressedDataSize = %d{compressedSize}"
            $"TransformMatrix = %s{TextHeader.print matrix}"
            $"Offset = %s{TextHeader.print file.Geometry.Origin}"
            "CenterOfRotation = " + TextHeader.print (List.replicate rank 0.0)
            $"ElementSpacing = %s{TextHeader.print (List.rev file.Spacing.Values)}"
            "DimSize = "
            + (List.rev file.Extent.Shape |> List.map string |> String.concat " ")
            if file.Channels > 1 then
                $"ElementNumberOfChannels = %d{file.Channels}"
            $"ElementType = %s{nameOf (Elements.kind file.Values)}"
            $"ElementDataFile = %s{dataFile}"
            ""
        ]
        |> String.concat "\n"
        |> Encoding.ASCII.GetBytes

    /// The header and the compressed voxels: one after the other they are a .mha file where `dataFile` is LOCAL, else the
    /// .mhd file and the file of that name beside it.
    let encode (file: ImageFile) (dataFile: string) : byte[] * byte[] =
        use packed = new MemoryStream()

        do
            use zipped = new ZLibStream(packed, CompressionLevel.Optimal, true)
            // Channels stand side by side in each voxel.
            let values = Elements.rearrange (Elements.transpose file.Extent.Count) file.Values
            Elements.write zipped (if file.Channels = 1 then file.Values else values)

        header file packed.Length dataFile, packed.ToArray()
