module SkeletonRecall.Tests.WorkersTests

open System
open System.Threading
open Expecto
open SkeletonRecall.Training

let private problem = Mismatch("item 7", "a problem", "none")

let private plain (threads: int) (work: int -> Result<int, Problem>) (items: int list) =
    Workers.run threads 100L CancellationToken.None (fun _ _ -> ()) (fun _ -> 1L) work items

[<Tests>]
let tests =
    testList
        "Workers"
        [
            for threads in [ 1; 3; 50 ] do
                test $"%d{threads} threads give all results in order, and report each once in the caller's thread" {
                    let caller = Environment.CurrentManagedThreadId
                    let reported = ResizeArray()

                    let results =
                        Workers.run
                            threads
                            100L
                            CancellationToken.None
                            (fun number item ->
                                Expect.equal Environment.CurrentManagedThreadId caller "thread"
                                reported.Add(number, item))
                            (fun _ -> 1L)
                            (fun item ->
                                Thread.SpinWait(1000 * (item % 3))
                                Ok(2 * item))
                            [ 0..40 ]

                    Expect.equal results (Ok [ 0..2..80 ]) "results"
                    Expect.equal (Seq.map fst reported |> List.ofSeq) [ 1..41 ] "numbers"
                    Expect.equal (Seq.map snd reported |> Seq.sort |> List.ofSeq) [ 0..40 ] "items"
                }

            test "items at work never need more than the budget, but a large one goes alone" {
                let gate = obj ()
                let mutable used = 0L
                let mutable most = 0L
                let needs (item: int) = if item = 5 then 500L else 40L

                let work (item: int) =
                    lock gate (fun () ->
                        used <- used + needs item
                        most <- max most (if used = 500L then 0L else used))

                    Thread.Sleep 2
                    lock gate (fun () -> used <- used - needs item)
                    Ok item

                let results =
                    Workers.run 8 100L CancellationToken.None (fun _ _ -> ()) needs work [ 1..20 ]

                Expect.equal results (Ok [ 1..20 ]) "all are done"
                Expect.isLessThanOrEqual most 100L "budget"
            }

            test "the first problem ends it, and later items are not begun" {
                let begun = ref 0

                let work (item: int) =
                    Interlocked.Increment begun |> ignore
                    if item = 7 then Error problem else Ok item

                Expect.equal (plain 1 work [ 0..1000 ]) (Error problem) "problem"
                Expect.equal begun.Value 8 "begun"
                Expect.equal (plain 4 work [ 0..1000 ]) (Error problem) "problem of several"
            }

            test "an exception is thrown in the caller's thread" {
                let work (item: int) : Result<int, Problem> =
                    if item = 3 then invalidOp "broken" else Ok item

                Expect.throwsT<InvalidOperationException> (fun () -> plain 2 work [ 0..10 ] |> ignore) "thrown"
            }

            test "cancellation lets items at work finish, and no others begin" {
                use stop = new CancellationTokenSource()
                let begun = ref 0
                let finished = ref 0

                let work (item: int) =
                    Interlocked.Increment begun |> ignore

                    if item = 4 then
                        stop.Cancel()

                    Thread.Sleep 2
                    Interlocked.Increment finished |> ignore
                    Ok item

                Expect.throwsT<OperationCanceledException>
                    (fun () ->
                        Workers.run 2 100L stop.Token (fun _ _ -> ()) (fun _ -> 1L) work [ 0..1000 ]
                        |> ignore)
                    "cancelled"

                Expect.equal finished.Value begun.Value "what was begun was finished"
                Expect.isLessThan begun.Value 20 "no others"
            }

            test "nothing to do is done, and no thread is refused" {
                Expect.equal (plain 3 Ok []) (Ok []) "nothing"
                Expect.throwsT<ArgumentException> (fun () -> plain 0 Ok [ 1 ] |> ignore) "no thread"
            }
        ]
