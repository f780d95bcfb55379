namespace SkeletonRecall.Training

/// The foreground's intensities in one channel over all training cases; an entry of nnU-Net's
/// `foreground_intensity_properties_per_channel`.
type IntensityProperties =
    {
        Maximum: float
        Mean: float
        Median: float
        Minimum: float
        /// The percentile 0.5.
        Low: float
        /// The percentile 99.5.
        High: float
        /// The standard deviation (n, not n - 1).
        Deviation: float
    }

/// How an image channel is normalized; nnU-Net's scheme names in plans.
type Normalization =
    /// (x - mean) / standard deviation over the whole image.
    | ZScore
    /// The same over the non-zero part of the image alone; voxels outside keep their value (`use_mask_for_norm`).
    | ZScoreInside
    /// Clipped to the percentiles 0.5 and 99.5 of the training cases' foreground, then its mean and standard deviation.
    | Ct of IntensityProperties
    /// (x - minimum) / (maximum - minimum) over the whole image.
    | RescaleTo01
    /// x / 255.
    | RgbTo01
    /// As read.
    | NoNormalization

/// How a case is brought to a configuration's spacing: nnU-Net's `resample_data_or_seg_to_shape` and its arguments.
type Resampling =
    {
        /// Order of the spline for images, 0 to 3.
        ImageOrder: int
        /// Order for label maps, 0 or 1.
        LabelOrder: int
        /// Order for probabilities on the way back.
        ProbabilityOrder: int
        /// Order along an axis that is resampled by itself.
        OrderAlongZ: int
        /// Whether the coarsest axis is resampled by itself; None decides by the spacing.
        SeparateZ: bool option
    }

/// The ways of resampling.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Resampling =

    /// nnU-Net's: cubic for images, linear for labels and probabilities, nearest along a separate axis.
    let standard: Resampling =
        {
            ImageOrder = 3
            LabelOrder = 1
            ProbabilityOrder = 1
            OrderAlongZ = 0
            SeparateZ = None
        }

/// What the stages of a U-Net's encoder are made of.
type Blocks =
    /// Convolutions, each with its normalization and nonlinearity: nnU-Net's `PlainConvUNet`.
    | Plain
    /// Residual blocks of two convolutions: nnU-Net's `ResidualEncoderUNet`.
    | Residual

/// The shape of a U-Net, one entry per stage (finest first); nnU-Net's `arch_kwargs`.
type Architecture =
    {
        Blocks: Blocks
        /// Feature maps of each stage.
        FeaturesPerStage: int list
        /// Kernel of each stage, one entry per axis, slowest first.
        KernelSizes: int list list
        /// Stride with which each stage begins, one entry per axis; the first is all 1.
        Strides: int list list
        /// Convolutions, or residual blocks, of each encoder stage.
        ConvsPerStage: int list
        /// Convolutions of each decoder stage; one entry fewer.
        ConvsPerStageDecoder: int list
    }

/// One configuration of a plan: how cases are prepared, which patches are cut and which network sees them.
type Configuration =
    {
        /// The folder of the preprocessed cases, which configurations may share.
        DataIdentifier: string
        /// Patch size per axis, slowest first: 2 entries for a plane, 3 for a volume.
        PatchSize: int list
        /// Patches per batch.
        BatchSize: int
        /// The median size of the training images at this spacing; medians of an even number may end in 0.5.
        MedianSize: float list
        /// Target spacing in mm, one entry per axis of the patch.
        Spacing: float list
        /// One scheme per channel.
        Normalization: Normalization list
        Resampling: Resampling
        /// Whether Dice and recall sum over the batch before their ratio.
        BatchDice: bool
        Architecture: Architecture
        /// The configuration that this one was written as a change of, if any.
        InheritsFrom: string option
        /// The configuration whose predictions are further input channels of this one: the second stage of a cascade.
        PreviousStage: string option
        /// The configurations that take this one's predictions.
        NextStages: string list
    }

/// A configuration of a plans file that cannot be used here.
type NotServed =
    {
        /// Why.
        Reason: string
        /// Its text, kept so that it is written again.
        Json: string
    }

/// What the planner decided for a data set; nnU-Net's `plans.json`.
type Plans =
    {
        DatasetName: string
        PlansName: string
        /// Median spacing of the raw images in mm, in the order of the transposed axes; 999 along z for planes.
        MedianSpacing: float list
        /// Median size of the raw images after cropping, in the same order; 1 along z for planes.
        MedianShape: float list
        /// nnU-Net's name of the reader of the image files.
        ImageReader: string
        /// Axis i of the transposed images is axis `Transpose[i]` of the files.
        Transpose: int list
        Configurations: Map<string, Configuration>
        /// The planner's name.
        Planner: string
        /// By the channel's number; empty where no fingerprint was taken.
        Intensities: Map<int, IntensityProperties>
        /// Configurations that a plans file holds but that cannot be used here.
        NotServed: Map<string, NotServed>
        /// Keys of the file that mean nothing here, with their JSON, kept so that they are written again.
        Other: (string * string) list
    }
