namespace SkeletonRecall.Training

/// How likely and how strong each change is. Probabilities are per patch unless said otherwise.
type AugmentOptions =
    {
        /// Probability of a rotation, by any angle that the patch's shape allows.
        Rotation: float
        /// Probability of a scaling, the same on all axes.
        Scaling: float
        /// Range of the factor; above 1 more of the case is shrunk into the patch.
        ScalingRange: float * float
        /// Probability of Gaussian noise.
        Noise: float
        /// Range of the noise's standard deviation.
        NoiseRange: float * float
        /// Probability of a Gaussian blur; each channel then takes part with probability 1/2.
        Blur: float
        /// Range of the blur's sigma in voxels, drawn for each axis.
        BlurRange: float * float
        /// Probability of multiplying each channel by a factor.
        Brightness: float
        /// Range of that factor, see `Intensity.factor`.
        BrightnessRange: float * float
        /// Probability of stretching each channel about its mean.
        Contrast: float
        /// Range of that factor.
        ContrastRange: float * float
        /// Probability of simulating a low resolution; each channel then takes part with probability 1/2.
        LowResolution: float
        /// Range of the zoom.
        LowResolutionRange: float * float
        /// Probability of a gamma change of the inverted image.
        InvertedGamma: float
        /// Probability of a gamma change.
        Gamma: float
        /// Range of the exponent of both.
        GammaRange: float * float
        /// Probability of mirroring, for each axis; 0 where left and right have labels of their own.
        Mirror: float
        /// The axes (0 = slowest of the patch) that may be mirrored; None for all.
        MirrorAxes: int list option
    }
