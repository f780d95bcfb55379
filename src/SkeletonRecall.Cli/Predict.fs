namespace SkeletonRecall.Cli

open System
open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// `predict -i IMAGES -o LABELS`.
[<RequireQualifiedAccess>]
module Predict =

    // The checkpoints of a data set's trained model.
    let private ofDataset
        (arguments: ParseResults<PredictArguments>)
        (kind: string)
        (dataset: string)
        : Result<string list, Problem> =
        let roots = Flags.roots (arguments.TryGetResult PredictArguments.Root)

        Problem.attempt {
            let! name = Store.datasetName roots dataset

            let model =
                Store.modelFolder
                    roots
                    name
                    (arguments.GetResult(PredictArguments.Trainer, "nnUNetTrainerSkeletonRecall"))
                    (arguments.GetResult(PredictArguments.Plans, "nnUNetPlans"))
                    (arguments.GetResult(PredictArguments.Configuration, "2d"))

            if Files.isFolder model then
                return! ModelFolder.checkpoints model kind (arguments.TryGetResult PredictArguments.Fold)
            else
                let trained =
                    RunFolder.models (Store.file roots.Results name)
                    |> List.map (fun (trainer, plans, configuration) ->
                        $"-tr %s{trainer} -p %s{plans} -c %s{configuration}")

                let wanted =
                    match trained with
                    | [] -> "a trained fold is wanted: run train"
                    | several -> "trained are " + String.concat " and " several

                return! Error(Missing(Store.file model $"fold_0/checkpoint_%s{kind}", wanted))
        }

    let private checkpoints (arguments: ParseResults<PredictArguments>) : Result<string list, Problem> =
        Problem.attempt {
            let! kind = Flags.checkpointKind (arguments.TryGetResult PredictArguments.Checkpoint)

            match arguments.TryGetResult PredictArguments.Model, arguments.TryGetResult PredictArguments.Dataset with
            | Some model, _ -> return! ModelFolder.checkpoints model kind (arguments.TryGetResult PredictArguments.Fold)
            | None, Some dataset -> return! ofDataset arguments kind dataset
            | None, None ->
                return!
                    Error(
                        Mismatch(
                            "predict",
                            "neither -m nor -d",
                            "-m CHECKPOINT, FOLDER or ZIP, or -d DATASET for a trained fold"
                        )
                    )
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
            let! device = Flags.device (arguments.TryGetResult PredictArguments.Device)

            let! precision =
                Flags.precision device (arguments.TryGetResult PredictArguments.Precision)

            // What the command line lacks is said before any file is looked at.
            let input = arguments.GetResult PredictArguments.Input
            let output = arguments.GetResult PredictArguments.Output
            let step = arguments.GetResult(PredictArguments.Step_Size, Inference.standard.Step)
            let! checkpoints = checkpoints arguments
            let part = arguments.GetResult(PredictArguments.Part_Id, 0)
            let parts = arguments.GetResult(PredictArguments.Num_Parts, 1)
            do! checkPart part parts

            if not (step > 0.0 && step <= 1.0) then
                return! Error(Mismatch("--step-size", $"%g{step}", "above 0 and at most 1"))
            else
                return
                    { PredictFolder.request checkpoints input output with
                        FirstStage =
                            arguments.TryGetResult PredictArguments.Prev_Stage_Predictions
                            |> Option.map LabelMaps
                        Step = step
                        Mirror = not (arguments.Contains PredictArguments.No_Mirroring)
                        KeepExisting = arguments.Contains PredictArguments.Continue_Prediction
                        SaveProbabilities = arguments.Contains PredictArguments.Save_Probabilities
                        Part = part
                        Parts = parts
                        Device = device
                        Precision = precision
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
