namespace SkeletonRecall.Training

/// The U-Net that a planner makes for a patch, and what its feature maps take.
[<RequireQualifiedAccess>]
module FeatureMaps =

    // nnU-Net's limit for volumes.
    let private mostFeaturesInSpace = 320

    // Residual blocks of each stage; deeper ones have as many as the last.
    let private residualBlocks (stages: int) : int list =
        List.init stages (fun stage -> [ 1; 3; 4; 6 ][min stage 3])

    let internal product (size: float list) : float = List.fold (*) 1.0 size

    let internal voxels (size: int list) : float = size |> List.map float |> product

    /// The network for a patch.
    let architecture (options: PlannerOptions) (pooling: Pooling) : Architecture =
        let stages = pooling.Strides.Length

        let most =
            if pooling.PatchSize.Length = 2 then
                options.MaxFeatures
            else
                min mostFeaturesInSpace options.MaxFeatures

        let blocks = (PlannerBudget.ofKind options.Kind).Blocks

        {
            Blocks = blocks
            FeaturesPerStage = List.init stages (fun stage -> min most (options.BaseFeatures <<< min stage 20))
            KernelSizes = pooling.KernelSizes
            Strides = pooling.Strides
            ConvsPerStage =
                match blocks with
                | Plain -> List.replicate stages options.ConvsPerStage
                | Residual -> residualBlocks stages
            ConvsPerStageDecoder =
                match blocks with
                | Plain -> List.replicate (stages - 1) options.ConvsPerStage
                | Residual -> List.replicate (stages - 1) 1
        }

    /// Values in all feature maps of a U-Net for one patch: nnU-Net's measure of memory. `classes` counts every entry of
    /// the data set's labels.
    let ofNetwork (network: Architecture) (patch: int list) (classes: int) : float =
        let sizes =
            network.Strides
            |> List.scan (List.map2 (/)) patch
            |> List.tail
            |> List.map voxels

        let stages =
            List.map2 (fun features size -> float features * size) network.FeaturesPerStage sizes

        let encoder =
            match network.Blocks with
            | Plain ->
                List.map2 (fun convs values -> float convs * values) network.ConvsPerStage stages
                |> List.sum
            | Residual ->
                // The stem; then two convolutions per block, and one more where the shortcut changes size or features.
                let before = network.FeaturesPerStage.Head :: network.FeaturesPerStage

                stages.Head
                + (List.zip
                    (List.zip network.ConvsPerStage stages)
                    (List.zip network.Strides (List.zip before[.. stages.Length - 1] network.FeaturesPerStage))
                   |> List.sumBy (fun ((blocks, values), (stride, (before, after))) ->
                       let hasProjection =
                           before <> after || List.exists (fun stride -> stride <> 1) stride

                       values * (2.0 * float blocks + (if hasProjection then 1.0 else 0.0))))

        // Every stage but the deepest is met again, by a transposed convolution and the decoder's others.
        let decoder =
            List.map2
                (fun convs values -> (float convs + 1.0) * values)
                network.ConvsPerStageDecoder
                (List.take (stages.Length - 1) stages)
            |> List.sum

        encoder + decoder + float classes * sizes.Head

    /// The same of the network that the options make.
    let count (options: PlannerOptions) (classes: int) (pooling: Pooling) : float =
        ofNetwork (architecture options pooling) pooling.PatchSize classes
