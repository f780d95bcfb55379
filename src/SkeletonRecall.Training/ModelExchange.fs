namespace SkeletonRecall.Training

open System.IO
open SkeletonRecall

/// The names in a model's folder: `nnUNetTrainer__nnUNetPlans__3d_fullres`.
type ModelNames = { Trainer: string; Plans: string }

/// A checkpoint that was taken over.
type ImportedFold =
    {
        /// Where it lies now.
        File: string
        /// The names by which it is found.
        DatasetName: string
        ConfigurationName: string
    }

/// Models between folders: from Python's nnU-Net into a results folder of ours, and out of one.
[<RequireQualifiedAccess>]
module ModelExchange =

    let private foldName (path: string) : string =
        match Path.GetFileName(Path.GetDirectoryName path) with
        | null -> "fold_0"
        | name when name.StartsWith "fold_" -> name
        | _ -> "fold_0"

    /// The names that the folder of a checkpoint's model says; nnU-Net's own where it says none.
    let origin (path: string) : ModelNames =
        let folder (path: string | null) : string | null =
            match path with
            | null -> null
            | path -> Path.GetDirectoryName path

        match Path.GetFileName(folder (folder path)) with
        | null ->
            {
                Trainer = "nnUNetTrainer"
                Plans = "nnUNetPlans"
            }
        | name ->
            match name.Split "__" with
            | [| trainer; plans; _ |] -> { Trainer = trainer; Plans = plans }
            | _ ->
                {
                    Trainer = "nnUNetTrainer"
                    Plans = "nnUNetPlans"
                }

    let private saveNew (path: string) (checkpoint: Checkpoint) : Result<string, Problem> =
        if Files.exists path then
            Error(
                Mismatch(path, "a checkpoint that is there", "a place without one: remove it, or choose another folder")
            )
        else
            Checkpoint.save path checkpoint |> Result.map (fun () -> path)

    // Names in a model's files are another's: none may lead out of the results folder.
    let private requirePlain (path: string) (names: string list) : Result<unit, Problem> =
        let isPlain (name: string) =
            name <> ""
            && name <> "."
            && name <> ".."
            && name
               |> Seq.forall (fun letter -> letter <> '/' && letter <> '\\' && letter <> ':' && letter >= ' ')

        match names |> List.tryFind (isPlain >> not) with
        | None -> Ok()
        | Some name -> Error(Mismatch(path, $"the name '%s{name}' for a folder", "a name without folders in it"))

    // Predicting and training on need no more than the weights.
    let private weightsAlone (checkpoint: Checkpoint) : Checkpoint = { checkpoint with Momentum = [] }

    /// Writes checkpoints (paths as of `ModelFolder.checkpoints`, all of one model and kind) as ours into the model's folder below the
    /// results, where `predict -d` finds them: the trainer's name as given, the plans' as given. A
    /// checkpoint that is there is never written over.
    let import
        (roots: Roots)
        (trainer: string)
        (plansName: string)
        (kind: string)
        (paths: string list)
        : Result<ImportedFold list, Problem> =
        paths
        |> Problem.traverse (fun path ->
            Problem.attempt {
                let! checkpoint = ModelFile.load path
                do! requirePlain path [ checkpoint.Dataset.Name; checkpoint.ConfigurationName; trainer; plansName ]

                let model =
                    Store.modelFolder roots checkpoint.Dataset.Name trainer plansName checkpoint.ConfigurationName

                let file =
                    Store.file (Store.file model (foldName path)) $"checkpoint_%s{kind}.safetensors"

                let! file = saveNew file (weightsAlone checkpoint)

                return
                    {
                        File = file
                        DatasetName = checkpoint.Dataset.Name
                        ConfigurationName = checkpoint.ConfigurationName
                    }
            })

    /// Writes models as folders that other programs read: `fold_N/checkpoint_KIND.safetensors` with the weights under
    /// nnU-Net's names, each once, and plans.json and dataset.json beside the folds. `import` and `predict` read them back.
    /// Returns the written checkpoints. A checkpoint that is there is never written over.
    let export (folder: string) (kind: string) (paths: string list) : Result<string list, Problem> =
        Problem.attempt {
            let! checkpoints =
                paths
                |> Problem.traverse (fun path -> ModelFile.load path |> Result.map (fun found -> path, found))

            let! written =
                checkpoints
                |> Problem.traverse (fun (path, checkpoint) ->
                    let file =
                        Store.file (Store.file folder (foldName path)) $"checkpoint_%s{kind}.safetensors"

                    saveNew file (weightsAlone checkpoint))

            let first = snd checkpoints.Head
            do! Store.writeText (Store.file folder "plans.json") (Plans.print (Checkpoint.plans first))
            do! Store.writeDataset folder { first.Dataset with Files = None }
            return written
        }
