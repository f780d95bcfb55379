namespace SkeletonRecall.Cli

open System
open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// `predict -i IMAGES -o LABELS`.
[<RequireQualifiedAccess>]
module Predict =

    let private fileName (arguments: ParseResults<PredictArguments>) : Result<string, Problem> =
        let checkpoint = arguments.GetResult(PredictArguments.Checkpoint, "final")
        // nnU-Net's own spelling of the flag's value is a file name.
        match checkpoint.Replace("checkpoint_", "").Replace(".pth", "").Replace(".safetensors", "") with
        | "final" -> Ok RunFolder.final
        | "best" -> Ok RunFolder.best
        | "latest" -> Ok RunFolder.latest
        | other -> Error(Mismatch("--checkpoint", $"'%s{other}'", "final, best or latest"))

    // The checkpoints of a model's folds: of those that were named, or of all that have one.
    let private ofFolds (model: string) (file: string) (folds: string list option) : Result<string list, Problem> =
        match folds with
        | Some folds ->
            Ok(
                folds
                |> List.map (fun fold -> Store.file (Store.file model $"fold_%s{fold}") file)
            )
        | None ->
            match
                RunFolder.folds model
                |> List.map (fun fold -> Store.file fold file)
                |> List.filter Files.exists
            with
            | [] when Files.exists (Store.file (Store.file model "fold_all") file) ->
                Ok [ Store.file (Store.file model "fold_all") file ]
            | [] -> Error(Missing(Store.file (Store.file model "fold_0") file, "a trained fold is wanted: run train"))
            | found -> Ok found

    let private checkpoints (arguments: ParseResults<PredictArguments>) : Result<string list, Problem> =
        let folds = arguments.TryGetResult PredictArguments.Fold

        Problem.attempt {
            let! file = fileName arguments

            match arguments.TryGetResult PredictArguments.Model, arguments.TryGetResult PredictArguments.Dataset with
            | Some model, _ when Files.exists (Store.file model file) -> return [ Store.file model file ]
            | Some model, _ when Files.isFolder model -> return! ofFolds model file folds
            | Some model, _ -> return [ model ]
            | None, None ->
                return!
                    Error(Mismatch("predict", "neither -m nor -d", "-m CHECKPOINT, or -d DATASET for a trained fold"))
            | None, Some dataset ->
                let roots = Flags.roots (arguments.TryGetResult PredictArguments.Root)
                let! folder = Store.datasetFolder roots dataset

                let model =
                    Store.modelFolder
                        roots
                        (Store.name folder)
                        (arguments.GetResult(PredictArguments.Trainer, "nnUNetTrainerSkeletonRecall"))
                        (arguments.GetResult(PredictArguments.Plans, "nnUNetPlans"))
                        (arguments.GetResult(PredictArguments.Configuration, "2d"))

                return! ofFolds model file folds
        }

    let private checkPart (part: int) (parts: int) : Result<unit, Problem> =
        if parts < 1 then
            Error(Mismatch("-num_parts", $"%d{parts}", "1 or more"))
        elif part < 0 || part >= parts then
            Error(Mismatch("-part_id", $"%d{part}", $"0 to %d{parts - 1}, one less than -num_parts"))
        else
            Ok()

    /// The request of a command line, or what is wrong with it.
    let request (arguments: ParseResults<PredictArguments>) : Result<PredictRequest, Problem> =
        Problem.attempt {
            do! Flags.requireCpu (arguments.TryGetResult PredictArguments.Device)
            let step = arguments.GetResult(PredictArguments.Step_Size, Inference.standard.Step)
            let! checkpoints = checkpoints arguments
            let part = arguments.GetResult(PredictArguments.Part_Id, 0)
            let parts = arguments.GetResult(PredictArguments.Num_Parts, 1)
            do! checkPart part parts

            if not (step > 0.0 && step <= 1.0) then
                return! Error(Mismatch("--step-size", $"%g{step}", "above 0 and at most 1"))
            else
                return
                    { PredictFolder.request
                          checkpoints
                          (arguments.GetResult PredictArguments.Input)
                          (arguments.GetResult PredictArguments.Output) with
                        FirstStage =
                            arguments.TryGetResult PredictArguments.Prev_Stage_Predictions
                            |> Option.map LabelMaps
                        Step = step
                        Mirror = not (arguments.Contains PredictArguments.No_Mirroring)
                        KeepExisting = arguments.Contains PredictArguments.Continue_Prediction
                        SaveProbabilities = arguments.Contains PredictArguments.Save_Probabilities
                        Part = part
                        Parts = parts
                    }
        }

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<PredictArguments>) : int =
        Problem.attempt {
            let! request = request arguments
            Option.iter Flags.setThreads (arguments.TryGetResult PredictArguments.Threads)

            request.Checkpoints
            |> List.iter (fun file -> Terminal.line terminal $"model %s{file}")

            let! written =
                Terminal.progress terminal "predicting" (fun report ->
                    Pipeline.predict request terminal.Stop report
                    |> Result.map (Terminal.through report))

            let maps = Terminal.counted written.Length "label map"
            return Terminal.line terminal $"%s{maps} written to %s{request.Output}"
        }
        |> Terminal.exitCode terminal
