namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// nnU-Net's planners: what they take a GPU of the stated memory to hold, and which network they plan.
[<RequireQualifiedAccess>]
type PlannerKind =
    /// nnU-Net's default, `ExperimentPlanner`: plain convolutions, 8 GB.
    | Plain
    /// `ResEncUNetPlanner`: residual blocks, 8 GB, batches of at most 5 % of the data set.
    | ResEnc
    /// `nnUNetPlannerResEncM`: residual blocks, 8 GB.
    | ResEncM
    /// `nnUNetPlannerResEncL`: residual blocks, 24 GB.
    | ResEncL
    /// `nnUNetPlannerResEncXL`: residual blocks, 40 GB.
    | ResEncXL

/// What a planner may be told; the rest it decides.
type PlannerOptions =
    {
        /// Feature maps of the first stage; each further stage has twice as many.
        BaseFeatures: int
        /// The most feature maps of any stage of a network for planes; networks for volumes have at most 320 of them.
        MaxFeatures: int
        /// The patch size, rounded up to what the network can halve, for the configuration with as many axes; None chooses
        /// it by image size and memory.
        PatchSize: int list option
        /// Patches per batch; None chooses by memory.
        BatchSize: int option
        /// Convolutions of each stage, in encoder and decoder, of a network of plain convolutions.
        ConvsPerStage: int
        /// Which of nnU-Net's planners.
        Kind: PlannerKind
        /// GPU memory to plan for in GB (`-gpu_memory_target`); None is what the planner assumes.
        MemoryTarget: float option
        /// Target spacing in mm, one entry per axis of the files (`-overwrite_target_spacing`); None chooses it.
        TargetSpacing: float list option
        /// The name of the plans (`-overwrite_plans_name`); None is the planner's.
        PlansName: string option
    }

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

    let private mostFeaturesInSpace = 320
    let private smallestBatch = 2

    /// What a planner assumes of a GPU, in values of feature maps.
    type private Budget =
        {
            Planner: string
            PlansName: string
            Blocks: Blocks
            MemoryGigabytes: float
            /// Values in the feature maps of a reference network, for a reference batch.
            ValuesInSpace: float
            ValuesInPlane: float
            /// No batch holds more than this share of the data set's voxels.
            LargestShare: float
        }

    let private budget (kind: PlannerKind) : Budget =
        let residual (planner: string) (plans: string) (memory: float) (space: float) (plane: float) (share: float) =
            {
                Planner = planner
                PlansName = plans
                Blocks = Residual
                MemoryGigabytes = memory
                ValuesInSpace = space
                ValuesInPlane = plane
                LargestShare = share
            }

        match kind with
        | PlannerKind.Plain ->
            {
                Planner = "ExperimentPlanner"
                PlansName = "nnUNetPlans"
                Blocks = Plain
                MemoryGigabytes = 8.0
                ValuesInSpace = 560e6
                ValuesInPlane = 85e6
                LargestShare = 0.05
            }
        | PlannerKind.ResEnc -> residual "ResEncUNetPlanner" "nnUNetResEncUNetPlans" 8.0 680e6 135e6 0.05
        | PlannerKind.ResEncM -> residual "nnUNetPlannerResEncM" "nnUNetResEncUNetMPlans" 8.0 680e6 135e6 1.0
        | PlannerKind.ResEncL -> residual "nnUNetPlannerResEncL" "nnUNetResEncUNetLPlans" 24.0 2100e6 380e6 1.0
        | PlannerKind.ResEncXL -> residual "nnUNetPlannerResEncXL" "nnUNetResEncUNetXLPlans" 40.0 3600e6 560e6 1.0

    // Residual blocks of each stage; deeper ones have as many as the last.
    let private residualBlocks (stages: int) : int list =
        List.init stages (fun stage -> [ 1; 3; 4; 6 ][min stage 3])

    let private product (size: float list) : float = List.fold (*) 1.0 size

    let private voxels (size: int list) : float = size |> List.map float |> product

    /// The network for a patch.
    let architecture (options: PlannerOptions) (pooling: Pooling) : Architecture =
        let stages = pooling.Strides.Length

        let most =
            if pooling.PatchSize.Length = 2 then
                options.MaxFeatures
            else
                min mostFeaturesInSpace options.MaxFeatures

        let blocks = (budget options.Kind).Blocks

        {
            Blocks = blocks
            FeaturesPerStage = List.init stages (fun stage -> min most (options.BaseFeatures <<< min stage 20))
            KernelSizes = pooling.KernelSizes
            Strides = pooling.Strides
            ConvsPerStage =
                match blocks with
                | Plain -> List.replicate stages options.ConvsPerStage
                | Residual -> residualBlocks stages
            ConvsPerStageDecoder =
                match blocks with
                | Plain -> List.replicate (stages - 1) options.ConvsPerStage
                | Residual -> List.replicate (stages - 1) 1
        }

    /// Values in all feature maps of a U-Net for one patch: nnU-Net's measure of memory. `classes` counts every entry of
    /// the data set's labels.
    let featureValues (options: PlannerOptions) (classes: int) (pooling: Pooling) : float =
        let network = architecture options pooling

        let sizes =
            network.Strides
            |> List.scan (List.map2 (/)) pooling.PatchSize
            |> List.tail
            |> List.map voxels

        let stages =
            List.map2 (fun features size -> float features * size) network.FeaturesPerStage sizes

        let encoder =
            match network.Blocks with
            | Plain ->
                List.map2 (fun convs values -> float convs * values) network.ConvsPerStage stages
                |> List.sum
            | Residual ->
                // The stem; then two convolutions per block, and one more where the shortcut changes size or features.
                let before = network.FeaturesPerStage.Head :: network.FeaturesPerStage

                stages.Head
                + (List.zip
                    (List.zip network.ConvsPerStage stages)
                    (List.zip network.Strides (List.zip before[.. stages.Length - 1] network.FeaturesPerStage))
                   |> List.sumBy (fun ((blocks, values), (stride, (before, after))) ->
                       let hasProjection =
                           before <> after || List.exists (fun stride -> stride <> 1) stride

                       values * (2.0 * float blocks + (if hasProjection then 1.0 else 0.0))))

        // Every stage but the deepest is met again, by a transposed convolution and the decoder's others.
        let decoder =
            List.map2
                (fun convs values -> (float convs + 1.0) * values)
                network.ConvsPerStageDecoder
                (List.take (stages.Length - 1) stages)
            |> List.sum

        encoder + decoder + float classes * sizes.Head

    // What a configuration is planned from.
    type private Images =
        {
            Spacing: float list
            /// The median size at that spacing.
            Median: float list
            /// Voxels of all training images, as volumes.
            Voxels: float
        }

    let private referenceBatch (axes: int) : float = if axes = 2 then 12.0 else 2.0

    let private referenceValues (options: PlannerOptions) (axes: int) : float =
        let budget = budget options.Kind

        let values =
            if axes = 2 then
                budget.ValuesInPlane
            else
                budget.ValuesInSpace

        match options.MemoryTarget with
        | None -> values
        | Some memory -> values * (memory / budget.MemoryGigabytes)

    let private isTooLarge (options: PlannerOptions) (axes: int) (values: float) : bool =
        match (budget options.Kind).Blocks with
        // The default planner lets a patch grow until a batch of two fills the memory.
        | Plain -> values / referenceBatch axes * 2.0 > referenceValues options axes
        | Residual -> values > referenceValues options axes

    /// nnU-Net's search: the axis that is longest for the images gives up one divisor's worth until the network fits.
    let rec private shrink (options: PlannerOptions) (classes: int) (images: Images) (pooling: Pooling) : Pooling =
        let patch = pooling.PatchSize

        if not (isTooLarge options patch.Length (featureValues options classes pooling)) then
            pooling
        else
            let shares =
                List.map2 (fun length median -> float length / median) patch images.Median

            let most = List.max shares
            let axis = List.findIndexBack (fun share -> share = most) shares

            let reduce (by: int list) : int list =
                patch |> List.mapi (fun i length -> if i = axis then length - by[i] else length)

            // The divisor of the smaller patch decides the step, so that 224 can come between 256 and 192.
            let smaller = Pooling.topology images.Spacing (reduce pooling.Divisor)
            let next = Pooling.topology images.Spacing (reduce smaller.Divisor)
            shrink options classes images next

    // A first patch has as many voxels as a square of 2048 or a cube of 256, in the shape of a voxel's inverse.
    let private firstPatch (images: Images) : float list =
        let axes = images.Spacing.Length
        let volume = if axes = 2 then 2048.0 ** 2.0 else 256.0 ** 3.0
        let inverse = images.Spacing |> List.map (fun spacing -> 1.0 / spacing)
        let scale = (volume / product inverse) ** (1.0 / float axes)
        List.map2 (fun inverse median -> min (Math.Round(inverse * scale: float)) median) inverse images.Median

    let private requireOptions (options: PlannerOptions) : unit =
        if
            options.BaseFeatures < 1
            || options.MaxFeatures < options.BaseFeatures
            || options.ConvsPerStage < 1
            || options.BatchSize |> Option.exists (fun size -> size < 1)
        then
            invalidArg
                (nameof options)
                $"Features, convolutions and batch size are at least 1, and the most features at least the first; got %A{options}."

        options.MemoryTarget
        |> Option.iter (fun memory ->
            if not (Double.IsFinite memory && memory > 0.0) then
                invalidArg (nameof options) $"A memory target is a positive number of GB; got %g{memory}.")

    let private plan
        (options: PlannerOptions)
        (classes: int)
        (normalization: Normalization list)
        (images: Images)
        (identifier: string)
        (batchDice: bool)
        : Configuration =
        requireOptions options
        let axes = images.Spacing.Length

        let pooling =
            match options.PatchSize with
            | Some size when size.Length = axes -> Pooling.topology images.Spacing size
            | _ ->
                firstPatch images
                |> Pooling.ofSizes images.Spacing
                |> shrink options classes images

        if pooling.Strides.Length < 2 then
            invalidArg
                (nameof images)
                $"A U-Net needs a patch of at least 8 voxels along one axis; it would be %A{pooling.PatchSize}."

        let batch =
            match options.BatchSize with
            | Some size -> size
            | None ->
                let values = featureValues options classes pooling

                let byMemory =
                    Math.Round(referenceValues options axes / values * referenceBatch axes)

                let byData =
                    Math.Round(images.Voxels * (budget options.Kind).LargestShare / voxels pooling.PatchSize)

                max smallestBatch (int (min byMemory byData))

        {
            DataIdentifier = identifier
            PatchSize = pooling.PatchSize
            BatchSize = batch
            MedianSize = images.Median
            Spacing = images.Spacing
            Normalization = normalization
            Resampling = Resampling.standard
            BatchDice = batchDice
            Architecture = architecture options pooling
            InheritsFrom = None
            PreviousStage = None
            NextStages = []
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
        let images =
            {
                Spacing = spacing
                Median = median
                Voxels = voxels
            }

        plan options classes normalization images "nnUNetPlans_2d" true

    /// The coarser configuration for images of which a full-resolution patch shows less than a quarter: the spacing grows by
    /// 3 % at a time until a patch shows that much. None where it would not be twice as coarse.
    let private lowResolution
        (options: PlannerOptions)
        (classes: int)
        (normalization: Normalization list)
        (identifier: string)
        (trainingCount: int)
        (full: Configuration)
        : Configuration option =
        let rec coarsen (spacing: float list) (found: (Configuration * float) option) =
            let patch, shown =
                match found with
                | None -> full.PatchSize, product full.MedianSize
                | Some(low, voxels) -> low.PatchSize, voxels

            if voxels patch / shown >= 0.25 then
                found
            else
                let coarsest = List.max spacing
                let isFine = spacing |> List.map (fun spacing -> coarsest / spacing > 2.0)
                let any = List.contains true isFine

                let next =
                    List.map2
                        (fun spacing isFine -> if isFine || not any then spacing * 1.03 else spacing)
                        spacing
                        isFine

                let sizes =
                    List.map3 (fun full low size -> full / low * size) full.Spacing next full.MedianSize

                let shown = product sizes

                let images =
                    {
                        Spacing = next
                        Median = sizes |> List.map (fun size -> Math.Round(size: float))
                        Voxels = shown * float trainingCount
                    }

                let low =
                    { plan options classes normalization images identifier false with
                        NextStages = [ "3d_cascade_fullres" ]
                    }

                coarsen next (Some(low, shown))

        match coarsen full.Spacing None with
        | Some(low, shown) when product full.MedianSize / shown >= 2.0 -> Some low
        | _ -> None

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
        match dataset.FileEnding.ToLowerInvariant() with
        | ".png"
        | ".bmp"
        | ".jpg"
        | ".jpeg" -> "NaturalImage2DIO"
        | ".tif"
        | ".tiff" -> if isPlanar then "NaturalImage2DIO" else "Tiff3DIO"
        | ".nii" -> "NibabelIO"
        | _ -> "SimpleITKIO"

    /// The plans of a measured data set: `2d`, and for volumes `3d_fullres` and, where a patch would show too little,
    /// `3d_lowres` and `3d_cascade_fullres`. A problem when a channel cannot be normalized, or all axes of the images are
    /// shorter than 8 voxels. Throws ArgumentException for options outside what a network can have.
    let ofFingerprint (options: PlannerOptions) (dataset: Dataset) (fingerprint: Fingerprint) : Result<Plans, Problem> =
        requireOptions options
        let budget = budget options.Kind
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
                    normalization (List.tryItem channel fingerprint.Intensities) (fingerprint.RelativeSize < 0.75) name)
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
            let classes = dataset.Labels.Length + Option.count dataset.Ignore

            let images =
                {
                    Spacing = spacing
                    Median = median
                    Voxels = product median * float dataset.TrainingCount
                }

            let inPlane =
                { images with
                    Spacing = images.Spacing.Tail
                    Median = images.Median.Tail
                }

            let fits (images: Images) : bool =
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
                let plane = plan options classes schemes inPlane (identifier "2d") true

                let volumes =
                    if median.Head = 1.0 then
                        []
                    else
                        let full = plan options classes schemes images (identifier "3d_fullres") false

                        match
                            lowResolution options classes schemes (identifier "3d_lowres") dataset.TrainingCount full
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
                    Intensities = []
                    RelativeSize = 1.0
                }
