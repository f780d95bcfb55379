namespace SkeletonRecall.Training

open System
open System.Collections.Concurrent

/// Arrays of exact lengths that go from batches that are done with to those that follow: the garbage collector takes large
/// arrays back page by page, and the next batch would pay for each page again. For several threads.
[<RequireQualifiedAccess>]
module internal BatchMemory =

    // So many arrays of a kind wait at most; more go to the garbage collector.
    let private most = 16

    // Arrays of one type by their length.
    [<Sealed>]
    type private Shelf<'T>() =
        static let held = ConcurrentDictionary<int, ConcurrentBag<'T[]>>()

        static member Of(length: int) : ConcurrentBag<'T[]> =
            held.GetOrAdd(length, (fun _ -> ConcurrentBag<'T[]>()))

    /// An array of the length, which holds anything.
    let take<'T> (length: int) : 'T[] =
        match Shelf<'T>.Of(length).TryTake() with
        | true, array -> array
        | _ -> GC.AllocateUninitializedArray<'T> length

    /// Gives an array to whoever takes one of its length next. Nobody else may use it from here on.
    let give<'T> (array: 'T[]) : unit =
        let shelf = Shelf<'T>.Of array.Length

        if array.Length > 0 && shelf.Count < most then
            shelf.Add array
