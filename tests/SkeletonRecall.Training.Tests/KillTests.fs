module SkeletonRecall.Tests.KillTests

open System
open System.Diagnostics
open System.IO
open System.Reflection
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// The continuous integration asks for 30.
let private kills =
    match Environment.GetEnvironmentVariable "SKELETONRECALL_KILLS" with
    | null
    | "" -> 4
    | text -> int text

// More than the kills can reach, so that each one meets a run.
let private epochs = 4 + 14 * kills

let private start (folder: string) : Process =
    let info =
        ProcessStartInfo("dotnet", UseShellExecute = false, RedirectStandardOutput = true)

    for argument in
        [
            Assembly.GetExecutingAssembly().Location
            TinyRun.childCommand
            folder
            string epochs
        ] do
        info.ArgumentList.Add argument

    match Process.Start info with
    | null -> failtest "no process"
    | started -> started

// Lets a run take some steps and kills it (SIGKILL) a moment later, wherever it is.
let private killOnce (rng: Rng) (folder: string) : unit =
    use child = start folder

    for _ in 0 .. rng.NextInt 16 do
        child.StandardOutput.ReadLine() |> ignore

    Thread.Sleep(rng.NextInt 12)
    Expect.isFalse child.HasExited "it still trains"
    child.Kill()
    child.WaitForExit()

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Killed runs"
        [
            test "a run that is killed again and again ends with the weights of an undisturbed one" {
                let straight =
                    Toy.inFolder (fun folder ->
                        TinyRun.run (TinyRun.options epochs) folder None CancellationToken.None ignore
                        |> Problem.orThrow)

                Toy.inFolder (fun folder ->
                    let rng = Seed.rng (Seed.ofInt 11)

                    for _ in 1..kills do
                        killOnce rng folder

                    let resume = RunFolder.tryResume folder |> Problem.orThrow
                    Expect.isSome resume "a whole checkpoint is there"

                    let ended =
                        TinyRun.run (TinyRun.options epochs) folder resume CancellationToken.None ignore
                        |> Problem.orThrow

                    Expect.equal (Toy.comparable ended) (Toy.comparable straight) "bit for bit"
                    Expect.isEmpty (Directory.GetFiles(folder, "*.tmp")) "nothing unfinished is left")
            }
        ]
