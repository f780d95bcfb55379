namespace SkeletonRecall.Cli

open System
open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// `predict -i IMAGES -o LABELS`.
[<RequireQualifiedAccess>]
module Predict =

    let private checkpointFile (arguments: ParseResults<PredictArguments>) : Result<string, Problem> =
        let checkpoint = arguments.GetResult(PredictArguments.Checkpoint, "final")
        // nnU-Net's own spelling of the flag's value is a file name.
        let checkpoint = checkpoint.Replace("checkpoint_", "").Replace(".pth", "")

        let file =
            match checkpoint with
            | "final" -> Ok RunFolder.final
            | "best" -> Ok RunFolder.best
            | "latest" -> Ok RunFolder.latest
            | other -> Error(Mismatch("--checkpoint", $"'%s{other}'", "final, best or latest"))

        match arguments.TryGetResult PredictArguments.Model, arguments.TryGetResult PredictArguments.Dataset, file with
        | _, _, Error problem -> Error problem
        | Some model, _, Ok file -> Ok(if Files.exists model then model else Store.file model file)
        | None, None, _ ->
            Error(Mismatch("predict", "neither -m nor -d", "-m CHECKPOINT, or -d DATASET for a trained fold"))
        | None, Some dataset, Ok file ->
            let roots = Train.roots (arguments.TryGetResult PredictArguments.Root)

            Store.datasetFolder roots dataset
            |> Result.map (fun folder ->
                let fold =
                    Store.foldFolder
                        roots
                        (Store.name folder)
                        (arguments.GetResult(PredictArguments.Trainer, "nnUNetTrainerSkeletonRecall"))
                        (arguments.GetResult(PredictArguments.Plans, "nnUNetPlans"))
                        (arguments.GetResult(PredictArguments.Configuration, "2d"))
                        (arguments.GetResult(PredictArguments.Fold, "0"))

                Store.file fold file)

    /// The request of a command line, or what is wrong with it.
    let request (arguments: ParseResults<PredictArguments>) : Result<PredictRequest, Problem> =
        Problem.attempt {
            do! Train.requireCpu (arguments.TryGetResult PredictArguments.Device)
            let step = arguments.GetResult(PredictArguments.Step_Size, Inference.standard.Step)
            let! checkpoint = checkpointFile arguments

            if not (step > 0.0 && step <= 1.0) then
                return! Error(Mismatch("--step-size", $"%g{step}", "above 0 and at most 1"))
            else
                return
                    {
                        Checkpoint = checkpoint
                        Input = arguments.GetResult PredictArguments.Input
                        Output = arguments.GetResult PredictArguments.Output
                        Step = step
                        Mirror = not (arguments.Contains PredictArguments.No_Mirroring)
                        KeepExisting = arguments.Contains PredictArguments.Continue_Prediction
                    }
        }

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<PredictArguments>) : int =
        Problem.attempt {
            let! request = request arguments
            Option.iter Train.setThreads (arguments.TryGetResult PredictArguments.Threads)

            let! written =
                Terminal.progress terminal "predicting" (fun report -> Pipeline.predict request terminal.Stop report)

            return Terminal.line terminal $"%d{written.Length} label maps written to %s{request.Output}"
        }
        |> Terminal.exitCode terminal
