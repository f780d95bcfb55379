namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// The name of a case: the file name without channel number and ending.
type CaseId = private CaseId of string

/// Making case names and reading them.
[<RequireQualifiedAccess>]
module CaseId =

    // Device names of Windows, which it takes for the device whatever the ending.
    let private isDevice (name: string) : bool =
        let stem = (Array.head (name.Split '.')).TrimEnd().ToUpperInvariant()

        match stem with
        | "CON"
        | "PRN"
        | "AUX"
        | "NUL" -> true
        | _ ->
            stem.Length = 4
            && (stem.StartsWith("COM", StringComparison.Ordinal)
                || stem.StartsWith("LPT", StringComparison.Ordinal))
            && Char.IsAsciiDigit stem[3]

    let private forbidden = [| '/'; '\\'; ':'; '*'; '?'; '"'; '<'; '>'; '|' |]

    /// A case name, or None where Windows, Linux or macOS could not have it as a file name: empty, with a path separator
    /// or another character that Windows forbids, with a dot or a space at an end, or a device of Windows (CON, COM1).
    let tryOfString (name: string) : CaseId option =
        if
            String.IsNullOrWhiteSpace name
            || name.IndexOfAny forbidden >= 0
            || Seq.exists Char.IsControl name
            || name.Trim() <> name
            || name.EndsWith '.'
            || isDevice name
        then
            None
        else
            Some(CaseId name)

    /// A case name. Throws ArgumentException where `tryOfString` gives None.
    let ofString (name: string) : CaseId =
        match tryOfString name with
        | Some id -> id
        | None -> invalidArg (nameof name) $"A case name is a plain file name; got '%s{name}'."

    /// The name.
    let value (CaseId name: CaseId) : string = name

/// An image of one or several channels on one grid. `Data` is (channel, spatial...), row-major.
type Image =
    {
        Channels: int
        Extent: Extent
        Spacing: Spacing
        /// Where it lies; of a plane from a photograph, the standard one.
        Geometry: Geometry
        Data: float32[]
    }

/// Making images.
[<RequireQualifiedAccess>]
module Image =

    /// An image over the given array, which is not copied; spacing 1 mm, geometry standard.
    /// Throws ArgumentException when the array's length is not channels times the extent's count.
    let create (channels: int) (extent: Extent) (data: float32[]) : Image =
        if channels < 1 || data.Length <> channels * extent.Count then
            invalidArg
                (nameof data)
                $"%d{channels} channels of %O{extent} need %d{channels * extent.Count} values; got %d{data.Length}."

        {
            Channels = channels
            Extent = extent
            Spacing = Spacing.unit extent.Rank
            Geometry = Geometry.standard extent.Rank
            Data = data
        }

    /// One channel as a span over the image's own array.
    let channel (number: int) (image: Image) : Span<float32> =
        Span<float32>(image.Data, number * image.Extent.Count, image.Extent.Count)

/// One case: its image and, where it is known, its label map.
type Case =
    {
        Id: CaseId
        Image: Image
        Labels: LabelMap option
        /// The skeleton of its label map, where training is to take tubes from it.
        Skeleton: CaseSkeleton option
    }

/// Making cases.
[<RequireQualifiedAccess>]
module Case =

    /// A case; throws ArgumentException when image and label map differ in size.
    let create (id: CaseId) (image: Image) (labels: LabelMap option) : Case =
        labels
        |> Option.iter (fun labels -> Extent.requireEqual (nameof labels) image.Extent labels.Extent)

        {
            Id = id
            Image = image
            Labels = labels
            Skeleton = None
        }

    /// The case with the skeleton of its label map. Throws ArgumentException when they differ in size.
    let withSkeleton (skeleton: CaseSkeleton) (case: Case) : Case =
        Extent.requireEqual (nameof skeleton) case.Image.Extent skeleton.Extent

        { case with Skeleton = Some skeleton }

    /// The case with the skeleton of its label map, made as `CaseSkeleton.ofLabels` says, for patches of the given number
    /// of axes: slice by slice where these are planes of a volume. `ignore` is the data set's ignore label, which counts as
    /// background. The case as it is where it has a skeleton or no labels.
    let skeletonize (options: TubeOptions) (ignore: int option) (patchAxes: int) (case: Case) : Case =
        match case.Skeleton, case.Labels with
        | None, Some labels ->
            let known =
                match ignore with
                | None -> labels
                | Some ignored -> labels |> Volume.map (fun label -> if int label = ignored then 0s else label)

            withSkeleton (CaseSkeleton.ofLabels options (patchAxes < labels.Extent.Rank) known) case
        | _ -> case
