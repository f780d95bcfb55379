namespace SkeletonRecall

open TorchSharp

/// The soft skeleton: what remains of an image of probabilities under rounds of erosion and opening, made of smallest and
/// largest neighbours, so that it can be differentiated (Shit et al., "clDice - a Novel Topology-Preserving Loss Function
/// for Tubular Structure Segmentation", CVPR 2021, arXiv 2003.07311).
[<RequireQualifiedAccess>]
module SoftSkeleton =

    let private largest (spatial: int) (kernel: int64 list) (image: Tensor) : Tensor =
        let size = List.toArray kernel
        let padding = size |> Array.map (fun width -> width / 2L)
        let ones = Array.create spatial 1L

        if spatial = 2 then
            torch.nn.functional.max_pool2d (image, size, ones, padding)
        else
            torch.nn.functional.max_pool3d (image, size, ones, padding)

    /// The smallest of a voxel and its neighbours along the axes.
    let private erode (spatial: int) (image: Tensor) : Tensor =
        let negative = image.neg ()

        List.init spatial (fun axis ->
            let kernel = List.init spatial (fun other -> if other = axis then 3L else 1L)
            (largest spatial kernel negative).neg())
        |> List.reduce (fun left right -> torch.minimum (left, right))

    /// The largest of a voxel and all its neighbours.
    let private dilate (spatial: int) (image: Tensor) : Tensor =
        largest spatial (List.replicate spatial 3L) image

    /// Throws ArgumentException for a number of rounds below 0.
    let internal requireIterations (iterations: int) : unit =
        if iterations < 0 then
            invalidArg (nameof iterations) $"The rounds of erosion number at least 0; got %d{iterations}."

    /// The soft skeleton of probabilities (B, C, y, x) or (B, C, z, y, x), of the same shape and type, values in 0..1.
    /// Each channel is an image of its own. `iterations` is the number of erosions, which should reach the largest radius
    /// in voxels; the result of 0 is what one opening takes away. Gradients flow; memory grows with the iterations.
    /// Throws ArgumentException for a negative number and for other than two or three spatial axes.
    let ofProbabilities (iterations: int) (probabilities: Tensor) : Tensor =
        requireIterations iterations
        let spatial = int (probabilities.dim ()) - 2

        if spatial <> 2 && spatial <> 3 then
            invalidArg
                (nameof probabilities)
                $"Soft skeletons are of planes and volumes, (batch, channel, spatial...); got the shape %s{Tensors.shapeText probabilities.shape}."

        let topHat (image: Tensor) : Tensor =
            (image - dilate spatial (erode spatial image)).relu()

        let rec thin (left: int) (image: Tensor) (skeleton: Tensor) : Tensor =
            if left = 0 then
                skeleton
            else
                let eroded = erode spatial image
                let found = topHat eroded
                thin (left - 1) eroded (KeptScalar.Sum(skeleton, (found - skeleton * found).relu()))

        Tensors.scoped (fun () -> thin iterations probabilities (topHat probabilities))
