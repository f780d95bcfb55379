module SkeletonRecall.Tests.Program

open Expecto

[<EntryPoint>]
let main (arguments: string[]) : int =
    SkeletonRecall.Tests.Culture.fromEnvironment ()

    match arguments with
    | [| command |] when command = PointedLibTorchTests.childCommand -> PointedLibTorchTests.child ()
    | _ -> runTestsInAssemblyWithCLIArgs [] arguments
