namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Bringing an image's values to a common scale, channel by channel, before patches are cut.
[<RequireQualifiedAccess>]
module Normalize =

    let private mean (values: Span<float32>) : float =
        let mutable sum = 0.0

        for value in values do
            sum <- sum + float value

        sum / float values.Length

    /// Standard deviation of all values (n, not n - 1).
    let private deviation (values: Span<float32>) (mean: float) : float =
        let mutable sum = 0.0

        for value in values do
            let difference = float value - mean
            sum <- sum + difference * difference

        sqrt (sum / float values.Length)

    /// value -> (value - shift) / divisor
    let private rescale (shift: float32) (divisor: float32) (values: Span<float32>) : unit =
        for i in 0 .. values.Length - 1 do
            values[i] <- (values[i] - shift) / divisor

    let private zScore (values: Span<float32>) : unit =
        let mean = mean values
        rescale (float32 mean) (float32 (max (deviation values mean) 1e-8)) values

    let private toUnitRange (values: Span<float32>) : unit =
        let mutable low = values[0]
        let mutable high = values[0]

        for value in values do
            low <- min low value
            high <- max high value

        rescale low (max (high - low) 1e-8f) values

    /// Each channel by its scheme, in a fresh image. A constant channel becomes 0 under `ZScore` and `RescaleTo01`.
    /// Throws ArgumentException when there is not one scheme per channel.
    let image (schemes: Normalization list) (image: Image) : Image =
        if schemes.Length <> image.Channels then
            invalidArg
                (nameof schemes)
                $"An image of %d{image.Channels} channels needs as many schemes; got %d{schemes.Length}."

        let result =
            { image with
                Data = Array.copy image.Data
            }

        schemes
        |> List.iteri (fun channel scheme ->
            let values = Image.channel channel result

            match scheme with
            | ZScore -> zScore values
            | RescaleTo01 -> toUnitRange values
            | RgbTo01 -> rescale 0.0f 255.0f values
            | NoNormalization -> ())

        result
