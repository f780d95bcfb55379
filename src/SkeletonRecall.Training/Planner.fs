namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// What a planner may be told; the rest it decides.
type PlannerOptions =
    {
        /// Feature maps of the first stage; each further stage has twice as many.
        BaseFeatures: int
        /// The most feature maps of any stage.
        MaxFeatures: int
        /// The patch size, rounded up to what the network can halve; None chooses it by image size and memory.
        PatchSize: int list option
        /// Patches per batch; None chooses by memory.
        BatchSize: int option
        /// Convolutions of each stage, in encoder and decoder.
        ConvsPerStage: int
    }

/// Planning by nnU-Net's rules (F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
/// segmentation", Nature Methods 2021).
[<RequireQualifiedAccess>]
module Planner =

    /// nnU-Net's choices in the plane: 32 to 512 features, two convolutions per stage, sizes by memory.
    let standard: PlannerOptions =
        {
            BaseFeatures = 32
            MaxFeatures = 512
            PatchSize = None
            BatchSize = None
            ConvsPerStage = 2
        }

    /// Feature map values of a reference network that fits the memory, for a batch of `referenceBatch`.
    let private referenceValues = 85_000_000.0

    let private referenceBatch = 12.0
    let private smallestBatch = 2

    /// No batch holds more than this share of the data set's voxels.
    let private largestShare = 0.05

    /// A first patch has as many pixels as a square of this edge.
    let private firstEdge = 2048.0

    let private product (size: int list) : float =
        size |> List.fold (fun product length -> product * float length) 1.0

    let private features (options: PlannerOptions) (stages: int) : int list =
        List.init stages (fun stage -> min options.MaxFeatures (options.BaseFeatures <<< min stage 20))

    /// Values in all feature maps of the plain U-Net for one patch: nnU-Net's measure of memory.
    let featureValues (options: PlannerOptions) (classes: int) (pooling: Pooling) : float =
        let sizes =
            pooling.Strides
            |> List.scan (List.map2 (/)) pooling.PatchSize
            |> List.tail
            |> List.map product

        let stages =
            List.map2 (fun features size -> float features * size) (features options sizes.Length) sizes

        let convs = float options.ConvsPerStage
        let encoder = convs * List.sum stages
        // Every stage but the deepest is met again, by a transposed convolution and as many others.
        let decoder = (convs + 1.0) * List.sum (List.take (stages.Length - 1) stages)
        encoder + decoder + float classes * sizes.Head

    let private isTooLarge (values: float) : bool =
        values / referenceBatch * 2.0 > referenceValues

    /// nnU-Net's search: the axis that is longest for the images gives up one divisor's worth until the network fits.
    let rec private shrink
        (options: PlannerOptions)
        (classes: int)
        (spacing: float list)
        (median: float list)
        (pooling: Pooling)
        : Pooling =
        if not (isTooLarge (featureValues options classes pooling)) then
            pooling
        else
            let patch = pooling.PatchSize
            let shares = List.map2 (fun length median -> float length / median) patch median
            let most = List.max shares
            let axis = List.findIndexBack (fun share -> share = most) shares

            let reduce (by: int list) : int list =
                patch |> List.mapi (fun i length -> if i = axis then length - by[i] else length)

            // The divisor of the smaller patch decides the step, so that 224 can come between 256 and 192.
            let smaller = Pooling.topology spacing (reduce pooling.Divisor)
            let next = Pooling.topology spacing (reduce smaller.Divisor)
            shrink options classes spacing median next

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
        if
            options.BaseFeatures < 1
            || options.MaxFeatures < options.BaseFeatures
            || options.ConvsPerStage < 1
            || options.BatchSize |> Option.exists (fun size -> size < 1)
        then
            invalidArg
                (nameof options)
                $"Features, convolutions and batch size are at least 1, and the most features at least the first; got %A{options}."

        let pooling =
            match options.PatchSize with
            | Some size -> Pooling.topology spacing size
            | None ->
                let pixels = spacing |> List.map (fun spacing -> 1.0 / spacing)
                let scale = sqrt (firstEdge * firstEdge / List.fold (*) 1.0 pixels)

                List.map2 (fun pixel median -> int (Math.Ceiling(min (Math.Round(pixel * scale)) median))) pixels median
                |> Pooling.topology spacing
                |> shrink options classes spacing median

        let stages = pooling.Strides.Length

        if stages < 2 then
            invalidArg
                (nameof median)
                $"A U-Net needs a patch of at least 8 pixels along one axis; it would be %A{pooling.PatchSize}."

        let batch =
            match options.BatchSize with
            | Some size -> size
            | None ->
                let byMemory =
                    Math.Round(referenceValues / featureValues options classes pooling * referenceBatch)

                let byData = Math.Round(voxels * largestShare / product pooling.PatchSize)
                max smallestBatch (int (min byMemory byData))

        {
            PatchSize = pooling.PatchSize
            BatchSize = batch
            Spacing = spacing
            Normalization = normalization
            BatchDice = true
            Architecture =
                {
                    FeaturesPerStage = features options stages
                    KernelSizes = pooling.KernelSizes
                    Strides = pooling.Strides
                    ConvsPerStage = List.replicate stages options.ConvsPerStage
                    ConvsPerStageDecoder = List.replicate (stages - 1) options.ConvsPerStage
                }
        }

    /// The scheme that a channel's name asks for, as nnU-Net reads it: `nonorm`, `rescale_to_0_1` and `rgb_to_0_1` in any case name themselves;
    /// `ct` needs the data set's fingerprint and is refused for now; everything else means z-score.
    let normalization (channel: string) : Result<Normalization, Problem> =
        match channel.ToLowerInvariant() with
        | "nonorm" -> Ok NoNormalization
        | "rescale_to_0_1" -> Ok RescaleTo01
        | "rgb_to_0_1" -> Ok RgbTo01
        | "ct" -> Error(Mismatch("channel_names", "CT", "a channel without CT normalization, which is not served yet"))
        | _ -> Ok ZScore

    let private median (values: int list) : float =
        let sorted = values |> List.map float |> List.sort |> Array.ofList
        let middle = sorted.Length / 2

        if sorted.Length % 2 = 1 then
            sorted[middle]
        else
            (sorted[middle - 1] + sorted[middle]) / 2.0

    /// Plans with the one configuration "2d" for planes of the given extents, with 1 mm between pixels.
    /// A problem when there are no images, volumes among them, or only tiny ones.
    let plan2d (options: PlannerOptions) (dataset: Dataset) (extents: Extent list) : Result<Plans, Problem> =
        Problem.attempt {
            let! schemes = dataset.ChannelNames |> List.map normalization |> Problem.collect

            match extents |> List.tryFind (fun extent -> extent.Rank <> 2), extents with
            | Some volume, _ -> return! Error(Mismatch(dataset.Name, $"a volume of %O{volume}", "planes only"))
            | None, [] -> return! Error(Mismatch(dataset.Name, "no images", "at least one to plan by"))
            | None, _ ->
                let size =
                    [
                        median (extents |> List.map (fun extent -> extent.Height))
                        median (extents |> List.map (fun extent -> extent.Width))
                    ]

                let patch = options.PatchSize |> Option.defaultValue (List.map int size)

                if patch.Length <> 2 || List.max patch < 8 || List.min patch < 1 then
                    return!
                        Error(
                            Mismatch(
                                dataset.Name,
                                $"a patch of %A{patch}",
                                "two sizes, at least one of them 8 pixels or more"
                            )
                        )
                else
                    let classes = dataset.Labels.Length + Option.count dataset.Ignore
                    let voxels = size[0] * size[1] * float dataset.TrainingCount

                    return
                        {
                            DatasetName = dataset.Name
                            PlansName = "nnUNetPlans"
                            MedianSpacing = [ 999.0; 1.0; 1.0 ]
                            MedianShape = 1.0 :: size
                            Configurations = Map [ "2d", plane options classes schemes [ 1.0; 1.0 ] size voxels ]
                            NotServed = Map.empty
                        }
        }
