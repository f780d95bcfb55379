namespace SkeletonRecall.Cli

open Argu

/// `import MODEL`.
type ImportArguments =
    | [<MainCommand; ExactlyOnce>] Model of MODEL: string
    | [<AltCommandLine("-f")>] Fold of numbers: string list
    | [<AltCommandLine("-chk")>] Checkpoint of name: string
    | [<AltCommandLine("-tr")>] Trainer of name: string
    | [<AltCommandLine("-p")>] Plans of name: string
    | Root of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Model _ ->
                "model of Python's nnU-Net: its folder (plans.json, dataset.json, fold_0, ...), a zip archive of it, or one of its checkpoints."
            | Fold _ -> "folds that are taken (default: those that have the checkpoint)."
            | Checkpoint _ -> "checkpoint: final, best or latest (default: final)."
            | Trainer _ ->
                "trainer's name in the results folder (default: as the model's folder says, or nnUNetTrainer)."
            | Plans _ -> "plans' name in the results folder (default: as the model's folder says, or nnUNetPlans)."
            | Root _ -> Usage.root

/// `export MODEL FOLDER`.
type ExportArguments =
    | [<MainCommand; ExactlyOnce>] Target of MODEL: string * FOLDER: string
    | [<AltCommandLine("-f")>] Fold of numbers: string list
    | [<AltCommandLine("-chk")>] Checkpoint of name: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Target _ ->
                "model (folder, zip archive or checkpoint, ours or of Python's nnU-Net), and the folder to write."
            | Fold _ -> "folds that are written (default: those that have the checkpoint)."
            | Checkpoint _ -> "checkpoint: final, best or latest (default: final)."
