namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// Images and label maps from files and back. Planes of PNG, JPEG, BMP and GIF are as nnU-Net's NaturalImage2DIO has them:
/// no spacing (1 x 1), an RGB file is three channels, RGBA four, and the files of a case are its channels one after the
/// other. TIFF, NIfTI, NRRD, MetaImage and numpy's files hold planes and volumes, with axes (z, y, x) and a place in the
/// world. nnU-Net refuses JPEG; label maps beside JPEG and GIF images are PNG, since JPEG would alter the labels.
[<RequireQualifiedAccess>]
module Reader =

    /// Endings of image files that can be read, as `file_ending` in dataset.json spells them.
    let endings: string list =
        VoxelFile.pixelEndings @ [ ".jpg"; ".jpeg" ] @ VoxelFile.voxelEndings

    /// Endings that label maps can be written with.
    let labelEndings: string list =
        ".png" :: ".bmp" :: (VoxelFile.voxelEndings |> List.except [ ".nhdr" ])

    /// The ending of the label maps of a data set whose images have this ending: .png for JPEG and GIF images, .nrrd for .nhdr,
    /// else the same.
    let labelEnding (imageEnding: string) : string =
        match imageEnding.ToLowerInvariant() with
        | ".jpg"
        | ".jpeg"
        | ".gif" -> ".png"
        | ".nhdr" -> ".nrrd"
        | _ -> imageEnding

    /// The ending of a file's name that can be read, the longest that fits (.nii.gz), if there is one.
    let endingOf (path: string) : string option =
        endings
        |> List.filter (fun ending -> path.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
        |> List.sortByDescending String.length
        |> List.tryHead

    let private hasEnding (ending: string) (path: string) : bool =
        path.EndsWith(ending, StringComparison.OrdinalIgnoreCase)

    // Files of planes without a place in the world.
    let private isPixels (path: string) : bool =
        hasEnding ".png" path || hasEnding ".bmp" path

    let private unreadable (path: string) (result: Result<'T, string>) : Result<'T, Problem> =
        result |> Result.mapError (fun reason -> Unreadable(path, reason))

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

    /// An extent for a message.
    let internal size (extent: Extent) : string =
        if extent.Rank = 2 then
            $"%d{extent.Width} x %d{extent.Height} pixels"
        else
            $"%d{extent.Width} x %d{extent.Height} x %d{extent.Depth} voxels"

    let private single (path: string) : Result<Image, Problem> =
        VoxelFile.read path "an image is wanted"
        |> Result.bind (fun content ->
            match content with
            | Content.Pixels raster ->
                let data = channels raster
                Ok(Image.create data.Length (Extent.plane raster.Height raster.Width) (Array.concat data))
            | Content.Voxels file -> ImageFile.toImage file |> unreadable path)

    /// Whether two spacings agree as nnU-Net compares them, with numpy's allclose.
    let internal close (left: Spacing) (right: Spacing) : bool =
        List.forall2
            (fun (one: float) (other: float) -> abs (one - other) <= 1e-8 + 1e-5 * abs other)
            left.Values
            right.Values

    /// The image of one case from its channel files, in order: (channel, spatial...), values as stored (0..255 or 0..65535
    /// from photographs; scaled as the header says from NIfTI). Spacing and geometry are those of the first file. Files of
    /// different size or spacing are a problem that names both; values that are NaN or infinite are one too.
    let image (paths: string list) : Result<Image, Problem> =
        match paths with
        | [] -> invalidArg (nameof paths) "An image needs at least one file; the list is empty."
        | [ only ] -> single only
        | first :: _ ->
            paths
            |> Problem.traverse single
            |> Result.bind (fun images ->
                let head = List.head images

                let other =
                    List.zip paths images
                    |> List.tryFind (fun (_, image) -> image.Extent <> head.Extent)

                let farther () =
                    List.zip paths images
                    |> List.tryFind (fun (_, image) -> not (close image.Spacing head.Spacing))

                match other with
                | Some(path, image) ->
                    Error(Mismatch(path, size image.Extent, $"%s{size head.Extent}, as %s{first} has"))
                | None ->
                    match farther () with
                    | Some(path, image) ->
                        Error(Mismatch(path, $"a spacing of %O{image.Spacing}", $"%O{head.Spacing}, as %s{first} has"))
                    | None ->
                        Ok
                            { head with
                                Channels = images |> List.sumBy (fun image -> image.Channels)
                                Data = images |> List.map (fun image -> image.Data) |> Array.concat
                            })

    let private coloured (path: string) : Problem =
        Mismatch(
            path,
            "colours",
            "a label map: one number per pixel (a grey or palette PNG); turn each colour into its label first"
        )

    let private grey (path: string) (raster: Raster) : Result<uint16[], Problem> =
        let count = raster.Width * raster.Height
        let first = Array.init count (fun i -> raster.Samples[i * raster.Channels])

        let isColoured =
            raster.Channels >= 3
            && Seq.exists
                (fun i ->
                    let start = i * raster.Channels
                    raster.Samples[start + 1] <> first[i] || raster.Samples[start + 2] <> first[i])
                (seq { 0 .. count - 1 })

        if isColoured then Error(coloured path) else Ok first

    // The channels of colours that agree are one.
    let private oneChannel (path: string) (file: ImageFile) : Result<uint16[], Problem> =
        Elements.guard (fun () -> VoxelValues.toLabels file.Values)
        |> unreadable path
        |> Result.bind (fun values ->
            let count = file.Extent.Count

            if file.Channels = 1 then
                Ok values
            else
                let agrees (channel: int) =
                    ReadOnlySpan<uint16>(values, 0, count)
                        .SequenceEqual(ReadOnlySpan<uint16>(values, channel * count, count))

                if file.Channels >= 3 && agrees 1 && agrees 2 then
                    Ok(Array.truncate count values)
                else
                    Error(coloured path))

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

    type private StoredLabels =
        {
            Values: uint16[]
            Extent: Extent
            Spacing: Spacing
            Geometry: Geometry
        }

    let private stored (path: string) : Result<StoredLabels, Problem> =
        VoxelFile.read path "a label map is wanted"
        |> Result.bind (fun content ->
            match content with
            | Content.Pixels _ when VoxelFile.isJpegFile path ->
                Error(Unreadable(path, "it is a JPEG file, which alters label values; a PNG file is wanted"))
            | Content.Pixels raster ->
                grey path raster
                |> Result.map (fun values ->
                    {
                        Values = values
                        Extent = Extent.plane raster.Height raster.Width
                        Spacing = Spacing.unit 2
                        Geometry = Geometry.standard 2
                    })
            | Content.Voxels file ->
                oneChannel path file
                |> Result.map (fun values ->
                    {
                        Values = values
                        Extent = file.Extent
                        Spacing = file.Spacing
                        Geometry = file.Geometry
                    }))

    /// 0 and full white, the usual picture of a mask.
    let private isWhiteMask (values: uint16 list) : bool =
        let isWhite (value: uint16) = value = 255us || value = 65535us

        match values with
        | [ 0us; white ]
        | [ white ] -> isWhite white
        | _ -> false

    let private labelMap (stored: StoredLabels) (data: int16[]) : LabelMap =
        Volume.create stored.Extent data |> Volume.withSpacing stored.Spacing

    let private whiteToOne (stored: StoredLabels) : LabelMap =
        stored.Values
        |> Array.map (fun value -> if value = 0us then 0s else 1s)
        |> labelMap stored

    let private noteOn (path: string) (found: uint16 list) : string option =
        Some $"%s{path}: the mask's {{0, %d{List.last found}}} was taken as {{0, 1}}."

    /// A label map without a data set at hand and where it lies: values as stored, except that {0, 255} becomes {0, 1}, with
    /// a line that says so. A palette image gives its indices.
    let maskInPlace (path: string) : Result<LabelMap * Geometry * string option, Problem> =
        Problem.attempt {
            let! stored = stored path
            let found = distinct stored.Values

            if isWhiteMask found then
                return whiteToOne stored, stored.Geometry, noteOn path found
            elif List.last found > uint16 Int16.MaxValue then
                return! Error(Mismatch(path, $"the label %d{List.last found}", $"labels of at most %d{Int16.MaxValue}"))
            else
                return labelMap stored (Array.map int16 stored.Values), stored.Geometry, None
        }

    /// `maskInPlace` without the place.
    let mask (path: string) : Result<LabelMap * string option, Problem> =
        maskInPlace path |> Result.map (fun (labels, _, note) -> labels, note)

    /// The label map of a data set's case and where it lies. A palette image gives its indices, an RGB image whose
    /// channels agree is grey. Where the data set has one foreground label, {0, 255} is taken as {0, 1}, and the last
    /// value is a line that says so. Any other value that the data set does not know is a problem that names the cure.
    let labelsInPlace (dataset: Dataset) (path: string) : Result<LabelMap * Geometry * string option, Problem> =
        Problem.attempt {
            let! stored = stored path
            let found = distinct stored.Values
            let known = (List.map snd dataset.Labels @ Option.toList dataset.Ignore)
            let isBinary = dataset.Labels.Length = 2

            let unknown =
                found
                |> List.map int
                |> List.filter (fun value -> not (List.contains value known))

            if unknown.IsEmpty then
                return labelMap stored (Array.map int16 stored.Values), stored.Geometry, None
            elif isBinary && isWhiteMask found then
                return whiteToOne stored, stored.Geometry, noteOn path found
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

    /// `labelsInPlace` without the place.
    let labels (dataset: Dataset) (path: string) : Result<LabelMap * string option, Problem> =
        labelsInPlace dataset path |> Result.map (fun (labels, _, note) -> labels, note)

    let private fileName (path: string) : string = Path.GetFileName path |> string

    let private writePixels (path: string) (raster: Raster) : Result<unit, Problem> =
        let bytes =
            if hasEnding ".bmp" path then
                Bmp.encode raster
            else
                Png.encode raster

        Files.writeAtomically path (fun stream -> stream.Write(bytes, 0, bytes.Length))

    /// Writes a label map onto the place in the world that its image has, by the ending of the path (one of `labelEndings`);
    /// 8 bits, 16 where a label is above 255. A PNG file has no place, and TIFF and .npy keep none but TIFF's spacing.
    /// Throws ArgumentException for another ending, for a negative label, for a volume as .png and for a geometry of another
    /// rank.
    let writeLabelsInPlace (geometry: Geometry) (path: string) (labels: LabelMap) : Result<unit, Problem> =
        if not (labelEndings |> List.exists (fun ending -> hasEnding ending path)) then
            let known = String.concat ", " labelEndings
            invalidArg (nameof path) $"Label maps are written as %s{known}; got %s{fileName path}."

        let file = ImageFile.ofLabels geometry labels

        if not (isPixels path) then
            VoxelFile.write path file
        elif labels.Extent.Rank <> 2 then
            invalidArg
                (nameof labels)
                $"A PNG or BMP file holds a plane; the label map is %O{labels.Extent}. Use .nii.gz."
        else
            writePixels
                path
                {
                    Width = labels.Extent.Width
                    Height = labels.Extent.Height
                    Channels = 1
                    BitDepth = 8 * Elements.size (Elements.kind file.Values)
                    Samples = Array.map uint16 labels.Data
                    Palette = None
                }

    /// Writes a label map as `writeLabelsInPlace` does, with the standard geometry.
    let writeLabels (path: string) (labels: LabelMap) : Result<unit, Problem> =
        writeLabelsInPlace (Geometry.standard labels.Extent.Rank) path labels

    let private pngOf (image: Image) : Raster =
        if image.Extent.Rank <> 2 || not (List.contains image.Channels [ 1; 3; 4 ]) then
            invalidArg
                (nameof image)
                $"A PNG or BMP image is a plane of 1, 3 or 4 channels; got %d{image.Channels} of %O{image.Extent}."

        let count = image.Extent.Count
        let deep = image.Data |> Array.exists (fun value -> value > 255.5f)
        let last = if deep then 65535.0f else 255.0f

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

    /// Writes an image by the ending of the path (one of `labelEndings`): .png takes a plane of 1, 3 or 4 channels, values
    /// rounded to 0..255 in 8 bits or, where one is above 255, to 0..65535 in 16; .bmp one of 1 or 3 channels, rounded to
    /// 0..255; the others take float32 as it is, with spacing and place. Throws ArgumentException for another ending, and for what a format cannot hold.
    let writeImage (path: string) (image: Image) : Result<unit, Problem> =
        if isPixels path then
            writePixels path (pngOf image)
        else
            VoxelFile.write path (ImageFile.ofImage image)
