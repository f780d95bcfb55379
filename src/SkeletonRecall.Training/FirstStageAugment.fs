namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// How likely and how strong the first stage's channels are changed, so that the second stage does not come to trust them.
type FirstStageAugmentOptions =
    {
        /// Probability of dilating, eroding, closing or opening each label, in random order.
        BinaryOperator: float
        /// Range of the ball's radius in voxels, drawn for each label.
        Radius: float * float
        /// Probability of removing a part of each label.
        RemoveComponent: float
        /// Components that cover a larger share of the patch stay.
        LargestShare: float
    }

/// Random changes of the first stage's label maps (batchgeneratorsv2's ApplyRandomBinaryOperatorTransform and
/// RemoveRandomConnectedComponentFromOneHotEncodingTransform, as nnU-Net's trainer uses them).
[<RequireQualifiedAccess>]
module FirstStageAugment =

    /// nnU-Net's values.
    let standard: FirstStageAugmentOptions =
        {
            BinaryOperator = 0.4
            Radius = 1.0, 8.0
            RemoveComponent = 0.2
            LargestShare = 0.15
        }

    let private operators: (Element -> Mask -> Mask)[] =
        let dilate (ball: Element) : Mask -> Mask = Morphology.dilate ball 1
        let erode (ball: Element) : Mask -> Mask = Morphology.erode ball 1

        [|
            dilate
            erode
            fun ball -> dilate ball >> erode ball
            fun ball -> erode ball >> dilate ball
        |]

    let private shuffled (rng: Rng) (count: int) : int[] =
        let order = Array.init count id

        for last in count - 1 .. -1 .. 1 do
            let other = rng.NextInt(last + 1)
            let kept = order[last]
            order[last] <- order[other]
            order[other] <- kept

        order

    // Voxels that a label gains are taken from the others.
    let private changed (options: FirstStageAugmentOptions) (rng: Rng) (masks: Mask[]) : Mask[] =
        let masks = Array.copy masks

        for label in shuffled rng masks.Length do
            let operator = operators[rng.NextInt operators.Length]
            let before = masks[label]
            let after = operator (Element.Ball(rng.Uniform options.Radius)) before
            let gained = Mask.difference after before

            for other in 0 .. masks.Length - 1 do
                if other <> label then
                    masks[other] <- Mask.difference masks[other] gained

            masks[label] <- after

        masks

    // The mask without one of its components, of those that are small enough.
    let private thinned (options: FirstStageAugmentOptions) (rng: Rng) (mask: Mask) : Mask =
        let connectivity =
            if mask.Extent.Rank = 2 then
                Connectivity.Eight
            else
                Connectivity.TwentySix

        let struct (components, count) = Components.label connectivity mask
        let sizes = Array.zeroCreate<int>(count + 1)

        for part in components.Data do
            sizes[part] <- sizes[part] + 1

        let most = options.LargestShare * float mask.Extent.Count

        match [| 1..count |] |> Array.filter (fun part -> float sizes[part] < most) with
        | [||] -> mask
        | small ->
            let gone = small[rng.NextInt small.Length]

            Mask.difference mask (Mask.ofVolume (fun part -> part = gone) components)

    /// The maps of the labels (a mask each, of a patch) after both changes. Masks stay disjoint where they were.
    let masks (options: FirstStageAugmentOptions) (rng: Rng) (masks: Mask[]) : Mask[] =
        let masks =
            if rng.Chance options.BinaryOperator then
                changed options rng masks
            else
                masks

        if rng.Chance options.RemoveComponent then
            masks |> Array.map (thinned options rng)
        else
            masks

    /// A change of a patch's first stage, for the given labels; a patch without one stays as it is, and draws no number.
    let apply (options: FirstStageAugmentOptions) (labels: int16 list) (rng: Rng) (patch: Patch) : Patch =
        match patch.FirstStage with
        | None -> patch
        | Some map ->
            // Radii are in voxels, whatever their size.
            let ofLabel (label: int16) : Mask =
                Mask.ofVolume (fun value -> value = label) map
                |> Mask.withSpacing (Spacing.unit map.Extent.Rank)

            let result = Array.zeroCreate<int16> map.Extent.Count

            labels
            |> List.map ofLabel
            |> Array.ofList
            |> masks options rng
            |> Array.iteri (fun number mask ->
                let inside = (Mask.toVolume mask).Data
                let label = labels[number]

                for voxel in 0 .. inside.Length - 1 do
                    if inside[voxel] <> 0uy then
                        result[voxel] <- label)

            { patch with
                FirstStage = Some(Volume.create map.Extent result |> Volume.withSpacing map.Spacing)
            }
