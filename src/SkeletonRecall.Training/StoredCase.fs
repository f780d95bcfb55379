namespace SkeletonRecall.Training

open System
open System.Globalization
open SkeletonRecall

/// A preprocessed case in a file of its own: all that is known of it without its voxels. No handle is kept on the file.
type StoredCase =
    {
        Id: CaseId
        Path: string
        Channels: int
        /// The size after preprocessing.
        Extent: Extent
        /// The spacing after preprocessing in mm.
        Spacing: Spacing
        Properties: CaseProperties
        /// What it was made of and how; see `PreprocessedStore.save`.
        Made: string
        /// The tensors of the file, by name.
        Places: Map<string, TensorPlace>
        /// When the file was last written, by which a later change is noticed.
        Written: DateTime
    }

/// The text that the header of a stored case holds.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module internal StoredCase =

    let private format = "skeleton-recall preprocessed case 1"

    let private print (values: 'T list when 'T :> IFormattable) : string =
        String.Join(
            ",",
            values
            |> List.map (fun value -> value.ToString(null, CultureInfo.InvariantCulture))
        )

    let private tryParse (one: string -> bool * 'T) (text: string) : 'T list option =
        let parts = text.Split ',' |> Array.map one

        if parts |> Array.forall fst then
            Some(parts |> Array.map snd |> List.ofArray)
        else
            None

    let tryInts (text: string) : int list option =
        tryParse
            (fun part ->
                match Int32.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) with
                | true, value -> true, value
                | _ -> false, 0)
            text

    let private tryFloats (text: string) : float list option =
        tryParse
            (fun part ->
                match Double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture) with
                | true, value -> true, value
                | _ -> false, nan)
            text

    let metadata (made: string) (case: PreprocessedCase) : Map<string, string> =
        let properties = case.Properties
        let box = properties.Box

        Map.ofList
            [
                "format", format
                "made", made
                "case", CaseId.value case.Id
                "spacing", print case.Image.Spacing.Values
                "file_shape", print properties.FileExtent.Shape
                "file_spacing", print properties.FileSpacing.Values
                "file_origin", print properties.FileGeometry.Origin
                "file_direction", print properties.FileGeometry.Direction
                "transpose", print properties.Transpose
                "box",
                print
                    [
                        box.FirstSlice
                        box.FirstRow
                        box.FirstColumn
                        box.EndSlice
                        box.EndRow
                        box.EndColumn
                    ]
            ]

    let private tryBox (text: string) : Box option =
        match tryInts text with
        | Some [ firstSlice; firstRow; firstColumn; endSlice; endRow; endColumn ] ->
            Some
                {
                    FirstSlice = firstSlice
                    FirstRow = firstRow
                    FirstColumn = firstColumn
                    EndSlice = endSlice
                    EndRow = endRow
                    EndColumn = endColumn
                }
        | _ -> None

    // The case of a file's header, where it holds all that it should.
    let decode
        (path: string)
        (written: DateTime)
        (metadata: Map<string, string>)
        (places: TensorPlace list)
        : StoredCase option =
        let text (key: string) = Map.tryFind key metadata
        let list parse key = text key |> Option.bind parse
        let places = places |> List.map (fun place -> place.Name, place) |> Map.ofList

        let image =
            places.TryFind "image"
            |> Option.filter (fun place -> place.Type = ElementType.Float32 && place.Shape.Length >= 3)

        let labelsFit (shape: int list) =
            match places.TryFind "labels" with
            | None -> true
            | Some place ->
                place.Shape = shape
                && (place.Type = ElementType.Int8 || place.Type = ElementType.Int16)

        match
            text "format",
            text "made",
            text "case" |> Option.bind CaseId.tryOfString,
            image,
            (list tryFloats "spacing", list tryInts "file_shape", list tryFloats "file_spacing"),
            (list tryFloats "file_origin", list tryFloats "file_direction"),
            (list tryInts "transpose", text "box" |> Option.bind tryBox)
        with
        | Some known,
          Some made,
          Some id,
          Some image,
          (Some spacing, Some fileShape, Some fileSpacing),
          (Some origin, Some direction),
          (Some transpose, Some box) when known = format && labelsFit image.Shape.Tail ->
            try
                Some
                    {
                        Id = id
                        Path = path
                        Channels = image.Shape.Head
                        Extent = Extent.ofShape image.Shape.Tail
                        Spacing = Spacing.ofList spacing
                        Properties =
                            {
                                FileExtent = Extent.ofShape fileShape
                                FileSpacing = Spacing.ofList fileSpacing
                                FileGeometry = Geometry.create origin direction
                                Transpose = transpose
                                Box = box
                            }
                        Made = made
                        Places = places
                        Written = written
                    }
            with :? ArgumentException ->
                None
        | _ -> None
