namespace SkeletonRecall.Training

open System
open System.Threading
open SkeletonRecall

/// Makes items ahead of their use, in threads of its own, and hands them out in order. Item i depends on child i of
/// the loader's seed and on nothing else, so the number of workers changes no item.
[<Sealed>]
type Loader<'Item> internal (workers: int, ahead: int, first: int, make: Seed -> 'Item, seed: Seed) =
    let gate = obj ()
    let slots = Array.create<Result<'Item, exn> option> ahead None
    let mutable taken = first // the next item that a worker begins
    let mutable given = first // the next item that the consumer gets
    let mutable failure: exn option = None
    let mutable stopped = false

    let mutable threads: Thread[] = [||]

    let attempt (number: int) : Result<'Item, exn> =
        try
            Ok(make (Seed.child number seed))
        with error ->
            Error error

    member private _.Work() : unit =
        let mutable go = true

        while go do
            let ticket =
                lock gate (fun () ->
                    while not stopped && taken >= given + ahead do
                        Monitor.Wait gate |> ignore

                    if stopped then
                        ValueNone
                    else
                        taken <- taken + 1
                        ValueSome(taken - 1))

            match ticket with
            | ValueNone -> go <- false
            | ValueSome number ->
                let result = attempt number

                lock gate (fun () ->
                    slots[(number - first) % ahead] <- Some result
                    Monitor.PulseAll gate)

                if Result.isError result then
                    go <- false

    member internal this.Start() : unit =
        threads <-
            Array.init workers (fun number -> Thread(this.Work, IsBackground = true, Name = $"loader %d{number}"))

        for thread in threads do
            thread.Start()

    /// The next item. Waits for it. Throws ObjectDisposedException on a disposed loader, and
    /// InvalidOperationException, with the cause inside, when making this item failed (and at every later call).
    member _.Next() : 'Item =
        let result =
            if workers = 0 then
                ObjectDisposedException.ThrowIf(stopped, typeof<Loader<'Item>>)

                match failure with
                | Some error -> Error error
                | None ->
                    given <- given + 1
                    attempt (given - 1)
            else
                lock gate (fun () ->
                    let slot = (given - first) % ahead

                    while not stopped && failure.IsNone && slots[slot].IsNone do
                        Monitor.Wait gate |> ignore

                    ObjectDisposedException.ThrowIf(stopped, typeof<Loader<'Item>>)

                    match failure, slots[slot] with
                    | Some error, _ -> Error error
                    | None, Some result ->
                        slots[slot] <- None
                        given <- given + 1
                        Monitor.PulseAll gate
                        result
                    | None, None -> Error(InvalidOperationException "The loader woke up without an item."))

        match result with
        | Ok item -> item
        | Error error ->
            lock gate (fun () -> failure <- Some error)

            raise (
                InvalidOperationException($"Making item %d{given - 1} of the loader failed: %s{error.Message}", error)
            )

    interface IDisposable with
        /// Stops the workers: each finishes the item at hand at most.
        member _.Dispose() : unit =
            lock gate (fun () ->
                stopped <- true
                Monitor.PulseAll gate)

            for thread in threads do
                if thread.IsAlive && thread <> Thread.CurrentThread then
                    thread.Join()

/// How a loader works ahead.
type LoaderOptions =
    {
        /// Threads that make items; 0 makes each item in the caller's thread when it is asked for.
        Workers: int
        /// Items that may be ready or in the making at once; at least 1.
        Ahead: int
        /// The number of the first item: where a resumed run goes on.
        First: int
    }

/// What batches are drawn from, and how.
type BatchSource =
    {
        Cases: Prepared[]
        /// Patches per batch.
        BatchSize: int
        /// Share of the patches that must show foreground; nnU-Net's is 0.33.
        Oversampling: float
        /// Size of the patches as cut, one entry per axis.
        InitialSize: int list
        /// Size that augmentation leaves.
        FinalSize: int list
        Augment: Augment
        /// The options of nnU-Net's augmentation where `Augment` is it: patches are then made where they will lie in the
        /// batch, which comes to the same.
        InPlace: AugmentOptions option
        Batch: BatchOptions
    }

/// Loaders of anything, and of batches.
[<RequireQualifiedAccess>]
module Loader =

    /// 1 worker, 4 items ahead, from item 0.
    let standard: LoaderOptions = { Workers = 1; Ahead = 4; First = 0 }

    /// Starts a loader whose item i is `make` of child i of the seed. `make` runs in several threads at once.
    /// Throws ArgumentException for negative numbers of workers and fewer than 1 item ahead.
    let create (options: LoaderOptions) (make: Seed -> 'Item) (seed: Seed) : Loader<'Item> =
        if options.Workers < 0 || options.Ahead < 1 || options.First < 0 then
            invalidArg
                (nameof options)
                $"A loader needs workers >= 0, ahead >= 1 and first >= 0; got %d{options.Workers}, %d{options.Ahead} and %d{options.First}."

        let loader =
            new Loader<'Item>(options.Workers, options.Ahead, options.First, make, seed)

        loader.Start()
        loader

    /// The next item; see `Loader.Next`.
    let next (loader: Loader<'Item>) : 'Item = loader.Next()

    // What is drawn for patch j: its random numbers, its case, and whether it must show foreground.
    let private choose (source: BatchSource) (seed: Seed) (j: int) : struct (Rng * Prepared * bool) =
        let rng = Seed.rng (Seed.child j seed)
        let case = source.Cases[rng.NextInt source.Cases.Length]
        struct (rng, case, Sampler.forced source.Oversampling source.BatchSize j)

    let private drawInPlace (options: AugmentOptions) (source: BatchSource) (seed: Seed) : Batch =
        let extent = Extent.ofShape source.FinalSize
        let channels = source.Cases[0].Channels
        let each = channels * extent.Count
        let images = BatchMemory.take<float32>(source.BatchSize * each)
        let labels = BatchMemory.take<int16>(source.BatchSize * extent.Count)

        let parts =
            [
                for j in 0 .. source.BatchSize - 1 do
                    let struct (rng, case, forced) = choose source seed j

                    if case.Channels <> channels then
                        invalidArg
                            (nameof source)
                            $"All cases have the same channels; got %d{channels} and %d{case.Channels}."

                    PatchMaker.make
                        options
                        source.InitialSize
                        source.FinalSize
                        forced
                        rng
                        case
                        {
                            Channels = channels
                            Extent = extent
                            Image = images
                            ImageStart = j * each
                            Labels = labels
                            LabelStart = j * extent.Count
                        }
            ]

        Batch.assemble source.Batch channels extent parts images labels

    /// One batch: cases are drawn uniformly, with replacement; patch j has random numbers of its own.
    let draw (source: BatchSource) (seed: Seed) : Batch =
        match source.InPlace with
        | Some options -> drawInPlace options source seed
        | None ->
            [
                for j in 0 .. source.BatchSize - 1 do
                    let struct (rng, case, forced) = choose source seed j

                    Sampler.cut source.InitialSize source.FinalSize forced rng case
                    |> source.Augment rng
            ]
            |> Batch.create source.Batch

    let private source
        (augment: Augment)
        (inPlace: AugmentOptions)
        (initial: int list)
        (oversampling: float)
        (batch: BatchOptions)
        (configuration: Configuration)
        (cases: Prepared[])
        : BatchSource =
        if Array.isEmpty cases then
            invalidArg (nameof cases) "Batches need at least one case to be drawn from."

        {
            Cases = cases
            BatchSize = configuration.BatchSize
            Oversampling = oversampling
            InitialSize = initial
            FinalSize = configuration.PatchSize
            Augment = augment
            InPlace = Some inPlace
            Batch = batch
        }

    /// Augmented batches of a configuration, from normalized cases.
    let training
        (augment: AugmentOptions)
        (oversampling: float)
        (batch: BatchOptions)
        (configuration: Configuration)
        (cases: Prepared[])
        : BatchSource =
        let final = configuration.PatchSize

        source
            (Augment.standard augment final)
            augment
            (Augment.initialSize augment final)
            oversampling
            batch
            configuration
            cases

    /// Batches of patches as cut.
    let validation
        (oversampling: float)
        (batch: BatchOptions)
        (configuration: Configuration)
        (cases: Prepared[])
        : BatchSource =
        let final = configuration.PatchSize
        source (Augment.none final) Augment.still final oversampling batch configuration cases

    /// Starts a loader of the source's batches.
    let batches (options: LoaderOptions) (source: BatchSource) (seed: Seed) : Loader<Batch> =
        create options (draw source) seed
