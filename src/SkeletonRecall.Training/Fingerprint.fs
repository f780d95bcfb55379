namespace SkeletonRecall.Training

open System
open System.Text.Json
open SkeletonRecall

/// What is measured of a data set before it is planned; nnU-Net's `dataset_fingerprint.json`. One entry per training
/// case in the order of their names, axes in the order of the files (slowest first), 999 mm and one slice for planes.
type Fingerprint =
    {
        /// Spacing of each case in mm.
        Spacings: float list list
        /// Size of each case after cropping to its non-zero part.
        Shapes: int list list
        /// Foreground intensities by the channel's number.
        Intensities: Map<int, IntensityProperties>
        /// The median over the cases of the share of voxels that cropping leaves.
        RelativeSize: float
    }

/// Numbers and how often each was drawn.
type Drawn = { Values: float32[]; Counts: int[] }

/// What one case adds to a fingerprint.
type CaseMeasures =
    {
        /// Spacing in mm, three entries.
        Spacing: float list
        /// Size after cropping, three entries.
        Shape: int list
        /// The share of voxels that cropping leaves.
        RelativeSize: float
        /// Foreground intensities drawn from each channel.
        Drawn: Drawn list
    }

/// Measuring data sets as nnU-Net does (fingerprint_extractor.py), its random choices included.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Fingerprint =

    // nnU-Net's, shared by all cases of a data set.
    let private drawsOfAll = 100_000_000
    let private seed = 1234u

    /// Three entries where a plane has two: nnU-Net takes planes for volumes of one slice, 999 mm thick.
    let private inSpace (first: 'T) (values: 'T list) : 'T list =
        if values.Length = 2 then first :: values else values

    // Where the foreground (labels above 0, the ignore label among them) lies inside the box, in row-major order.
    let private foreground (box: Box) (labels: LabelMap) : int[] =
        let extent = labels.Extent
        let places = ResizeArray<int>()

        for slice in box.FirstSlice .. box.EndSlice - 1 do
            for row in box.FirstRow .. box.EndRow - 1 do
                let start = Extent.index extent slice row 0

                for column in box.FirstColumn .. box.EndColumn - 1 do
                    if labels.Data[start + column] > 0s then
                        places.Add(start + column)

        places.ToArray()

    // `count` draws with replacement from each channel's foreground. nnU-Net draws up to 1e8 values; counting how often
    // each voxel came keeps that within the size of the foreground.
    let private draw (count: int) (places: int[]) (image: Image) : Drawn list =
        let random = NumpyRandom seed

        [
            for channel in 0 .. image.Channels - 1 do
                let start = channel * image.Extent.Count
                let counts = Array.zeroCreate<int> places.Length

                if places.Length > 0 then
                    random.Tally(count, counts)

                // Only what was drawn is kept: of a large foreground that is little.
                let drawn =
                    [|
                        for i in 0 .. places.Length - 1 do
                            if counts[i] > 0 then
                                i
                    |]

                {
                    Values = drawn |> Array.map (fun i -> image.Data[start + places[i]])
                    Counts = drawn |> Array.map (fun i -> counts[i])
                }
        ]

    /// What one case adds to the fingerprint of a data set of `cases` cases.
    /// Throws ArgumentException for a case without labels and for fewer than one case.
    let ofCase (cases: int) (case: Case) : CaseMeasures =
        if cases < 1 then
            invalidArg (nameof cases) $"A data set has at least one case; got %d{cases}."

        match case.Labels with
        | None -> invalidArg (nameof case) $"A training case has labels; %s{CaseId.value case.Id} has none."
        | Some labels ->
            let extent = case.Image.Extent
            let box = case.Image |> Crop.nonZero |> Crop.boundingBox
            let shape = Crop.shape extent box

            {
                Spacing = inSpace 999.0 case.Image.Spacing.Values
                Shape = inSpace 1 shape
                RelativeSize = float (List.fold (*) 1 shape) / float extent.Count
                Drawn = draw (drawsOfAll / cases) (foreground box labels) case.Image
            }

    /// numpy's percentile of sorted values: linear between the two nearest. The share is 0 to 1.
    let internal percentile (share: float) (sorted: float list) : float =
        let sorted = Array.ofList sorted
        let place = share * float (sorted.Length - 1)
        let low = int (floor place)
        let high = min (low + 1) (sorted.Length - 1)
        sorted[low] + (sorted[high] - sorted[low]) * (place - float low)

    /// numpy's median.
    let internal median (values: float list) : float = percentile 0.5 (List.sort values)

    // Statistics of values that were drawn several times each.
    let private intensity (drawn: Drawn list) : IntensityProperties =
        let values = drawn |> List.map (fun drawn -> drawn.Values) |> Array.concat
        let counts = drawn |> List.map (fun drawn -> drawn.Counts) |> Array.concat
        Array.Sort(values, counts)
        let mutable total = 0L
        let mutable sum = 0.0

        for i in 0 .. values.Length - 1 do
            total <- total + int64 counts[i]
            sum <- sum + float counts[i] * float values[i]

        let mean = sum / float total
        let mutable squares = 0.0

        for i in 0 .. values.Length - 1 do
            let difference = float values[i] - mean
            squares <- squares + float counts[i] * difference * difference

        let at (place: int64) : float =
            let mutable i = 0
            let mutable before = int64 counts[0]

            while before <= place do
                i <- i + 1
                before <- before + int64 counts[i]

            float values[i]

        let percentile (share: float) : float =
            let place = share * float (total - 1L)
            let low = int64 (floor place)
            let value = at low
            value + (at (min (low + 1L) (total - 1L)) - value) * (place - float low)

        {
            Maximum = at (total - 1L)
            Mean = mean
            Median = percentile 0.5
            Minimum = at 0L
            Low = percentile 0.005
            High = percentile 0.995
            Deviation = sqrt (squares / float total)
        }

    /// The fingerprint of all training cases, in the order of their names. A problem when there are none, when they
    /// differ in their channels, or when none holds any foreground.
    let ofMeasures (name: string) (cases: CaseMeasures list) : Result<Fingerprint, Problem> =
        match cases with
        | [] -> Error(Mismatch(name, "no training cases", "at least one to measure"))
        | first :: rest ->
            let channels = first.Drawn.Length

            if rest |> List.exists (fun case -> case.Drawn.Length <> channels) then
                let found =
                    cases
                    |> List.map (fun case -> case.Drawn.Length)
                    |> List.distinct
                    |> List.map string

                Error(Mismatch(name, "cases of " + String.concat " and " found + " channels", "the same in all"))
            elif cases |> List.forall (fun case -> Array.forall ((=) 0) case.Drawn.Head.Counts) then
                Error(Mismatch(name, "labels without any foreground", "at least one labelled voxel to measure"))
            else
                Ok
                    {
                        Spacings = cases |> List.map (fun case -> case.Spacing)
                        Shapes = cases |> List.map (fun case -> case.Shape)
                        Intensities =
                            Map
                                [
                                    for channel in 0 .. channels - 1 ->
                                        channel, intensity (cases |> List.map (fun case -> case.Drawn[channel]))
                                ]
                        RelativeSize = median (cases |> List.map (fun case -> case.RelativeSize))
                    }

    /// The text of dataset_fingerprint.json, keys sorted, indent 4.
    let print (fingerprint: Fingerprint) : string =
        PlansWriter.object
            [
                "foreground_intensity_properties_per_channel", PlansWriter.intensities fingerprint.Intensities
                "median_relative_size_after_cropping", PlansWriter.number fingerprint.RelativeSize
                "shapes_after_crop", PlansWriter.list (PlansWriter.list PlansWriter.whole) fingerprint.Shapes
                "spacings", PlansWriter.list (PlansWriter.list PlansWriter.number) fingerprint.Spacings
            ]
        |> PlansWriter.indented

    /// A fingerprint from the text of dataset_fingerprint.json; `path` serves the messages.
    let parse (path: string) (json: string) : Result<Fingerprint, Problem> =
        let read (root: JsonElement) : Result<Fingerprint, string> =
            let entries = JsonParts.entriesOf root

            Problem.attempt {
                let! spacings =
                    JsonParts.get "spacings" (JsonParts.list (JsonParts.list JsonParts.number)) entries

                let! shapes =
                    JsonParts.get "shapes_after_crop" (JsonParts.list (JsonParts.list JsonParts.whole)) entries

                let! relative =
                    JsonParts.get "median_relative_size_after_cropping" JsonParts.number entries

                let! intensities = PlansReader.intensities entries
                do! JsonParts.require (not spacings.IsEmpty) "\"spacings\" holds no case"

                do!
                    JsonParts.require
                        (spacings.Length = shapes.Length
                         && List.forall (fun (values: float list) -> values.Length = 3) spacings
                         && List.forall (fun (values: int list) -> values.Length = 3) shapes)
                        "\"spacings\" and \"shapes_after_crop\" should have one entry of three numbers per case each"

                return
                    {
                        Spacings = spacings
                        Shapes = shapes
                        Intensities = intensities
                        RelativeSize = relative
                    }
            }

        JsonParts.document json read
        |> Result.mapError (fun reason -> Unreadable(path, reason))
