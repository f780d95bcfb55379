namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// What happens to the values of one channel, in place.
type private ChannelChange = delegate of channel: int * values: Span<float32> -> unit

/// Changes of an image's values that leave its geometry alone. Each function returns a fresh image.
[<RequireQualifiedAccess>]
module Intensity =

    /// nnU-Net's choice of a factor around 1: with probability 1/2 (when `low` is below 1) uniform between `low` and 1,
    /// otherwise uniform between max(low, 1) and `high`.
    let factor (low: float) (high: float) (rng: Rng) : float =
        if low < 1.0 && rng.Chance 0.5 then
            rng.Uniform(low, 1.0)
        else
            rng.Uniform(max low 1.0, high)

    let private mapChannels (change: ChannelChange) (image: Image) : Image =
        let result =
            { image with
                Data = Array.copy image.Data
            }

        for channel in 0 .. image.Channels - 1 do
            change.Invoke(channel, Image.channel channel result)

        result

    /// Adds normal noise of the given standard deviation, independent for every voxel of every channel.
    let noise (deviation: float) (rng: Rng) (image: Image) : Image =
        image
        |> mapChannels (
            ChannelChange(fun _ values ->
                for i in 0 .. values.Length - 1 do
                    values[i] <- values[i] + float32 (deviation * rng.Gaussian()))
        )

    /// Multiplies each channel by its factor.
    let brightness (factors: float[]) (image: Image) : Image =
        image
        |> mapChannels (
            ChannelChange(fun channel values ->
                let factor = float32 factors[channel]

                for i in 0 .. values.Length - 1 do
                    values[i] <- values[i] * factor)
        )

    /// Stretches each channel about its mean by its factor; values stay within the channel's old range.
    let contrast (factors: float[]) (image: Image) : Image =
        image
        |> mapChannels (
            ChannelChange(fun channel values ->
                let factor = float32 factors[channel]
                let centre = float32 (Values.mean (Span.op_Implicit values))
                let struct (low, high) = Values.range (Span.op_Implicit values)

                for i in 0 .. values.Length - 1 do
                    values[i] <- max low (min high ((values[i] - centre) * factor + centre)))
        )

    /// x -> ((x - min) / range)^gamma * range + min for each channel with its exponent, then shifted and scaled to the channel's
    /// old mean and standard deviation (of a sample, n - 1). `inverted` does so on -x.
    let gamma (inverted: bool) (exponents: float[]) (image: Image) : Image =
        image
        |> mapChannels (
            ChannelChange(fun channel values ->
                let sign = if inverted then -1.0f else 1.0f
                let exponent = float32 exponents[channel]

                for i in 0 .. values.Length - 1 do
                    values[i] <- sign * values[i]

                let struct (low, high) = Values.range (Span.op_Implicit values)
                let oldMean = Values.mean (Span.op_Implicit values)
                let oldScatter = Values.scatter (Span.op_Implicit values) oldMean
                let range = high - low
                let divisor = 1.0f / max range 1e-7f

                for i in 0 .. values.Length - 1 do
                    values[i] <- MathF.Pow((values[i] - low) * divisor, exponent) * range + low

                let newMean = Values.mean (Span.op_Implicit values)
                let newScatter = Values.scatter (Span.op_Implicit values) newMean
                // The standard deviations share the factor n - 1.
                let unit = sqrt (float (max 1 (values.Length - 1)))

                let stretch = float32 (sqrt oldScatter / unit / max (sqrt newScatter / unit) 1e-7)

                let newMean, oldMean = float32 newMean, float32 oldMean

                for i in 0 .. values.Length - 1 do
                    values[i] <- sign * ((values[i] - newMean) * stretch + oldMean))
        )

    /// A sampled Gaussian that sums to 1; as wide as nnU-Net's: the odd number nearest to 6 sigma + 0.5.
    let kernel (sigma: float) : float32[] =
        let wanted = 6.0 * sigma + 0.5
        let radius = max 1 (int (floor (wanted / 2.0)))

        let weights =
            Array.init (2 * radius + 1) (fun i -> exp (-0.5 * (float (i - radius) / sigma) ** 2.0))

        let sum = Array.sum weights
        Array.map (fun weight -> float32 (weight / sum)) weights

    /// An index folded back into 0 .. length - 1, the border itself not repeated.
    let rec private reflect (length: int) (index: int) : int =
        if length = 1 then
            0
        elif index < 0 then
            reflect length -index
        elif index >= length then
            reflect length (2 * (length - 1) - index)
        else
            index

    /// Adds `weight` times each of `source`'s lines along an axis, shifted by `shift`, to `result`. The array is
    /// (outer, length, inner); a line's element is `inner` values long.
    let private addShifted
        (source: ReadOnlySpan<float32>)
        (result: Span<float32>)
        (length: int)
        (inner: int)
        (shift: int)
        (weight: float32)
        : unit =
        for line in 0 .. source.Length / (length * inner) - 1 do
            let start = line * length * inner

            if inner = 1 then
                let from = source.Slice(start, length)
                let into = result.Slice(start, length)
                let first = max 0 -shift
                let last = min length (length - shift)

                for i in 0 .. min first length - 1 do
                    into[i] <- into[i] + weight * from[reflect length (i + shift)]

                if last > first then
                    let shifted = from.Slice(first + shift, last - first)
                    let plain = into.Slice(first, last - first)

                    for i in 0 .. plain.Length - 1 do
                        plain[i] <- plain[i] + weight * shifted[i]

                for i in max first last .. length - 1 do
                    into[i] <- into[i] + weight * from[reflect length (i + shift)]
            else
                for i in 0 .. length - 1 do
                    let from = source.Slice(start + reflect length (i + shift) * inner, inner)
                    let into = result.Slice(start + i * inner, inner)

                    for j in 0 .. inner - 1 do
                        into[j] <- into[j] + weight * from[j]

    /// Blurs one channel with a Gaussian along each axis (`sigmas` in voxels, slowest axis first; 0 leaves an axis alone). At
    /// the border the image is mirrored without repeating the border.
    let blur (channel: int) (sigmas: float list) (image: Image) : Image =
        let shape = image.Extent.Shape

        let alongAxis (values: float32[]) (axis: int) (sigma: float) : float32[] =
            if sigma <= 0.0 then
                values
            else
                let weights = kernel sigma
                let length = List.item axis shape
                let inner = List.fold (*) 1 (List.skip (axis + 1) shape)
                let result = Array.zeroCreate<float32> values.Length

                for i in 0 .. weights.Length - 1 do
                    addShifted
                        (ReadOnlySpan<float32> values)
                        (Span<float32> result)
                        length
                        inner
                        (i - weights.Length / 2)
                        weights[i]

                result

        let values =
            List.fold2 alongAxis ((Image.channel channel image).ToArray()) [ 0 .. shape.Length - 1 ] sigmas

        let data = Array.copy image.Data
        Array.Copy(values, 0, data, channel * image.Extent.Count, values.Length)
        { image with Data = data }

    /// Resizes lines along one axis of an (outer, length, inner) array to `size` by the given rule: index and weight of the second
    /// of two neighbours.
    let private resizeAxis
        (source: float32[])
        (length: int)
        (inner: int)
        (size: int)
        (rule: int -> struct (int * int * float32))
        : float32[] =
        let outer = source.Length / (length * inner)
        let result = Array.zeroCreate<float32>(outer * size * inner)
        let rules = Array.init size rule

        for line in 0 .. outer - 1 do
            for i in 0 .. size - 1 do
                let struct (first, second, weight) = rules[i]
                let a = ReadOnlySpan<float32>(source, (line * length + first) * inner, inner)
                let b = ReadOnlySpan<float32>(source, (line * length + second) * inner, inner)
                let into = Span<float32>(result, (line * size + i) * inner, inner)

                for j in 0 .. inner - 1 do
                    into[j] <- a[j] + weight * (b[j] - a[j])

        result

    let private nearest (length: int) (size: int) (index: int) : struct (int * int * float32) =
        let from =
            min (length - 1) (int (floor ((float index + 0.5) * float length / float size)))

        struct (from, from, 0.0f)

    let private linear (length: int) (size: int) (index: int) : struct (int * int * float32) =
        let position = max 0.0 ((float index + 0.5) * float length / float size - 0.5)

        let first = min (length - 1) (int position)
        struct (first, min (length - 1) (first + 1), float32 (position - float first))

    /// One channel at a lower resolution: down to round(length * factor) along each axis by the nearest voxel, and up
    /// again linearly. `factors` in (0, 1], slowest axis first; 1 leaves an axis alone.
    let lowResolution (channel: int) (factors: float list) (image: Image) : Image =
        let shape = image.Extent.Shape

        let small =
            List.map2 (fun length factor -> max 1 (int (Math.Round(float length * factor)))) shape factors

        let resize
            (rule: int -> int -> int -> struct (int * int * float32))
            (fromShape: int list)
            (toShape: int list)
            (values: float32[])
            =
            // Fastest axis last, so that the axes behind the one at hand still have, and those before it already have, their sizes.
            List.fold
                (fun (values: float32[]) axis ->
                    let length, size = List.item axis fromShape, List.item axis toShape

                    if length = size then
                        values
                    else
                        let inner = List.fold (*) 1 (List.skip (axis + 1) fromShape)
                        resizeAxis values length inner size (rule length size))
                values
                [ 0 .. shape.Length - 1 ]

        let values =
            (Image.channel channel image).ToArray()
            |> resize nearest shape small
            |> resize linear small shape

        let data = Array.copy image.Data
        Array.Copy(values, 0, data, channel * image.Extent.Count, values.Length)
        { image with Data = data }
