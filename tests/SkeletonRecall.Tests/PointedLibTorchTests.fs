module SkeletonRecall.Tests.PointedLibTorchTests

open System
open System.Diagnostics
open System.IO
open System.Reflection
open TorchSharp
open Expecto
open SkeletonRecall

/// The only argument of a process that computes a gradient and says which libtorch it has mapped.
let childCommand: string = "say-libtorch"

/// Loads libtorch, works with it, and writes the path of each of its libraries that is mapped. The exit code: 1 with the
/// sentence where it cannot be loaded.
let child () : int =
    try
        LibTorch.ensure ()
        use input = torch.ones ([| 1L; 1L; 8L; 8L |], requires_grad = true)
        use weights = torch.ones [| 1L; 1L; 3L; 3L |]
        use sum = torch.nn.functional.conv2d(input, weights).sum()
        sum.backward ()
        Console.Out.WriteLine(sum.item<float32>())

        File.ReadLines "/proc/self/maps"
        |> Seq.choose (fun line ->
            match line.IndexOf '/' with
            | -1 -> None
            | at -> Some(line.Substring at))
        |> Seq.filter (fun path ->
            let name = string (Path.GetFileName path)

            name.StartsWith("libtorch", StringComparison.Ordinal)
            || name.StartsWith("libc10", StringComparison.Ordinal)
            || name.StartsWith("libgomp", StringComparison.Ordinal))
        |> Seq.distinct
        |> Seq.iter Console.Out.WriteLine

        0
    with :? DllNotFoundException as error ->
        Console.Error.WriteLine error.Message
        1

// Exit code, lines of output, and what stood on the error stream.
let private run (pointed: string) : int * string list * string =
    let info =
        ProcessStartInfo("dotnet", UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true)

    info.ArgumentList.Add(Assembly.GetExecutingAssembly().Location)
    info.ArgumentList.Add childCommand
    info.Environment["SKELETONRECALL_LIBTORCH"] <- pointed

    match Process.Start info with
    | null -> failtest "no process"
    | started ->
        use started = started
        let errors = started.StandardError.ReadToEndAsync()
        let output = started.StandardOutput.ReadToEnd()
        started.WaitForExit()

        started.ExitCode,
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries) |> Array.toList,
        errors.Result.Trim()

// The folder of this process's libtorch; tests that need one to copy are skipped where it is not known.
let private own () : string =
    match LibTorch.folder () with
    | Some folder -> folder
    | None -> skiptest "SKELETONRECALL_LIBTORCH is served on Linux alone."

let private inTemporaryFolder (act: string -> unit) : unit =
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-").FullName

    try
        act folder
    finally
        Directory.Delete(folder, true)

let private libraries (folder: string) : string list =
    Directory.GetFiles folder
    |> Array.choose (fun file -> Option.ofObj (Path.GetFileName file))
    |> Array.toList
    |> PointedLibTorch.inOrder

let private copyTo (target: string) : unit =
    Directory.CreateDirectory target |> ignore

    for name in libraries (own ()) do
        File.Copy(Path.Combine(own (), name), Path.Combine(target, name))

// Refused with one sentence that holds these words, and no other libtorch in its place.
let private refused (pointed: string) (words: string list) : unit =
    let code, output, sentence = run pointed
    Expect.equal (code, output) (1, []) "exit code and output"
    Expect.equal (sentence.Split('\n').Length) 1 sentence
    Expect.stringEnds sentence "." "a sentence"

    for word in "SKELETONRECALL_LIBTORCH" :: pointed :: words do
        Expect.stringContains sentence word "sentence"

[<Tests>]
let tests =
    testSequenced
    <| testList
        "PointedLibTorch"
        [
            testCase "the libraries in the order of their dependence" (fun () ->
                Expect.equal
                    (PointedLibTorch.inOrder
                        [
                            "libtorch.so"
                            "libtorch_python.so"
                            "libtorch_cuda.so"
                            "libgomp-98b21ff3.so.1"
                            "libc10_cuda.so"
                            "libtorch_cpu.so"
                            "libc10.so"
                        ])
                    [
                        "libgomp-98b21ff3.so.1"
                        "libc10.so"
                        "libtorch_cpu.so"
                        "libc10_cuda.so"
                        "libtorch_cuda.so"
                        "libtorch.so"
                    ]
                    "with CUDA"

                Expect.equal
                    (PointedLibTorch.inOrder [ "libtorch_cpu.so"; "libtorch.so"; "libc10.so" ])
                    [ "libc10.so"; "libtorch_cpu.so"; "libtorch.so" ]
                    "without")

            testCase "CUDA's libraries stand beside a wheel's" (fun () ->
                inTemporaryFolder (fun folder ->
                    let torch = Path.Combine(folder, "torch", "lib")
                    Directory.CreateDirectory torch |> ignore
                    Expect.isEmpty (PointedLibTorch.companions torch) "none"

                    for package in [ "cudnn"; "cublas" ] do
                        Directory.CreateDirectory(Path.Combine(folder, "nvidia", package, "lib"))
                        |> ignore

                    Directory.CreateDirectory(Path.Combine(folder, "nvidia", "empty")) |> ignore

                    Expect.equal
                        (PointedLibTorch.companions torch)
                        [
                            Path.Combine(folder, "nvidia", "cublas", "lib")
                            Path.Combine(folder, "nvidia", "cudnn", "lib")
                        ]
                        "folders"))

            testCase "another copy is loaded in place of the program's own, and alone" (fun () ->
                inTemporaryFolder (fun folder ->
                    let copy = Path.Combine(folder, "lib")
                    copyTo copy

                    // The folder itself, and the one above it, as an archive of libtorch is laid out.
                    for pointed in [ copy; folder ] do
                        let code, output, errors = run pointed
                        Expect.equal code 0 errors
                        Expect.equal output.Head "324" "the sum of 6 x 6 windows of 3 x 3"

                        Expect.equal
                            (output.Tail |> List.map string |> List.sort)
                            (libraries copy |> List.map (fun name -> Path.Combine(copy, name)) |> List.sort)
                            "mapped"))

            testCase "the program's own folder can be named too" (fun () ->
                let code, output, errors = run (own ())
                Expect.equal code 0 errors
                Expect.contains output (Path.Combine(own (), "libtorch_cpu.so")) "mapped")

            testCase "a folder that is not there" (fun () ->
                own () |> ignore
                refused "/there/is/none" [ "no folder"; "libtorch 2.10"; "torch/lib" ])

            testCase "a folder that lacks a library" (fun () ->
                own () |> ignore

                inTemporaryFolder (fun folder ->
                    File.WriteAllText(Path.Combine(folder, "libtorch_cpu.so"), "")
                    refused folder [ "libc10.so and libtorch.so"; "libtorch 2.10" ]))

            testCase "another version, by its text" (fun () ->
                own () |> ignore

                inTemporaryFolder (fun folder ->
                    let libraries = Path.Combine(folder, "torch", "lib")
                    Directory.CreateDirectory libraries |> ignore

                    for name in [ "libc10.so"; "libtorch_cpu.so"; "libtorch.so" ] do
                        File.WriteAllText(Path.Combine(libraries, name), "")

                    let version = Path.Combine(folder, "torch", "version.py")
                    File.WriteAllText(version, "from typing import Optional\n__version__ = '2.9.1+cu128'\n")
                    refused libraries [ "2.9.1+cu128"; "libtorch 2.10" ]
                    File.Delete version
                    File.WriteAllText(Path.Combine(folder, "torch", "build-version"), "2.11.0\n")
                    refused libraries [ "2.11.0"; "libtorch 2.10" ]))

            testCase "another version, by its library" (fun () ->
                own () |> ignore
                // Debian's package libtorch1.13, which python3-torch brings.
                let debian = "/usr/lib/x86_64-linux-gnu"
                let library = Path.Combine(debian, "libtorch_cpu.so.1.13")

                if not (File.Exists library) then
                    skiptest $"%s{library} is not installed."

                inTemporaryFolder (fun folder ->
                    for name in [ "libc10"; "libtorch_cpu"; "libtorch" ] do
                        File.CreateSymbolicLink(
                            Path.Combine(folder, name + ".so"),
                            Path.Combine(debian, name + ".so.1.13")
                        )
                        |> ignore

                    let code, output, sentence = run folder
                    Expect.equal (code, output) (1, []) "exit code and output"
                    Expect.stringContains sentence "holds libtorch of before 2.9; TorchSharp needs 2.10.0." "sentence"))

            testCase "a damaged library" (fun () ->
                inTemporaryFolder (fun folder ->
                    for name in libraries (own ()) do
                        File.CreateSymbolicLink(Path.Combine(folder, name), Path.Combine(own (), name))
                        |> ignore

                    let damaged = Path.Combine(folder, "libtorch_cpu.so")
                    File.Delete damaged
                    File.WriteAllText(damaged, "no library")
                    let code, output, sentence = run folder
                    Expect.equal (code, output) (1, []) "exit code and output"
                    Expect.stringContains sentence damaged "sentence"))
        ]
