namespace SkeletonRecall.Training

open System
open System.Globalization
open System.Threading
open SkeletonRecall

/// One fold of one configuration to train: which data, which network, which recipe, and where it all lies.
type TrainRequest =
    {
        Roots: Roots
        /// Number or name of a data set below `Roots.Raw`.
        Dataset: string
        /// The configuration's name; `2d`.
        Configuration: string
        /// `0`, `1`, ... or `all`.
        Fold: string
        /// The trainer's name in the results folder.
        Trainer: string
        /// The plans' name in the results folder.
        PlansName: string
        Plan: PlannerOptions
        Train: TrainOptions
        /// Axes along which patches are mirrored, where training mirrors; None for all of them.
        MirrorAxes: int list option
        /// A checkpoint to begin with, and whether its heads are taken too.
        Pretrained: (string * bool) option
        /// Go on from the fold's latest checkpoint instead of starting anew.
        Continue: bool
        /// Whether the validation cases are predicted whole and scored at the end.
        Validate: bool
        /// Whether probabilities of those are kept, for ensembles.
        SaveProbabilities: bool
    }

/// From folders to folders: what the command line's `train` and `predict` do. What is worth telling a person goes to
/// `note`.
[<RequireQualifiedAccess>]
module Pipeline =

    let private configurationNamed (name: string) (plans: Plans) : Result<Configuration, Problem> =
        match plans.Configurations.TryFind name with
        | Some configuration -> Ok configuration
        | None ->
            let known = String.concat ", " plans.Configurations.Keys
            Error(Mismatch("the configuration", $"'%s{name}'", $"one of %s{known}"))

    let private foldNamed
        (roots: Roots)
        (dataset: Dataset)
        (cases: CaseId list)
        (name: string)
        : Result<Fold, Problem> =
        if name = "all" then
            Ok(Splits.all cases)
        else
            match Int32.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture) with
            | true, number -> Store.splits roots dataset cases |> Result.map (Splits.fold number)
            | _ -> Error(Mismatch("the fold", $"'%s{name}'", "0, 1, 2, 3, 4 or all"))

    let private readCases
        (folder: string)
        (dataset: Dataset)
        (note: string -> unit)
        (ids: CaseId list)
        : Result<Case list, Problem> =
        Problem.attempt {
            let! read = ids |> Problem.traverse (Store.readTrainingCase folder dataset)
            // The same remark about every file is one remark about the data set.
            match List.choose snd read with
            | [] -> ()
            | first :: rest when rest.IsEmpty -> note first
            | first :: rest -> note $"%s{first} (and so in %d{rest.Length} more files)"

            return List.map fst read
        }

    // The plans of that name in the preprocessed folder; None where none were made.
    let private tryPlans (request: TrainRequest) (dataset: Dataset) : Result<Plans option, Problem> =
        let path =
            Store.file (Store.preprocessedFolder request.Roots dataset.Name) $"%s{request.PlansName}.json"

        if Files.exists path then
            Store.readText path "plans are wanted"
            |> Result.bind (Plans.parse path)
            |> Result.map Some
        else
            Ok None

    // The cases that were preprocessed by these plans.
    let private storedCases
        (request: TrainRequest)
        (rawFolder: string)
        (dataset: Dataset)
        (plans: Plans)
        (configuration: Configuration)
        (cases: CaseId list)
        : Result<StoredCase list option, Problem> =
        PreparedFolder.tryCases request.Roots rawFolder dataset plans configuration cases

    // Flags that only a plan made on the spot can follow.
    let private requireNoPlanFlags (request: TrainRequest) : Result<unit, Problem> =
        let standard = Planner.standard
        let plan = request.Plan

        if
            plan.PatchSize.IsSome
            || plan.BaseFeatures <> standard.BaseFeatures
            || plan.MaxFeatures <> standard.MaxFeatures
        then
            Error(
                Mismatch(
                    $"plans %s{request.PlansName}",
                    "patch size or features beside them",
                    "what the plans say: plan under another name, or leave --patch-size, --base-features and --max-features out"
                )
            )
        else
            Ok()

    let private planned (request: TrainRequest) (plans: Plans) : Result<Configuration, Problem> =
        Problem.attempt {
            do! requireNoPlanFlags request
            let! configuration = Plans.configuration request.Configuration plans

            return
                { configuration with
                    BatchSize = request.Plan.BatchSize |> Option.defaultValue configuration.BatchSize
                }
        }

    // The spacing within the planes of all cases.
    let private commonSpacing (dataset: Dataset) (cases: Case list) : Result<float list, Problem> =
        let inPlane (case: Case) =
            let values = case.Image.Spacing.Values
            List.skip (values.Length - 2) values

        match cases |> List.map inPlane |> List.distinct with
        | [ spacing ] -> Ok spacing
        | several ->
            Error(
                Mismatch(
                    $"%s{dataset.Name} without plans",
                    $"images of %d{several.Length} spacings",
                    "plans, by which they are brought to one: run plan-and-preprocess first"
                )
            )

    // Without plans, planes are planned on the spot, as the images are.
    let private plannedOnTheSpot
        (request: TrainRequest)
        (dataset: Dataset)
        (cases: Case list)
        : Result<Plans * Configuration, Problem> =
        if request.Configuration <> "2d" then
            Error(
                Mismatch(
                    $"configuration %s{request.Configuration}",
                    $"no plans %s{request.PlansName} of %s{dataset.Name}",
                    "plans: run plan-and-preprocess first (without plans only 2d is planned on the spot)"
                )
            )
        else
            Problem.attempt {
                let! plans =
                    Planner.plan2d request.Plan dataset (cases |> List.map (fun case -> case.Image.Extent))

                let! configuration = configurationNamed request.Configuration plans
                let! spacing = commonSpacing dataset cases

                // Pixels stay as they are.
                return plans, { configuration with Spacing = spacing }
            }

    let private pretrained (request: TrainRequest) : Result<PretrainedWeights option, Problem> =
        match request.Pretrained with
        | None -> Ok None
        | Some(path, withHeads) ->
            ModelFile.weights path
            |> Result.map (fun weights ->
                Some
                    {
                        Path = path
                        Weights = weights
                        WithHeads = withHeads
                    })

    // What a training takes at least is reckoned for the processor's memory.
    let private requireMemory (request: TrainRequest) (configuration: Configuration) (dataset: Dataset) =
        if request.Train.Device = Device.Cpu then
            TrainMemory.require (TrainMemory.ofMachine ()) configuration dataset
        else
            Ok()

    // What changes the numbers of a run that goes on: device and precision by more, threads by its last bits.
    let private noteChanges (note: string -> unit) (options: TrainOptions) (resume: Checkpoint option) : unit =
        LibTorch.ensure ()
        let threads = TorchSharp.torch.get_num_threads ()

        let changed (what: string) (before: string) (now: string) : unit =
            if before <> now then
                note
                    $"this run goes on %s{what} %s{now}; it was %s{what} %s{before} so far, and will differ from a run that was not stopped"

        match resume with
        | Some checkpoint ->
            changed "on" (Device.print checkpoint.Options.Device) (Device.print options.Device)
            // Checkpoints of earlier versions, and Python's, do not say it.
            if checkpoint.MemoryFormat <> "" then
                changed "with feature maps" checkpoint.MemoryFormat Network.memoryFormat

            changed "in" (Precision.print checkpoint.Options.Precision) (Precision.print options.Precision)
        | None -> ()

        match resume with
        | Some checkpoint when checkpoint.Threads > 0 && checkpoint.Threads <> threads ->
            note
                $"this run goes on with %d{threads} threads; it had %d{checkpoint.Threads} so far, and may differ in the last bits from a run that was not stopped"
        | _ -> ()

    // The second stage of a cascade also sees what the first said of its cases, and is validated with it.
    let private secondStage
        (model: string -> string)
        (setup: TrainSetup)
        (prepared: Prepared list)
        : Result<Prepared list * FirstStageFolder option, Problem> =
        match setup.Configuration.PreviousStage with
        | None -> Ok(prepared, None)
        | Some previous ->
            prepared
            |> Problem.traverse (fun case ->
                NextStage.openCase (model previous) previous setup.Name case.Id
                |> Result.bind (fun stage -> NextStage.attach stage case))
            |> Result.map (fun cases -> cases, Some(NextStageFolder(NextStage.folder (model previous) setup.Name)))

    // A first stage leaves what it says of the validation cases to the stages that follow it.
    let private nextStages
        (note: string -> unit)
        (stop: CancellationToken)
        (rawFolder: string)
        (model: string)
        (target: string)
        (plans: Plans option)
        (setup: TrainSetup)
        (cases: CaseId list)
        : Result<unit, Problem> =
        let next =
            setup.Configuration.NextStages
            |> List.choose (fun name ->
                plans
                |> Option.bind (fun plans -> plans.Configurations.TryFind name)
                |> Option.map (fun configuration -> name, configuration))

        if next.IsEmpty || cases.IsEmpty then
            Ok()
        else
            let names = next |> List.map fst |> String.concat ", "
            note $"predicting the validation cases for %s{names}"

            Problem.attempt {
                let! files = cases |> Problem.traverse (TrainingFiles.ofCase rawFolder setup.Dataset)

                do!
                    files
                    |> List.map (fun files -> files.Case, files.Images)
                    |> NextStage.write (Store.file target RunFolder.final) model next stop
            }

    /// Trains a fold and returns its folder, in which checkpoint_final.safetensors lies. Cases come from the preprocessed folder
    /// where they were preprocessed by the plans, else they are read and preprocessed here and held in memory. `report`
    /// hears of each step and epoch. A cancelled run leaves checkpoint_latest.safetensors, from which `Continue` goes on.
    let train
        (request: TrainRequest)
        (stop: CancellationToken)
        (note: string -> unit)
        (report: Progress -> unit)
        : Result<string, Problem> =
        Problem.attempt {
            do! Device.require request.Train.Device
            do! Precision.require request.Train.Device request.Train.Precision
            let! folder = Store.datasetFolder request.Roots request.Dataset
            let! dataset = Store.readDataset folder
            let! ids = Store.trainingIds folder dataset
            let! fold = foldNamed request.Roots dataset ids request.Fold
            let wanted = List.distinct (fold.Train @ fold.Validation)
            let! plans = tryPlans request dataset
            let! weights = pretrained request

            let setup (plans: Plans) (configuration: Configuration) =
                { TrainSetup.create request.Train configuration dataset with
                    Name = request.Configuration
                    Transpose = plans.Transpose
                    MirrorAxes = request.MirrorAxes
                    Pretrained = weights
                }

            let model (configuration: string) =
                Store.modelFolder request.Roots dataset.Name request.Trainer request.PlansName configuration

            let skeletons =
                Store.file (Store.preprocessedFolder request.Roots dataset.Name) "skeletons"

            let inMemory (setup: TrainSetup) (case: Case) : Result<Prepared, Problem> =
                Preprocess.case setup.Transpose setup.Configuration dataset case
                |> Result.bind (PreparedCases.ofMemory skeletons setup)

            let! setup, prepared =
                match plans with
                | Some plans ->
                    Problem.attempt {
                        let! configuration = planned request plans
                        do! requireMemory request configuration dataset
                        let setup = setup plans configuration

                        match! storedCases request folder dataset plans configuration wanted with
                        | Some stored ->
                            let! prepared = stored |> Problem.traverse (PreparedCases.ofStore skeletons setup)
                            return setup, prepared
                        | None ->
                            note "no preprocessed cases: they are preprocessed now and held in memory"
                            let! cases = readCases folder dataset note wanted
                            let! prepared = cases |> Problem.traverse (inMemory setup)
                            return setup, prepared
                    }
                | None ->
                    Problem.attempt {
                        let! cases = readCases folder dataset note ids
                        let! plans, configuration = plannedOnTheSpot request dataset cases
                        do! requireMemory request configuration dataset
                        let setup = setup plans configuration
                        let chosen = cases |> List.filter (fun case -> List.contains case.Id wanted)
                        let! prepared = chosen |> Problem.traverse (inMemory setup)
                        return setup, prepared
                    }

            let target = Store.file (model request.Configuration) $"fold_%s{request.Fold}"

            let! prepared, firstStage = secondStage model setup prepared

            let chosen (wanted: CaseId list) =
                let wanted = Set.ofList wanted

                prepared |> List.filter (fun case -> wanted.Contains case.Id) |> Array.ofList

            let! resume =
                if request.Continue then
                    RunFolder.tryResume target
                else
                    Ok None

            noteChanges note request.Train resume
            let configuration = setup.Configuration

            let joined (separator: string) (numbers: int list) =
                numbers |> List.map string |> String.concat separator

            let patch = joined " x " configuration.PatchSize
            let features = joined ", " configuration.Architecture.FeaturesPerStage

            note
                $"%s{dataset.Name}: %d{fold.Train.Length} cases to train, %d{fold.Validation.Length} to validate; patch %s{patch}, batch %d{configuration.BatchSize}, features %s{features}"

            note $"objective: %s{Objective.print request.Train.Objective}"

            note
                $"on %s{Device.print request.Train.Device}, convolutions in %s{Precision.print request.Train.Precision}"

            let! _ =
                Trainer.train setup target resume stop report (chosen fold.Train) (chosen fold.Validation)

            if request.Validate then
                note $"predicting the validation cases: %d{fold.Validation.Length}"

                let! dice =
                    FinalValidation.run
                        request.Roots
                        folder
                        target
                        firstStage
                        request.SaveProbabilities
                        stop
                        (fun _ _ -> ())
                        fold.Validation

                note (sprintf "Mean Validation Dice: %.4f" dice)
                do! nextStages note stop folder (model request.Configuration) target plans setup fold.Validation

            return target
        }

    /// Labels every image with trained networks; see `PredictFolder.run`.
    let predict
        (request: PredictRequest)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        : Result<string list, Problem> =
        PredictFolder.run request stop report
