namespace SkeletonRecall.Training

open System
open System.Runtime.Intrinsics
open SkeletonRecall

/// Changes of `count` values of one channel from `start` on, in place: the workers behind `Intensity`.
[<RequireQualifiedAccess>]
module internal IntensityInPlace =

    // Whole vectors and then the last values, one by one.
    let inline private change
        ([<InlineIfLambda>] lanes: Vector512<float32> -> Vector512<float32>)
        (values: float32[])
        (start: int)
        (count: int)
        : unit =
        let stop = start + (count &&& ~~~15)
        let mutable at = start

        while at < stop do
            Lanes.store values at (lanes (Lanes.load values at))
            at <- at + 16

        if stop < start + count then
            let rest = Array.zeroCreate<float32> 16
            Array.Copy(values, stop, rest, 0, start + count - stop)
            Lanes.store rest 0 (lanes (Lanes.load rest 0))
            Array.Copy(rest, 0, values, stop, start + count - stop)

    let brightness (factor: float32) (values: float32[]) (start: int) (count: int) : unit =
        let factors = Vector512.Create factor
        change (fun lanes -> lanes * factors) values start count

    let contrast (factor: float32) (values: float32[]) (start: int) (count: int) : unit =
        let moments = Moments.ofValues values start count
        let lows = Vector512.Create moments.Low
        let highs = Vector512.Create moments.High
        let centre = Vector512.Create(float32 moments.Mean)
        let factors = Vector512.Create factor

        change
            (fun lanes ->
                Vector512.MaxNative(
                    lows,
                    Vector512.MinNative(highs, Vector512.FusedMultiplyAdd(lanes - centre, factors, centre))
                ))
            values
            start
            count

    let gamma (inverted: bool) (exponent: float32) (values: float32[]) (start: int) (count: int) : unit =
        let before = Moments.ofValues values start count
        let sign = if inverted then -1.0f else 1.0f
        let low = if inverted then -before.High else before.Low
        let range = before.High - before.Low
        // sign * value * divisor - low * divisor is the place within the range.
        let divisor = 1.0f / max range 1e-7f
        let signs = Vector512.Create sign
        let lows = Vector512.Create low
        let ranges = Vector512.Create range
        let divisors = Vector512.Create divisor
        let exponents = Vector512.Create exponent

        change
            (fun lanes ->
                let place = (lanes * signs - lows) * divisors
                Vector512.FusedMultiplyAdd(Lanes.exp (exponents * Lanes.log place), ranges, lows))
            values
            start
            count

        let after = Moments.ofValues values start count
        // The standard deviations share the factor n - 1.
        let unit = sqrt (float (max 1 (count - 1)))

        let stretch =
            float32 (sqrt before.Scatter / unit / max (sqrt after.Scatter / unit) 1e-7)
            * sign

        let shift = Vector512.Create(float32 after.Mean)
        let mean = Vector512.Create(float32 before.Mean)
        let stretches = Vector512.Create stretch
        change (fun lanes -> Vector512.FusedMultiplyAdd(lanes - shift, stretches, mean)) values start count

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

    let private copied (image: Image) : Image =
        { image with
            Data = Array.copy image.Data
        }

    // Each channel with its number through a change in place.
    let private mapChannels (change: int -> float32[] -> int -> int -> unit) (image: Image) : Image =
        let result = copied image
        let count = image.Extent.Count

        for channel in 0 .. image.Channels - 1 do
            change channel result.Data (channel * count) count

        result

    /// Adds normal noise of the given standard deviation, independent for every voxel of every channel.
    let noise (deviation: float) (rng: Rng) (image: Image) : Image =
        mapChannels (fun _ -> NormalNoise.add (float32 deviation) rng) image

    /// Multiplies each channel by its factor.
    let brightness (factors: float[]) (image: Image) : Image =
        mapChannels (fun channel -> IntensityInPlace.brightness (float32 factors[channel])) image

    /// Stretches each channel about its mean by its factor; values stay within the channel's old range.
    let contrast (factors: float[]) (image: Image) : Image =
        mapChannels (fun channel -> IntensityInPlace.contrast (float32 factors[channel])) image

    /// x -> ((x - min) / range)^gamma * range + min for each channel with its exponent, then shifted and scaled to the channel's
    /// old mean and standard deviation (of a sample, n - 1). `inverted` does so on -x.
    let gamma (inverted: bool) (exponents: float[]) (image: Image) : Image =
        mapChannels (fun channel -> IntensityInPlace.gamma inverted (float32 exponents[channel])) image

    /// A sampled Gaussian that sums to 1; as wide as nnU-Net's: the odd number nearest to 6 sigma + 0.5.
    let kernel (sigma: float) : float32[] = Blurring.kernel sigma

    /// The kernels of sigmas along slices (of a plane: none), rows and columns.
    let internal kernels (sigmas: float list) : struct (float32[] * float32[] * float32[]) =
        match List.map kernel sigmas with
        | [ rows; columns ] -> struct (kernel 0.0, rows, columns)
        | [ slices; rows; columns ] -> struct (slices, rows, columns)
        | _ -> invalidArg (nameof sigmas) $"A blur has one sigma per axis, 2 or 3; got %A{sigmas}."

    /// Blurs one channel with a Gaussian along each axis (`sigmas` in voxels, slowest axis first; 0 leaves an axis alone). At
    /// the border the image is mirrored without repeating the border.
    let blur (channel: int) (sigmas: float list) (image: Image) : Image =
        let result = copied image
        Blurring.blur (kernels sigmas) image.Extent result.Data (channel * image.Extent.Count)
        result

    /// The extent at a lower resolution: round(length * factor) along each axis.
    let internal lowered (factors: float list) (extent: Extent) : Extent =
        List.map2 (fun length factor -> max 1 (int (Math.Round(float length * factor: float)))) extent.Shape factors
        |> Extent.ofShape

    /// One channel at a lower resolution: down to round(length * factor) along each axis by the nearest voxel, and up
    /// again linearly. `factors` in (0, 1], slowest axis first; 1 leaves an axis alone.
    let lowResolution (channel: int) (factors: float list) (image: Image) : Image =
        let result = copied image
        LowResolution.simulate image.Extent (lowered factors image.Extent) result.Data (channel * image.Extent.Count)
        result
