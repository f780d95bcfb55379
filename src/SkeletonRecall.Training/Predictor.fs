namespace SkeletonRecall.Training

open System
open System.Collections.Concurrent
open System.Collections.Generic
open System.Threading
open SkeletonRecall

/// How a predictor covers images with tiles; the same for all that it predicts.
type PredictorOptions =
    {
        /// How far tiles lie apart at most, as a share of the patch; in (0, 1].
        Step: float
        /// Whether tiles are also shown mirrored along the axes that training mirrored.
        Mirror: bool
        /// Tiles of one image that the network gets at once; None for 4 planes or 1 volume.
        TilesAtOnce: int option
        /// Small images of `Predictor.predictMany` that the network gets at once.
        ImagesAtOnce: int
    }

/// A trained model that labels images in memory, made once and used often. Several threads may predict with it at the same
/// time: the networks are only read, and each call has buffers of its own; the calls share the processor's cores, and
/// torch's number of threads is left as the caller has set it. Disposing frees the networks, as soon as calls that are
/// under way have ended; later calls throw ObjectDisposedException.
[<Sealed>]
type Predictor
    internal
    (checkpoint: Checkpoint, options: InferenceOptions, imagesAtOnce: int, make: unit -> Predict, free: unit -> unit) =

    // Engines, each with its buffers, that no call uses now.
    let idle = ConcurrentBag<Predict>()
    let gate = Lock()
    let mutable running = 0
    let mutable isClosed = false

    let enter () : unit =
        gate.Enter()

        try
            ObjectDisposedException.ThrowIf(isClosed, typeof<Predictor>)
            running <- running + 1
        finally
            gate.Exit()

    // The last one to leave a closed predictor frees it.
    let leave (close: bool) : unit =
        gate.Enter()

        let isLast =
            try
                let wasOpen = not isClosed

                if close then isClosed <- true else running <- running - 1

                isClosed && running = 0 && (wasOpen || not close)
            finally
                gate.Exit()

        if isLast then
            free ()

    /// What its networks were trained as: the first one's checkpoint.
    member _.Checkpoint: Checkpoint = checkpoint

    /// How it covers images with tiles.
    member _.Covering: InferenceOptions = options
    member internal _.ImagesAtOnce: int = imagesAtOnce

    /// Runs work with an engine that nobody else uses meanwhile.
    member internal _.Run(work: Predict -> 'T) : 'T =
        enter ()

        try
            let engine =
                match idle.TryTake() with
                | true, engine -> engine
                | _ -> make ()

            try
                work engine
            finally
                idle.Add engine
        finally
            leave false

    interface IDisposable with
        /// Frees the networks, at once or when the calls under way have ended.
        member _.Dispose() : unit = leave true

/// Loading predictors and predicting with them; nothing here touches the disk but `load`.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Predictor =

    /// As the command `predict` does: half-overlapping tiles, mirrored as in training; 16 small images at once.
    let standard: PredictorOptions =
        {
            Step = Inference.standard.Step
            Mirror = true
            TilesAtOnce = None
            ImagesAtOnce = 16
        }

    // Out of range.
    let private check (options: PredictorOptions) : unit =
        if not (options.Step > 0.0 && options.Step <= 1.0) then
            invalidArg (nameof options) $"Step is a share of the patch in (0, 1]; got %g{options.Step}."

        options.TilesAtOnce
        |> Option.iter (fun count ->
            if count < 1 then
                invalidArg (nameof options) $"TilesAtOnce counts from 1; got %d{count}.")

        if options.ImagesAtOnce < 1 then
            invalidArg (nameof options) $"ImagesAtOnce counts from 1; got %d{options.ImagesAtOnce}."

    /// How a checkpoint's images are covered with tiles. Throws ArgumentException for options out of range.
    let internal inference (options: PredictorOptions) (checkpoint: Checkpoint) : InferenceOptions =
        check options

        {
            Step = options.Step
            MirrorAxes = if options.Mirror then checkpoint.MirrorAxes else []
            TilesAtOnce =
                match options.TilesAtOnce with
                | Some count -> count
                // A volume's tile is a batch in itself.
                | None when checkpoint.Configuration.PatchSize.Length = 3 -> 1
                | None -> Inference.standard.TilesAtOnce
        }

    /// A predictor by any engine. `make` gives an engine that is used by one call at a time; it may be called again while
    /// others are in use, from any thread. `free` is called once, when nothing is running any more. The checkpoint says how images
    /// are prepared and what the engine's outputs mean. Throws ArgumentException for options out of range.
    let ofEngine
        (options: PredictorOptions)
        (checkpoint: Checkpoint)
        (make: unit -> Predict)
        (free: unit -> unit)
        : Predictor =
        new Predictor(checkpoint, inference options checkpoint, options.ImagesAtOnce, make, free)

    /// A predictor of a model, which belongs to it from now on: disposing the predictor frees the model. Throws
    /// ArgumentException for options out of range.
    let ofModel (options: PredictorOptions) (model: Model) : Predictor =
        ofEngine options model.Checkpoint (fun () -> Prediction.engine model) (fun () ->
            (model :> IDisposable).Dispose())

    /// A predictor of one checkpoint, or of the folds whose logits are averaged. Problems as of `Prediction.load`. Throws
    /// ArgumentException for options out of range and for no checkpoint.
    let load (options: PredictorOptions) (checkpoints: string list) : Result<Predictor, Problem> =
        check options
        Prediction.load checkpoints |> Result.map (ofModel options)

    // The engine, which looks at the token before each batch of tiles.
    let private watched (stop: CancellationToken) (engine: Predict) (tiles: Tiles) : float32[] =
        stop.ThrowIfCancellationRequested()
        engine tiles

    // A step whose result is not wanted any more once the token is cancelled.
    let private step (stop: CancellationToken) (work: unit -> 'T) : 'T =
        stop.ThrowIfCancellationRequested()
        let result = work ()
        stop.ThrowIfCancellationRequested()
        result

    /// Labels and, on request, probabilities of an image as it comes from the scanner or camera, in its own grid: exactly what
    /// the command `predict` computes of the same image in a file. Problems as of `Prediction.case`. Throws
    /// OperationCanceledException when the token is cancelled, which is looked at between batches of tiles and between the
    /// steps before and after; ObjectDisposedException after disposal.
    let predict
        (predictor: Predictor)
        (withProbabilities: bool)
        (stop: CancellationToken)
        (image: Image)
        : Result<PredictedCase, Problem> =
        let checkpoint = predictor.Checkpoint

        predictor.Run(fun engine ->
            let prepared =
                step stop (fun () -> Prediction.prepare checkpoint (CaseId.ofString "image") image)

            prepared
            |> Result.map (fun prepared ->
                step stop (fun () ->
                    Prediction.ofPrepared
                        predictor.Covering
                        withProbabilities
                        checkpoint
                        (watched stop engine)
                        prepared)))

    // Whether one tile shows all of an image.
    let private isSmall (patch: Extent) (image: Image) : bool =
        patch.Rank = image.Extent.Rank
        && List.forall2 (<=) image.Extent.Shape patch.Shape

    // Prepared images of one tile each, whose tiles go through the engine together.
    let private together
        (predictor: Predictor)
        (withProbabilities: bool)
        (engine: Predict)
        (images: (Image * CaseProperties)[])
        : PredictedCase[] =
        let checkpoint = predictor.Checkpoint
        let patch = Extent.ofShape checkpoint.Configuration.PatchSize
        let channels = Dataset.outputs checkpoint.Dataset

        let logits =
            Engine.mirrored
                predictor.Covering.MirrorAxes
                channels
                engine
                {
                    Count = images.Length
                    Channels = (fst images[0]).Channels
                    Extent = patch
                    Data = images |> Array.map (fst >> SlidingWindow.tile patch) |> Array.concat
                }

        let each = channels * patch.Count

        // All else as of a single image, whose one tile has its answer already.
        images
        |> Array.mapi (fun number ->
            Prediction.ofPrepared
                { predictor.Covering with
                    MirrorAxes = []
                    TilesAtOnce = 1
                }
                withProbabilities
                checkpoint
                (fun _ -> Array.sub logits (number * each) each))

    /// Predictions of several images, in their order. Those that one tile shows whole go through the network together,
    /// `ImagesAtOnce` at a time; larger ones one after the other. Equal to `predict` of each up to the rounding of the
    /// network's sums. The first problem ends it. Exceptions as of `predict`.
    let predictMany
        (predictor: Predictor)
        (withProbabilities: bool)
        (stop: CancellationToken)
        (images: Image list)
        : Result<PredictedCase list, Problem> =
        let checkpoint = predictor.Checkpoint
        let patch = Extent.ofShape checkpoint.Configuration.PatchSize

        let prepare (number: int, image: Image) =
            stop.ThrowIfCancellationRequested()

            Prediction.prepare checkpoint (CaseId.ofString $"image %d{number}") image

        predictor.Run(fun engine ->
            let engine = watched stop engine

            // A large image is predicted at once, so that no more prepared ones are held than the network is to see.
            let alone (number: int, image: Image) =
                prepare (number, image)
                |> Result.map (fun prepared ->
                    if isSmall patch (fst prepared) then
                        Choice1Of2 prepared
                    else
                        Choice2Of2(
                            Prediction.ofPrepared predictor.Covering withProbabilities checkpoint engine prepared
                        ))

            let chunk (images: (int * Image) list) : Result<PredictedCase list, Problem> =
                images
                |> Problem.traverse alone
                |> Result.map (fun parts ->
                    let small =
                        parts
                        |> List.choose (fun part ->
                            match part with
                            | Choice1Of2 prepared -> Some prepared
                            | Choice2Of2 _ -> None)

                    let answers =
                        if small.IsEmpty then
                            Queue<PredictedCase>()
                        else
                            together predictor withProbabilities engine (List.toArray small)
                            |> Queue<PredictedCase>

                    parts
                    |> List.map (fun part ->
                        match part with
                        | Choice1Of2 _ -> answers.Dequeue()
                        | Choice2Of2 predicted -> predicted))

            let predicted =
                images
                |> List.indexed
                |> List.chunkBySize predictor.ImagesAtOnce
                |> Problem.traverse chunk
                |> Result.map List.concat

            stop.ThrowIfCancellationRequested()
            predicted)
