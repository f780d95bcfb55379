namespace SkeletonRecall.Training

/// How an image channel is normalized; nnU-Net's scheme names in plans.
type Normalization =
    /// (x - mean) / standard deviation over the whole image.
    | ZScore
    /// (x - minimum) / (maximum - minimum) over the whole image.
    | RescaleTo01
    /// x / 255.
    | RgbTo01
    /// As read.
    | NoNormalization

/// The shape of a U-Net of plain convolutions, one entry per stage (finest first); nnU-Net's `arch_kwargs`.
type Architecture =
    {
        /// Feature maps of each stage.
        FeaturesPerStage: int list
        /// Kernel of each stage, one entry per axis, slowest first.
        KernelSizes: int list list
        /// Stride with which each stage begins, one entry per axis; the first is all 1.
        Strides: int list list
        /// Convolutions of each encoder stage.
        ConvsPerStage: int list
        /// Convolutions of each decoder stage; one entry fewer.
        ConvsPerStageDecoder: int list
    }

/// One configuration of a plan: how cases are prepared, which patches are cut and which network sees them.
type Configuration =
    {
        /// Patch size per axis, slowest first: 2 entries for a plane, 3 for a volume.
        PatchSize: int list
        /// Patches per batch.
        BatchSize: int
        /// Target spacing in mm, one entry per axis of the patch.
        Spacing: float list
        /// One scheme per channel.
        Normalization: Normalization list
        /// Whether Dice and recall sum over the batch before their ratio.
        BatchDice: bool
        Architecture: Architecture
    }

/// What the planner decided for a data set; nnU-Net's `plans.json`.
type Plans =
    {
        DatasetName: string
        PlansName: string
        /// Median spacing of the raw images in mm, (z, y, x); 999 along z for planes.
        MedianSpacing: float list
        /// Median size of the raw images, (z, y, x); 1 along z for planes.
        MedianShape: float list
        Configurations: Map<string, Configuration>
        /// Configurations that a plans file holds but that cannot be used here, with the reason.
        NotServed: Map<string, string>
    }
