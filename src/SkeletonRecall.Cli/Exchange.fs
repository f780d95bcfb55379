namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// `import MODEL` and `export MODEL FOLDER`.
[<RequireQualifiedAccess>]
module Exchange =

    let private tell (terminal: Terminal) (written: string list) : unit =
        written |> List.iter (fun file -> Terminal.line terminal $"written %s{file}")

    /// Runs `import`; the exit code.
    let import (terminal: Terminal) (arguments: ParseResults<ImportArguments>) : int =
        Problem.attempt {
            let! kind = Flags.checkpointKind (arguments.TryGetResult ImportArguments.Checkpoint)

            let! paths =
                ModelFolder.checkpoints
                    (arguments.GetResult ImportArguments.Model)
                    kind
                    (arguments.TryGetResult ImportArguments.Fold)

            let names = ModelExchange.origin paths.Head
            let trainer = arguments.GetResult(ImportArguments.Trainer, names.Trainer)
            let plans = arguments.GetResult(ImportArguments.Plans, names.Plans)
            let roots = Flags.roots (arguments.TryGetResult ImportArguments.Root)
            let! written = ModelExchange.import roots trainer plans kind paths
            tell terminal (written |> List.map _.File)
            let first = written.Head

            return
                Terminal.line
                    terminal
                    $"to predict with it: predict -i IMAGES -o LABELS -d %s{first.DatasetName} -c %s{first.ConfigurationName} -tr %s{trainer} -p %s{plans}"
        }
        |> Terminal.exitCode terminal

    /// Runs `export`; the exit code.
    let export (terminal: Terminal) (arguments: ParseResults<ExportArguments>) : int =
        Problem.attempt {
            let model, folder = arguments.GetResult ExportArguments.Target
            let! kind = Flags.checkpointKind (arguments.TryGetResult ExportArguments.Checkpoint)

            let! paths =
                ModelFolder.checkpoints model kind (arguments.TryGetResult ExportArguments.Fold)

            let! written = ModelExchange.export folder kind paths
            return tell terminal written
        }
        |> Terminal.exitCode terminal
