namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall.Training

/// `ensemble` and `postprocess`: what is done to predictions.
[<RequireQualifiedAccess>]
module Combine =

    /// Runs `ensemble`; the exit code.
    let ensemble (terminal: Terminal) (arguments: ParseResults<EnsembleArguments>) : int =
        Problem.attempt {
            let output = arguments.GetResult EnsembleArguments.Output

            let! written =
                Ensemble.run
                    (arguments.GetResult EnsembleArguments.Inputs)
                    output
                    (arguments.Contains EnsembleArguments.Save_Npz)

            return Terminal.line terminal $"%d{written.Length} label maps written to %s{output}"
        }
        |> Terminal.exitCode terminal

    let private rule (name: string option) : Result<PostprocessRule, Problem> =
        match name with
        | None
        | Some "thin" -> Ok PostprocessRule.Thin
        | Some "dice" -> Ok PostprocessRule.Dice
        | Some other -> Error(Mismatch("--rule", $"'%s{other}'", "thin or dice"))

    let private told (terminal: Terminal) (decision: Postprocessing) : unit =
        if decision.Steps.IsEmpty then
            Terminal.line terminal "nothing is removed: no removal was accepted"

        for labels in decision.Steps do
            let list = labels |> List.map string |> String.concat ", "
            Terminal.line terminal $"all but the largest component of %s{list} is removed"

        for (label, before), (_, after) in List.zip decision.Before decision.After do
            Terminal.line terminal (sprintf "class %d: mean Dice %.4f before, %.4f after" label before after)

    /// Runs `postprocess`; the exit code.
    let postprocess (terminal: Terminal) (arguments: ParseResults<PostprocessArguments>) : int =
        Problem.attempt {
            let input = arguments.GetResult PostprocessArguments.Input
            let file = arguments.TryGetResult PostprocessArguments.Dataset_Json
            let output = arguments.TryGetResult PostprocessArguments.Output
            let! rule = rule (arguments.TryGetResult PostprocessArguments.Rule)

            match
                arguments.TryGetResult PostprocessArguments.Reference,
                arguments.TryGetResult PostprocessArguments.Steps,
                output
            with
            | Some truth, None, None ->
                let! dataset = LabelFolder.dataset file [ input; truth ]
                let! decision = PostprocessFolder.determine rule dataset truth input
                told terminal decision
                return Terminal.line terminal $"written to %s{Store.file input PostprocessFile.name}"
            | None, Some steps, Some output ->
                let! dataset = LabelFolder.dataset file [ input ]
                let! count = PostprocessFolder.apply dataset steps input output
                return Terminal.line terminal $"%d{count} label maps written to %s{output}"
            | _ ->
                return!
                    Error(
                        Mismatch(
                            "postprocess",
                            "neither of its two uses",
                            "-ref TRUTH to decide, or --steps FILE and -o FOLDER to follow a decision"
                        )
                    )
        }
        |> Terminal.exitCode terminal
