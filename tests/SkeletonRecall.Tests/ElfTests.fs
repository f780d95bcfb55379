module SkeletonRecall.Tests.ElfTests

open System.IO
open Expecto
open SkeletonRecall

let private wrapper () : byte[] =
    match LibTorch.state () with
    | LibTorchState.AsShipped wrapper
    | LibTorchState.Repaired(wrapper, _) -> File.ReadAllBytes wrapper
    | LibTorchState.LeftAlone -> skiptest "TorchSharp loaded its library by itself here, so its file is not known."

[<Tests>]
let tests =
    testList
        "Elf"
        [
            testCase "no library" (fun () ->
                Expect.isNone (Elf.weaken "GLIBCXX_3.4.32" "sched_yield" [||]) "empty"
                Expect.isNone (Elf.weaken "GLIBCXX_3.4.32" "sched_yield" (Array.create 5000 7uy)) "bytes")

            testCase "a version that is not needed" (fun () ->
                Expect.isNone (Elf.weaken "GLIBCXX_9.9.99" "sched_yield" (wrapper ())) "version")

            testCase "a truncated library" (fun () ->
                let whole = wrapper ()
                Expect.isNone (Elf.weaken "GLIBCXX_3.4.32" "sched_yield" whole[.. whole.Length / 2]) "half")

            testCase "few bytes change and the original stays" (fun () ->
                let original = wrapper ()
                let kept = Array.copy original

                match Elf.weaken "GLIBCXX_3.4.32" "sched_yield" original with
                | None -> failtest "the wrapper needs that version"
                | Some repaired ->
                    Expect.equal original kept "original"

                    let changed =
                        Array.map2 (fun left right -> if left = right then 0 else 1) original repaired
                        |> Array.sum

                    Expect.isGreaterThan changed 0 "changed"
                    Expect.isLessThan changed 40 "changed")

            testCase "repairing twice changes no symbol again" (fun () ->
                let once = Elf.weaken "GLIBCXX_3.4.32" "sched_yield" (wrapper ())
                let twice = once |> Option.bind (Elf.weaken "GLIBCXX_3.4.32" "sched_yield")
                Expect.equal twice once "bytes")
        ]
