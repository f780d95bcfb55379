namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Noise and blur for generated images, in planes and volumes.
[<RequireQualifiedAccess>]
module internal Texture =

    // Along one axis, whose neighbours lie `step` apart and of which there are `length`; the border is repeated.
    let private sweep (kernel: float32[]) (step: int) (length: int) (source: float32[]) : float32[] =
        let reach = kernel.Length / 2

        Array.init source.Length (fun index ->
            let at = index / step % length
            let mutable sum = 0.0f

            for offset in -reach .. reach do
                let place = Math.Clamp(at + offset, 0, length - 1)
                sum <- sum + kernel[offset + reach] * source[index + (place - at) * step]

            sum)

    /// A Gaussian's convolution along all axes; values as they are for a deviation of 0.
    let blur (deviation: float) (extent: Extent) (values: float32[]) : float32[] =
        if deviation <= 0.0 then
            values
        else
            let reach = int (ceil (3.0 * deviation))

            let bell =
                Array.init (2 * reach + 1) (fun i -> exp (-0.5 * (float (i - reach) / deviation) ** 2.0))

            let kernel = bell |> Array.map (fun value -> float32 (value / Array.sum bell))

            let flat =
                values |> sweep kernel 1 extent.Width |> sweep kernel extent.Width extent.Height

            if extent.Depth = 1 then
                flat
            else
                sweep kernel (extent.Width * extent.Height) extent.Depth flat

    /// Noise of mean 0 and deviation 1 whose grains are `size` voxels wide; white for 0.
    let grain (rng: Rng) (size: float) (extent: Extent) : float32[] =
        let noise =
            Array.init extent.Count (fun _ -> float32 (rng.Gaussian())) |> blur size extent

        let mean = Array.average noise

        let deviation =
            noise |> Array.averageBy (fun value -> (value - mean) * (value - mean)) |> sqrt

        noise |> Array.map (fun value -> (value - mean) / max 1e-6f deviation)

    /// Whole grey levels, from 0 to `most`.
    let levels (most: float32) (values: float32[]) : float32[] =
        values |> Array.map (fun value -> Math.Clamp(MathF.Round value, 0.0f, most))
