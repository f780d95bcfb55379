namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Bringing an image's values to a common scale, channel by channel, before patches are cut.
[<RequireQualifiedAccess>]
module Normalize =

    let private zScore (values: Span<float32>) : unit =
        let mean = Values.mean (Span.op_Implicit values)

        let deviation =
            sqrt (Values.scatter (Span.op_Implicit values) mean / float values.Length)

        Values.rescale (float32 mean) (float32 (max deviation 1e-8)) values

    // Mean and deviation of the voxels inside, which alone are changed.
    let private zScoreInside (inside: byte[]) (values: Span<float32>) : unit =
        let kept =
            inside
            |> Array.sumBy (fun flag -> if flag <> 0uy then 1 else 0)
            |> Array.zeroCreate<float32>

        let mutable next = 0

        for place in 0 .. inside.Length - 1 do
            if inside[place] <> 0uy then
                kept[next] <- values[place]
                next <- next + 1

        if next > 0 then
            zScore (Span<float32> kept)
            next <- 0

            for place in 0 .. inside.Length - 1 do
                if inside[place] <> 0uy then
                    values[place] <- kept[next]
                    next <- next + 1

    let private clip (properties: IntensityProperties) (values: Span<float32>) : unit =
        Values.clip (float32 properties.Low) (float32 properties.High) values
        Values.rescale (float32 properties.Mean) (float32 (max properties.Deviation 1e-8)) values

    let private toUnitRange (values: Span<float32>) : unit =
        let struct (low, high) = Values.range (Span.op_Implicit values)
        Values.rescale low (max (high - low) 1e-8f) values

    /// Each channel by its scheme, in place. `inside` has 1 for the voxels that `ZScoreInside` looks at.
    /// Throws ArgumentException when there is not one scheme per channel.
    let internal inPlace (schemes: Normalization list) (inside: Lazy<byte[]>) (image: Image) : unit =
        if schemes.Length <> image.Channels then
            invalidArg
                (nameof schemes)
                $"An image of %d{image.Channels} channels needs as many schemes; got %d{schemes.Length}."

        schemes
        |> List.iteri (fun channel scheme ->
            let values = Image.channel channel image

            match scheme with
            | ZScore -> zScore values
            | ZScoreInside -> zScoreInside inside.Value values
            | Ct properties -> clip properties values
            | RescaleTo01 -> toUnitRange values
            | RgbTo01 -> Values.rescale 0.0f 255.0f values
            | NoNormalization -> ())

    /// Each channel by its scheme, in a fresh image. A constant channel becomes 0 under `ZScore` and `RescaleTo01`.
    /// `ZScoreInside` looks at the voxels at which any channel is not 0, cavities included, and leaves the others alone.
    /// Throws ArgumentException when there is not one scheme per channel.
    let image (schemes: Normalization list) (image: Image) : Image =
        let result =
            { image with
                Data = Array.copy image.Data
            }

        inPlace schemes (lazy (Mask.toVolume (Crop.nonZero image)).Data) result
        result
