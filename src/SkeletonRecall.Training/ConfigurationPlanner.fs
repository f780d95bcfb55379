namespace SkeletonRecall.Training

open System

/// Planning one configuration; `Planner` is the public way.
[<RequireQualifiedAccess>]
module internal ConfigurationPlanner =

    let private smallestBatch = 2

    /// What a configuration is planned from.
    type Images =
        {
            Spacing: float list
            /// The median size at that spacing.
            Median: float list
            /// Voxels of all training images, as volumes.
            Voxels: float
        }

    let private referenceBatch (axes: int) : float = if axes = 2 then 12.0 else 2.0

    let private referenceValues (options: PlannerOptions) (axes: int) : float =
        let budget = PlannerBudget.ofKind options.Kind

        let values =
            if axes = 2 then
                budget.ValuesInPlane
            else
                budget.ValuesInSpace

        match options.MemoryTarget with
        | None -> values
        | Some memory -> values * (memory / budget.MemoryGigabytes)

    let private isTooLarge (options: PlannerOptions) (axes: int) (values: float) : bool =
        match (PlannerBudget.ofKind options.Kind).Blocks with
        // The default planner lets a patch grow until a batch of two fills the memory.
        | Plain -> values / referenceBatch axes * 2.0 > referenceValues options axes
        | Residual -> values > referenceValues options axes

    /// nnU-Net's search: the axis that is longest for the images gives up one divisor's worth until the network fits.
    let rec private shrink (options: PlannerOptions) (classes: int) (images: Images) (pooling: Pooling) : Pooling =
        let patch = pooling.PatchSize

        if not (isTooLarge options patch.Length (FeatureMaps.count options classes pooling)) then
            pooling
        else
            let shares =
                List.map2 (fun length median -> float length / median) patch images.Median

            let most = List.max shares
            let axis = List.findIndexBack (fun share -> share = most) shares

            let reduce (by: int list) : int list =
                patch |> List.mapi (fun i length -> if i = axis then length - by[i] else length)

            // The divisor of the smaller patch decides the step, so that 224 can come between 256 and 192.
            let smaller () =
                Pooling.topology
                    images.Spacing
                    (reduce (Pooling.topology images.Spacing (reduce pooling.Divisor)).Divisor)

            let next =
                if patch[axis] > pooling.Divisor[axis] then
                    Some(smaller ())
                else
                    None

            match next with
            | Some next when next.Strides.Length > 1 -> shrink options classes images next
            | _ ->
                let memory =
                    options.MemoryTarget
                    |> Option.defaultValue (PlannerBudget.ofKind options.Kind).MemoryGigabytes

                invalidArg
                    (nameof options)
                    $"No patch fits a memory of %g{memory} GB; a larger target or fewer features are wanted."

    // A first patch has as many voxels as a square of 2048 or a cube of 256, in the shape of a voxel's inverse.
    let private firstPatch (images: Images) : float list =
        let axes = images.Spacing.Length
        let volume = if axes = 2 then 2048.0 ** 2.0 else 256.0 ** 3.0
        let inverse = images.Spacing |> List.map (fun spacing -> 1.0 / spacing)
        let scale = (volume / FeatureMaps.product inverse) ** (1.0 / float axes)
        List.map2 (fun inverse median -> min (Math.Round(inverse * scale: float)) median) inverse images.Median

    let requireOptions (options: PlannerOptions) : unit =
        if
            options.BaseFeatures < 1
            || options.MaxFeatures < options.BaseFeatures
            || options.ConvsPerStage < 1
            || options.BatchSize |> Option.exists (fun size -> size < 1)
        then
            invalidArg
                (nameof options)
                $"Features, convolutions and batch size are at least 1, and the most features at least the first; got %A{options}."

        options.MemoryTarget
        |> Option.iter (fun memory ->
            if not (Double.IsFinite memory && memory > 0.0) then
                invalidArg (nameof options) $"A memory target is a positive number of GB; got %g{memory}.")

    /// One configuration. Throws ArgumentException for options out of range and where no patch has 8 voxels along an axis.
    let plan
        (options: PlannerOptions)
        (classes: int)
        (normalization: Normalization list)
        (images: Images)
        (identifier: string)
        (batchDice: bool)
        : Configuration =
        requireOptions options
        let axes = images.Spacing.Length

        let pooling =
            match options.PatchSize with
            | Some size when size.Length = axes -> Pooling.topology images.Spacing size
            | _ ->
                firstPatch images
                |> Pooling.ofSizes images.Spacing
                |> shrink options classes images

        if pooling.Strides.Length < 2 then
            invalidArg
                (nameof images)
                $"A U-Net needs a patch of at least 8 voxels along one axis; it would be %A{pooling.PatchSize}."

        let batch =
            match options.BatchSize with
            | Some size -> size
            | None ->
                let values = FeatureMaps.count options classes pooling

                let byMemory =
                    Math.Round(referenceValues options axes / values * referenceBatch axes)

                let byData =
                    Math.Round(
                        images.Voxels * (PlannerBudget.ofKind options.Kind).LargestShare
                        / FeatureMaps.voxels pooling.PatchSize
                    )

                max smallestBatch (int (min byMemory byData))

        {
            DataIdentifier = identifier
            PatchSize = pooling.PatchSize
            BatchSize = batch
            MedianSize = images.Median
            Spacing = images.Spacing
            Normalization = normalization
            Resampling = Resampling.standard
            BatchDice = batchDice
            Architecture = FeatureMaps.architecture options pooling
            InheritsFrom = None
            PreviousStage = None
            NextStages = []
        }

    /// The coarser configuration for images of which a full-resolution patch shows less than a quarter: the spacing grows by
    /// 3 % at a time until a patch shows that much. None where it would not be twice as coarse.
    let lowResolution
        (options: PlannerOptions)
        (classes: int)
        (normalization: Normalization list)
        (identifier: string)
        (trainingCount: int)
        (full: Configuration)
        : Configuration option =
        let rec coarsen (spacing: float list) (found: (Configuration * float) option) =
            let patch, shown =
                match found with
                | None -> full.PatchSize, FeatureMaps.product full.MedianSize
                | Some(low, voxels) -> low.PatchSize, voxels

            if FeatureMaps.voxels patch / shown >= 0.25 then
                found
            else
                let coarsest = List.max spacing
                let isFine = spacing |> List.map (fun spacing -> coarsest / spacing > 2.0)
                let any = List.contains true isFine

                let next =
                    List.map2
                        (fun spacing isFine -> if isFine || not any then spacing * 1.03 else spacing)
                        spacing
                        isFine

                let sizes =
                    List.map3 (fun full low size -> full / low * size) full.Spacing next full.MedianSize

                let shown = FeatureMaps.product sizes

                let images =
                    {
                        Spacing = next
                        Median = sizes |> List.map (fun size -> Math.Round(size: float))
                        Voxels = shown * float trainingCount
                    }

                let low =
                    { plan options classes normalization images identifier false with
                        NextStages = [ "3d_cascade_fullres" ]
                    }

                coarsen next (Some(low, shown))

        match coarsen full.Spacing None with
        | Some(low, shown) when FeatureMaps.product full.MedianSize / shown >= 2.0 -> Some low
        | _ -> None
