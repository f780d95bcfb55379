module SkeletonRecall.Tests.PredictorTests

open System
open System.IO
open System.Threading
open System.Threading.Tasks
open TorchSharp
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private checkpointOf (configuration: Configuration) (dataset: Dataset) (transpose: int list) : Checkpoint =
    use _scope = Toy.scope ()

    let network =
        Network.create configuration.Architecture dataset.ChannelNames.Length (Dataset.outputs dataset) (Seed.ofInt 1)

    {
        Path = "here"
        Weights = Network.weights network
        Momentum = []
        ConfigurationName =
            if configuration.PatchSize.Length = 2 then
                "2d"
            else
                "3d_fullres"
        Configuration = configuration
        Transpose = transpose
        Dataset = dataset
        Options = TinyRun.options 1
        Epoch = 1
        Iteration = 0
        LossSum = 0.0
        History = []
        MirrorAxes = [ 0; 1 ]
        Threads = 1
        MemoryFormat = Network.memoryFormat
    }

// Patches of 4 x 8 x 8, files' axes turned, spacings that need resampling.
let private volumes: Checkpoint =
    checkpointOf
        { TinyRun.configuration with
            Spacing = [ 1.0; 1.0; 0.8 ]
        }
        { TinyRun.dataset with
            FileEnding = ".nii.gz"
        }
        [ 2; 0; 1 ]

// Patches of 16 x 16.
let private planes: Checkpoint =
    checkpointOf (Toy.configuration [ 4; 6 ]) Toy.dataset [ 0; 1; 2 ]

// Noise within a border of zeros.
let private noise (seed: int) (channels: int) (extent: Extent) (spacing: float list) : Image =
    let rng = Seed.rng (Seed.ofInt seed)

    let value (index: int) =
        let within = index % extent.Count
        let row, column = within / extent.Width % extent.Height, within % extent.Width

        if row < 2 || column < 1 then
            0.0f
        else
            float32 (Math.Round(100.0 + 50.0 * rng.Gaussian()))

    { Image.create channels extent (Array.init (channels * extent.Count) value) with
        Spacing = Spacing.ofList spacing
    }

let private volume: Image = noise 1 2 (Extent.space 9 14 12) [ 2.0; 1.0; 1.0 ]

let private withPredictor
    (options: PredictorOptions)
    (checkpoint: Checkpoint)
    (test: string -> string -> Predictor -> unit)
    : unit =
    Toy.inFolder (fun folder ->
        let path = Path.Combine(folder, "model.safetensors")
        Checkpoint.save path checkpoint |> Problem.orThrow
        use predictor = Predictor.load options [ path ] |> Problem.orThrow
        test folder path predictor)

let private predict (predictor: Predictor) (image: Image) : PredictedCase =
    Predictor.predict predictor true CancellationToken.None image |> Problem.orThrow

let private farthest (left: float32[]) (right: float32[]) : float32 =
    Array.map2 (fun (a: float32) b -> abs (a - b)) left right |> Array.max

// An engine that counts its calls and tells of each before it answers.
let private counting (calls: int ref) (tell: int -> unit) (channels: int) (tiles: Tiles) : float32[] =
    tell (Interlocked.Increment calls)
    Array.init (tiles.Count * channels * tiles.Extent.Count) float32

let private counted (options: PredictorOptions) (calls: int ref) (tell: int -> unit) (free: unit -> unit) : Predictor =
    Predictor.ofEngine options planes (fun () -> counting calls tell 2) free

let private wide: Image = noise 3 1 (Extent.plane 64 64) [ 1.0; 1.0 ]

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Predictor"
        [
            test "labels and probabilities are those that the command writes of the same file" {
                Toy.oneThread ()

                let check (checkpoint: Checkpoint) (ending: string) (image: Image) (paths: string list) =
                    withPredictor Predictor.standard checkpoint (fun folder model predictor ->
                        let input = Path.Combine(folder, "images")
                        let output = Path.Combine(folder, "labels")
                        Directory.CreateDirectory input |> ignore
                        let paths = paths |> List.map (fun name -> Path.Combine(input, name))

                        paths
                        |> List.iteri (fun channel path ->
                            let one =
                                { image with
                                    Channels = 1
                                    Data = (Image.channel channel image).ToArray()
                                }

                            Reader.writeImage path one |> Problem.orThrow)

                        let request =
                            { PredictFolder.request [ model ] input output with
                                SaveProbabilities = true
                            }

                        PredictFolder.run request CancellationToken.None (fun _ _ -> ())
                        |> Problem.orThrow
                        |> ignore

                        let labels, _ =
                            Reader.mask (Path.Combine(output, "case" + ending)) |> Problem.orThrow

                        let shares =
                            ProbabilityFile.load (Path.Combine(output, "case.npz")) |> Problem.orThrow

                        let read = Reader.image paths |> Problem.orThrow
                        Expect.equal read.Data image.Data "what was read is what the caller holds"
                        let predicted = predict predictor { image with Spacing = read.Spacing }
                        Expect.equal predicted.Labels.Data labels.Data "labels"
                        Expect.isGreaterThan (Array.distinct labels.Data).Length 1 "several classes"
                        Expect.equal (Expect.wantSome predicted.Probabilities "asked for") shares.Data "probabilities"

                        let alone =
                            Predictor.predict predictor false CancellationToken.None image
                            |> Problem.orThrow

                        Expect.equal alone.Labels.Data labels.Data "without probabilities"
                        Expect.isNone alone.Probabilities "not asked for")

                check volumes ".nii.gz" volume [ "case_0000.nii.gz"; "case_0001.nii.gz" ]

                check
                    planes
                    ".png"
                    { wide with
                        Data = wide.Data |> Array.map (fun value -> Math.Clamp(value, 0.0f, 255.0f))
                    }
                    [ "case_0000.png" ]
            }

            test "several threads predict at once, each as if alone; torch's threads stay as they were" {
                Toy.oneThread ()

                withPredictor Predictor.standard volumes (fun _ _ predictor ->
                    let images =
                        Array.init 6 (fun seed -> noise (10 + seed) 2 (Extent.space 9 14 12) [ 2.0; 1.0; 1.0 ])

                    let alone = images |> Array.map (predict predictor)
                    let found = Array.zeroCreate<PredictedCase> images.Length

                    Parallel.For(
                        0,
                        3 * images.Length,
                        fun index ->
                            let number = index % images.Length
                            let predicted = predict predictor images[number]

                            if predicted.Probabilities <> alone[number].Probabilities then
                                failwith $"image %d{number} in parallel"

                            found[number] <- predicted
                    )
                    |> ignore

                    for number in 0 .. images.Length - 1 do
                        Expect.equal found[number].Labels.Data alone[number].Labels.Data $"image %d{number}"

                    Expect.equal (torch.get_num_threads ()) 1 "threads")
            }

            test "small images go through the network together and come out as alone" {
                Toy.oneThread ()

                withPredictor Predictor.standard planes (fun _ _ predictor ->
                    // Smaller than a patch, as large, larger, and larger than one that is resampled to it.
                    let images =
                        [
                            noise 1 1 (Extent.plane 9 13) [ 1.0; 1.0 ]
                            noise 2 1 (Extent.plane 16 16) [ 1.0; 1.0 ]
                            noise 3 1 (Extent.plane 40 16) [ 1.0; 1.0 ]
                            noise 4 1 (Extent.plane 30 20) [ 0.5; 0.5 ]
                        ]

                    let all =
                        Predictor.predictMany predictor true CancellationToken.None images
                        |> Problem.orThrow

                    for image, predicted in List.zip images all do
                        let alone = predict predictor image
                        Expect.equal predicted.Labels.Extent image.Extent "its grid"

                        Expect.isLessThan
                            (farthest predicted.Probabilities.Value alone.Probabilities.Value)
                            1e-5f
                            $"%O{image.Extent}"

                        Expect.equal predicted.Labels.Data alone.Labels.Data "labels")

                let calls = ref 0

                use predictor =
                    counted
                        { Predictor.standard with
                            ImagesAtOnce = 5
                            Mirror = false
                        }
                        calls
                        ignore
                        ignore

                let small =
                    List.init 12 (fun seed -> noise seed 1 (Extent.plane 16 16) [ 1.0; 1.0 ])

                let predicted =
                    Predictor.predictMany predictor false CancellationToken.None small
                    |> Problem.orThrow

                Expect.equal (predicted.Length, calls.Value) (12, 3) "5, 5 and 2 at a time"

                let none =
                    Predictor.predictMany predictor false CancellationToken.None []
                    |> Problem.orThrow

                Expect.isEmpty none "of none"
            }

            test "a token is looked at between batches of tiles" {
                use source = new CancellationTokenSource()
                let calls = ref 0

                let cancelAtSecond (call: int) =
                    if call = 2 then
                        source.Cancel()

                use predictor = counted Predictor.standard calls cancelAtSecond ignore

                Expect.throwsT<OperationCanceledException>
                    (fun () -> Predictor.predict predictor false source.Token wide |> ignore)
                    "cancelled"

                Expect.equal calls.Value 2 "no further batch"

                Expect.throwsT<OperationCanceledException>
                    (fun () -> Predictor.predictMany predictor false source.Token [ wide ] |> ignore)
                    "before anything"

                Expect.equal calls.Value 2 "nothing more"
            }

            test "disposing frees once, when nothing runs any more" {
                let freed = ref 0
                use isIn = new ManualResetEventSlim()
                use go = new ManualResetEventSlim()

                let wait (call: int) =
                    if call = 1 then
                        isIn.Set()
                        go.Wait()

                let predictor =
                    counted Predictor.standard (ref 0) wait (fun () -> Interlocked.Increment freed |> ignore)

                let running =
                    Task.Run(fun () -> Predictor.predict predictor false CancellationToken.None wide)

                isIn.Wait()
                (predictor :> IDisposable).Dispose()
                Expect.equal freed.Value 0 "still in use"

                Expect.throwsT<ObjectDisposedException>
                    (fun () -> Predictor.predict predictor false CancellationToken.None wide |> ignore)
                    "closed"

                go.Set()
                Expect.isOk (running.GetAwaiter().GetResult()) "the call under way ends as it should"
                Expect.equal freed.Value 1 "freed by the last one"
                (predictor :> IDisposable).Dispose()
                Expect.equal freed.Value 1 "once"

                // An exception in a call leaves nothing behind.
                let failing =
                    counted Predictor.standard (ref 0) (fun _ -> failwith "engine") (fun () ->
                        Interlocked.Increment freed |> ignore)

                Expect.throws
                    (fun () -> Predictor.predict failing false CancellationToken.None wide |> ignore)
                    "the engine's exception"

                (failing :> IDisposable).Dispose()
                Expect.equal freed.Value 2 "freed at once"
            }

            test "what does not fit is refused in one sentence" {
                use predictor = counted Predictor.standard (ref 0) ignore ignore

                match Predictor.predict predictor false CancellationToken.None volume with
                | Ok _ -> failtest "two channels"
                | Error problem ->
                    Expect.equal
                        (Problem.message problem)
                        "case image: got 2 channels; wanted 1, as the plans have."
                        "message"

                match Predictor.predictMany predictor false CancellationToken.None [ wide; volume ] with
                | Ok _ -> failtest "two channels"
                | Error problem -> Expect.stringContains (Problem.message problem) "case image 1" "which"

                for options in
                    [
                        { Predictor.standard with Step = 0.0 }
                        { Predictor.standard with
                            TilesAtOnce = Some 0
                        }
                        { Predictor.standard with
                            ImagesAtOnce = 0
                        }
                    ] do
                    Expect.throwsT<ArgumentException>
                        (fun () -> Predictor.load options [ "nowhere" ] |> ignore)
                        "out of range"
            }
        ]
