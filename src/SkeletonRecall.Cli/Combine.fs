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

            let maps = Terminal.counted written.Length "label map"
            return Terminal.line terminal $"%s{maps} written to %s{output}"
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

        for (members, before), (_, after) in List.zip decision.Before decision.After do
            Terminal.line
                terminal
                (sprintf "class %s: mean Dice %.4f before, %.4f after" (Summary.key members) before after)

    let private chosenModels (arguments: ParseResults<FindBestArguments>) (results: string) : ModelName list =
        let isWanted (names: string list option) (name: string) =
            names |> Option.forall (List.contains name)

        RunFolder.models results
        |> List.filter (fun (trainer, plans, configuration) ->
            isWanted (arguments.TryGetResult FindBestArguments.Trainers) trainer
            && isWanted (arguments.TryGetResult FindBestArguments.Plans) plans
            && isWanted (arguments.TryGetResult FindBestArguments.Configurations) configuration)
        |> List.map (fun (trainer, plans, configuration) ->
            {
                Trainer = trainer
                PlansName = plans
                Configuration = configuration
            })

    /// Runs `find-best-configuration`; the exit code.
    let findBest (terminal: Terminal) (arguments: ParseResults<FindBestArguments>) : int =
        Problem.attempt {
            let roots = Flags.roots (arguments.TryGetResult FindBestArguments.Root)
            let dataset = arguments.GetResult FindBestArguments.Dataset
            let! rule = rule (arguments.TryGetResult FindBestArguments.Rule)
            let! raw = Store.datasetFolder roots dataset
            let results = Store.file roots.Results (Store.name raw)
            let models = chosenModels arguments results

            if models.IsEmpty then
                return! Error(Missing(results, "trained models of these names are wanted: run train"))
            else
                let! _, best =
                    FindBest.run
                        {
                            Roots = roots
                            Dataset = dataset
                            Models = models
                            Folds = arguments.GetResult(FindBestArguments.Folds, [ "0"; "1"; "2"; "3"; "4" ])
                            Ensembling = not (arguments.Contains FindBestArguments.Disable_Ensembling)
                            Rule = rule
                        }
                        terminal.Stop
                        (Terminal.line terminal)

                Terminal.line terminal $"best: %s{best.Name}"
                let file = Store.file results "inference_instructions.txt"
                return Terminal.line terminal $"how to predict with it: %s{file}"
        }
        |> Terminal.exitCode terminal

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
                let maps = Terminal.counted count "label map"
                return Terminal.line terminal $"%s{maps} written to %s{output}"
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
