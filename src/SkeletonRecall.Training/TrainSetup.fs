namespace SkeletonRecall.Training

open SkeletonRecall

/// Weights that a run begins with.
type PretrainedWeights =
    {
        /// Where they came from; for messages.
        Path: string
        Weights: NamedArray list
        /// Whether the heads (`seg_layers`) are taken too; nnU-Net leaves them as they were drawn.
        WithHeads: bool
    }

/// What a run trains: the recipe, the plan and the data set.
type TrainSetup =
    {
        Options: TrainOptions
        /// The configuration's name in its plans; `2d`, `3d_fullres`.
        Name: string
        Configuration: Configuration
        /// Axis i of prepared images is axis `Transpose[i]` of the files; see `Plans`.
        Transpose: int list
        Dataset: Dataset
        /// How patches are augmented; its mirroring follows the options.
        Augment: AugmentOptions
        /// Axes along which patches are mirrored, where the options mirror; None for all of them.
        MirrorAxes: int list option
        /// Weights to begin with; None for drawn ones.
        Pretrained: PretrainedWeights option
        /// A loss of one's own in place of the objective's: from the weights of the heads, finest first. The objective still
        /// says what targets are prepared with (tubes, supervision), and its terms are what the log shows. Who goes on with
        /// such a run gives the loss again: no file keeps it.
        Loss: (float list -> HeadLoss) option
    }

/// Making setups.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module TrainSetup =

    /// A setup with nnU-Net's augmentation, axes as in the files and drawn weights. The configuration is called `2d` or
    /// `3d_fullres`, by its patch.
    let create (options: TrainOptions) (configuration: Configuration) (dataset: Dataset) : TrainSetup =
        {
            Options = options
            Name =
                if configuration.PatchSize.Length = 2 then
                    "2d"
                else
                    "3d_fullres"
            Configuration = configuration
            Transpose = [ 0; 1; 2 ]
            Dataset = dataset
            Augment = Augment.options
            MirrorAxes = None
            Pretrained = None
            Loss = None
        }

    /// The setup with a loss of one's own on the finest head and another, or the same, on the coarser ones, times their
    /// weights. Targets of coarser heads have a skeleton only where the objective's supervision is of all heads.
    let withLoss (finest: Loss) (coarser: Loss) (setup: TrainSetup) : TrainSetup =
        let heads (weights: float list) : HeadLoss =
            weights
            |> List.mapi (fun head weight -> weight, (if head = 0 then finest else coarser))
            |> Loss.deepSupervision

        { setup with Loss = Some heads }

    /// The axes along which training mirrors and prediction may. Throws ArgumentException for axes that the patch lacks.
    let mirrorAxes (setup: TrainSetup) : int list =
        let all = [ 0 .. setup.Configuration.PatchSize.Length - 1 ]

        if not setup.Options.Mirror then
            []
        else
            match setup.MirrorAxes with
            | None -> all
            | Some axes when axes |> List.forall (fun axis -> List.contains axis all) -> List.distinct axes |> List.sort
            | Some axes -> invalidArg (nameof setup) $"A patch of %d{all.Length} axes has no mirror axes %A{axes}."

    /// The labels that make up each region; none where labels are classes.
    let regions (setup: TrainSetup) : int16 list list =
        setup.Dataset.Regions
        |> List.map (fun region -> region.Labels |> List.map int16)

    /// The network's outputs: classes with the background, or regions.
    let outputs (setup: TrainSetup) : int = Dataset.outputs setup.Dataset

/// Beginning with weights that were trained before.
[<RequireQualifiedAccess>]
module Pretrained =

    let private isHead (name: string) : bool = name.Contains ".seg_layers."

    /// Copies pretrained weights into a network; heads only where asked for. Every other parameter must be there with the
    /// network's shape: a problem that names file, parameter, what came and what was wanted otherwise. What the file holds
    /// beyond that is left alone.
    let into (pretrained: PretrainedWeights) (network: Network) : Result<unit, Problem> =
        let isTaken (name: string) =
            pretrained.WithHeads || not (isHead name)

        let known = Network.parameters network |> List.map fst |> Set.ofList

        let taken =
            pretrained.Weights
            |> List.filter (fun array -> isTaken array.Name && known.Contains array.Name)

        let kept =
            Network.weights network |> List.filter (fun array -> not (isTaken array.Name))

        Network.load (taken @ kept) network
        |> Result.mapError (fun (name, got, wanted) ->
            Mismatch($"%s{pretrained.Path}, parameter %s{name}", got, wanted))
