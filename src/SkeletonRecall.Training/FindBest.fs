namespace SkeletonRecall.Training

open System.Globalization
open System.IO
open System.Threading
open SkeletonRecall

/// A trained model, by the three names of its folder.
type ModelName =
    {
        Trainer: string
        PlansName: string
        Configuration: string
    }

/// Which models are compared.
type FindBestRequest =
    {
        Roots: Roots
        /// Number or name of the data set.
        Dataset: string
        Models: ModelName list
        /// Folds whose validation cases are put together.
        Folds: string list
        /// Whether each pair of models is averaged and compared too; needs probabilities (`train --npz`).
        Ensembling: bool
        Rule: PostprocessRule
    }

/// A model or pair of models, and what it came to.
type Candidate =
    {
        Name: string
        Models: ModelName list
        /// The folder of its predictions of all validation cases.
        Folder: string
        /// Mean over classes of the mean Dice over cases.
        Dice: float
    }

/// Choosing between trained configurations and their ensembles by their validation cases (nnU-Net's
/// find_best_configuration.py).
[<RequireQualifiedAccess>]
module FindBest =

    let private folds (request: FindBestRequest) : string = String.concat "_" request.Folds

    let private id (model: ModelName) : string =
        $"%s{model.Trainer}__%s{model.PlansName}__%s{model.Configuration}"

    let private modelFolder (request: FindBestRequest) (dataset: Dataset) (model: ModelName) : string =
        Store.modelFolder request.Roots dataset.Name model.Trainer model.PlansName model.Configuration

    let private copy (source: string) (target: string) : Result<unit, Problem> =
        Files.read source "a prediction is wanted"
        |> Result.bind (fun bytes -> Files.writeAtomically target (fun stream -> stream.Write(bytes, 0, bytes.Length)))

    // The validation cases of all folds in one folder, `crossval_results_folds_0_1_...` of the model. A case of two folds is a
    // problem.
    let private accumulate (request: FindBestRequest) (dataset: Dataset) (model: ModelName) : Result<string, Problem> =
        let folder = modelFolder request dataset model
        let merged = Store.file folder $"crossval_results_folds_%s{folds request}"

        let ofFold (fold: string) : Result<(string * string) list, Problem> =
            let validation = Store.file (Store.file folder $"fold_%s{fold}") "validation"

            LabelFolder.maps validation $"the validation cases of fold %s{fold} are wanted: train it to its end"
            |> Result.map Map.toList

        Problem.attempt {
            let! found = request.Folds |> Problem.traverse ofFold
            let all = List.concat found

            match all |> List.countBy fst |> List.tryFind (fun (_, count) -> count > 1) with
            | Some(case, _) -> return! Error(Mismatch(folder, $"the case %s{case} in two folds", "each case in one"))
            | None ->
                for _, path in all do
                    do! copy path (Store.file merged (Store.name path))

                    let probabilities =
                        Path.Combine(Path.GetDirectoryName path |> string, LabelFolder.case path + ".npz")

                    if request.Ensembling && request.Models.Length > 1 then
                        do! copy probabilities (Store.file merged (Store.name probabilities))

                do! Store.writeDataset merged dataset
                return merged
        }

    // Scores the predictions of a folder and leaves summary.json in it.
    let private score
        (truth: string)
        (dataset: Dataset)
        (stop: CancellationToken)
        (name: string, models: ModelName list, folder: string)
        : Result<Candidate, Problem> =
        Problem.attempt {
            let! scored =
                FolderEvaluation.run
                    {
                        Truth = truth
                        Prediction = folder
                        Dataset = dataset
                        Evaluation = Evaluation.standard
                        AllowMissing = true
                        Parallel = 1
                    }
                    stop
                    (fun _ _ -> ())

            match FolderEvaluation.problems scored with
            | problem :: _ -> return! Error problem
            | [] ->
                let scores = FolderEvaluation.scores scored
                do! Store.writeText (LabelFolder.summary folder) (Summary.json (FolderEvaluation.files scored) scores)

                let ofClasses =
                    scores
                    |> List.groupBy (fun score -> score.Label)
                    |> List.map (fun (_, ofClass) -> Evaluation.mean (fun score -> score.Dice) ofClass)

                return
                    {
                        Name = name
                        Models = models
                        Folder = folder
                        Dice = List.average ofClasses
                    }
        }

    let private pairs (items: 'T list) : ('T * 'T) list =
        [
            for first, one in List.indexed items do
                for other in List.skip (first + 1) items -> one, other
        ]

    // The first stage of a model that is the second one of a cascade.
    let private previousStage (request: FindBestRequest) (dataset: Dataset) (model: ModelName) : string option =
        let path =
            Store.file (Store.preprocessedFolder request.Roots dataset.Name) $"%s{model.PlansName}.json"

        Store.readText path "plans are wanted"
        |> Result.bind (Plans.parse path)
        |> Result.toOption
        |> Option.bind (fun plans -> plans.Configurations.TryFind model.Configuration)
        |> Option.bind _.PreviousStage

    let private instructions
        (request: FindBestRequest)
        (dataset: Dataset)
        (best: Candidate)
        (steps: int list list)
        : string =
        let folds = String.concat " " request.Folds

        let command (model: ModelName) (configuration: string) (output: string) (more: string) : string =
            $"skeleton-recall predict -i IMAGES -o %s{output} -d %s{dataset.Name} -tr %s{model.Trainer} -p %s{model.PlansName} -c %s{configuration} -f %s{folds}%s{more}"

        let predict (number: int) (model: ModelName) : string list =
            let output, kept =
                if best.Models.Length = 1 then
                    "OUTPUT", ""
                else
                    $"OUTPUT_MODEL_%d{number + 1}", " --save_probabilities"

            match previousStage request dataset model with
            | None -> [ command model model.Configuration output kept ]
            | Some previous ->
                let first = $"%s{output}_%s{previous}"

                [
                    command model previous first ""
                    command model model.Configuration output $" -prev_stage_predictions %s{first}%s{kept}"
                ]

        [
            yield! best.Models |> List.mapi predict |> List.concat
            if best.Models.Length > 1 then
                "skeleton-recall ensemble -i OUTPUT_MODEL_1 OUTPUT_MODEL_2 -o OUTPUT"
            if not steps.IsEmpty then
                let file = Store.file best.Folder PostprocessFile.name
                $"skeleton-recall postprocess -i OUTPUT --steps %s{file} -o OUTPUT_POSTPROCESSED"
        ]
        |> String.concat "\n"
        |> fun text -> text + "\n"

    let private information
        (request: FindBestRequest)
        (dataset: Dataset)
        (candidates: Candidate list)
        (best: Candidate)
        (decision: Postprocessing)
        : string =
        let number (value: float) =
            if System.Double.IsNaN value then
                "NaN"
            else
                value.ToString("R", CultureInfo.InvariantCulture)

        let text (value: string) = $"\"%s{value}\""

        let model (model: ModelName) =
            $"{{\"configuration\": %s{text model.Configuration}, \"trainer\": %s{text model.Trainer}, \"plans_identifier\": %s{text model.PlansName}}}"

        let list (items: string list) = String.concat ", " items
        let mean (dice: (int list * float) list) = dice |> List.averageBy snd |> number
        let file = (Store.file best.Folder PostprocessFile.name).Replace("\\", "/")

        String.concat
            "\n"
            [
                "{"
                $"    \"folds\": [%s{list (List.map text request.Folds)}],"
                $"    \"dataset_name_or_id\": %s{text dataset.Name},"
                $"    \"considered_models\": [%s{list (List.map model request.Models)}],"
                $"    \"ensembling_allowed\": %b{request.Ensembling},"
                $"""    "all_results": {{%s{list (candidates |> List.map (fun each -> $"{text each.Name}: {number each.Dice}"))}}},"""
                "    \"best_model_or_ensemble\": {"
                $"        \"result_on_crossval_pre_pp\": %s{mean decision.Before},"
                $"        \"result_on_crossval_post_pp\": %s{mean decision.After},"
                $"        \"postprocessing_file\": %s{text file},"
                $"        \"selected_model_or_models\": [%s{list (List.map model best.Models)}]"
                "    }"
                "}"
                ""
            ]

    /// Scores each model's validation cases, and those of each pair averaged, and returns all of them and the best (the first of
    /// equal ones, single models before pairs). The best one's postprocessing is decided. inference_information.json and
    /// inference_instructions.txt are written into the data set's results folder, as nnU-Net does.
    let run
        (request: FindBestRequest)
        (stop: CancellationToken)
        (note: string -> unit)
        : Result<Candidate list * Candidate, Problem> =
        if request.Models.IsEmpty || request.Folds.IsEmpty then
            invalidArg (nameof request) "At least one model and one fold are to be compared."

        Problem.attempt {
            let! raw = Store.datasetFolder request.Roots request.Dataset
            let! dataset = Store.readDataset raw
            let truth = FinalValidation.truthFolder request.Roots raw dataset

            let! merged =
                request.Models
                |> Problem.traverse (fun model ->
                    accumulate request dataset model
                    |> Result.map (fun folder -> id model, [ model ], folder))

            let! single = merged |> Problem.traverse (score truth dataset stop)

            for each in single do
                note (sprintf "%s: %.4f" each.Name each.Dice)

            let results = Store.file request.Roots.Results dataset.Name

            let! ensembles =
                (if request.Ensembling then pairs single else [])
                |> Problem.traverse (fun (one, other) ->
                    Problem.attempt {
                        let name = $"ensemble___%s{one.Name}___%s{other.Name}___%s{folds request}"
                        let folder = Store.file (Store.file results "ensembles") name
                        let! _ = Ensemble.run [ one.Folder; other.Folder ] folder false
                        return! score truth dataset stop (name, one.Models @ other.Models, folder)
                    })

            for each in ensembles do
                note (sprintf "%s: %.4f" each.Name each.Dice)

            let candidates = single @ ensembles
            let best = candidates |> List.maxBy (fun each -> each.Dice)
            let! decision = PostprocessFolder.determine request.Rule dataset truth best.Folder

            do!
                Store.writeText
                    (Store.file results "inference_information.json")
                    (information request dataset candidates best decision)

            do!
                Store.writeText
                    (Store.file results "inference_instructions.txt")
                    (instructions request dataset best decision.Steps)

            return candidates, best
        }
