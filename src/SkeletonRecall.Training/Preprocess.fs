namespace SkeletonRecall.Training

open System
open System.Buffers
open SkeletonRecall

/// Where a preprocessed case came from, kept for the way back; nnU-Net's properties. Sizes after the file's are in the order
/// of the plans' axes.
type CaseProperties =
    {
        /// Size of the file's image, in its own axes.
        FileExtent: Extent
        /// Spacing of the file's image in mm, in its own axes.
        FileSpacing: Spacing
        /// Where the file's image lies.
        FileGeometry: Geometry
        /// Axis i from here on is axis `Transpose[i]` of the file.
        Transpose: int list
        /// What was cut out before resampling, in transposed axes.
        Box: Box
    }

/// A case as training and prediction see it: axes in the plans' order, cropped to what is not zero, normalized and resampled to the
/// configuration's spacing.
type PreprocessedCase =
    {
        Id: CaseId
        Image: Image
        /// Class ids; -1 for background outside the non-zero part. None for a case without labels.
        Labels: LabelMap option
        Properties: CaseProperties
        /// Where each class lies; none for a case without labels.
        Locations: ClassLocations option
    }

/// Sizes along the way of a case.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module CaseProperties =

    /// The size before cropping, in transposed axes.
    let beforeCropping (properties: CaseProperties) : Extent =
        Axes.extent properties.Transpose properties.FileExtent

    /// The size after cropping and before resampling, in transposed axes.
    let afterCropping (properties: CaseProperties) : Extent =
        Extent.ofShape (Crop.shape (beforeCropping properties) properties.Box)

    /// The spacing before resampling in mm, in transposed axes.
    let spacing (properties: CaseProperties) : Spacing =
        Axes.spacing properties.Transpose properties.FileSpacing

/// From cases as read to what a configuration trains on, and back (nnU-Net's default_preprocessor.py): axes transposed,
/// cropped to the non-zero part, normalized, resampled.
[<RequireQualifiedAccess>]
module Preprocess =

    /// The spacing in mm to which a configuration brings an image of the given spacing (transposed axes). A configuration for
    /// planes leaves the distance of a volume's slices alone. None where planes meet a configuration for volumes.
    let targetSpacing (configuration: Configuration) (spacing: Spacing) : Spacing option =
        match spacing.Rank - configuration.Spacing.Length with
        | 0 -> Some(Spacing.ofList configuration.Spacing)
        | 1 -> Some(Spacing.ofList (spacing.Values.Head :: configuration.Spacing))
        | _ -> None

    let private subject (id: CaseId) = $"case %s{CaseId.value id}"

    let private checkTransposed (id: CaseId) (transpose: int list) (image: Image) : Result<unit, Problem> =
        if image.Extent.Rank = 2 && transpose <> [ 0; 1; 2 ] then
            Error(
                Mismatch(
                    subject id,
                    $"a plane of %O{image.Extent}",
                    $"a volume, whose axes go in the order %A{transpose}"
                )
            )
        else
            Ok()

    let private checkFinite (id: CaseId) (image: Image) : Result<unit, Problem> =
        match Values.firstNotFinite (ReadOnlySpan<float32> image.Data) with
        | -1 -> Ok()
        | at ->
            let channel = at / image.Extent.Count
            let place = at % image.Extent.Count
            let column = place % image.Extent.Width
            let row = place / image.Extent.Width % image.Extent.Height
            let slice = place / image.Extent.Width / image.Extent.Height

            let value =
                if Single.IsNaN image.Data[at] then
                    "NaN"
                else
                    "an infinite value"

            Error(
                Mismatch(
                    subject id,
                    $"%s{value} in channel %d{channel}, slice %d{slice}, row %d{row}, column %d{column}",
                    "numbers only: replace such voxels, e.g. by the smallest value of the image"
                )
            )

    let private checkChannels (id: CaseId) (configuration: Configuration) (image: Image) : Result<unit, Problem> =
        if image.Channels <> configuration.Normalization.Length then
            Error(
                Mismatch(
                    subject id,
                    $"%d{image.Channels} channels",
                    $"%d{configuration.Normalization.Length}, as the plans have"
                )
            )
        else
            Ok()

    // The sizes and spacings of a cropped image after resampling.
    let private target
        (id: CaseId)
        (configuration: Configuration)
        (cropped: Extent)
        (spacing: Spacing)
        : Result<Extent * Spacing, Problem> =
        match targetSpacing configuration spacing with
        | None ->
            Error(Mismatch(subject id, $"a plane of %O{cropped}", "a volume, or a configuration for planes such as 2d"))
        | Some wanted ->
            let sizes =
                List.map3
                    (fun (length: int) before after -> Math.Round(before / after * float length: float))
                    cropped.Shape
                    spacing.Values
                    wanted.Values

            if List.exists (fun size -> size < 1.0) sizes then
                Error(
                    Mismatch(
                        subject id,
                        $"%O{cropped} voxels of %O{spacing}, of which nothing would be left at %O{wanted}",
                        "a larger image: leave the case out, or plan with -overwrite_target_spacing"
                    )
                )
            elif List.fold (*) 1.0 sizes > float Array.MaxLength then
                Error(
                    Mismatch(
                        subject id,
                        $"%O{cropped} voxels of %O{spacing}, which are too many for one array at %O{wanted}",
                        "a coarser target: plan with -overwrite_target_spacing"
                    )
                )
            else
                Ok(Resample.size cropped spacing wanted, wanted)

    // The box of an image in transposed axes, in an array of at least as many values.
    let private cut
        (order: int list)
        (box: Box)
        (cropped: Extent)
        (spacing: Spacing)
        (data: float32[])
        (image: Image)
        : Image =
        for channel in 0 .. image.Channels - 1 do
            Axes.copyBox order image.Extent box image.Data (channel * image.Extent.Count) data (channel * cropped.Count)

        { image with
            Extent = cropped
            Spacing = spacing
            Geometry = Geometry.standard cropped.Rank
            Data = data
        }

    // Labels of the box in transposed axes; -1 for background outside the non-zero part.
    let private cutLabels
        (order: int list)
        (box: Box)
        (cropped: Extent)
        (spacing: Spacing)
        (inside: byte[] option)
        (labels: LabelMap)
        : LabelMap =
        let data = GC.AllocateUninitializedArray<int16> cropped.Count
        Axes.copyBox order labels.Extent box labels.Data 0 data 0

        match inside with
        | None -> ()
        | Some inside ->
            for place in 0 .. data.Length - 1 do
                if inside[place] = 0uy && data[place] = 0s then
                    data[place] <- Patch.Outside

        Volume.create cropped data |> Volume.withSpacing spacing

    // The box of the non-zero part and, where some of the image is outside of that part and it matters, flags of the part inside
    // the box in transposed axes.
    let private nonZeroPart (order: int list) (matters: bool) (image: Image) : struct (Box * byte[] option) =
        let extent = image.Extent
        let flags = ArrayPool<byte>.Shared.Rent extent.Count

        try
            Crop.flagNonZero image flags

            if not (Span<byte>(flags, 0, extent.Count).Contains 0uy) then
                struct (Crop.whole extent, None)
            else
                let box = Crop.boxOfFlags extent flags

                if not matters then
                    struct (box, None)
                else
                    let data =
                        Array.zeroCreate<byte>(Extent.ofShape(Axes.permute order (Crop.shape extent box)).Count)

                    Axes.copyBox order extent box flags 0 data 0
                    struct (box, Some data)
        finally
            ArrayPool<byte>.Shared.Return flags

    // Normalized and resampled, whatever lies between in borrowed memory: the box of an image in transposed axes.
    let private bring
        (order: int list)
        (configuration: Configuration)
        (box: Box)
        (cropped: Extent)
        (spacing: Spacing)
        (inside: Lazy<byte[]>)
        (size: Extent, wanted: Spacing)
        (image: Image)
        : Image =
        let count = image.Channels * cropped.Count

        let normalized (data: float32[]) : Image =
            let part = cut order box cropped spacing data image
            Normalize.inPlace configuration.Normalization inside part
            part

        if size = cropped then
            // Then resampling leaves the array as it is.
            normalized (GC.AllocateUninitializedArray<float32> count)
            |> Resample.image configuration.Resampling wanted size
        else
            let borrowed = ArrayPool<float32>.Shared.Rent count

            try
                normalized borrowed |> Resample.image configuration.Resampling wanted size
            finally
                ArrayPool<float32>.Shared.Return borrowed

    // `ZScoreInside` looks at the voxels that are not -1: those inside, and those with a label.
    let private counted (inside: byte[]) (labels: LabelMap option) : byte[] =
        match labels with
        | None -> inside
        | Some labels -> labels.Data |> Array.map (fun label -> if label >= 0s then 1uy else 0uy)

    let private prepared
        (transpose: int list)
        (configuration: Configuration)
        (id: CaseId)
        (image: Image)
        (labels: LabelMap option)
        : Result<Image * LabelMap option * CaseProperties, Problem> =
        Problem.attempt {
            do! checkChannels id configuration image
            do! checkTransposed id transpose image
            do! checkFinite id image

            let matters =
                labels.IsSome || List.contains ZScoreInside configuration.Normalization

            let struct (box, inside) = nonZeroPart transpose matters image
            let spacing = Axes.spacing transpose image.Spacing

            let properties =
                {
                    FileExtent = image.Extent
                    FileSpacing = image.Spacing
                    FileGeometry = image.Geometry
                    Transpose = transpose
                    Box = Axes.box transpose box
                }

            let cropped = CaseProperties.afterCropping properties
            let! size, wanted = target id configuration cropped spacing

            let cutLabels =
                labels |> Option.map (cutLabels transpose box cropped spacing inside)

            let counted =
                lazy
                    (match inside with
                     | None -> Array.create cropped.Count 1uy
                     | Some inside -> counted inside cutLabels)

            let resampled =
                bring transpose configuration box cropped spacing counted (size, wanted) image

            return resampled, cutLabels |> Option.map (Resample.labels configuration.Resampling wanted size), properties
        }

    /// A case by a configuration. `transpose` is the plans' order of the axes; The data set names the classes to be
    /// found. A problem, which names the case, for other channels than planned, voxels that are no numbers, a plane where volumes are
    /// wanted, and a size of which resampling would leave nothing.
    let case
        (transpose: int list)
        (configuration: Configuration)
        (dataset: Dataset)
        (case: Case)
        : Result<PreprocessedCase, Problem> =
        prepared transpose configuration case.Id case.Image case.Labels
        |> Result.map (fun (image, labels, properties) ->
            {
                Id = case.Id
                Image = image
                Labels = labels
                Properties = properties
                Locations = labels |> Option.map (ClassLocations.ofDataset dataset)
            })

    /// An image to be predicted, by a configuration, and what leads back. Problems as of `case`; `id` names it in them.
    let image
        (transpose: int list)
        (configuration: Configuration)
        (id: CaseId)
        (image: Image)
        : Result<Image * CaseProperties, Problem> =
        prepared transpose configuration id image None
        |> Result.map (fun (image, _, properties) -> image, properties)

    /// The same of an image whose label map is known in the same voxels: what the first stage of a cascade said of it. Labels are
    /// resampled as those of training cases are.
    let imageWith
        (transpose: int list)
        (configuration: Configuration)
        (id: CaseId)
        (labels: LabelMap)
        (image: Image)
        : Result<Image * LabelMap * CaseProperties, Problem> =
        if labels.Extent <> image.Extent then
            Error(Mismatch(subject id, $"a first stage of %O{labels.Extent}", $"%O{image.Extent}, as its image has"))
        else
            prepared transpose configuration id image (Some labels)
            |> Result.map (fun (image, labels, properties) -> image, labels.Value, properties)

    /// Labels of a preprocessed image, resampled to `CaseProperties.afterCropping`, as the file's image has its voxels: 0
    /// outside the box, axes and spacing the file's. Throws ArgumentException for another size.
    let restore (properties: CaseProperties) (labels: LabelMap) : LabelMap =
        let before = CaseProperties.beforeCropping properties
        Extent.requireEqual (nameof labels) (CaseProperties.afterCropping properties) labels.Extent
        let box = properties.Box

        let whole =
            if box = Crop.whole before then
                labels
            else
                let data = Array.zeroCreate<int16> before.Count
                let width = labels.Extent.Width

                for slice in 0 .. labels.Extent.Depth - 1 do
                    for row in 0 .. labels.Extent.Height - 1 do
                        let target =
                            Extent.index before (box.FirstSlice + slice) (box.FirstRow + row) box.FirstColumn

                        Array.Copy(labels.Data, Extent.index labels.Extent slice row 0, data, target, width)

                Volume.create before data

        whole
        |> Volume.withSpacing (CaseProperties.spacing properties)
        |> Axes.labels (Axes.inverse properties.Transpose)

    /// The most memory in bytes that a case takes from its files to the preprocessed case, for its numbers of voxels as read,
    /// cropped and resampled: the read image and labels; the part cut out and the resampled image with theirs; flags of
    /// what is not zero; and, of one channel at a time, what lies between two axes. Reading alone takes the image twice.
    let peakBytes (channels: int) (read: int64) (cropped: int64) (resampled: int64) : int64 =
        let image = 4L * int64 channels

        max
            ((2L * image + 6L) * read)
            ((image + 5L) * read
             + (image + 3L) * cropped
             + (image + 2L) * resampled
             + 8L * max cropped resampled)
