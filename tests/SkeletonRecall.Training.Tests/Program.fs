module SkeletonRecall.Tests.Program

open Expecto

[<EntryPoint>]
let main (arguments: string[]) : int =
    SkeletonRecall.Tests.Culture.fromEnvironment ()

    match arguments with
    | [| command; folder; epochs |] when command = TinyRun.childCommand -> TinyRun.child folder (int epochs)
    | _ -> runTestsInAssemblyWithCLIArgs [] arguments
