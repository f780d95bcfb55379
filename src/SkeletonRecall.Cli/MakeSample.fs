namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall.Training

/// `sample KIND TARGET`.
[<RequireQualifiedAccess>]
module MakeSample =

    let private within (flag: string) (least: int, most: int) (value: int) : Result<unit, Problem> =
        if value >= least && value <= most then
            Ok()
        else
            Error(Mismatch(flag, $"%d{value}", $"%d{least} to %d{most}"))

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<SampleArguments>) : int =
        let asJson = arguments.Contains SampleArguments.Json

        Problem.attempt {
            let name, target = arguments.GetResult SampleArguments.Places

            let! kind =
                match List.tryFind (fun (known, _) -> known = name) Sample.kinds with
                | Some(_, kind) -> Ok kind
                | None ->
                    let known = Sample.kinds |> List.map fst |> String.concat ", "
                    Error(Mismatch("the kind", $"'%s{name}'", $"one of %s{known}"))

            let! folder = MadeDataset.folder (arguments.TryGetResult SampleArguments.Root) target
            let cases = arguments.GetResult(SampleArguments.Cases, 20)
            let test = arguments.GetResult(SampleArguments.Test, cases / 4)
            let size = arguments.GetResult(SampleArguments.Size, Sample.standardSize kind)
            let seed = arguments.GetResult(SampleArguments.Seed, 1)
            do! within "--cases" (1, 100000) cases
            do! within "--test" (0, 100000) test
            do! within "--size" (Sample.sizes kind) size

            let! dataset =
                MadeDataset.progress terminal asJson "drawing" (fun report ->
                    Sample.writeDataset
                        kind
                        size
                        (Seed.ofInt seed)
                        cases
                        test
                        (fun share case ->
                            terminal.Stop.ThrowIfCancellationRequested()
                            report share case)
                        folder)

            return MadeDataset.report terminal asJson folder dataset test []
        }
        |> Terminal.exitCode terminal
