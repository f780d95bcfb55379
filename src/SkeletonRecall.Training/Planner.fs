namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Planning by nnU-Net's rules (F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
/// segmentation", Nature Methods 2021; default_experiment_planner.py and residual_encoder_unet_planners.py).
[<RequireQualifiedAccess>]
module Planner =

    /// nnU-Net's choices: 32 features at first, two convolutions per stage, sizes by memory.
    let standard: PlannerOptions =
        {
            BaseFeatures = 32
            MaxFeatures = 512
            PatchSize = None
            BatchSize = None
            ConvsPerStage = 2
            Kind = PlannerKind.Plain
            MemoryTarget = None
            TargetSpacing = None
            PlansName = None
        }

    /// The configuration in the plane. `classes` counts every entry of the data set's labels; `spacing` in mm and `median` (the median image
    /// size in pixels) have two entries; `voxels` is the number of pixels in all training images. Throws ArgumentException
    /// for options outside what a network can have and for images in which no axis reaches 8 pixels.
    let plane
        (options: PlannerOptions)
        (classes: int)
        (normalization: Normalization list)
        (spacing: float list)
        (median: float list)
        (voxels: float)
        : Configuration =
        let images: ConfigurationPlanner.Images =
            {
                Spacing = spacing
                Median = median
                Voxels = voxels
            }

        ConfigurationPlanner.plan options classes normalization images "nnUNetPlans_2d" true

    /// The scheme that a channel's name asks for, as nnU-Net reads it: `ct` clips to the foreground's intensities, which
    /// the fingerprint holds; `nonorm`, `rescale_to_0_1` and `rgb_to_0_1` name themselves; everything else means z-score, of
    /// the non-zero part alone (`inside`) where cropping leaves less than three quarters of the images. Case is ignored.
    let normalization
        (intensity: IntensityProperties option)
        (inside: bool)
        (channel: string)
        : Result<Normalization, Problem> =
        match channel.ToLowerInvariant(), intensity with
        | "nonorm", _ -> Ok NoNormalization
        | "rescale_to_0_1", _ -> Ok RescaleTo01
        | "rgb_to_0_1", _ -> Ok RgbTo01
        | "ct", Some intensity -> Ok(Ct intensity)
        | "ct", None ->
            Error(
                Mismatch("channel_names", "CT without the data set's fingerprint", "a fingerprint with its intensities")
            )
        | _ -> Ok(if inside then ZScoreInside else ZScore)

    // The median over cases, axis by axis.
    let private medians (rows: float list list) : float list =
        rows |> List.transpose |> List.map Fingerprint.median

    /// nnU-Net's target: the median spacing; along an axis that is more than three times as coarse as the others and has few
    /// slices, the 10th percentile, but not finer than the others.
    let private targetSpacing (fingerprint: Fingerprint) : float list =
        let target = medians fingerprint.Spacings
        let sizes = medians (fingerprint.Shapes |> List.map (List.map float))
        let worst = List.findIndex ((=) (List.max target)) target
        let others (values: float list) = List.removeAt worst values
        let coarsestOther = List.max (others target)

        if
            target[worst] > 3.0 * coarsestOther
            && 3.0 * sizes[worst] < List.min (others sizes)
        then
            let fine =
                fingerprint.Spacings
                |> List.map (fun spacing -> spacing[worst])
                |> List.sort
                |> Fingerprint.percentile 0.1

            let chosen =
                if fine < coarsestOther then
                    max coarsestOther fine + 1e-5
                else
                    fine

            List.updateAt worst chosen target
        else
            target

    /// nnU-Net's name of the reader of image files with this ending.
    let private imageReader (dataset: Dataset) (isPlanar: bool) : string =
        match dataset.ImageReader, dataset.FileEnding.ToLowerInvariant() with
        | Some name, _ -> name
        | None, (".png" | ".bmp" | ".jpg" | ".jpeg") -> "NaturalImage2DIO"
        | None, (".tif" | ".tiff") -> if isPlanar then "NaturalImage2DIO" else "Tiff3DIO"
        | None, ".nii" -> "NibabelIO"
        | None, _ -> "SimpleITKIO"

    /// The plans of a measured data set: `2d`, and for volumes `3d_fullres` and, where a patch would show too little,
    /// `3d_lowres` and `3d_cascade_fullres`. A problem when a channel cannot be normalized, or all axes of the images are
    /// shorter than 8 voxels. Throws ArgumentException for options outside what a network can have.
    let ofFingerprint (options: PlannerOptions) (dataset: Dataset) (fingerprint: Fingerprint) : Result<Plans, Problem> =
        ConfigurationPlanner.requireOptions options
        let budget = PlannerBudget.ofKind options.Kind
        let plansName = options.PlansName |> Option.defaultValue budget.PlansName

        // The residual planners share the cases that the default planner prepared.
        let identifier (configuration: string) : string =
            let owner =
                if
                    budget.Blocks = Residual
                    && options.PlansName.IsNone
                    && configuration <> "3d_lowres"
                then
                    "nnUNetPlans"
                else
                    plansName

            $"%s{owner}_%s{configuration}"

        Problem.attempt {
            let! schemes =
                dataset.ChannelNames
                |> List.mapi (fun channel name ->
                    normalization (Map.tryFind channel fingerprint.Intensities) (fingerprint.RelativeSize < 0.75) name)
                |> Problem.collect

            let! target =
                match options.TargetSpacing with
                | None -> Ok(targetSpacing fingerprint)
                | Some spacing when
                    spacing.Length = 3
                    && List.forall (fun mm -> Double.IsFinite mm && mm > 0.0) spacing
                    ->
                    Ok spacing
                | Some other ->
                    Error(
                        Mismatch(
                            "target spacing",
                            $"%A{other}",
                            "three positive numbers of mm, one per axis of the files"
                        )
                    )

            // The coarsest axis goes first.
            let first = List.findIndex ((=) (List.max target)) target
            let order = first :: List.except [ first ] [ 0; 1; 2 ]

            let transposed (values: 'T list) : 'T list =
                order |> List.map (fun axis -> values[axis])

            let resampled =
                List.map2
                    (fun spacing shape ->
                        List.map3
                            (fun old wanted size -> Math.Round(old / wanted * float size: float))
                            spacing
                            target
                            shape)
                    fingerprint.Spacings
                    fingerprint.Shapes

            let median = transposed (medians resampled)
            let spacing = transposed target
            let classes = Dataset.entries dataset

            let images: ConfigurationPlanner.Images =
                {
                    Spacing = spacing
                    Median = median
                    Voxels = FeatureMaps.product median * float dataset.TrainingCount
                }

            let inPlane =
                { images with
                    Spacing = images.Spacing.Tail
                    Median = images.Median.Tail
                }

            let fits (images: ConfigurationPlanner.Images) : bool =
                (Pooling.ofSizes images.Spacing images.Median).Strides.Length > 1

            if not (fits inPlane) then
                return!
                    Error(
                        Mismatch(
                            dataset.Name,
                            $"images of %A{inPlane.Median} pixels in their median",
                            "at least 8 pixels along one axis"
                        )
                    )
            else
                let plane =
                    ConfigurationPlanner.plan options classes schemes inPlane (identifier "2d") true

                let volumes =
                    if median.Head = 1.0 then
                        []
                    else
                        let full =
                            ConfigurationPlanner.plan options classes schemes images (identifier "3d_fullres") false

                        match
                            ConfigurationPlanner.lowResolution
                                options
                                classes
                                schemes
                                (identifier "3d_lowres")
                                dataset.TrainingCount
                                full
                        with
                        | None -> [ "3d_fullres", full ]
                        | Some low ->
                            let full = { full with BatchDice = true }

                            [
                                "3d_lowres", low
                                "3d_fullres", full
                                "3d_cascade_fullres",
                                { full with
                                    InheritsFrom = Some "3d_fullres"
                                    PreviousStage = Some "3d_lowres"
                                }
                            ]

                return
                    {
                        DatasetName = dataset.Name
                        PlansName = plansName
                        MedianSpacing = transposed (medians fingerprint.Spacings)
                        MedianShape = transposed (medians (fingerprint.Shapes |> List.map (List.map float)))
                        ImageReader = imageReader dataset (median.Head = 1.0)
                        Transpose = order
                        Configurations = Map.ofList (("2d", plane) :: volumes)
                        Planner = budget.Planner
                        Intensities = fingerprint.Intensities
                        NotServed = Map.empty
                        Other = []
                    }
        }

    /// Plans with the one configuration "2d" for planes of the given extents, with 1 mm between pixels, without a look at
    /// their values. A problem when there are no images, volumes among them, or only tiny ones, and for a channel of CT.
    let plan2d (options: PlannerOptions) (dataset: Dataset) (extents: Extent list) : Result<Plans, Problem> =
        match extents |> List.tryFind (fun extent -> extent.Rank <> 2), extents, options.PatchSize with
        | Some volume, _, _ -> Error(Mismatch(dataset.Name, $"a volume of %O{volume}", "planes only"))
        | None, [], _ -> Error(Mismatch(dataset.Name, "no images", "at least one to plan by"))
        | None, _, Some patch when patch.Length <> 2 || List.max patch < 8 || List.min patch < 1 ->
            Error(Mismatch(dataset.Name, $"a patch of %A{patch}", "two sizes, at least one of them 8 pixels or more"))
        | None, _, _ ->
            ofFingerprint
                options
                dataset
                {
                    Spacings = extents |> List.map (fun _ -> [ 999.0; 1.0; 1.0 ])
                    Shapes = extents |> List.map (fun extent -> [ 1; extent.Height; extent.Width ])
                    Intensities = Map.empty
                    RelativeSize = 1.0
                }
