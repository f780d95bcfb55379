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
        /// Go on from the fold's latest checkpoint instead of starting anew.
        Continue: bool
    }

/// Images to label with a trained network.
type PredictRequest =
    {
        /// The checkpoint's file.
        Checkpoint: string
        /// A folder of images named CASE_0000 with the data set's ending, or one image file.
        Input: string
        /// The folder of the label maps, CASE with the data set's ending (.png where images are JPEG).
        Output: string
        /// Distance of two tiles as a share of the patch, in (0, 1].
        Step: float
        /// Whether tiles are mirrored along the axes that training mirrored.
        Mirror: bool
        /// Whether cases are left alone whose label map is there.
        KeepExisting: bool
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

    /// nnU-Net's five folds of these cases.
    let private folds (dataset: Dataset) (cases: CaseId list) : Result<Fold list, Problem> =
        if cases.Length < 5 then
            Error(
                Mismatch(dataset.Name, $"%d{cases.Length} training cases", "at least 5 for five folds, or fold 'all'")
            )
        else
            Ok(Splits.fiveFold cases)

    let private foldNamed (dataset: Dataset) (cases: CaseId list) (name: string) : Result<Fold, Problem> =
        if name = "all" then
            Ok(Splits.all cases)
        else
            match Int32.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture) with
            | true, number -> folds dataset cases |> Result.map (Splits.fold number)
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

    // Skeletons of whole cases, from their files where they have been made before.
    let private withSkeletons
        (request: TrainRequest)
        (dataset: Dataset)
        (configuration: Configuration)
        (note: string -> unit)
        (cases: Case list)
        : Result<Case list, Problem> =
        let objective = request.Train.Objective

        if
            request.Train.Skeletons = SkeletonSource.Cached
            && Objective.needsSkeleton objective
        then
            let folder =
                Store.file (Store.preprocessedFolder request.Roots dataset.Name) "skeletons"

            note $"skeletons of whole cases, kept in %s{folder}"

            cases
            |> Problem.traverse (fun case ->
                SkeletonStore.attach
                    (fun key -> Store.labelFile folder $".%s{key}.safetensors" case.Id)
                    objective.Tube
                    dataset.Ignore
                    configuration.PatchSize.Length
                    case)
        else
            Ok cases

    /// Trains a fold and returns its folder, in which checkpoint_final.safetensors lies. `report` hears of each step and
    /// epoch. A cancelled run leaves checkpoint_latest.safetensors, from which `Continue` goes on.
    let train
        (request: TrainRequest)
        (stop: CancellationToken)
        (note: string -> unit)
        (report: Progress -> unit)
        : Result<string, Problem> =
        Problem.attempt {
            let! folder = Store.datasetFolder request.Roots request.Dataset
            let! dataset = Store.readDataset folder

            if Dataset.hasRegions dataset then
                do!
                    Error(
                        Mismatch(
                            dataset.Name,
                            "regions (several labels in one class)",
                            "one number per class: training on regions is not served yet"
                        )
                    )

            let! ids = Store.trainingIds folder dataset
            let! fold = foldNamed dataset ids request.Fold
            let! cases = readCases folder dataset note ids

            let! plans =
                Planner.plan2d request.Plan dataset (cases |> List.map (fun case -> case.Image.Extent))

            let plans =
                { plans with
                    PlansName = request.PlansName
                }

            let! configuration = configurationNamed request.Configuration plans

            let! cases = withSkeletons request dataset configuration note cases

            let target =
                Store.foldFolder
                    request.Roots
                    dataset.Name
                    request.Trainer
                    request.PlansName
                    request.Configuration
                    request.Fold

            let chosen (wanted: CaseId list) =
                let wanted = Set.ofList wanted
                cases |> List.filter (fun case -> wanted.Contains case.Id)

            let! resume =
                if request.Continue then
                    RunFolder.tryResume target
                else
                    Ok None

            note
                $"%s{dataset.Name}: %d{fold.Train.Length} cases to train, %d{fold.Validation.Length} to validate; patch %A{configuration.PatchSize}, batch %d{configuration.BatchSize}, features %A{configuration.Architecture.FeaturesPerStage}"

            note $"objective: %s{Objective.print request.Train.Objective}"

            let! _ =
                Trainer.run
                    request.Train
                    configuration
                    dataset
                    target
                    resume
                    stop
                    report
                    (chosen fold.Train)
                    (chosen fold.Validation)

            return target
        }

    let private images (dataset: Dataset) (input: string) : Result<(CaseId * string list) list, Problem> =
        if Files.exists input then
            Store.singleImage dataset.FileEnding input |> Result.map List.singleton
        else
            Store.listImages input dataset.FileEnding

    /// Labels every image with the network of a checkpoint and returns the written files. `report` hears the share that is
    /// done and the case at hand.
    let predict
        (request: PredictRequest)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        : Result<string list, Problem> =
        Problem.attempt {
            let! checkpoint = Checkpoint.load request.Checkpoint
            let! all = images checkpoint.Dataset request.Input

            let ending = Reader.labelEnding checkpoint.Dataset.FileEnding

            let isWanted (id: CaseId) =
                not (request.KeepExisting && Files.exists (Store.labelFile request.Output ending id))

            let wanted = all |> List.filter (fst >> isWanted)
            let! network = Checkpoint.network checkpoint

            let options =
                { Inference.standard with
                    Step = request.Step
                    MirrorAxes = if request.Mirror then checkpoint.MirrorAxes else []
                }

            let label (number: int, (id: CaseId, paths: string list)) : Result<string, Problem> =
                stop.ThrowIfCancellationRequested()
                report (float number / float wanted.Length) (CaseId.value id)

                Problem.attempt {
                    let! image, place = Store.readImageInPlace checkpoint.Dataset paths

                    let labels =
                        Inference.labels
                            options
                            checkpoint.Configuration
                            (Dataset.classes checkpoint.Dataset)
                            (Inference.ofNetwork network)
                            image

                    let path = Store.labelFile request.Output ending id
                    do! Store.writePrediction checkpoint.Dataset place path labels
                    return path
                }

            // One after the other: the tensor operations use all cores.
            return!
                (try
                    wanted |> List.indexed |> Problem.traverse label
                 finally
                     network.Module.Dispose())
        }
