module SkeletonRecall.Tests.WorkersTests

open System
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Workers"
        [
            testProperty "results lie as their items do, whatever the number of threads" (fun (items: int[]) ->
                [ 1; 2; 3; 16 ]
                |> List.forall (fun threads -> Workers.map threads ((*) 3) items = Array.map ((*) 3) items))

            testCase "what an item throws comes out as it is"
            <| fun () ->
                for threads in [ 1; 3 ] do
                    Expect.throwsT<ArgumentException>
                        (fun () ->
                            [| 1..9 |]
                            |> Workers.map threads (fun item ->
                                if item = 5 then invalidArg (nameof item) "five" else item)
                            |> ignore)
                        $"%d{threads} threads"

            testCase "a thread is needed"
            <| fun () -> Expect.throwsT<ArgumentException> (fun () -> Workers.map 0 id [| 1 |] |> ignore) "0 threads"
        ]
