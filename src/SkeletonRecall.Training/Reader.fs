namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// Images and label maps from files and back, as nnU-Net's NaturalImage2DIO has them: no spacing (1 x 1), an RGB file is
/// three channels, RGBA four, and the files of a case are its channels one after the other. JPEG images are read too,
/// which nnU-Net refuses; their label maps are PNG, since JPEG would alter the labels.
[<RequireQualifiedAccess>]
module Reader =

    /// Endings of image files that can be read, as `file_ending` in dataset.json spells them.
    let endings: string list = [ ".png"; ".jpg"; ".jpeg" ]

    /// The ending of the label maps of a data set whose images have this ending: .png for JPEG images, else the same.
    let labelEnding (imageEnding: string) : string =
        match imageEnding.ToLowerInvariant() with
        | ".jpg"
        | ".jpeg" -> ".png"
        | _ -> imageEnding

    let private hasEnding (ending: string) (path: string) : bool =
        path.EndsWith(ending, StringComparison.OrdinalIgnoreCase)

    let private unreadable (path: string) (result: Result<'T, string>) : Result<'T, Problem> =
        result |> Result.mapError (fun reason -> Unreadable(path, reason))

    let private isJpeg (bytes: byte[]) : bool =
        bytes.Length > 2 && bytes[0] = 0xFFuy && bytes[1] = 0xD8uy

    /// By what is in the file, not by its name: many a .png is a JPEG.
    let private raster (path: string) (wanted: string) : Result<Raster, Problem> =
        Files.read path wanted
        |> Result.bind (fun bytes ->
            (if isJpeg bytes then Jpeg.decode bytes else Png.decode bytes)
            |> unreadable path)

    /// Channels of one raster, each row-major. Depths below 8 bits are spread over 0..255, palettes give their colours.
    let private channels (raster: Raster) : float32[] list =
        let count = raster.Width * raster.Height

        match raster.Palette with
        | Some colours ->
            let pick (choose: struct (byte * byte * byte) -> byte) =
                Array.init count (fun i -> float32 (choose colours[int raster.Samples[i]]))

            [
                pick (fun (struct (red, _, _)) -> red)
                pick (fun (struct (_, green, _)) -> green)
                pick (fun (struct (_, _, blue)) -> blue)
            ]
        | None ->
            let factor =
                if raster.BitDepth < 8 then
                    255 / ((1 <<< raster.BitDepth) - 1)
                else
                    1

            List.init raster.Channels (fun channel ->
                Array.init count (fun i -> float32 (int raster.Samples[i * raster.Channels + channel] * factor)))

    let private size (raster: Raster) : string =
        $"%d{raster.Width} x %d{raster.Height} pixels"

    /// The image of one case from its channel files, in order: (channel, height, width), values as stored (0..255 or
    /// 0..65535). Files of different size are a problem that names both.
    let image (paths: string list) : Result<Image, Problem> =
        match paths with
        | [] -> invalidArg (nameof paths) "An image needs at least one file; the list is empty."
        | first :: _ ->
            paths
            |> List.map (fun path -> raster path "an image is wanted")
            |> Problem.collect
            |> Result.bind (fun rasters ->
                let head = List.head rasters

                let other =
                    List.zip paths rasters
                    |> List.tryFind (fun (_, raster) -> raster.Width <> head.Width || raster.Height <> head.Height)

                match other with
                | Some(path, raster) -> Error(Mismatch(path, size raster, $"%s{size head}, as %s{first} has"))
                | None ->
                    let data = rasters |> List.collect channels
                    Ok(Image.create data.Length (Extent.plane head.Height head.Width) (Array.concat data)))

    let private grey (path: string) (raster: Raster) : Result<uint16[], Problem> =
        let count = raster.Width * raster.Height
        let first = Array.init count (fun i -> raster.Samples[i * raster.Channels])

        let coloured =
            raster.Channels >= 3
            && Seq.exists
                (fun i ->
                    let start = i * raster.Channels
                    raster.Samples[start + 1] <> first[i] || raster.Samples[start + 2] <> first[i])
                (seq { 0 .. count - 1 })

        if coloured then
            Error(
                Mismatch(
                    path,
                    "colours",
                    "a label map: one number per pixel (a grey or palette PNG); turn each colour into its label first"
                )
            )
        else
            Ok first

    let private distinct (values: uint16[]) : uint16 list =
        let seen = Array.zeroCreate<bool> 65536

        for value in values do
            seen[int value] <- true

        [
            for value in 0..65535 do
                if seen[value] then
                    uint16 value
        ]

    /// At most eight numbers, and how many there are.
    let private listed (values: int list) : string =
        let some = values |> List.truncate 8 |> List.map string |> String.concat ", "

        if values.Length > 8 then
            $"%s{some}, ... (%d{values.Length} values)"
        else
            some

    let private stored (path: string) : Result<Extent * uint16[], Problem> =
        if hasEnding ".npy" path then
            Problem.attempt {
                let! bytes = Files.read path "a label map is wanted"
                let! array = Npy.decode bytes |> unreadable path
                let! labels = Npy.toLabels array |> unreadable path
                return labels.Extent, Array.map uint16 labels.Data
            }
        else
            Problem.attempt {
                let! bytes = Files.read path "a label map is wanted"

                let! raster =
                    if isJpeg bytes then
                        Error(Unreadable(path, "it is a JPEG file, which alters label values; a PNG file is wanted"))
                    else
                        Png.decode bytes |> unreadable path

                let! values = grey path raster
                return Extent.plane raster.Height raster.Width, values
            }

    /// 0 and full white, the usual picture of a mask.
    let private isWhiteMask (values: uint16 list) : bool =
        let isWhite (value: uint16) = value = 255us || value = 65535us

        match values with
        | [ 0us; white ]
        | [ white ] -> isWhite white
        | _ -> false

    let private whiteToOne (extent: Extent) (values: uint16[]) : LabelMap =
        Volume.create extent (values |> Array.map (fun value -> if value = 0us then 0s else 1s))

    let private noteOn (path: string) (found: uint16 list) : string option =
        Some $"%s{path}: the mask's {{0, %d{List.last found}}} was taken as {{0, 1}}."

    /// A label map without a data set at hand, from .png or .npy: values as stored, except that {0, 255} becomes {0, 1},
    /// with a line that says so. A palette image gives its indices.
    let mask (path: string) : Result<LabelMap * string option, Problem> =
        Problem.attempt {
            let! extent, values = stored path
            let found = distinct values

            if isWhiteMask found then
                return whiteToOne extent values, noteOn path found
            elif List.last found > uint16 Int16.MaxValue then
                return! Error(Mismatch(path, $"the label %d{List.last found}", $"labels of at most %d{Int16.MaxValue}"))
            else
                return Volume.create extent (Array.map int16 values), None
        }

    /// The label map of a data set's case, from .png or .npy. A palette image gives its indices, an RGB image whose
    /// channels agree is grey. Where the data set has one foreground label, {0, 255} is taken as {0, 1}, and the second
    /// value is a line that says so. Any other value that the data set does not know is a problem that names the cure.
    let labels (dataset: Dataset) (path: string) : Result<LabelMap * string option, Problem> =
        Problem.attempt {
            let! extent, values = stored path
            let found = distinct values
            let known = (List.map snd dataset.Labels @ Option.toList dataset.Ignore)
            let isBinary = dataset.Labels.Length = 2

            let unknown =
                found
                |> List.map int
                |> List.filter (fun value -> not (List.contains value known))

            if unknown.IsEmpty then
                return Volume.create extent (Array.map int16 values), None
            elif isBinary && isWhiteMask found then
                return whiteToOne extent values, noteOn path found
            elif isBinary then
                let got = $"the values %s{listed (List.map int found)}"

                return!
                    Error(
                        Mismatch(
                            path,
                            got,
                            "0 and 1, or 0 and 255: threshold the mask, or list the values under \"labels\" in dataset.json"
                        )
                    )
            else
                let labels =
                    dataset.Labels
                    @ (dataset.Ignore |> Option.map (fun id -> "ignore", id) |> Option.toList)
                    |> List.map (fun (name, id) -> $"%s{name} = %d{id}")
                    |> String.concat ", "

                return!
                    Error(
                        Mismatch(
                            path,
                            $"the label values %s{listed unknown}",
                            $"those that dataset.json knows (%s{labels}): correct the file, or list the values under \"labels\""
                        )
                    )
        }

    let private encode (path: string) (labels: LabelMap) : byte[] =
        if hasEnding ".npy" path then
            Npy.encode (Npy.ofLabels labels)
        elif labels.Extent.Rank <> 2 then
            invalidArg (nameof labels) $"A PNG file holds a plane; the label map is %O{labels.Extent}. Use .npy."
        else
            Png.encode
                {
                    Width = labels.Extent.Width
                    Height = labels.Extent.Height
                    Channels = 1
                    BitDepth =
                        if Array.exists (fun label -> label > 255s) labels.Data then
                            16
                        else
                            8
                    Samples = Array.map uint16 labels.Data
                    Palette = None
                }

    let private checkEnding (path: string) : unit =
        if not (hasEnding ".npy" path || hasEnding ".png" path) then
            invalidArg (nameof path) $"Label maps are written as .png or .npy; got %s{Path.GetFileName path |> string}."

    /// Writes a label map, by the ending of the path: .png (grey, 8 bits, 16 where a label is above 255) or .npy.
    /// Throws ArgumentException for another ending, for a negative label and for a volume as .png.
    let writeLabels (path: string) (labels: LabelMap) : Result<unit, Problem> =
        checkEnding path

        if Array.exists (fun label -> label < 0s) labels.Data then
            invalidArg (nameof labels) "A label map holds no negative label; -1 marks padding and must be gone by now."

        let bytes = encode path labels
        Files.writeAtomically path (fun stream -> stream.Write(bytes, 0, bytes.Length))

    /// Writes a plane of 1, 3 or 4 channels as PNG: values rounded to 0..255 in 8 bits, or, where one is above 255, to
    /// 0..65535 in 16. Throws ArgumentException for volumes and other numbers of channels.
    let writeImage (path: string) (image: Image) : Result<unit, Problem> =
        if image.Extent.Rank <> 2 || not (List.contains image.Channels [ 1; 3; 4 ]) then
            invalidArg
                (nameof image)
                $"A PNG image is a plane of 1, 3 or 4 channels; got %d{image.Channels} of %O{image.Extent}."

        let count = image.Extent.Count
        let deep = image.Data |> Array.exists (fun value -> value > 255.5f)
        let last = if deep then 65535.0f else 255.0f

        let bytes =
            Png.encode
                {
                    Width = image.Extent.Width
                    Height = image.Extent.Height
                    Channels = image.Channels
                    BitDepth = if deep then 16 else 8
                    Samples =
                        Array.init (count * image.Channels) (fun i ->
                            let value = image.Data[(i % image.Channels) * count + i / image.Channels]
                            uint16 (Math.Clamp(MathF.Round value, 0.0f, last)))
                    Palette = None
                }

        Files.writeAtomically path (fun stream -> stream.Write(bytes, 0, bytes.Length))
