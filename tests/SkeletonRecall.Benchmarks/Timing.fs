namespace SkeletonRecall.Benchmarks

open System.Diagnostics

/// What is timed. The function that a run gives back brings its result into a form that can be compared, untimed.
type Work<'Result> = unit -> (unit -> 'Result)

/// The least time of several runs, by the clock on the wall.
[<RequireQualifiedAccess>]
module Timing =

    /// The least number of runs that count.
    [<Literal>]
    let Runs = 5

    // The compiler replaces its first code in the background, after many calls: a short warm-up would time the first.
    let private warmUp: float = 1.0

    /// The least milliseconds of at least `Runs` runs that fill `seconds`, and the last result, after at least 3 runs
    /// that fill a second for the compiler to settle.
    let best (seconds: float) (work: Work<'Result>) : struct (float * 'Result) =
        let phase (least: int) (seconds: float) : struct (float * (unit -> 'Result)) =
            let clock = Stopwatch.StartNew()
            let mutable result = work ()
            let mutable shortest = clock.Elapsed.TotalMilliseconds
            let mutable runs = 1

            while runs < least || clock.Elapsed.TotalSeconds < seconds do
                let start = Stopwatch.GetTimestamp()
                result <- work ()
                shortest <- min shortest (Stopwatch.GetElapsedTime start).TotalMilliseconds
                runs <- runs + 1

            struct (shortest, result)

        phase 3 warmUp |> ignore
        let struct (shortest, result) = phase Runs seconds
        struct (shortest, result ())

    /// The same of two works in turn, so that what else the machine does meanwhile meets both: for works that take seconds,
    /// whose difference is small beside how much the machine's speed changes from minute to minute.
    let bestInTurn (seconds: float) (one: Work<'Result>) (other: unit -> unit) : struct (float * 'Result * float) =
        let phase (least: int) (seconds: float) : struct (float * (unit -> 'Result) * float) =
            let clock = Stopwatch.StartNew()
            let mutable result = Unchecked.defaultof<unit -> 'Result>
            let mutable shortest = infinity
            let mutable otherShortest = infinity
            let mutable runs = 0

            while runs < least || clock.Elapsed.TotalSeconds < seconds do
                let start = Stopwatch.GetTimestamp()
                result <- one ()
                shortest <- min shortest (Stopwatch.GetElapsedTime start).TotalMilliseconds
                let start = Stopwatch.GetTimestamp()
                other ()
                otherShortest <- min otherShortest (Stopwatch.GetElapsedTime start).TotalMilliseconds
                runs <- runs + 1

            struct (shortest, result, otherShortest)

        phase 1 warmUp |> ignore
        let struct (shortest, result, otherShortest) = phase Runs seconds
        struct (shortest, result (), otherShortest)
