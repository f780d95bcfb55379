namespace SkeletonRecall.Training

open System
open System.IO
open System.IO.Compression
open SkeletonRecall

/// numpy's .npz files: zip archives of .npy files.
[<RequireQualifiedAccess>]
module Npz =

    let private array (size: int64) (entry: ZipArchiveEntry) : string * NpyArray =
        let name = entry.FullName

        if entry.Length > 1032L * (min entry.CompressedLength size + 1L) then
            Elements.refuse $"%s{name} in it declares %d{entry.Length} bytes, which it cannot hold"

        use stream = entry.Open()

        match Npy.decode (Elements.rest entry.Length (min entry.Length entry.CompressedLength) stream) with
        | Ok array -> name.Substring(0, name.Length - 4), array
        | Error reason -> Elements.refuse $"%s{name} in it is damaged: %s{reason}"

    /// The arrays of a .npz file by name, without the ending .npy. An error is one reason that follows "cannot be read".
    let decode (stream: Stream) : Result<(string * NpyArray) list, string> =
        Elements.guard (fun () ->
            if stream.Length = stream.Position then
                Elements.refuse "the file is empty"

            let size = stream.Length
            use archive = new ZipArchive(stream, ZipArchiveMode.Read, true)

            archive.Entries
            |> Seq.filter (fun entry -> entry.FullName.EndsWith(".npy", StringComparison.Ordinal))
            |> Seq.map (array size)
            |> List.ofSeq)

    /// Writes a .npz file of these arrays, deflated. Throws ArgumentException where a shape and its values do not fit.
    let encode (arrays: (string * NpyArray) list) (stream: Stream) : unit =
        use archive = new ZipArchive(stream, ZipArchiveMode.Create, true)

        for name, array in arrays do
            use entry = archive.CreateEntry(name + ".npy", CompressionLevel.Optimal).Open()
            let bytes = Npy.encode array
            entry.Write(bytes, 0, bytes.Length)

    /// An array as an image's or label map's: (y, x), (z, y, x) or (channel, z, y, x), spacing 1. An error is one reason.
    let ofArray (array: NpyArray) : Result<ImageFile, string> =
        Elements.guard (fun () ->
            let channels, axes =
                match array.Shape with
                | [ channels; z; y; x ] -> channels, [ z; y; x ]
                | shape -> 1, shape

            let extent = ImageFile.extent (List.map int64 axes)
            Elements.count [ int64 channels; int64 extent.Count ] |> ignore

            {
                Channels = channels
                Extent = extent
                Spacing = Spacing.unit extent.Rank
                Geometry = Geometry.standard extent.Rank
                Values = array.Values
            })

    let private vector (values: float list) : NpyArray =
        {
            Shape = [ values.Length ]
            Values = Float64s(Array.ofList values)
        }

    /// The arrays that keep an image or a label map with its place: `data`, `spacing` (slowest axis first), `origin` and
    /// `direction` (x first, LPS).
    let ofFile (file: ImageFile) : (string * NpyArray) list =
        let shape =
            if file.Channels = 1 then
                file.Extent.Shape
            else
                file.Channels :: file.Extent.Shape

        [
            "data", { Shape = shape; Values = file.Values }
            "spacing", vector file.Spacing.Values
            "origin", vector file.Geometry.Origin
            "direction", vector file.Geometry.Direction
        ]

    let private preferred = [ "data"; "seg"; "labels"; "image" ]

    /// The image or label map in these arrays: the only one, or the first of `data`, `seg`, `labels` and `image`, with the
    /// spacing and the place that `ofFile` left. An error is one reason.
    let toFile (arrays: (string * NpyArray) list) : Result<ImageFile, string> =
        let found = Map.ofList arrays

        let numbers (name: string) : float list option =
            match found.TryFind name with
            | Some { Values = Float64s values } -> Some(List.ofArray values)
            | _ -> None

        let chosen =
            match arrays with
            | [ _, only ] -> Some only
            | _ -> preferred |> List.tryPick found.TryFind

        match chosen with
        | None ->
            let names = arrays |> List.map fst |> String.concat ", "
            let wanted = String.concat ", " preferred
            Error $"it holds the arrays %s{names}; one array, or one named %s{wanted}, is wanted"
        | Some array ->
            ofArray array
            |> Result.bind (fun file ->
                Elements.guard (fun () ->
                    let rank = file.Extent.Rank

                    // A plane of several channels has the shape of a volume; its spacing tells.
                    let file =
                        match numbers "spacing", array.Shape with
                        | Some [ _; _ ], [ channels; y; x ] ->
                            { file with
                                Channels = channels
                                Extent = Extent.plane y x
                                Spacing = Spacing.unit 2
                                Geometry = Geometry.standard 2
                            }
                        | _ -> file

                    let rank = if file.Extent.Rank = rank then rank else file.Extent.Rank

                    match numbers "spacing", numbers "origin", numbers "direction" with
                    | Some spacing, Some origin, Some direction when
                        spacing.Length = rank && origin.Length = rank && direction.Length = rank * rank
                        ->
                        { file with
                            Spacing = ImageFile.spacing spacing
                            Geometry = ImageFile.geometry origin (List.transpose (List.chunkBySize rank direction))
                        }
                    | Some spacing, _, _ when spacing.Length = rank ->
                        { file with
                            Spacing = ImageFile.spacing spacing
                        }
                    | _ -> file))
