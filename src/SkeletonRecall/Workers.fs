namespace SkeletonRecall

open System
open System.Runtime.ExceptionServices
open System.Threading
open System.Threading.Tasks

/// Independent work on several threads.
[<RequireQualifiedAccess>]
module internal Workers =

    /// Throws ArgumentException for fewer threads than 1.
    let require (threads: int) : unit =
        if threads < 1 then
            invalidArg (nameof threads) $"Work needs 1 thread or more; got %d{threads}."

    /// Each item through a function, in the order of the items whatever the number of threads is. Each thread takes the
    /// next item when it is done with one. What the function throws is thrown as it is.
    /// Throws ArgumentException for fewer threads than 1.
    let map (threads: int) (mapping: 'T -> 'U) (items: 'T[]) : 'U[] =
        require threads

        if threads = 1 || items.Length < 2 then
            Array.map mapping items
        else
            let results = Array.zeroCreate<'U> items.Length
            let taken = [| -1 |]

            let work (_: int) : unit =
                let mutable at = Interlocked.Increment(&taken[0])

                while at < items.Length do
                    results[at] <- mapping items[at]
                    at <- Interlocked.Increment(&taken[0])

            let threads = min threads items.Length

            try
                Parallel.For(0, threads, ParallelOptions(MaxDegreeOfParallelism = threads), work)
                |> ignore
            with :? AggregateException as all ->
                ExceptionDispatchInfo.Throw(all.InnerExceptions[0])

            results
