namespace SkeletonRecall.Training

open System.Text.Json
open SkeletonRecall

/// Which weights to find, and on what.
type WeighRequest =
    {
        Roots: Roots
        /// Number or name of a data set below `Roots.Raw`.
        Dataset: string
        /// A checkpoint's file; None for the network that the plans have, with drawn weights.
        Checkpoint: string option
        /// The configuration of a network with drawn weights. Where there are no plans, 2d is planned on the spot, as in
        /// training.
        Configuration: string
        /// The name of the plans that it is of.
        PlansName: string
        /// None for the checkpoint's, or the paper's without one.
        Objective: Objective option
        /// Batches to measure; at least 1.
        Batches: int
        /// The wanted ratio of a term's pull to that of the rest; above 0.
        Ratio: float
        /// Seed of the batches, and of the weights where there is no checkpoint.
        Seed: int
        /// Where it is computed.
        Device: Device
    }

/// What `Weighing.run` found.
type Weighed =
    {
        /// What was weighed; where the plan has batch Dice, with it.
        Objective: Objective
        /// The objective to go on with; None where there is nothing to weigh.
        Suggested: Objective option
        Report: WeightReport
    }

/// The weight finder on a data set: what the command line's `weigh` does.
[<RequireQualifiedAccess>]
module Weighing =

    /// Cases that are read at most, evenly spread over the data set.
    let private most = 16

    let private spread (ids: CaseId list) : CaseId list =
        if ids.Length <= most then
            ids
        else
            List.init most (fun index -> ids[index * ids.Length / most])

    /// What a run would go on with, or begin with.
    type private Model =
        {
            Configuration: Configuration
            Transpose: int list
            Network: Network
            Objective: Objective
        }

    // A network with drawn weights.
    let private untrained
        (request: WeighRequest)
        (dataset: Dataset)
        (plans: Plans)
        (configuration: Configuration)
        : Model =
        {
            Configuration = configuration
            Transpose = plans.Transpose
            Network =
                Network.create
                    configuration.Architecture
                    dataset.ChannelNames.Length
                    (Dataset.outputs dataset)
                    (Seed.child 0 (Seed.ofInt request.Seed))
            Objective = Objective.skeletonRecall
        }

    // The plans of the request; None where 2d is to be planned on the spot.
    let private tryPlans (request: WeighRequest) (dataset: Dataset) : Result<(Plans * Configuration) option, Problem> =
        let file =
            Store.file (Store.preprocessedFolder request.Roots dataset.Name) (request.PlansName + ".json")

        if request.Configuration = "2d" && not (Files.exists file) then
            Ok None
        else
            Problem.attempt {
                let! plans = Preparation.readPlans request.Roots dataset.Name request.PlansName

                match plans.Configurations.TryFind request.Configuration with
                | Some configuration -> return Some(plans, configuration)
                | None ->
                    let known = plans.Configurations.Keys |> String.concat ", "

                    return!
                        Error(
                            Mismatch(
                                "the configuration",
                                $"'%s{request.Configuration}'",
                                $"one of those in %s{file}: %s{known}"
                            )
                        )
            }

    let private trained (path: string) (dataset: Dataset) : Result<Model, Problem> =
        Problem.attempt {
            let! checkpoint = ModelFile.load path

            if checkpoint.Dataset.Labels <> dataset.Labels then
                do!
                    Error(
                        Mismatch(
                            path,
                            $"a network for the labels of %s{checkpoint.Dataset.Name}",
                            $"one for those of %s{dataset.Name}"
                        )
                    )

            if checkpoint.Configuration.PreviousStage.IsSome then
                do! Error(Mismatch(path, "the second stage of a cascade", "a network of images alone to weigh by"))

            let! network = Checkpoint.network checkpoint

            return
                {
                    Configuration = checkpoint.Configuration
                    Transpose = checkpoint.Transpose
                    Network = network
                    Objective = checkpoint.Options.Objective
                }
        }

    let private onDevice (device: Device) (model: Model) : Model =
        { model with
            Network = Network.toDevice (Device.toTorch device) model.Network
        }

    // Volumes as preprocessing leaves them; planes keep their grid, as in training.
    let private prepare (model: Model) (dataset: Dataset) (case: Case) : Result<Prepared, Problem> =
        if model.Configuration.PatchSize.Length = 2 && case.Image.Extent.Rank = 2 then
            { case with
                Image = Normalize.image model.Configuration.Normalization case.Image
            }
            |> Sampler.prepare dataset.Ignore
            |> Ok
        else
            Preprocess.case model.Transpose model.Configuration dataset case
            |> Result.map (fun made ->
                { case with
                    Image = made.Image
                    Labels =
                        made.Labels
                        |> Option.map (fun labels -> Volume.create labels.Extent (Array.map (max 0s) labels.Data))
                }
                |> Sampler.prepare dataset.Ignore)

    // Terms of weight 0 are measured too.
    let private counted (objective: Objective) : Objective =
        { objective with
            Terms = objective.Terms |> List.map (Term.map (fun term -> { term with Weight = 1.0 }))
        }

    let private regions (dataset: Dataset) : int16 list list =
        dataset.Regions |> List.map (fun region -> region.Labels |> List.map int16)

    let private weigh
        (request: WeighRequest)
        (dataset: Dataset)
        (model: Model)
        (report: float -> string -> unit)
        (cases: Prepared list)
        : Weighed =
        let objective = request.Objective |> Option.defaultValue model.Objective
        let effective = Trainer.effectiveObjective model.Configuration objective
        let patch = Extent.ofShape model.Configuration.PatchSize
        let heads = Batch.headExtents model.Configuration.Architecture.Strides patch

        let source =
            Loader.training
                Augment.options
                TrainOptions.standard.Oversampling
                {
                    Tube = (Objective.needs (counted effective)).Tube
                    CoarseTube = Batch.coarseTube effective.Supervision
                    HeadExtents = heads
                    Regions = regions dataset
                    Ignore = dataset.Ignore
                }
                model.Configuration
                (List.toArray cases)

        let seed = Seed.child 1 (Seed.ofInt request.Seed)

        let batches =
            Seq.init request.Batches (fun number ->
                report (float number / float request.Batches) $"batch %d{number + 1} of %d{request.Batches}"
                Loader.draw source (Seed.child number seed))

        let measured =
            WeightFinder.measure request.Ratio (Loss.headWeights heads.Length) effective model.Network batches

        {
            Objective = objective
            Suggested = WeightFinder.suggest objective measured
            Report = measured
        }

    /// Finds weights on batches of augmented patches, as training draws them, of at most 16 cases: those that preprocessing
    /// left for the plans, or else the raw ones, preprocessed on the way. A problem for a data set that cannot be read, a
    /// configuration that the plans lack, and a checkpoint that does not fit. Throws ArgumentException for numbers out of range.
    let run (request: WeighRequest) (report: float -> string -> unit) : Result<Weighed, Problem> =
        if request.Batches < 1 then
            invalidArg (nameof request) $"Batches count from 1; got %d{request.Batches}."

        Problem.attempt {
            do! Device.require request.Device
            let! folder = Store.datasetFolder request.Roots request.Dataset
            let! dataset = Store.readDataset folder
            let! ids = Store.trainingIds folder dataset

            if ids.IsEmpty then
                do! Error(Mismatch(dataset.Name, "no training cases", "at least one"))

            let chosen = spread ids

            let read () =
                chosen
                |> Problem.traverse (Store.readTrainingCase folder dataset >> Result.map fst)

            let fromFiles (model: Model) () =
                read () |> Result.bind (Problem.traverse (prepare model dataset))

            // Preprocessed cases where they are there, as in training.
            let fromStore (model: Model) (plans: Plans) () =
                PreparedFolder.tryCases request.Roots folder dataset plans model.Configuration chosen
                |> Result.bind (fun stored ->
                    match stored with
                    | Some stored -> stored |> Problem.traverse PreprocessedStore.prepare
                    | None -> fromFiles model ())

            let onTheSpot () =
                Problem.attempt {
                    let! cases = read ()

                    let! plans =
                        Planner.plan2d Planner.standard dataset (cases |> List.map (fun case -> case.Image.Extent))

                    let model = untrained request dataset plans plans.Configurations["2d"]
                    return model, (fun () -> cases |> Problem.traverse (prepare model dataset))
                }

            let! model, cases =
                match request.Checkpoint with
                | Some path -> trained path dataset |> Result.map (fun model -> model, fromFiles model)
                | None ->
                    tryPlans request dataset
                    |> Result.bind (fun found ->
                        match found with
                        | Some(plans, configuration) ->
                            let model = untrained request dataset plans configuration
                            Ok(model, fromStore model plans)
                        | None -> onTheSpot ())

            let model = onDevice request.Device model

            return!
                (try
                    cases () |> Result.map (weigh request dataset model report)
                 finally
                     model.Network.Module.Dispose())
        }

    /// The report as JSON.
    let json (weighed: Weighed) : string =
        let write (writer: Utf8JsonWriter) : unit =
            let weight (key: string) (value: float option) : unit =
                match value with
                | Some value -> writer.WriteNumber(key, value)
                | None -> writer.WriteNull key

            writer.WriteStartObject()
            writer.WriteString("objective", Objective.print weighed.Objective)

            match weighed.Suggested with
            | Some suggested -> writer.WriteString("suggested", Objective.print suggested)
            | None -> writer.WriteNull "suggested"

            writer.WriteNumber("ratio", weighed.Report.Ratio)
            writer.WriteNumber("batches", weighed.Report.Batches)
            writer.WriteStartArray "terms"

            for term in weighed.Report.Terms do
                writer.WriteStartObject()
                writer.WriteString("name", term.Name)
                writer.WriteNumber("weight", term.Weight)
                writer.WriteNumber("value", term.Value)
                writer.WriteNumber("logits_norm", term.LogitsNorm)
                writer.WriteNumber("weights_norm", term.WeightsNorm)
                writer.WriteNumber("rest_logits_norm", term.RestLogitsNorm)
                writer.WriteNumber("rest_weights_norm", term.RestWeightsNorm)
                weight "weight_at_logits" (WeightFinder.atLogits weighed.Report term)
                weight "weight_at_weights" (WeightFinder.atWeights weighed.Report term)
                writer.WriteEndObject()

            writer.WriteEndArray()
            writer.WriteEndObject()

        JsonText.print 4 write
        + "
"
