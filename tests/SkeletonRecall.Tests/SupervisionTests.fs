module SkeletonRecall.Tests.SupervisionTests

open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Supervision"
        [
            testCase "names come back" (fun () ->
                for supervision in Supervision.all do
                    Expect.equal (Supervision.parse (Supervision.print supervision)) (Ok supervision) "supervision")

            testCase "another name lists them" (fun () ->
                match Supervision.parse "all" with
                | Ok _ -> failtest "no such supervision"
                | Error message ->
                    for part in [ "\"all\""; "recall-at-full"; "full-resolution"; "all-heads" ] do
                        Expect.stringContains message part "message")
        ]
