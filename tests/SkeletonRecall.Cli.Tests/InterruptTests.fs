module SkeletonRecall.Cli.Tests.InterruptTests

open System
open System.Diagnostics
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// The program in a process of its own, which gets what Ctrl-C sends after some time, wherever it is.
let private interrupted (milliseconds: int) (arguments: string list) : int * string =
    // Who was started in the background of a shell's script ignores the signal, and so would whom it starts.
    let file, first =
        if OperatingSystem.IsLinux() then
            "env", [ "--default-signal=INT"; "dotnet" ]
        else
            "dotnet", []

    let info =
        ProcessStartInfo(file, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true)

    let program = Path.Combine(AppContext.BaseDirectory, "skeleton-recall.dll")

    for argument in first @ program :: arguments do
        info.ArgumentList.Add argument

    match Process.Start info with
    | null -> failtest "no process"
    | started ->
        use child = started
        let output = child.StandardOutput.ReadToEndAsync()
        let errors = child.StandardError.ReadToEndAsync()
        Thread.Sleep milliseconds

        if not child.HasExited then
            use kill = Process.Start("kill", [ "-INT"; string child.Id ])
            kill.WaitForExit()

        Expect.isTrue (child.WaitForExit 120000) "it ends"
        output.Result |> ignore
        child.ExitCode, errors.Result

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Ctrl-C"
        [
            test "at any moment it leaves what goes on to the same weights" {
                if OperatingSystem.IsWindows() then
                    skiptest "the signal is sent by kill"

                Commands.inFolder (fun root ->
                    ToyData.write (Extent.plane 64 64) 5 0 root |> ignore

                    let train (trainer: string) (more: string list) =
                        [
                            "train"
                            "1"
                            "2d"
                            "0"
                            "-tr"
                            trainer
                            "--epochs"
                            "8"
                            "--iterations"
                            "20"
                        ]
                        @ [
                            "--validation-iterations"
                            "2"
                            "--patch-size"
                            "32"
                            "32"
                            "--batch-size"
                            "2"
                        ]
                        @ [
                            "--base-features"
                            "4"
                            "--max-features"
                            "8"
                            "--threads"
                            "1"
                            "--root"
                            root
                        ]
                        @ more

                    let weights (trainer: string) =
                        (Path.Combine(
                            root,
                            "results",
                            "Dataset001_Toy",
                            $"%s{trainer}__nnUNetPlans__2d",
                            "fold_0",
                            RunFolder.final
                         )
                         |> Checkpoint.load
                         |> Problem.orThrow)
                            .Weights

                    let straight, stopped =
                        "nnUNetTrainerSkeletonRecall", "nnUNetTrainerSkeletonRecall_8epochs"

                    Commands.succeeded (train straight []) |> ignore
                    let rng = Seed.rng (Seed.ofInt 3)

                    let mutable tries = 0
                    let mutable stops = 0

                    // Later and later, until some have come while it trains.
                    while stops < 3 && tries < 40 do
                        tries <- tries + 1

                        let code, errors =
                            interrupted (300 + 100 * tries + rng.NextInt 100) (train stopped [ "--c" ])

                        // Before the program listens, the signal ends it as any other (130); after the end there is nothing to stop.
                        Expect.contains [ 0; 1; 130 ] code errors

                        if code = 1 then
                            stops <- stops + 1
                            Expect.equal (errors.TrimEnd()) "skeleton-recall: stopped" "one line"

                    Expect.isGreaterThan stops 0 "a signal came while it trained"
                    Commands.succeeded (train stopped [ "--c" ]) |> ignore
                    Expect.equal (weights stopped) (weights straight) "bit for bit")
            }
        ]
