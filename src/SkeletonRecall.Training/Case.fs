namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// The name of a case: the file name without channel number and ending.
type CaseId = private CaseId of string

/// Making case names and reading them.
[<RequireQualifiedAccess>]
module CaseId =

    /// A case name. Throws ArgumentException when it is empty or holds a character that a file name cannot hold on
    /// Windows, Linux or macOS.
    let ofString (name: string) : CaseId =
        let forbidden = [| '/'; '\\'; ':'; '*'; '?'; '"'; '<'; '>'; '|' |]

        if
            String.IsNullOrWhiteSpace name
            || name.IndexOfAny forbidden >= 0
            || Seq.exists Char.IsControl name
        then
            invalidArg (nameof name) $"A case name is a plain file name; got '%s{name}'."

        CaseId name

    /// The name.
    let value (CaseId name: CaseId) : string = name

/// An image of one or several channels on one grid. `Data` is (channel, spatial...), row-major.
type Image =
    {
        Channels: int
        Extent: Extent
        Spacing: Spacing
        Data: float32[]
    }

/// Making images.
[<RequireQualifiedAccess>]
module Image =

    /// An image over the given array, which is not copied; spacing 1 mm.
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
        }
