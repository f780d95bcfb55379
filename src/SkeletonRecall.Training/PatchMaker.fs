namespace SkeletonRecall.Training

open System.Buffers
open SkeletonRecall

/// Patches of nnU-Net's augmentation, made where they will lie in a batch: what `Sampler.cut` and `Augment.standard` come to,
/// with the same random numbers, but of a case only the part that the patch will show is read, and nothing is copied.
[<RequireQualifiedAccess>]
module internal PatchMaker =

    // The origin of a part, of which a patch of fewer axes than its case has no entry for the first ones.
    let private moved (origin: int list) (by: int list) : int list =
        List.map2 (+) origin (List.replicate (origin.Length - by.Length) 0 @ by)

    let private resample
        (transform: Spatial.Transform)
        (initial: Extent)
        (origin: int list)
        (prepared: Prepared)
        (canvas: Canvas)
        : unit =
        let struct (corner, extent) = Spatial.shown initial canvas.Extent transform

        let source =
            {
                Channels = canvas.Channels
                Extent = extent
                Image = ArrayPool<float32>.Shared.Rent(canvas.Channels * extent.Count)
                ImageStart = 0
                Labels = ArrayPool<int16>.Shared.Rent extent.Count
                LabelStart = 0
            }

        try
            prepared.CutInto (moved origin (List.skip (3 - extent.Rank) (List.ofArray corner))) source
            Spatial.resampleInto initial corner transform source canvas
        finally
            ArrayPool<float32>.Shared.Return source.Image
            ArrayPool<int16>.Shared.Return source.Labels

    /// Fills the canvas, of the final size, with a patch of the case, and gives what else its tube is made of. Sizes and
    /// errors as `Sampler.cut` has them.
    let make
        (options: AugmentOptions)
        (initial: int list)
        (final: int list)
        (forcedForeground: bool)
        (rng: Rng)
        (prepared: Prepared)
        (canvas: Canvas)
        : BatchPart =
        let origin = Sampler.origin initial final forcedForeground rng prepared
        let whole = Extent.ofShape initial
        let size = canvas.Extent
        let skeleton = prepared.Skeleton |> Option.map (CaseSkeleton.cut whole origin)

        let skeleton =
            match Augment.drawTransform options final rng with
            | None ->
                prepared.CutInto (moved origin (Patch.middle whole size)) canvas
                skeleton |> Option.map (Patch.cropSkeleton whole size)
            | Some transform ->
                resample transform whole origin prepared canvas
                skeleton |> Option.map (Spatial.mapSkeleton transform)

        Augment.changeInPlace options rng canvas
        let flips = Spatial.flipsOf (Augment.drawMirror options rng size.Rank)

        if Array.contains true flips then
            Spatial.mirrorInPlace flips canvas

        Augment.removeOutsideInPlace canvas

        {
            Spacing = Patch.spacing size.Rank prepared.Spacing
            Skeleton =
                skeleton
                |> Option.map (fun skeleton ->
                    if Array.contains true flips then
                        PatchSkeleton.mirror flips skeleton
                    else
                        skeleton)
        }
