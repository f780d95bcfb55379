namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// A random change of a patch.
type Augment = Rng -> Patch -> Patch

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

    /// The transform that rotates and scales with the options' probabilities; None where it does neither.
    let internal drawTransform (options: AugmentOptions) (final: int list) (rng: Rng) : Spatial.Transform option =
        let rotate = rng.Chance options.Rotation
        let scale = rng.Chance options.Scaling

        if not rotate && not scale then
            None
        else
            let inPlane = final.Length = 2 || slicewise final
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

            if scale then
                Some(Spatial.scaled (rng.Uniform options.ScalingRange) (not inPlane) rotation)
            else
                Some rotation

    /// Rotates and scales with the options' probabilities and reduces the patch to its final size;
    /// a patch that is neither rotated nor scaled is cropped.
    let spatial (options: AugmentOptions) (final: int list) (rng: Rng) (patch: Patch) : Patch =
        let size = Extent.ofShape final

        match drawTransform options final rng with
        | None -> FirstStage.along (Patch.centreCrop size) patch
        | Some transform -> FirstStage.along (Spatial.resample size transform) patch

    // A change of values in place: what is drawn for a canvas of so many channels of an extent. Draws come in the order in which
    // they are used, so that a change is applied before the next one is drawn.
    type private Change = AugmentOptions -> Rng -> int -> Extent -> (Canvas -> unit) option

    // The place of a channel.
    let private start (canvas: Canvas) (channel: int) : int =
        canvas.ImageStart + channel * canvas.Extent.Count

    // A change of each channel, with a number of its own.
    let private eachChannel
        (draw: Rng -> float)
        (change: float32 -> float32[] -> int -> int -> unit)
        (rng: Rng)
        (channels: int)
        : (Canvas -> unit) option =
        let numbers = Array.init channels (fun _ -> draw rng)

        Some(fun canvas ->
            for channel in 0 .. channels - 1 do
                change (float32 numbers[channel]) canvas.Image (start canvas channel) canvas.Extent.Count)

    // A change of each channel with probability 1/2, drawn when it takes part.
    let private someChannels
        (draw: Rng -> 'Drawn)
        (change: 'Drawn -> Canvas -> int -> unit)
        (rng: Rng)
        (channels: int)
        : (Canvas -> unit) option =
        let drawn =
            [
                for channel in 0 .. channels - 1 do
                    if rng.Chance 0.5 then
                        channel, draw rng
            ]

        Some(fun canvas ->
            for channel, drawn in drawn do
                change drawn canvas (start canvas channel))

    let private factor (range: float * float) (rng: Rng) : float =
        Intensity.factor (fst range) (snd range) rng

    let private noiseChange (options: AugmentOptions) (rng: Rng) (channels: int) (_: Extent) : (Canvas -> unit) option =
        if rng.Chance options.Noise then
            let deviation = float32 (rng.Uniform options.NoiseRange)

            Some(fun canvas ->
                for channel in 0 .. channels - 1 do
                    NormalNoise.add deviation rng canvas.Image (start canvas channel) canvas.Extent.Count)
        else
            None

    let private blurChange
        (options: AugmentOptions)
        (rng: Rng)
        (channels: int)
        (extent: Extent)
        : (Canvas -> unit) option =
        if rng.Chance options.Blur then
            someChannels
                (fun rng -> extent.Shape |> List.map (fun _ -> rng.Uniform options.BlurRange))
                (fun sigmas canvas from -> Blurring.blur (Intensity.kernels sigmas) extent canvas.Image from)
                rng
                channels
        else
            None

    let private brightnessChange
        (options: AugmentOptions)
        (rng: Rng)
        (channels: int)
        (_: Extent)
        : (Canvas -> unit) option =
        if rng.Chance options.Brightness then
            eachChannel (factor options.BrightnessRange) IntensityInPlace.brightness rng channels
        else
            None

    let private contrastChange
        (options: AugmentOptions)
        (rng: Rng)
        (channels: int)
        (_: Extent)
        : (Canvas -> unit) option =
        if rng.Chance options.Contrast then
            eachChannel (factor options.ContrastRange) IntensityInPlace.contrast rng channels
        else
            None

    let private lowResolutionChange
        (options: AugmentOptions)
        (rng: Rng)
        (channels: int)
        (extent: Extent)
        : (Canvas -> unit) option =
        if rng.Chance options.LowResolution then
            let small (zoom: float) : Extent =
                let factors =
                    extent.Shape
                    |> List.mapi (fun axis _ -> if axis = 0 && slicewise extent.Shape then 1.0 else zoom)

                Intensity.lowered factors extent

            someChannels
                (fun rng -> small (rng.Uniform options.LowResolutionRange))
                (fun small canvas from -> LowResolution.simulate extent small canvas.Image from)
                rng
                channels
        else
            None

    let private gammaChange
        (inverted: bool)
        (probability: AugmentOptions -> float)
        (options: AugmentOptions)
        (rng: Rng)
        (channels: int)
        (_: Extent)
        : (Canvas -> unit) option =
        if rng.Chance(probability options) then
            eachChannel (factor options.GammaRange) (IntensityInPlace.gamma inverted) rng channels
        else
            None

    // The change on a copy of the image, where there is one.
    let private onCopy (change: Change) (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        match change options rng patch.Image.Channels patch.Image.Extent with
        | None -> patch
        | Some apply ->
            let changed =
                { patch with
                    Image =
                        { patch.Image with
                            Data = Array.copy patch.Image.Data
                        }
                }

            apply (Patch.canvasOf changed)
            changed

    let private invertedGammaChange: Change =
        gammaChange true (fun options -> options.InvertedGamma)

    let private plainGammaChange: Change =
        gammaChange false (fun options -> options.Gamma)

    // In nnU-Net's order.
    let private changes: Change list =
        [
            noiseChange
            blurChange
            brightnessChange
            contrastChange
            lowResolutionChange
            invertedGammaChange
            plainGammaChange
        ]

    /// Noise, blur, brightness, contrast, low resolution and gamma on a canvas.
    let internal changeInPlace (options: AugmentOptions) (rng: Rng) (canvas: Canvas) : unit =
        for change in changes do
            change options rng canvas.Channels canvas.Extent
            |> Option.iter (fun apply -> apply canvas)

    /// Gaussian noise.
    let noise (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch = onCopy noiseChange options rng patch

    /// Gaussian blur.
    let blur (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch = onCopy blurChange options rng patch

    /// Multiplicative brightness.
    let brightness (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        onCopy brightnessChange options rng patch

    /// Contrast.
    let contrast (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch = onCopy contrastChange options rng patch

    /// A simulated low resolution; flat volumes keep their slices.
    let lowResolution (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        onCopy lowResolutionChange options rng patch

    /// Gamma, of the inverted image and of the image itself.
    let gamma (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        patch
        |> onCopy invertedGammaChange options rng
        |> onCopy plainGammaChange options rng

    /// The axes that are mirrored with the options' probability.
    let internal drawMirror (options: AugmentOptions) (rng: Rng) (rank: int) : bool list =
        let isAllowed (axis: int) =
            options.MirrorAxes |> Option.forall (List.contains axis)

        List.init rank (fun axis -> rng.Chance options.Mirror && isAllowed axis)

    /// Reversal of each axis with the options' probability.
    let mirror (options: AugmentOptions) (rng: Rng) (patch: Patch) : Patch =
        FirstStage.along (Spatial.mirror (drawMirror options rng patch.Image.Extent.Rank)) patch

    /// Labels of -1 become background, 0.
    let internal removeOutsideInPlace (canvas: Canvas) : unit =
        Span<int16>(canvas.Labels, canvas.LabelStart, canvas.Extent.Count).Replace(Patch.Outside, 0s)

    /// Labels of -1 become background, 0, those of a first stage too.
    let removeOutside (patch: Patch) : Patch =
        let inside (map: LabelMap) : LabelMap =
            if map.Data.AsSpan().Contains Patch.Outside then
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
