namespace SkeletonRecall.Training

open System
open System.IO
open System.Text.Json
open SkeletonRecall

/// What an image file held: pixels with a palette or few bits, or numbers with their place.
[<RequireQualifiedAccess>]
type internal Content =
    | Pixels of Raster
    | Voxels of ImageFile

/// Image files of all formats, by what is in them where several formats share an ending, else by their ending.
[<RequireQualifiedAccess>]
module internal VoxelFile =

    let private hasEnding (ending: string) (path: string) : bool =
        path.EndsWith(ending, StringComparison.OrdinalIgnoreCase)

    let private isOneOf (endings: string list) (path: string) : bool =
        endings |> List.exists (fun ending -> hasEnding ending path)

    /// Endings of formats that hold planes only, JPEG apart.
    let pixelEndings: string list = [ ".png"; ".bmp"; ".gif" ]

    /// Endings of formats that hold planes and volumes.
    let voxelEndings: string list =
        [
            ".tif"
            ".tiff"
            ".nii"
            ".nii.gz"
            ".nrrd"
            ".nhdr"
            ".mha"
            ".mhd"
            ".npy"
            ".npz"
        ]

    let private isTiff (path: string) : bool = isOneOf [ ".tif"; ".tiff" ] path

    /// Where nnU-Net's Tiff3DIO keeps the spacing of a TIFF file: CASE.json beside it, without the channel's number.
    let spacingFile (path: string) : string =
        let stem = path.Substring(0, path.LastIndexOf '.')

        let isChannel =
            stem.Length > 5
            && stem[stem.Length - 5] = '_'
            && Seq.forall Char.IsAsciiDigit (stem.Substring(stem.Length - 4))

        (if isChannel then
             stem.Substring(0, stem.Length - 5)
         else
             stem)
        + ".json"

    let private spacing (path: string) : Result<float list option, Problem> =
        let file = spacingFile path

        if not (File.Exists file) then
            Ok None
        else
            Files.read file "the spacing of a TIFF file"
            |> Result.bind (fun bytes ->
                let bad () =
                    Error(Unreadable(file, "it should be {\"spacing\": [z, y, x]} with positive numbers of mm"))

                try
                    use document = JsonDocument.Parse(ReadOnlyMemory bytes)
                    let root = document.RootElement

                    if root.ValueKind <> JsonValueKind.Object then
                        bad ()
                    else
                        match root.TryGetProperty "spacing" with
                        | true, list when list.ValueKind = JsonValueKind.Array ->
                            let values = [ for value in list.EnumerateArray() -> value.GetDouble() ]

                            if
                                values.Length = 3
                                && values |> List.forall (fun value -> Double.IsFinite value && value > 0.0)
                            then
                                Ok(Some values)
                            else
                                bad ()
                        | _ -> Ok None
                with
                | :? JsonException
                | :? FormatException
                | :? InvalidOperationException -> bad ())

    let private tiff (path: string) (bytes: byte[]) : Result<ImageFile, Problem> =
        Problem.attempt {
            let! spacing = spacing path

            let! file =
                Tiff.decode spacing.IsSome bytes
                |> Result.mapError (fun reason -> Unreadable(path, reason))

            match spacing with
            | Some values when file.Extent.Rank = 3 ->
                return
                    { file with
                        Spacing = Spacing.ofList values
                    }
            | _ -> return file
        }

    let private startsWith (mark: byte list) (bytes: byte[]) : bool =
        bytes.Length >= mark.Length
        && List.forall2 (=) mark (List.ofArray (Array.truncate mark.Length bytes))

    let private isJpeg (bytes: byte[]) : bool = startsWith [ 0xFFuy; 0xD8uy ] bytes

    /// Whether a file that can be read is a JPEG, whatever its name says.
    let isJpegFile (path: string) : bool =
        use stream = File.OpenRead path
        stream.ReadByte() = 0xFF && stream.ReadByte() = 0xD8

    let private pixels (path: string) (wanted: string) : Result<Content, Problem> =
        Files.read path wanted
        |> Result.bind (fun bytes ->
            let decoded (result: Result<Raster, string>) =
                result
                |> Result.map Content.Pixels
                |> Result.mapError (fun reason -> Unreadable(path, reason))

            // Many a .png is a JPEG.
            if isJpeg bytes then
                decoded (Jpeg.decode bytes)
            elif startsWith [ 0x89uy; 0x50uy ] bytes then
                decoded (Png.decode bytes)
            elif startsWith [ 0x47uy; 0x49uy; 0x46uy ] bytes then
                decoded (Gif.decode bytes)
            elif startsWith [ 0x42uy; 0x4Duy ] bytes then
                decoded (Bmp.decode bytes)
            elif
                isTiff path
                || startsWith [ 0x49uy; 0x49uy; 42uy ] bytes
                || startsWith [ 0x4Duy; 0x4Duy; 0uy ] bytes
            then
                tiff path bytes |> Result.map Content.Voxels
            else
                decoded (Png.decode bytes))

    // A file beside the header, into memory only as it is read.
    let private beside (path: string) (name: string) : Result<Stream, string> =
        let folder =
            Path.GetDirectoryName(Path.GetFullPath path)
            |> Option.ofObj
            |> Option.defaultValue "."

        let file = Path.Combine(folder, name)

        try
            if File.Exists file then
                Ok(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 131072))
            else
                Error "that file is not there"
        with
        | :? UnauthorizedAccessException -> Error "there is no permission to read it"
        | :? IOException as error -> Error(error.Message.TrimEnd '.')

    /// How many voxels of space the header of a file declares, by its ending; None for formats without such a header, and
    /// where it cannot be read.
    let tryDeclared (path: string) : int64 option =
        let declared (read: Stream -> Result<int64, string>) =
            Files.withStream path "an image is wanted" read |> Result.toOption

        if isOneOf [ ".nii"; ".nii.gz" ] path then
            declared Nifti.declared
        elif isOneOf [ ".nrrd"; ".nhdr" ] path then
            declared Nrrd.declared
        elif isOneOf [ ".mha"; ".mhd" ] path then
            declared MetaImage.declared
        else
            None

    // What is broken is mended by another copy.
    let private withCure (problem: Problem) : Problem =
        match problem with
        | Unreadable(path, reason) when
            (reason.Contains "truncated" || reason.Contains "damaged")
            && not (reason.Contains "again")
            ->
            Unreadable(path, reason + "; copy or download it again")
        | other -> other

    let private decoded (path: string) (wanted: string) : Result<Content, Problem> =
        let voxels (decode: Stream -> Result<ImageFile, string>) =
            Files.withStream path wanted decode |> Result.map Content.Voxels

        if isOneOf [ ".nii"; ".nii.gz" ] path then
            voxels Nifti.decode
        elif isOneOf [ ".nrrd"; ".nhdr" ] path then
            voxels (Nrrd.decode (beside path))
        elif isOneOf [ ".mha"; ".mhd" ] path then
            voxels (MetaImage.decode (beside path))
        elif hasEnding ".npz" path then
            voxels (Npz.decode >> Result.bind Npz.toFile)
        elif hasEnding ".npy" path then
            voxels (fun stream ->
                Elements.guard (fun () -> Elements.rest stream.Length stream.Length stream)
                |> Result.bind Npy.decode
                |> Result.bind Npz.ofArray)
        else
            pixels path wanted

    /// The content of a file, by its ending. `wanted` ends the message when there is none.
    let read (path: string) (wanted: string) : Result<Content, Problem> =
        decoded path wanted |> Result.mapError withCure

    let private writeBytes (path: string) (bytes: byte[]) : Result<unit, Problem> =
        Files.writeAtomically path (fun stream -> stream.Write(bytes, 0, bytes.Length))

    let private writeTiff (path: string) (file: ImageFile) : Result<unit, Problem> =
        Problem.attempt {
            do! writeBytes path (Tiff.encode file)

            if file.Extent.Rank = 3 then
                let values = (TextHeader.print file.Spacing.Values).Replace(" ", ", ")
                let json = $"{{\"spacing\": [%s{values}]}}\n"
                return! writeBytes (spacingFile path) (Text.Encoding.ASCII.GetBytes json)
            else
                return ()
        }

    let private writeMetaImage (path: string) (file: ImageFile) : Result<unit, Problem> =
        if hasEnding ".mha" path then
            let header, data = MetaImage.encode file "LOCAL"

            Files.writeAtomically path (fun stream ->
                stream.Write(header, 0, header.Length)
                stream.Write(data, 0, data.Length))
        else
            let data = path.Substring(0, path.Length - 4) + ".zraw"
            let header, voxels = MetaImage.encode file (Path.GetFileName data |> string)
            writeBytes data voxels |> Result.bind (fun () -> writeBytes path header)

    /// Writes a file of voxels by its ending, one of `voxelEndings` but .nhdr. A spacing goes beside a volume as .tif.
    /// Throws ArgumentException for another ending and for what the format cannot hold.
    let write (path: string) (file: ImageFile) : Result<unit, Problem> =
        if isTiff path then
            writeTiff path file
        elif isOneOf [ ".nii"; ".nii.gz" ] path then
            Files.writeAtomically path (Nifti.encode (hasEnding ".gz" path) file)
        elif hasEnding ".nrrd" path then
            Files.writeAtomically path (Nrrd.encode file)
        elif isOneOf [ ".mha"; ".mhd" ] path then
            writeMetaImage path file
        elif hasEnding ".npz" path then
            Files.writeAtomically path (Npz.encode (Npz.ofFile file))
        elif hasEnding ".npy" path then
            let _, array = List.head (Npz.ofFile file)
            writeBytes path (Npy.encode array)
        else
            let endings = String.concat ", " voxelEndings
            invalidArg (nameof path) $"Volumes are written as %s{endings}; got %s{Path.GetFileName path |> string}."
