namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// A random change of a patch.
type Augment = Rng -> Patch -> Patch

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

/// nnU-Net's augmentation, composed of small steps in its order.
[<RequireQualifiedAccess>]
module Augment =

    /// nnU-Net's probabilities and ranges.
    let options: AugmentOptions =
        {
            Rotation = 0.2
            Scaling = 0.2
            ScalingRange = 0.7, 1.4
            Noise = 0.1
            NoiseRange = 0.0, 0.1
            Blur = 0.2
            BlurRange = 0.5, 1.0
            Brightness = 0.15
            BrightnessRange = 0.75, 1.25
            Contrast = 0.15
            ContrastRange = 0.75, 1.25
            LowResolution = 0.25
            LowResolutionRange = 0.5, 1.0
            InvertedGamma = 0.1
            Gamma = 0.3
            GammaRange = 0.7, 1.5
            Mirror = 0.5
            MirrorAxes = None
        }

    /// Every probability 0: patches are cropped, nothing else.
    let still: AugmentOptions =
        { options with
            Rotation = 0.0
            Scaling = 0.0
            Noise = 0.0
            Blur = 0.0
            Brightness = 0.0
            Contrast = 0.0
            LowResolution = 0.0
            InvertedGamma = 0.0
            Gamma = 0.0
            Mirror = 0.0
        }

    /// Whether a volume's patch is so flat (first axis less than a third of the longest) that it is rotated and scaled
    /// slice by slice.
    let private slicewise (final: int list) : bool =
        final.Length = 3 && float (List.max final) / float final.Head > 3.0

    /// The largest rotation in radians about each axis, for a patch of the given size: in the plane 180 degrees,
    /// or 15 when one side is more than 1.5 times the other; in space 30; for flat volumes 180 in the plane.
    let largestRotation (final: int list) : float =
        let degrees =
            match final with
            | [ _; _ ] when float (List.max final) / float (List.min final) > 1.5 -> 15.0
            | [ _; _ ] -> 180.0
            | _ when slicewise final -> 180.0
            | _ -> 30.0

        degrees * Math.PI / 180.0

    /// The scale that the initial patch makes room for.
    let private roomForScale = 0.85

    /// The size to cut so that rotating and scaling find image where they look, mostly: nnU-Net's rule. The final
    /// size itself when the options neither rotate nor scale.
    let initialSize (options: AugmentOptions) (final: int list) : int list =
        if options.Rotation <= 0.0 && options.Scaling <= 0.0 then
            final
        else
            let angle = min (largestRotation final) (Math.PI / 2.0)
            let c, s = cos angle, sin angle
            let grow (size: float) : int = int (size / roomForScale)
            let largest (values: float list) : float = values |> List.map abs |> List.max

            match List.map float final with
            | [ a; b ] -> [ grow (largest [ a; a * c + b * s ]); grow (largest [ b; b * c - a * s ]) ]
            | [ _; b; d ] when slicewise final ->
                [
                    final.Head
                    grow (largest [ b; b * c + d * s ])
                    grow (largest [ d; d * c - b * s ])
                ]
            | [ a; b; d ] ->
                [
                    grow (largest [ a; a * c - d * s; a * c + b * s ])
                    grow (largest [ b; b * c + d * s; b * c - a * s ])
                    grow (largest [ d; d * c - b * s; a * s + d * c ])
                ]
            | _ -> invalidArg (nameof final) $"A patch has 2 or 3 axes; got %A{final}."

    /// Rotates and scales with the options' probabilities and reduces the patch to its final size;
    /// a patch that is neither rotated nor scaled is cropped.
    let spatial (options: AugmentOptions) (final: int list) (rng: Rng) (patch: Patch) : Patch =
        let size = Extent.ofShape final
        let rotate = rng.Chance options.Rotation
        let scale = rng.Chance options.Scaling

        if not rotate && not scale then
            FirstStage.along (Patch.centreCrop size) patch
        else
            let inPlane = size.Rank = 2 || slicewise final
            let most = largestRotation final
            let angle () = rng.Uniform(-most, most)

            let rotation =
                if not rotate then
                    Spatial.identity
                elif inPlane then
                    Spatial.inPlane (angle ())
                else
                    let aboutSlices = angle ()
                    let aboutRows = angle ()
                    Spatial.rotation aboutSlices aboutRows (angle ())

            let transform =
                if scale then
                    Spatial.scaled (rng.Uniform options.ScalingRange) (not inPlane) rotation
                else
                    rotation

            FirstStage.along (Spatial.resample size transform) patch

    let private onImage (change: Image -> Image) (patch: Patch) : Patch =
        { patch with
            Image = change patch.Image
        }

    /// A factor for each channel.
    let private factors (range: float * float) (rng: Rng) (image: Image) : float[] =
        Array.init image.Channels (fun _ -> Intensity.factor (fst range) (snd range) rng)

    /// The change of one channel, for each channel with probability 1/2.
    let private someChannels (rng: Rng) (change: int -> Image -> Image) (image: Image) : Image =
        List.fold
            (fun image channel -> if rng.Chance 0.5 then change channel image else image)
            image
            [ 0 .. image.Channels - 1 ]

    /// Gaussian noise.
    let noise (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        if rng.Chance options.Noise then
            let deviation = rng.Uniform options.NoiseRange
            onImage (Intensity.noise deviation rng) patch
        else
            patch

    /// Gaussian blur.
    let blur (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        if rng.Chance options.Blur then
            let change (channel: int) (image: Image) : Image =
                let sigmas = image.Extent.Shape |> List.map (fun _ -> rng.Uniform options.BlurRange)

                Intensity.blur channel sigmas image

            onImage (someChannels rng change) patch
        else
            patch

    /// Multiplicative brightness.
    let brightness (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        if rng.Chance options.Brightness then
            onImage (Intensity.brightness (factors options.BrightnessRange rng patch.Image)) patch
        else
            patch

    /// Contrast.
    let contrast (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        if rng.Chance options.Contrast then
            onImage (Intensity.contrast (factors options.ContrastRange rng patch.Image)) patch
        else
            patch

    /// A simulated low resolution; flat volumes keep their slices.
    let lowResolution (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        if rng.Chance options.LowResolution then
            let shape = patch.Image.Extent.Shape

            let change (channel: int) (image: Image) : Image =
                let factor = rng.Uniform options.LowResolutionRange

                let factors =
                    shape
                    |> List.mapi (fun axis _ -> if axis = 0 && slicewise shape then 1.0 else factor)

                Intensity.lowResolution channel factors image

            onImage (someChannels rng change) patch
        else
            patch

    /// Gamma, of the inverted image and of the image itself.
    let gamma (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        let change (inverted: bool) (probability: float) (patch: Patch) : Patch =
            if rng.Chance probability then
                onImage (Intensity.gamma inverted (factors options.GammaRange rng patch.Image)) patch
            else
                patch

        patch |> change true options.InvertedGamma |> change false options.Gamma

    /// Reversal of each axis with the options' probability.
    let mirror (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        let isAllowed (axis: int) =
            options.MirrorAxes |> Option.forall (List.contains axis)

        let axes =
            patch.Image.Extent.Shape
            |> List.mapi (fun axis _ -> rng.Chance options.Mirror && isAllowed axis)

        FirstStage.along (Spatial.mirror axes) patch

    /// Labels of -1 become background, 0.
    let removeOutside (patch: Patch) : Patch =
        let inside (map: LabelMap) : LabelMap =
            if Array.contains Patch.Outside map.Data then
                map |> Volume.map (fun label -> if label = Patch.Outside then 0s else label)
            else
                map

        { patch with
            Labels = inside patch.Labels
            FirstStage = Option.map inside patch.FirstStage
        }

    /// The steps one after the other, with the same stream of random numbers.
    let sequence (steps: Augment list) (rng: Rng) (patch: Patch) : Patch =
        List.fold (fun patch step -> step rng patch) patch steps

    /// nnU-Net's training augmentation of a patch of `initialSize` to its final size (one entry per axis).
    let standard (options: AugmentOptions) (final: int list) (rng: Rng) (patch: Patch) : Patch =
        sequence
            [
                spatial options final
                noise options
                blur options
                brightness options
                contrast options
                lowResolution options
                gamma options
                mirror options
                fun _ patch -> removeOutside patch
            ]
            rng
            patch

    /// No augmentation: the middle of the patch, with -1 turned into background. For validation.
    let none (final: int list) (_: Rng) (patch: Patch) : Patch =
        patch
        |> FirstStage.along (Patch.centreCrop (Extent.ofShape final))
        |> removeOutside
