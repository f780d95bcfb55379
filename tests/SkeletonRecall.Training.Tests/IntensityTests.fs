module SkeletonRecall.Tests.IntensityTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private random (extent: Extent) (seed: int) : Image =
    let rng = Seed.rng (Seed.ofInt seed)
    Image.create 2 extent (Array.init (2 * extent.Count) (fun _ -> float32 (rng.Gaussian())))

let private line (values: float32 list) : Image =
    Image.create 1 (Extent.plane 1 values.Length) (Array.ofList values)

let private near (wanted: float32[]) (got: float32[]) (text: string) =
    Expect.equal got.Length wanted.Length text
    let worst = Array.map2 (fun (a: float32) b -> abs (a - b)) wanted got |> Array.max
    Expect.isLessThan worst 2e-5f text

let private moments (values: float32[]) : float * float =
    let mean = values |> Array.averageBy float

    mean,
    sqrt (
        (values |> Array.sumBy (fun value -> (float value - mean) ** 2.0))
        / float (values.Length - 1)
    )

/// A blur by its definition: along one axis after the other, in double precision.
let private blurred (sigmas: float list) (image: Image) : float32[] =
    let shape = image.Extent.Shape

    let rec fold (length: int) (index: int) =
        if index < 0 then
            fold length -index
        elif index >= length then
            fold length (2 * (length - 1) - index)
        else
            index

    let along (values: float[]) (axis: int, sigma: float) =
        let kernel = Intensity.kernel sigma
        let inner = shape |> List.skip (axis + 1) |> List.fold (*) 1

        values
        |> Array.mapi (fun index _ ->
            let place = index / inner % shape[axis]

            kernel
            |> Array.mapi (fun tap weight ->
                let from = fold shape[axis] (place + tap - kernel.Length / 2)
                float weight * values[index + (from - place) * inner])
            |> Array.sum)

    List.fold along (Array.map float image.Data) (List.indexed sigmas)
    |> Array.map float32

/// A gamma change by its definition, in double precision.
let private raised (inverted: bool) (exponent: float) (values: float32[]) : float32[] =
    let sign = if inverted then -1.0 else 1.0
    let values = values |> Array.map (fun value -> sign * float value)
    let low, high = Array.min values, Array.max values

    let changed =
        values
        |> Array.map (fun value -> ((value - low) / (high - low)) ** exponent * (high - low) + low)

    let mean, deviation = moments (Array.map float32 values)
    let newMean, newDeviation = moments (Array.map float32 changed)

    changed
    |> Array.map (fun value -> float32 (sign * ((value - newMean) * deviation / newDeviation + mean)))

[<Tests>]
let tests =
    testList
        "Intensity"
        [
            test "factors stay in range and fall on both sides of 1" {
                let rng = Seed.rng (Seed.ofInt 1)
                let factors = List.init 400 (fun _ -> Intensity.factor 0.75 1.25 rng)
                Expect.all factors (fun factor -> factor >= 0.75 && factor < 1.25) "range"
                let below = factors |> List.filter (fun factor -> factor < 1.0) |> List.length
                Expect.isTrue (below > 150 && below < 250) $"%d{below} of 400 below 1"
                let above = List.init 50 (fun _ -> Intensity.factor 1.1 1.25 rng)
                Expect.all above (fun factor -> factor >= 1.1) "low above 1"
            }

            test "noise has the standard deviation that it is given" {
                let image = Image.create 1 (Extent.plane 100 100) (Array.zeroCreate 10000)

                let mean, deviation =
                    moments (Intensity.noise 0.1 (Seed.rng (Seed.ofInt 2)) image).Data

                Expect.floatClose { absolute = 0.005; relative = 0.0 } mean 0.0 "mean"
                Expect.floatClose { absolute = 0.005; relative = 0.0 } deviation 0.1 "deviation"
            }

            test "noise is normal: its moments, its tails, and no two numbers of a stream the same" {
                let extent = Extent.space 40 50 101
                let image = Image.create 1 extent (Array.zeroCreate extent.Count)
                let noise = (Intensity.noise 1.0 (Seed.rng (Seed.ofInt 21)) image).Data
                let count = float noise.Length

                let power (exponent: int) =
                    noise
                    |> Array.sumBy (fun value -> pown (float value) exponent)
                    |> fun sum -> sum / count

                let near (wanted: float) (got: float) (text: string) =
                    Expect.isLessThan (abs (got - wanted)) 0.03 text

                near 0.0 (power 1) "mean"
                near 1.0 (power 2) "variance"
                near 0.0 (power 3) "skewness"
                Expect.isLessThan (abs (power 4 - 3.0)) 0.12 "kurtosis"

                for limit, share in [ 1.0, 0.3173; 2.0, 0.0455; 3.0, 0.0027 ] do
                    let beyond =
                        noise |> Array.filter (fun value -> abs (float value) > limit) |> Array.length

                    Expect.isLessThan (abs (float beyond / count - share)) (0.03 * share + 0.0005) $"beyond %g{limit}"

                // Neighbours, and numbers that are made together, know nothing of each other.
                for apart in [ 1; 2; 8; 15; 16; 31; 32; 50 ] do
                    let together =
                        Array.init (noise.Length - apart) (fun i -> float noise[i] * float noise[i + apart])

                    Expect.isLessThan (abs (Array.average together)) 0.012 $"%d{apart} apart"

                let distinct = noise |> Array.distinct |> Array.length
                Expect.isGreaterThan distinct (noise.Length * 97 / 100) "distinct"
            }

            test "noise goes on from channel to channel, and the same seed gives the same" {
                let image = Image.create 2 (Extent.plane 5 7) (Array.zeroCreate 70)

                let noise (seed: int) =
                    (Intensity.noise 1.0 (Seed.rng (Seed.ofInt seed)) image).Data

                Expect.equal (noise 4) (noise 4) "same"
                Expect.notEqual (noise 5) (noise 4) "another seed"
                let channels = noise 4
                Expect.notEqual channels[..34] channels[35..] "channels"
            }

            test "brightness multiplies each channel" {
                let image = Image.create 2 (Extent.plane 1 2) [| 1f; 2f; 3f; 4f |]
                near [| 2f; 4f; 1.5f; 2f |] (Intensity.brightness [| 2.0; 0.5 |] image).Data "values"
            }

            test "contrast stretches about the mean and stays within the range" {
                near
                    [| 0.5f; 1.0f; 2.25f; 4.25f |]
                    (Intensity.contrast [| 0.5 |] (line [ -1f; 0f; 2.5f; 6.5f ])).Data
                    "halved about 2"

                near
                    [| -1f; -1f; 3f; 6.5f |]
                    (Intensity.contrast [| 2.0 |] (line [ -1f; 0f; 2.5f; 6.5f ])).Data
                    "doubled about 2, cut"
            }

            test "gamma by hand, before its statistics are restored" {
                // 0, 1/2, 1 squared is 0, 1/4, 1: mean 5/12, deviation sqrt(13/48); restored to mean 1/2, deviation 1/2.
                let restore (value: float) =
                    float32 ((value - 5.0 / 12.0) * 0.5 / sqrt (13.0 / 48.0) + 0.5)

                near
                    [| restore 0.0; restore 0.25; restore 1.0 |]
                    (Intensity.gamma false [| 2.0 |] (line [ 0f; 0.5f; 1f ])).Data
                    "values"
            }

            test "gamma keeps mean and standard deviation, and the order of values" {
                let image = random (Extent.plane 9 9) 3

                for inverted in [ false; true ] do
                    let changed = Intensity.gamma inverted [| 1.4; 0.7 |] image

                    for channel in 0..1 do
                        let part (image: Image) = (Image.channel channel image).ToArray()
                        let mean, deviation = moments (part image)
                        let newMean, newDeviation = moments (part changed)
                        Expect.floatClose { absolute = 1e-4; relative = 0.0 } newMean mean "mean"
                        Expect.floatClose { absolute = 1e-4; relative = 0.0 } newDeviation deviation "deviation"

                        let order (values: float32[]) =
                            Array.sortBy (fun i -> values[i]) [| 0..80 |]

                        Expect.equal (order (part changed)) (order (part image)) "order"
            }

            for inverted in [ false; true ] do
                for exponent in [ 0.7; 1.0; 1.5 ] do
                    test $"gamma by its definition (%b{inverted}, %g{exponent})" {
                        let image = random (Extent.plane 37 41) 7
                        let changed = Intensity.gamma inverted [| exponent; exponent |] image
                        let count = image.Extent.Count
                        near (raised inverted exponent image.Data[.. count - 1]) changed.Data[.. count - 1] "first"
                        near (raised inverted exponent image.Data[count..]) changed.Data[count..] "second"
                    }

            test "gamma of an inverted image is the gamma of its negative, negated; a constant image stays" {
                let image = random (Extent.plane 5 5) 4

                let negate (image: Image) =
                    { image with
                        Data = Array.map (fun value -> -value) image.Data
                    }

                let exponents = [| 1.3; 0.8 |]

                near
                    (negate (Intensity.gamma false exponents (negate image))).Data
                    (Intensity.gamma true exponents image).Data
                    "inverted"

                near [| 3f; 3f; 3f |] (Intensity.gamma false [| 1.5 |] (line [ 3f; 3f; 3f ])).Data "constant"
            }

            test "kernels have nnU-Net's widths and sum to 1" {
                let widths = [ 0.5, 3; 0.58, 3; 0.59, 5; 0.9, 5; 0.92, 7; 1.0, 7 ]

                for sigma, width in widths do
                    let kernel = Intensity.kernel sigma
                    Expect.equal kernel.Length width $"sigma %g{sigma}"
                    Expect.floatClose Accuracy.medium (kernel |> Array.sumBy float) 1.0 "sum"
            }

            for extent in [ Extent.plane 12 13; Extent.space 9 10 11 ] do
                test $"a single bright voxel is blurred to the product of the kernels (%O{extent})" {
                    let data = Array.zeroCreate<float32> extent.Count
                    let centre = extent.Shape |> List.map (fun length -> length / 2)

                    let at (position: int list) =
                        Extent.index
                            extent
                            (if extent.Rank = 3 then position.Head else 0)
                            position[extent.Rank - 2]
                            position[extent.Rank - 1]

                    data[at centre] <- 1.0f
                    let sigmas = [ 0.5; 0.8; 1.0 ] |> List.skip (3 - extent.Rank)
                    let blurred = Intensity.blur 0 sigmas (Image.create 1 extent data)
                    let offset = [ 1; -1; 2 ] |> List.skip (3 - extent.Rank)

                    let weight =
                        List.map2
                            (fun sigma shift ->
                                let kernel = Intensity.kernel sigma
                                kernel[kernel.Length / 2 + shift])
                            sigmas
                            offset
                        |> List.fold (*) 1.0f

                    near [| weight |] [| blurred.Data[at (List.map2 (+) centre offset)] |] "weight"
                    Expect.floatClose Accuracy.low (blurred.Data |> Array.sumBy float) 1.0 "sum"
                }

            for extent in
                [
                    Extent.plane 30 100
                    Extent.plane 3 20
                    Extent.space 6 21 70
                    Extent.space 2 3 5
                ] do
                test $"a blur by its definition (%O{extent})" {
                    let rng = Seed.rng (Seed.ofInt 8)

                    let image =
                        Image.create 1 extent (Array.init extent.Count (fun _ -> float32 (rng.Gaussian())))

                    for sigmas in [ [ 1.0; 0.5; 0.8 ]; [ 0.6; 1.7; 1.0 ] ] do
                        let sigmas = sigmas |> List.skip (3 - extent.Rank)
                        near (blurred sigmas image) (Intensity.blur 0 sigmas image).Data $"%A{sigmas}"
                }

            test "at the border a blur mirrors the image without repeating the border" {
                let kernel = Intensity.kernel 0.5
                let blurred = Intensity.blur 0 [ 0.0; 0.5 ] (line [ 1f; 10f; 100f ])

                near
                    [|
                        kernel[1] + 20f * kernel[0]
                        10f * kernel[1] + 101f * kernel[0]
                        100f * kernel[1] + 20f * kernel[0]
                    |]
                    blurred.Data
                    "values"
            }

            test "a blur of a short or constant image leaves a constant, and other channels alone" {
                let constant = Image.create 2 (Extent.plane 2 1) [| 5f; 5f; 1f; 2f |]
                near [| 5f; 5f; 1f; 2f |] (Intensity.blur 0 [ 1.0; 1.0 ] constant).Data "values"
            }

            test "a low resolution takes the nearest pixels and joins them linearly" {
                let low = Intensity.lowResolution 0 [ 1.0; 0.5 ] (line [ 0f; 1f; 2f; 3f ])
                near [| 1f; 1.5f; 2.5f; 3f |] low.Data "values"
                let image = random (Extent.space 4 5 6) 5
                near image.Data (Intensity.lowResolution 1 [ 1.0; 1.0; 1.0 ] image).Data "factor 1"
                let low = Intensity.lowResolution 1 [ 0.5; 0.6; 0.7 ] image
                Expect.equal low.Data[..119] image.Data[..119] "the other channel"
            }
        ]
