module SkeletonRecall.Tests.Program

open Expecto

[<EntryPoint>]
let main (arguments: string[]) : int =
    runTestsInAssemblyWithCLIArgs [] arguments
