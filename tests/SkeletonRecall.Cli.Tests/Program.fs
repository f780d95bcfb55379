module SkeletonRecall.Cli.Tests.Program

open Expecto

[<EntryPoint>]
let main (arguments: string[]) : int =
    SkeletonRecall.Tests.Culture.fromEnvironment ()
    runTestsInAssemblyWithCLIArgs [] arguments
