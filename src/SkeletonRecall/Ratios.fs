namespace SkeletonRecall

/// Means of ratios of sums, with their slopes, in plain numbers: what losses with hand-written gradients share.
/// Sums lie per sample and class, [sample * classes + class].
[<RequireQualifiedAccess>]
module internal Ratios =

    /// One ratio per class, or per sample and class: value of the loss -mean(numerator / denominator), and the
    /// factors for its slopes by numerator and denominator. Where `wanted` is given, the mean goes over the ratios in
    /// which it is above 0.
    let evaluate
        (batch: bool)
        (samples: int)
        (classes: int)
        (first: int)
        (numerator: int -> float)
        (denominator: int -> float)
        (wanted: float[] option)
        : struct (float * float[] * float[]) =
        let byNumerator = Array.zeroCreate<float>(samples * classes)
        let byDenominator = Array.zeroCreate<float>(samples * classes)
        let mutable value = 0.0

        let groups =
            [|
                for group in 0 .. (if batch then 0 else samples - 1) do
                    for index in first .. classes - 1 do
                        let members =
                            [|
                                for sample in (if batch then 0 else group) .. (if batch then samples - 1 else group) do
                                    sample * classes + index
                            |]

                        let isPresent (wanted: float[]) : bool =
                            members |> Array.exists (fun at -> wanted[at] > 0.0)

                        if wanted |> Option.forall isPresent then
                            members
            |]

        let share = 1.0 / float (max 1 groups.Length)

        for members in groups do
            let above = members |> Array.sumBy numerator
            let below = members |> Array.sumBy denominator
            let bounded = max below 1e-8
            value <- value - share * above / bounded

            for at in members do
                byNumerator[at] <- -share / bounded

                byDenominator[at] <-
                    if below >= 1e-8 then
                        share * above / (bounded * bounded)
                    else
                        0.0

        struct (value, byNumerator, byDenominator)

    /// `smooth` once per ratio: with batch Dice, the first sample brings it.
    let smoothing (batch: bool) (classes: int) (smooth: float) (at: int) : float =
        if batch && at >= classes then 0.0 else smooth
