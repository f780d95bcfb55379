namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open SkeletonRecall

/// A run at one point: enough alone to predict and to go on.
type Checkpoint =
    {
        /// The file that it was read from or written to; empty for neither. For messages.
        Path: string
        /// The network's parameters.
        Weights: NamedArray list
        /// The optimizer's momentum, under the names of the parameters that have it.
        Momentum: NamedArray list
        /// The configuration's name in its plans; `2d`, `3d_fullres`.
        ConfigurationName: string
        /// How cases are prepared and which network sees them.
        Configuration: Configuration
        /// Axis i of prepared images is axis `Transpose[i]` of the files; see `Plans`.
        Transpose: int list
        /// Channels and labels.
        Dataset: Dataset
        /// How the run trains; the objective is among them.
        Options: TrainOptions
        /// Epochs that are done; also the number of the next one.
        Epoch: int
        /// Training iterations that are done of the next epoch; 0 unless the run was stopped inside it.
        Iteration: int
        /// Sum of the losses of those.
        LossSum: float
        /// What each epoch came to, oldest first.
        History: EpochReport list
        /// Axes (0 = slowest of the patch) along which training mirrored and prediction may.
        MirrorAxes: int list
        /// Threads of torch that computed it, 0 where that is not known; a run that goes on with as many is the same bit for bit.
        Threads: int
        /// How feature maps lay in memory where it was computed, as `Network.memoryFormat` says it; empty where that is not known.
        MemoryFormat: string
    }

/// Checkpoints as safetensors files: weights under nnU-Net's names, momentum as `momentum.` and the parameter's name,
/// all else as JSON in the metadata.
[<RequireQualifiedAccess>]
module Checkpoint =

    let private format = "skeleton-recall checkpoint 1"
    let private momentumPrefix = "momentum."

    /// Plans in nnU-Net's form that hold the checkpoint's configuration alone: it needs no plans file beside it.
    let plans (checkpoint: Checkpoint) : Plans =
        let dataset, configuration = checkpoint.Dataset, checkpoint.Configuration
        let plane = configuration.PatchSize.Length = 2

        {
            DatasetName = dataset.Name
            PlansName = "nnUNetPlans"
            MedianSpacing =
                if plane then
                    999.0 :: configuration.Spacing
                else
                    configuration.Spacing
            MedianShape =
                List.map
                    float
                    (if plane then
                         1 :: configuration.PatchSize
                     else
                         configuration.PatchSize)
            ImageReader = if plane then "NaturalImage2DIO" else "SimpleITKIO"
            Transpose = checkpoint.Transpose
            // Whole: what it was written as a change of is not here.
            Configurations =
                Map.ofList
                    [
                        checkpoint.ConfigurationName,
                        { configuration with
                            InheritsFrom = None
                        }
                    ]
            Planner = "ExperimentPlanner"
            Intensities =
                configuration.Normalization
                |> List.indexed
                |> List.choose (fun (channel, scheme) ->
                    match scheme with
                    | Ct intensity -> Some(channel, intensity)
                    | _ -> None)
                |> Map.ofList
            NotServed = Map.empty
            Other = []
        }

    /// Writes a checkpoint beside its place and moves it there, so that a failure leaves what was there before.
    let save (path: string) (checkpoint: Checkpoint) : Result<unit, Problem> =
        let metadata =
            [
                "format", format
                "dataset", Dataset.print checkpoint.Dataset
                "plans", Plans.print (plans checkpoint)
                "objective", Objective.print checkpoint.Options.Objective
                "run", RunRecord.print checkpoint.Options checkpoint.History
                "epoch", checkpoint.Epoch.ToString CultureInfo.InvariantCulture
                "iteration", checkpoint.Iteration.ToString CultureInfo.InvariantCulture
                "loss_sum", checkpoint.LossSum.ToString("R", CultureInfo.InvariantCulture)
                "mirror_axes", String.Join(",", checkpoint.MirrorAxes)
                "threads", checkpoint.Threads.ToString CultureInfo.InvariantCulture
                "memory_format", checkpoint.MemoryFormat
                "number_format", Precision.print checkpoint.Options.Precision
            ]

        let momentum =
            checkpoint.Momentum
            |> List.map (fun array ->
                { array with
                    Name = momentumPrefix + array.Name
                })

        let content =
            {
                Metadata = Map.ofList metadata
                Tensors = List.map Safetensors.ofFloats (checkpoint.Weights @ momentum)
            }

        Files.writeAtomically path (fun stream -> Safetensors.write stream content)

    let private floats (path: string) (stored: StoredTensor) : Result<NamedArray, Problem> =
        match Safetensors.toFloats stored with
        | Some array -> Ok array
        | None -> Error(Unreadable(path, $"%s{stored.Name} holds no floating-point numbers"))

    let private decode (path: string) (content: Safetensors) : Result<Checkpoint, Problem> =
        let entry (key: string) : Result<string, Problem> =
            match content.Metadata.TryFind key with
            | Some text -> Ok text
            | None -> Error(Unreadable(path, $"it is no checkpoint of this program: its metadata lacks \"%s{key}\""))

        let number (key: string) (convert: string -> bool * 'T) : Result<'T, Problem> =
            entry key
            |> Result.bind (fun text ->
                match convert text with
                | true, value -> Ok value
                | _ -> Error(Unreadable(path, $"its metadata \"%s{key}\" is no number: %s{text}")))

        let integer (text: string) =
            Int32.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture)

        let real (text: string) =
            Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture)

        Problem.attempt {
            let! found = entry "format"

            if found <> format then
                return! Error(Mismatch($"%s{path}, format", found, format))
            else
                let! datasetText = entry "dataset"
                let! dataset = Dataset.parse path datasetText
                let! plansText = entry "plans"
                let! plans = Plans.parse path plansText
                let! runText = entry "run"
                let! options, history = RunRecord.parse path runText
                let! epoch = number "epoch" integer
                let! iteration = number "iteration" integer
                let! lossSum = number "loss_sum" real
                let! axesText = entry "mirror_axes"

                // Checkpoints of earlier versions lack it.
                let! threads =
                    if content.Metadata.ContainsKey "threads" then
                        number "threads" integer
                    else
                        Ok 0

                let axes =
                    axesText.Split(',', StringSplitOptions.RemoveEmptyEntries)
                    |> Array.map integer
                    |> Array.toList

                let! arrays = content.Tensors |> List.map (floats path) |> Problem.collect

                let momentum, weights =
                    arrays
                    |> List.partition (fun array -> array.Name.StartsWith(momentumPrefix, StringComparison.Ordinal))

                match Map.toList plans.Configurations with
                | [ name, configuration ] ->
                    return
                        {
                            Path = path
                            Weights = weights
                            Momentum =
                                momentum
                                |> List.map (fun array ->
                                    { array with
                                        Name = array.Name.Substring momentumPrefix.Length
                                    })
                            ConfigurationName = name
                            Configuration = configuration
                            Transpose = plans.Transpose
                            Dataset = dataset
                            Options = options
                            Epoch = epoch
                            Iteration = iteration
                            LossSum = lossSum
                            History = history
                            MirrorAxes = axes |> List.map snd
                            Threads = threads
                            MemoryFormat = content.Metadata.TryFind "memory_format" |> Option.defaultValue ""
                        }
                | _ -> return! Error(Unreadable(path, "its plans should hold one configuration"))
        }

    /// Reads a checkpoint from a stream; `path` names it in messages.
    let read (path: string) (stream: Stream) : Result<Checkpoint, Problem> =
        Safetensors.read path stream |> Result.bind (decode path)

    /// Reads a checkpoint. A file that is missing, truncated or of another kind is a problem that names it.
    let load (path: string) : Result<Checkpoint, Problem> =
        Safetensors.readFile path |> Result.bind (decode path)

    /// A checkpoint without weights and momentum, which are not read. Problems are those of `load`.
    let loadHeading (path: string) : Result<Checkpoint, Problem> =
        Safetensors.readMetadata path
        |> Result.bind (fun metadata -> decode path { Metadata = metadata; Tensors = [] })

    // The parameter, what came and what was wanted, as a problem of this checkpoint.
    let private mismatch (checkpoint: Checkpoint) (name: string, got: string, wanted: string) : Problem =
        let file =
            if checkpoint.Path = "" then
                "checkpoint"
            else
                checkpoint.Path

        Mismatch($"%s{file}, parameter %s{name}", got, wanted)

    let private names (dataset: Dataset) : string =
        let labels =
            if Dataset.hasRegions dataset then
                dataset.Regions
                |> List.map (fun region ->
                    let labels = region.Labels |> List.map string |> String.concat "+"
                    $"%s{region.Name} %s{labels}")
            else
                dataset.Labels |> List.map (fun (name, label) -> $"%s{name} %d{label}")

        labels @ (dataset.Ignore |> Option.map (sprintf "ignore %d") |> Option.toList)
        |> String.concat ", "

    // What must not change under a run, as text.
    let private plan (configuration: Configuration) : string =
        let list (values: 'T list) =
            values |> List.map string |> String.concat " x "

        let features =
            configuration.Architecture.FeaturesPerStage
            |> List.map string
            |> String.concat ", "

        let stage =
            configuration.PreviousStage
            |> Option.map (sprintf ", after %s")
            |> Option.defaultValue ""

        $"patches of %s{list configuration.PatchSize} at %s{list configuration.Spacing} mm for features %s{features}%s{stage}"

    /// A problem where a run cannot go on from a checkpoint: labels or channels are others than the data set's, or patch,
    /// spacing or network others than the plan's.
    let requireSame (configuration: Configuration) (dataset: Dataset) (checkpoint: Checkpoint) : Result<unit, Problem> =
        let own, ours = checkpoint.Dataset, checkpoint.Configuration

        if
            own.Labels <> dataset.Labels
            || own.Regions <> dataset.Regions
            || own.Ignore <> dataset.Ignore
        then
            Error(
                Mismatch(
                    $"%s{checkpoint.Path}, labels",
                    names own,
                    $"%s{names dataset}, as the data set has: train into another folder, or without --c"
                )
            )
        elif own.ChannelNames.Length <> dataset.ChannelNames.Length then
            Error(
                Mismatch(
                    $"%s{checkpoint.Path}, channels",
                    string own.ChannelNames.Length,
                    $"%d{dataset.ChannelNames.Length}, as the data set has"
                )
            )
        elif
            (ours.PatchSize, ours.Spacing, ours.Architecture, ours.PreviousStage)
            <> (configuration.PatchSize, configuration.Spacing, configuration.Architecture, configuration.PreviousStage)
        then
            Error(
                Mismatch(
                    $"%s{checkpoint.Path}, plan",
                    plan ours,
                    $"%s{plan configuration}, as the plans have now: train under plans of another name, or without --c"
                )
            )
        else
            Ok()

    /// Copies the weights into a network of the same shape; otherwise a problem that names file, parameter, the shape
    /// that came and the one wanted, and the network stays as it is.
    let into (network: Network) (checkpoint: Checkpoint) : Result<unit, Problem> =
        Network.load checkpoint.Weights network |> Result.mapError (mismatch checkpoint)

    /// Copies the momentum into an optimizer of a network of the same shape; a problem as of `into` otherwise.
    let intoOptimizer (optimizer: Optimizer) (checkpoint: Checkpoint) : Result<unit, Problem> =
        Optimizer.load checkpoint.Momentum optimizer
        |> Result.mapError (fun (name, got, wanted) -> mismatch checkpoint (momentumPrefix + name, got, wanted))

    /// The network that the checkpoint describes, with its weights.
    let network (checkpoint: Checkpoint) : Result<Network, Problem> =
        let network =
            Network.create
                checkpoint.Configuration.Architecture
                (FirstStage.inputs checkpoint.Configuration checkpoint.Dataset)
                (Dataset.outputs checkpoint.Dataset)
                (Seed.ofInt 0)

        into network checkpoint |> Result.map (fun () -> network)
