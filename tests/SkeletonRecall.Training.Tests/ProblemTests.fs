module SkeletonRecall.Tests.ProblemTests

open System
open System.IO
open System.Text
open Expecto
open SkeletonRecall.Training

let private stop = Missing("a.png", "an image is wanted")

[<Tests>]
let tests =
    testList
        "Problem"
        [
            test "messages are one line that names the file and what was wanted" {
                let texts =
                    [
                        Missing("a/b.png", "an image is wanted")
                        Unreadable("a/b.png", "it is truncated")
                        Unwritable("a/b.png", "there is no permission to write there")
                        Mismatch("a/b.png", "3 channels", "1")
                    ]
                    |> List.map Problem.message

                Expect.equal
                    texts
                    [
                        "a/b.png: not found; an image is wanted."
                        "a/b.png: cannot be read; it is truncated."
                        "a/b.png: cannot be written; there is no permission to write there."
                        "a/b.png: got 3 channels; wanted 1."
                    ]
                    "texts"
            }

            test "orThrow carries the message" {
                let thrown =
                    try
                        Problem.orThrow (Error stop: Result<int, Problem>) |> string
                    with ProblemException _ as error ->
                        error.Message

                Expect.equal thrown (Problem.message stop) "message"
                Expect.equal (Problem.orThrow (Ok 3)) 3 "value"
            }

            test "collect keeps the order and stops at the first problem" {
                Expect.equal (Problem.collect [ Ok 1; Ok 2; Ok 3 ]) (Ok [ 1; 2; 3 ]) "all"
                Expect.equal (Problem.collect [ Ok 1; Error stop; Error(Missing("z", "")) ]) (Error stop) "first"
                Expect.equal (Problem.collect ([]: Result<int, Problem> list)) (Ok []) "none"
            }

            test "attempt ends with the first problem" {
                let mutable later = false

                let result =
                    Problem.attempt {
                        for number in 1..3 do
                            do! (if number = 2 then Error stop else Ok())

                        later <- true
                        return 1
                    }

                Expect.equal result (Error stop) "problem"
                Expect.isFalse later "what follows does not run"
            }
        ]

let private isRoot = Environment.UserName = "root"

let private write (text: string) (stream: Stream) : unit =
    stream.Write(Encoding.UTF8.GetBytes text, 0, Encoding.UTF8.GetByteCount text)

[<Tests>]
let files =
    testList
        "Files"
        [
            test "a file is replaced, its folder made, and nothing else is left" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "new", "deep", "a.txt")
                    Expect.equal (Files.writeAtomically path (write "one")) (Ok()) "first"
                    Expect.equal (Files.writeAtomically path (write "two")) (Ok()) "second"
                    Expect.equal (File.ReadAllText path) "two" "text"

                    Expect.equal
                        (Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
                        [| path |]
                        "no other file")
            }

            test "a writer that throws leaves the old file and nothing else" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "a.txt")
                    Files.writeAtomically path (write "one") |> ignore

                    let broken (stream: Stream) =
                        write "half" stream
                        raise (InvalidOperationException "stop")

                    Expect.throwsT<InvalidOperationException>
                        (fun () -> Files.writeAtomically path broken |> ignore)
                        "passes through"

                    Expect.equal (File.ReadAllText path) "one" "text"
                    Expect.equal (Directory.GetFiles folder) [| path |] "no other file")
            }

            test "a place that cannot be written is a problem that names the path" {
                Toy.inFolder (fun folder ->
                    let blocked = Path.Combine(folder, "file")
                    File.WriteAllText(blocked, "")

                    match Files.writeAtomically (Path.Combine(blocked, "a.txt")) (write "one") with
                    | Error(Unwritable _ as problem) -> Expect.stringContains (Problem.message problem) blocked "path"
                    | other -> failtest $"%A{other}"

                    match Files.writeAtomically folder (write "one") with
                    | Error(Unwritable(path, _)) -> Expect.equal path folder "a folder in the way"
                    | other -> failtest $"%A{other}"

                    Expect.equal (Directory.GetFiles folder) [| blocked |] "no other file")
            }

            test "no permission to write is a problem" {
                // Nothing is locked for root, except for what the kernel keeps to itself.
                if OperatingSystem.IsWindows() then
                    skiptest "folder permissions are another matter on Windows"
                elif isRoot then
                    match Files.writeAtomically "/sys/skeleton-recall.txt" (write "one") with
                    | Error(Unwritable(path, reason)) ->
                        Expect.equal path "/sys/skeleton-recall.txt" "path"
                        Expect.isFalse (reason.Contains ".tmp") reason
                    | other -> failtest $"%A{other}"
                else
                    Toy.inFolder (fun folder ->
                        let locked = Path.Combine(folder, "locked")

                        Directory.CreateDirectory(locked, UnixFileMode.UserRead ||| UnixFileMode.UserExecute)
                        |> ignore

                        match Files.writeAtomically (Path.Combine(locked, "a.txt")) (write "one") with
                        | Error(Unwritable(_, reason)) -> Expect.stringContains reason "permission" "reason"
                        | other -> failtest $"%A{other}")
            }

            test "reading what is not there, or a folder, is a problem" {
                Toy.inFolder (fun folder ->
                    match Files.read (Path.Combine(folder, "none.png")) "an image is wanted" with
                    | Error(Missing(_, wanted)) -> Expect.equal wanted "an image is wanted" "wanted"
                    | other -> failtest $"%A{other}"

                    match Files.read folder "an image is wanted" with
                    | Error(Unreadable _) -> ()
                    | other -> failtest $"%A{other}")
            }
        ]
