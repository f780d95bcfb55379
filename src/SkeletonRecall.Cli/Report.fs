namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall.Charts
open SkeletonRecall.Training

/// `report RUN [RUN]`: the page of one training run, or of two side by side.
[<RequireQualifiedAccess>]
module Report =

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<ReportArguments>) : int =
        Problem.attempt {
            let runs = arguments.GetResult ReportArguments.Runs

            if runs.Length > 2 then
                return! Error(Mismatch("report", $"%d{runs.Length} runs", "one run or two"))
            else
                let file =
                    arguments.GetResult(ReportArguments.Output, Store.file (List.last runs) RunReport.file)

                do! RunReport.write file runs
                return Terminal.line terminal $"written to %s{file}"
        }
        |> Terminal.exitCode terminal
