namespace SkeletonRecall.Cli

open System
open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// `weigh DATASET`.
[<RequireQualifiedAccess>]
module Weigh =

    // A file, or the first of a run's checkpoints that is there.
    let private checkpoint (path: string) : string =
        if Files.exists path then
            path
        else
            [ RunFolder.final; RunFolder.best; RunFolder.latest ]
            |> List.map (Store.file path)
            |> List.tryFind Files.exists
            |> Option.defaultValue path

    /// The request of a command line, or what is wrong with it.
    let request (arguments: ParseResults<WeighArguments>) : Result<WeighRequest, Problem> =
        let batches = arguments.GetResult(WeighArguments.Batches, 4)
        let ratio = arguments.GetResult(WeighArguments.Ratio, 1.0)

        if batches < 1 then
            Flags.wrong "--batches" $"%d{batches}" "1 or more"
        elif not (Double.IsFinite ratio && ratio > 0.0) then
            Flags.wrong "--ratio" $"%g{ratio}" "a number above 0"
        elif
            arguments.Contains WeighArguments.Checkpoint
            && (arguments.Contains WeighArguments.Configuration
                || arguments.Contains WeighArguments.Plans)
        then
            Flags.wrong "--configuration and --plans" "a checkpoint beside them, which has its own" "one of the two"
        elif arguments.GetResult(WeighArguments.Threads, 1) < 1 then
            Flags.wrong "--threads" $"%d{arguments.GetResult WeighArguments.Threads}" "1 or more"
        else
            Problem.attempt {
                let! objective =
                    Flags.objective "--objective" (arguments.TryGetResult WeighArguments.Objective)

                let! device = Flags.device (arguments.TryGetResult WeighArguments.Device)

                return
                    {
                        Roots = Flags.roots (arguments.TryGetResult WeighArguments.Root)
                        Dataset = arguments.GetResult WeighArguments.Dataset
                        Checkpoint = arguments.TryGetResult WeighArguments.Checkpoint |> Option.map checkpoint
                        Configuration = arguments.GetResult(WeighArguments.Configuration, "2d")
                        PlansName = arguments.GetResult(WeighArguments.Plans, "nnUNetPlans")
                        Objective = objective
                        Batches = batches
                        Ratio = ratio
                        Seed = arguments.GetResult(WeighArguments.Seed, 0)
                        Device = device
                    }
            }

    let private number (value: float) : string = sprintf "%.4g" value

    let private print (terminal: Terminal) (weighed: Weighed) : unit =
        let report = weighed.Report
        Terminal.line terminal $"objective: %s{Objective.print weighed.Objective}"

        let weight (value: float option) : string =
            value |> Option.map number |> Option.defaultValue "-"

        report.Terms
        |> List.map (fun term ->
            [
                term.Name
                number term.Weight
                number term.Value
                number term.LogitsNorm
                number term.WeightsNorm
                weight (WeightFinder.atLogits report term)
                weight (WeightFinder.atWeights report term)
            ])
        |> Terminal.table
            terminal
            [
                "term"
                "weight"
                "value"
                "at logits"
                "at weights"
                "w by logits"
                "w by weights"
            ]

        let batches =
            if report.Batches = 1 then
                "1 batch"
            else
                $"%d{report.Batches} batches"

        Terminal.line
            terminal
            $"at logits, at weights: length of the unweighted term's gradient, the mean over %s{batches}; w: the weight with which it pulls %s{number report.Ratio} times as hard as the others together"

        match weighed.Suggested with
        | Some suggested -> Terminal.line terminal $"suggested: --loss \"%s{Objective.print suggested}\""
        | None ->
            Terminal.line
                terminal
                "suggested: nothing; a weight needs two terms or more, each with a gradient in these batches"

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<WeighArguments>) : int =
        Problem.attempt {
            let! request = request arguments
            Option.iter Flags.setThreads (arguments.TryGetResult WeighArguments.Threads)

            let! weighed =
                Terminal.progress terminal "weighing" (fun report ->
                    Weighing.run request (fun share text ->
                        terminal.Stop.ThrowIfCancellationRequested()
                        report share text)
                    |> Result.map (Terminal.through report))

            print terminal weighed

            match arguments.TryGetResult WeighArguments.Json with
            | Some file ->
                do! Store.writeText file (Weighing.json weighed)
                return Terminal.line terminal $"written to %s{file}"
            | None -> return ()
        }
        |> Terminal.exitCode terminal
