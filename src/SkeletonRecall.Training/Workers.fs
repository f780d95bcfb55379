namespace SkeletonRecall.Training

open System
open System.Threading

/// Threads that work on one item each, within a bound on memory.
[<RequireQualifiedAccess>]
module Workers =

    /// Works on all items, in their order, in so many threads; an item waits until what it needs (bytes) is free of the
    /// budget, or nothing else is at work. `report` is called in the caller's thread with the number of items done and the
    /// last one. The first problem, exception or cancellation ends it: items at work are finished, further ones not begun; then
    /// the problem is returned, or the exception thrown. Throws ArgumentException for fewer than one thread.
    let run
        (threads: int)
        (budget: int64)
        (stop: CancellationToken)
        (report: int -> 'T -> unit)
        (needs: 'T -> int64)
        (work: 'T -> Result<'U, Problem>)
        (items: 'T list)
        : Result<'U list, Problem> =
        if threads < 1 then
            invalidArg (nameof threads) $"At least one thread does the work; got %d{threads}."

        let items = Array.ofList items
        let gate = obj ()
        let results: Result<'U, Problem> option[] = Array.create items.Length None
        let finished = Collections.Generic.Queue<int>()
        let mutable next = 0
        let mutable busy = 0
        let mutable used = 0L
        let mutable failure: exn option = None
        let mutable ended = false

        // The next item to begin, once there is memory for it.
        let take () : int voption =
            lock gate (fun () ->
                let isFree () =
                    busy = 0 || used + needs items[next] <= budget

                while not ended && next < items.Length && not (isFree ()) do
                    Monitor.Wait gate |> ignore

                if ended || next >= items.Length then
                    ValueNone
                else
                    let number = next
                    next <- next + 1
                    busy <- busy + 1
                    used <- used + needs items[number]
                    ValueSome number)

        let give (number: int) (result: Result<Result<'U, Problem>, exn>) : unit =
            lock gate (fun () ->
                busy <- busy - 1
                used <- used - needs items[number]

                match result with
                | Ok result ->
                    results[number] <- Some result
                    finished.Enqueue number
                    ended <- ended || Result.isError result
                | Error error ->
                    failure <- Some(defaultArg failure error)
                    ended <- true

                Monitor.PulseAll gate)

        let rec loop () =
            match take () with
            | ValueNone -> ()
            | ValueSome number ->
                give
                    number
                    (try
                        Ok(work items[number])
                     with error ->
                         Error error)

                loop ()

        let started =
            Array.init (min threads (max 1 items.Length)) (fun number ->
                Thread(loop, IsBackground = true, Name = $"worker %d{number}"))

        for thread in started do
            thread.Start()

        use _cancelled =
            stop.Register(fun () ->
                lock gate (fun () ->
                    ended <- true
                    Monitor.PulseAll gate))

        let mutable reported = 0
        let mutable go = true

        while go do
            let number =
                lock gate (fun () ->
                    while finished.Count = 0 && (busy > 0 || (not ended && next < items.Length)) do
                        Monitor.Wait gate |> ignore

                    if finished.Count > 0 then
                        ValueSome(finished.Dequeue())
                    else
                        ValueNone)

            match number with
            | ValueSome number ->
                reported <- reported + 1
                report reported items[number]
            | ValueNone -> go <- false

        for thread in started do
            thread.Join()

        match failure with
        | Some error -> Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(error).Throw()
        | None -> ()

        match
            results
            |> Array.tryPick (Option.bind (fun result -> if Result.isError result then Some result else None))
        with
        | Some(Error problem) -> Error problem
        | _ ->
            stop.ThrowIfCancellationRequested()
            results |> Array.choose id |> List.ofArray |> Problem.collect
