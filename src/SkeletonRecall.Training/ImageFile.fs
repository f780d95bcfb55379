namespace SkeletonRecall.Training

open SkeletonRecall

/// What an image file holds: its numbers in the type that they are stored in, and where they lie.
type ImageFile =
    {
        Channels: int
        Extent: Extent
        Spacing: Spacing
        Geometry: Geometry
        /// (channel, spatial...), row-major: `Channels` times `Extent.Count` numbers.
        Values: NpyValues
    }

/// Between files and images.
[<RequireQualifiedAccess>]
module ImageFile =

    /// What a file of this image holds, in float32.
    let ofImage (image: Image) : ImageFile =
        {
            Channels = image.Channels
            Extent = image.Extent
            Spacing = image.Spacing
            Geometry = image.Geometry
            Values = Float32s image.Data
        }

    /// What a file of this label map holds: 8 bits where they suffice, else 16. Throws ArgumentException for a negative
    /// label and for a geometry of another rank.
    let ofLabels (geometry: Geometry) (labels: LabelMap) : ImageFile =
        if labels.Data |> Array.exists (fun label -> label < 0s) then
            invalidArg (nameof labels) "A label map holds no negative label; -1 marks padding and must be gone by now."

        if geometry.Rank <> labels.Extent.Rank then
            invalidArg (nameof geometry) $"A geometry of rank %d{geometry.Rank} does not fit %O{labels.Extent}."

        {
            Channels = 1
            Extent = labels.Extent
            Spacing = labels.Spacing
            Geometry = geometry
            Values =
                if labels.Data |> Array.exists (fun label -> label > 255s) then
                    UInt16s(Array.map uint16 labels.Data)
                else
                    UInt8s(Array.map byte labels.Data)
        }

    /// The image, or the reason why it cannot be one: numbers that are not finite.
    let toImage (file: ImageFile) : Result<Image, string> =
        let data = VoxelValues.toFloats file.Values

        match VoxelValues.strange data with
        | 0 ->
            Ok
                {
                    Channels = file.Channels
                    Extent = file.Extent
                    Spacing = file.Spacing
                    Geometry = file.Geometry
                    Data = data
                }
        | strange ->
            Error $"%d{strange} of its values are NaN or infinite; replace them by numbers, as numpy.nan_to_num does"

    /// The extent of axes (slowest first), or a refusal that says which there are.
    let internal extent (axes: int64 list) : Extent =
        let axes =
            match axes with
            | [] -> Elements.refuse "it has no axes"
            | axes -> axes

        Elements.count axes |> ignore

        match axes with
        | [ _; _ ]
        | [ _; _; _ ] -> Extent.ofShape (List.map int axes)
        | _ ->
            let list = axes |> List.map string |> String.concat " x "
            Elements.refuse $"it has %d{axes.Length} axes (%s{list}); planes and volumes are served"

    /// A spacing (slowest axis first), or a refusal.
    let internal spacing (values: float list) : Spacing =
        match
            values
            |> List.tryFind (fun value -> not (System.Double.IsFinite value) || value <= 0.0)
        with
        | Some value -> Elements.refuse $"its header gives the spacing %g{value}; a positive number of mm is wanted"
        | None -> Spacing.ofList values

    /// A geometry from an origin and vectors along the axes, x first, of any length above 0; or a refusal.
    let internal geometry (origin: float list) (axes: float list list) : Geometry =
        let unit (axis: float list) : float list =
            let length = axis |> List.sumBy (fun value -> value * value) |> sqrt

            if not (System.Double.IsFinite length) || length <= 1e-12 then
                Elements.refuse $"its header gives an axis the direction %A{axis}"
            // Rounding would never settle if what is of unit length already were divided again.
            elif abs (length - 1.0) < 1e-12 then
                axis
            else
                axis |> List.map (fun value -> value / length)

        if not (List.forall System.Double.IsFinite origin) then
            Elements.refuse $"its header gives the origin %A{origin}"

        Geometry.ofAxes origin (List.map unit axes)
