module SkeletonRecall.Tests.DiskFullTests

open System
open System.Diagnostics
open System.IO
open System.Reflection
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// Goes on with a run in a process that may write files of so many bytes at most: what a full disk does to a checkpoint.
let private goOn (folder: string) (epochs: int) (bytes: int64) : int * string =
    let program = Assembly.GetExecutingAssembly().Location

    let info =
        ProcessStartInfo("bash", UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true)

    info.ArgumentList.Add "-c"

    // bash counts in 1024 bytes. Nobody hears the signal that comes with the limit. The runtime maps its code through a file as large as its address space otherwise.
    info.ArgumentList.Add
        $"trap '' XFSZ; ulimit -f %d{bytes / 1024L}; export DOTNET_EnableWriteXorExecute=0; exec dotnet '%s{program}' %s{TinyRun.childCommand} '%s{folder}' %d{epochs}"

    match Process.Start info with
    | null -> failtest "no process"
    | started ->
        use child = started
        let output = child.StandardOutput.ReadToEndAsync()
        let errors = child.StandardError.ReadToEnd()
        child.WaitForExit()
        output.Result |> ignore
        child.ExitCode, errors

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Full disks"
        [
            test "a checkpoint that cannot be written is told, and the old one goes on" {
                if not (OperatingSystem.IsLinux()) then
                    skiptest "limits of files are set by bash on Linux"

                Toy.inFolder (fun folder ->
                    let straight =
                        Toy.inFolder (fun other ->
                            TinyRun.run (TinyRun.options 4) other None CancellationToken.None ignore
                            |> Problem.orThrow)

                    // Two epochs, then a stop, which leaves a checkpoint.
                    use source = new CancellationTokenSource()

                    let report (progress: Progress) =
                        match progress with
                        | Step(2, 0, _) -> source.Cancel()
                        | _ -> ()

                    Expect.throwsT<OperationCanceledException>
                        (fun () -> TinyRun.run (TinyRun.options 4) folder None source.Token report |> ignore)
                        "stopped"

                    let path = Path.Combine(folder, RunFolder.latest)
                    let before = File.ReadAllBytes path
                    let code, errors = goOn folder 4 (int64 before.Length / 2L)
                    Expect.equal code 1 errors
                    Expect.equal (errors.TrimEnd().Split('\n').Length) 1 errors
                    Expect.stringContains errors "checkpoint_" "which file"
                    Expect.stringContains errors "cannot be written" "what happened"
                    Expect.equal (File.ReadAllBytes path) before "the old one"
                    Expect.isEmpty (Directory.GetFiles(folder, "*.tmp")) "nothing unfinished is left"
                    let resume = RunFolder.tryResume folder |> Problem.orThrow

                    let ended =
                        TinyRun.run (TinyRun.options 4) folder resume CancellationToken.None ignore
                        |> Problem.orThrow

                    Expect.equal (Toy.comparable ended) (Toy.comparable straight) "bit for bit")
            }
        ]
