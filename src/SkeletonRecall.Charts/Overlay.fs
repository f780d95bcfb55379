namespace SkeletonRecall.Charts

open System
open SkeletonRecall
open SkeletonRecall.Training

/// What one pixel shows of a prediction and its truth.
[<Struct>]
type PixelClass =
    /// Neither predicted nor on a centreline.
    | Ground
    /// Predicted, and on no centreline that is drawn.
    | PredictedArea
    /// On the true centreline, and predicted.
    | FoundCentreline
    /// On the true centreline, and not predicted.
    | MissedCentreline
    /// On the prediction's centreline, outside the truth.
    | InventedCentreline

/// Numbers of centreline pixels; the shares of clDice's parts come from them.
type CentrelineCounts =
    {
        /// True centreline that is predicted.
        Found: int
        /// True centreline that is not.
        Missed: int
        /// Predicted centreline outside the truth.
        Invented: int
    }

/// A held-out image with its truth and what one run predicted for it. All three are of the same extent.
type CaseOverlay =
    {
        Case: string
        Run: string
        /// One channel of the image, in whatever range.
        Image: Volume<float32>
        Truth: Mask
        Prediction: Mask
    }

/// Pictures of where a prediction follows the true centreline, misses it or invents one.
[<RequireQualifiedAccess>]
module Overlay =

    /// The class of each pixel or voxel. A true centreline is the skeleton of the truth, an invented one the part of the
    /// prediction's skeleton that lies outside the truth. Throws ArgumentException when the extents differ.
    let classify (prediction: Mask) (truth: Mask) : Volume<PixelClass> =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent
        let predicted = (Mask.toVolume prediction).Data
        let line = (truth |> Skeleton.thin |> Mask.toVolume).Data

        let invented =
            (Mask.difference (Skeleton.thin prediction) truth |> Mask.toVolume).Data

        Array.init predicted.Length (fun index ->
            if line[index] = 1uy then
                if predicted[index] = 1uy then
                    FoundCentreline
                else
                    MissedCentreline
            elif invented[index] = 1uy then
                InventedCentreline
            elif predicted[index] = 1uy then
                PredictedArea
            else
                Ground)
        |> Volume.create prediction.Extent

    /// How many pixels each centreline class has.
    let counts (classes: Volume<PixelClass>) : CentrelineCounts =
        let count (wanted: PixelClass) =
            classes.Data |> Array.sumBy (fun pixel -> if pixel = wanted then 1 else 0)

        {
            Found = count FoundCentreline
            Missed = count MissedCentreline
            Invented = count InventedCentreline
        }

    /// Missed and invented centreline as a share of all that is drawn, 0 (nothing wrong) to 1; 0 where nothing is drawn.
    /// The worst cases are those with the largest.
    let wrongShare (counts: CentrelineCounts) : float =
        let wrong = counts.Missed + counts.Invented
        let total = counts.Found + wrong
        if total = 0 then 0.0 else float wrong / float total

    /// Red, green, blue and opacity of a class. Apart under each kind of colour blindness, on dark and on bright grey:
    /// Okabe and Ito's sky blue, vermillion and yellow, which differ in lightness too.
    let colour (pixel: PixelClass) : struct (byte * byte * byte * byte) =
        match pixel with
        | Ground -> struct (0uy, 0uy, 0uy, 0uy)
        | PredictedArea -> struct (86uy, 180uy, 233uy, 80uy)
        | FoundCentreline -> struct (86uy, 180uy, 233uy, 255uy)
        | MissedCentreline -> struct (255uy, 88uy, 8uy, 255uy)
        | InventedCentreline -> struct (255uy, 232uy, 40uy, 255uy)

    let private requirePlane (name: string) (extent: Extent) : unit =
        if extent.Rank <> 2 then
            invalidArg name $"A picture shows a plane; the extent is %O{extent}."

    /// Missed and invented lines grown by one pixel to each side, so that they catch the eye, and survive when a large
    /// picture is shown smaller than it is. They grow over everything but other centreline.
    let thicken (classes: Volume<PixelClass>) : Volume<PixelClass> =
        let grown (wanted: PixelClass) =
            (classes
             |> Mask.ofVolume (fun pixel -> pixel = wanted)
             |> Morphology.dilate Element.Box 1
             |> Mask.toVolume)
                .Data

        let missed = grown MissedCentreline
        let invented = grown InventedCentreline

        classes.Data
        |> Array.mapi (fun index pixel ->
            match pixel with
            | Ground
            | PredictedArea when missed[index] = 1uy -> MissedCentreline
            | Ground
            | PredictedArea when invented[index] = 1uy -> InventedCentreline
            | _ -> pixel)
        |> Volume.create classes.Extent

    /// The classes as a picture of red, green, blue and opacity, to lie on the image. Throws ArgumentException for a volume.
    let paint (classes: Volume<PixelClass>) : Raster =
        requirePlane (nameof classes) classes.Extent
        let samples = Array.zeroCreate<uint16>(4 * classes.Extent.Count)

        for index in 0 .. classes.Extent.Count - 1 do
            let struct (red, green, blue, opacity) = colour classes.Data[index]
            samples[4 * index] <- uint16 red
            samples[4 * index + 1] <- uint16 green
            samples[4 * index + 2] <- uint16 blue
            samples[4 * index + 3] <- uint16 opacity

        {
            Width = classes.Extent.Width
            Height = classes.Extent.Height
            Channels = 4
            BitDepth = 8
            Samples = samples
            Palette = None
        }

    /// The image in 8-bit grey, from its 0.5th percentile (black) to its 99.5th (white); values that are not finite are
    /// black, an image of one value is mid-grey. Throws ArgumentException for a volume.
    let grey (image: Volume<float32>) : Raster =
        requirePlane (nameof image) image.Extent
        let sorted = image.Data |> Array.filter Single.IsFinite |> Array.sort

        let percentile (share: float) =
            if sorted.Length = 0 then
                0.0f
            else
                sorted[int (Math.Round(share * float (sorted.Length - 1)))]

        let low = float (percentile 0.005)
        let range = float (percentile 0.995) - low

        let level (value: float32) : uint16 =
            if not (Single.IsFinite value) then
                0us
            elif range <= 0.0 then
                128us
            else
                uint16 (Math.Clamp(Math.Round(255.0 * (float value - low) / range), 0.0, 255.0))

        {
            Width = image.Extent.Width
            Height = image.Extent.Height
            Channels = 1
            BitDepth = 8
            Samples = Array.map level image.Data
            Palette = None
        }
