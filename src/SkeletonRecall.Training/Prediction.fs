namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Networks that predict together: the folds of one model.
[<Sealed>]
type Model internal (checkpoints: Checkpoint list, networks: Network list) =
    /// What they were trained as: the first one's checkpoint.
    member _.Checkpoint: Checkpoint = checkpoints.Head

    /// How many there are.
    member _.Count: int = networks.Length

    member internal _.Networks: Network list = networks

    interface IDisposable with
        /// Frees the networks.
        member _.Dispose() : unit =
            for network in networks do
                network.Module.Dispose()

/// What is predicted of an image.
type PredictedCase =
    {
        /// As the image was read: its axes and spacing; what preprocessing cut away is 0.
        Labels: LabelMap
        /// Probabilities (channels, spatial...) in the same axes, where they were asked for; what preprocessing cut away is
        /// background.
        Probabilities: float32[] option
    }

/// What the first stage of a cascade said of an image.
type FirstStageMap =
    /// In the voxels of the file's image.
    | InFile of LabelMap
    /// In the voxels that preprocessing for the second stage leaves.
    | InPrepared of LabelMap

/// From an image as it was read to its label map, with trained networks: prepared as training's cases were, covered with
/// tiles, resampled back, and put where it was cut out of.
[<RequireQualifiedAccess>]
module Prediction =

    let private requireAlike (first: Checkpoint) (other: Checkpoint) : Result<unit, Problem> =
        let network (checkpoint: Checkpoint) =
            let configuration = checkpoint.Configuration
            configuration.Architecture, configuration.PatchSize, FirstStage.inputs configuration checkpoint.Dataset

        if Dataset.outputs other.Dataset <> Dataset.outputs first.Dataset then
            Error(
                Mismatch(
                    $"%s{other.Path}, outputs",
                    string (Dataset.outputs other.Dataset),
                    $"%d{Dataset.outputs first.Dataset}, as %s{first.Path} has"
                )
            )
        elif network other <> network first then
            Error(Mismatch(other.Path, "another network or patch", $"those of %s{first.Path}, to be averaged with it"))
        else
            Ok()

    /// The model of checkpoints in memory, whose logits are averaged, on a device, with convolutions in a precision. A problem
    /// for those that cannot be averaged, and for a device that is not there. Throws ArgumentException for none.
    let ofCheckpointsOn
        (device: Device)
        (precision: Precision)
        (checkpoints: Checkpoint list)
        : Result<Model, Problem> =
        if checkpoints.IsEmpty then
            invalidArg (nameof checkpoints) "A model has at least one checkpoint; got none."

        Problem.attempt {
            do! Device.require device
            do! Precision.require device precision

            for other in checkpoints.Tail do
                do! requireAlike checkpoints.Head other

            let! networks = checkpoints |> Problem.traverse Checkpoint.network

            let placed =
                networks
                |> List.map (Network.toDevice (Device.toTorch device) >> Network.inPrecision precision)

            return new Model(checkpoints, placed)
        }

    /// The same on the processor, in single precision.
    let ofCheckpoints (checkpoints: Checkpoint list) : Result<Model, Problem> =
        ofCheckpointsOn Device.Cpu Precision.Float32 checkpoints

    /// Loads the checkpoints of the folds to be averaged, ours or Python's (`ModelFile.load`), onto a device. A problem for a
    /// file that is missing or damaged, and as of `ofCheckpointsOn`. Throws ArgumentException for none.
    let loadOn (device: Device) (precision: Precision) (paths: string list) : Result<Model, Problem> =
        paths
        |> Problem.traverse ModelFile.load
        |> Result.bind (ofCheckpointsOn device precision)

    /// The same on the processor, in single precision.
    let load (paths: string list) : Result<Model, Problem> =
        loadOn Device.Cpu Precision.Float32 paths

    /// The model as an engine: the mean of its networks' logits. What it gives holds until the next call; for one thread.
    let engine (model: Model) : Predict =
        model.Networks |> List.map Inference.reusing |> Engine.average

    /// What the outputs of a data set's networks mean.
    let outputs (dataset: Dataset) : Outputs =
        if Dataset.hasRegions dataset then
            Outputs.Regions(dataset.Regions |> List.map (fun region -> region.Paint))
        else
            Outputs.Classes

    // One channel of the part that was cut out, in the file's axes; `outside` is everywhere else.
    let private restoreChannel
        (properties: CaseProperties)
        (outside: float32)
        (part: Image)
        (channel: int)
        : float32[] =
        let before = CaseProperties.beforeCropping properties
        let box = properties.Box
        let whole = Array.create before.Count outside

        for slice in 0 .. part.Extent.Depth - 1 do
            for row in 0 .. part.Extent.Height - 1 do
                let into =
                    Extent.index before (box.FirstSlice + slice) (box.FirstRow + row) box.FirstColumn

                let from = channel * part.Extent.Count + Extent.index part.Extent slice row 0
                Array.Copy(part.Data, from, whole, into, part.Extent.Width)

        if properties.Transpose = [ 0; 1; 2 ] then
            whole
        else
            let result = Array.zeroCreate<float32> whole.Length
            Axes.copyBox (Axes.inverse properties.Transpose) before (Crop.whole before) whole 0 result 0
            result

    let private restoreProbabilities (outputs: Outputs) (properties: CaseProperties) (part: Image) : float32[] =
        let outside (channel: int) =
            match outputs with
            | Outputs.Classes when channel = 0 -> 1.0f
            | _ -> 0.0f

        Array.init part.Channels (fun channel -> restoreChannel properties (outside channel) part channel)
        |> Array.concat

    /// From a prepared image and its way back to its prediction.
    let internal ofPrepared
        (options: InferenceOptions)
        (withProbabilities: bool)
        (checkpoint: Checkpoint)
        (predict: Predict)
        (prepared: Image, properties: CaseProperties)
        : PredictedCase =
        let configuration = checkpoint.Configuration
        let outputs = outputs checkpoint.Dataset
        let channels = Dataset.outputs checkpoint.Dataset

        let grid =
            {
                Resampling = configuration.Resampling
                Extent = CaseProperties.afterCropping properties
                Spacing = CaseProperties.spacing properties
            }

        let patch = Extent.ofShape configuration.PatchSize

        if withProbabilities then
            let labels, probabilities =
                Inference.probabilitiesAt options outputs grid patch channels predict prepared

            let part = Image.create channels grid.Extent probabilities

            {
                Labels = Preprocess.restore properties labels
                Probabilities = Some(restoreProbabilities outputs properties part)
            }
        else
            {
                Labels =
                    Inference.labelsAt options outputs grid patch channels predict prepared
                    |> Preprocess.restore properties
                Probabilities = None
            }

    /// A problem where a checkpoint is no second stage of a cascade.
    let requireSecondStage (checkpoint: Checkpoint) : Result<unit, Problem> =
        if checkpoint.Configuration.PreviousStage.IsNone then
            Error(
                Mismatch(
                    checkpoint.Path,
                    $"predictions of a first stage for %s{checkpoint.ConfigurationName}",
                    "none beside it: it is no second stage of a cascade"
                )
            )
        else
            Ok()

    /// An image as a checkpoint's network sees it, and what leads back. Problems as of `Preprocess.image`, and for the second stage of a
    /// cascade, which sees more than the image.
    let prepare (checkpoint: Checkpoint) (id: CaseId) (image: Image) : Result<Image * CaseProperties, Problem> =
        match checkpoint.Configuration.PreviousStage with
        | Some previous ->
            Error(
                Mismatch(
                    checkpoint.Path,
                    $"the second stage of a cascade without its first, %s{previous}",
                    $"the label maps that %s{previous} predicts of the same images: -prev_stage_predictions FOLDER"
                )
            )
        | None -> Preprocess.image checkpoint.Transpose checkpoint.Configuration id image

    /// The prediction of an image as it was read. Without probabilities, memory is bounded by the planes under one layer of
    /// tiles. A problem, which names the case, where the image cannot be prepared as the model's were: other channels, a
    /// plane for a model of volumes, values that are no numbers; and for the second stage of a cascade, which `secondStage` serves.
    /// `id` names it.
    let case
        (options: InferenceOptions)
        (withProbabilities: bool)
        (checkpoint: Checkpoint)
        (predict: Predict)
        (id: CaseId)
        (image: Image)
        : Result<PredictedCase, Problem> =
        prepare checkpoint id image
        |> Result.map (ofPrepared options withProbabilities checkpoint predict)

    /// The prediction of an image by the second stage of a cascade, from what the first stage said of it. Problems as of `case`,
    /// for a map of another size, and for a checkpoint that is no second stage.
    let secondStage
        (options: InferenceOptions)
        (withProbabilities: bool)
        (checkpoint: Checkpoint)
        (predict: Predict)
        (id: CaseId)
        (first: FirstStageMap)
        (image: Image)
        : Result<PredictedCase, Problem> =
        let configuration = checkpoint.Configuration

        let prepared =
            match first with
            | InFile labels -> Preprocess.imageWith checkpoint.Transpose configuration id labels image
            | InPrepared labels ->
                Preprocess.image checkpoint.Transpose configuration id image
                |> Result.map (fun (prepared, properties) -> prepared, labels, properties)

        Problem.attempt {
            do! requireSecondStage checkpoint
            let! prepared, labels, properties = prepared

            if labels.Extent <> prepared.Extent then
                return!
                    Error(
                        Mismatch(
                            $"case %s{CaseId.value id}",
                            $"a first stage of %O{labels.Extent}",
                            $"%O{prepared.Extent}, as the case has after preprocessing: predict with the first stage again"
                        )
                    )
            else
                let seen = FirstStage.append (FirstStage.labels checkpoint.Dataset) labels prepared
                return ofPrepared options withProbabilities checkpoint predict (seen, properties)
        }
