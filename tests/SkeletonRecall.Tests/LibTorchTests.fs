module SkeletonRecall.Tests.LibTorchTests

open System
open System.IO
open System.Threading.Tasks
open TorchSharp
open Expecto
open SkeletonRecall

module private Variables =

    [<Runtime.InteropServices.DllImport("libc.so.6", EntryPoint = "getenv")>]
    extern nativeint getenv(string name)

let private inTemporaryFolder (act: string -> unit) : unit =
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-").FullName

    try
        act folder
    finally
        Directory.Delete(folder, true)

[<Tests>]
let tests =
    testList
        "LibTorch"
        [
            testCase "after ensure, tensors work" (fun () ->
                LibTorch.ensure ()
                LibTorch.ensure ()
                use one = torch.ones 3L
                use sum = one.sum ()
                Expect.equal (sum.item<float32>()) 3.0f "sum")

            testCase "OpenMP's threads wait asleep, or as the user said" (fun () ->
                LibTorch.ensure ()

                if OperatingSystem.IsLinux() then
                    let said =
                        match Environment.GetEnvironmentVariable "OMP_WAIT_POLICY" with
                        | null -> "PASSIVE"
                        | policy -> policy

                    let found =
                        Runtime.InteropServices.Marshal.PtrToStringUTF8(Variables.getenv "OMP_WAIT_POLICY")

                    Expect.equal found said "OMP_WAIT_POLICY")

            testCase "the state names an existing library" (fun () ->
                match LibTorch.state () with
                | LibTorchState.LeftAlone -> ()
                | LibTorchState.AsShipped wrapper -> Expect.isTrue (File.Exists wrapper) wrapper
                | LibTorchState.Repaired(wrapper, copy) ->
                    Expect.isTrue (File.Exists wrapper) wrapper
                    Expect.isTrue (copy = "memory" || File.Exists copy) copy)

            testCase "an exception of libtorch still arrives" (fun () ->
                LibTorch.ensure ()
                use two = torch.ones (2L, 3L)
                Expect.throws (fun () -> two.reshape(7L).Dispose()) "reshape")

            testCase "many writers install one whole file" (fun () ->
                inTemporaryFolder (fun folder ->
                    let content = Array.init 100000 byte
                    let target = Path.Combine(folder, "a", "b")

                    Parallel.For(
                        0,
                        16,
                        fun _ ->
                            let path = LibTorch.install target "library" content
                            Expect.sequenceEqual (File.ReadAllBytes path) content "content"
                    )
                    |> ignore

                    Expect.equal (Directory.GetFiles target) [| Path.Combine(target, "library") |] "files"))

            testCase "a damaged file is replaced" (fun () ->
                inTemporaryFolder (fun folder ->
                    let content = [| 1uy; 2uy; 3uy |]
                    let path = LibTorch.install folder "library" content
                    File.WriteAllBytes(path, [| 1uy; 2uy; 4uy |])
                    LibTorch.install folder "library" content |> ignore
                    Expect.equal (File.ReadAllBytes path) content "content"))

            testCase "a file that is there is left alone" (fun () ->
                inTemporaryFolder (fun folder ->
                    let content = [| 1uy; 2uy; 3uy |]
                    let path = LibTorch.install folder "library" content
                    let written = DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc)
                    File.SetLastWriteTimeUtc(path, written)
                    LibTorch.install folder "library" content |> ignore
                    Expect.equal (File.GetLastWriteTimeUtc path) written "time"))
        ]
