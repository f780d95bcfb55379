namespace SkeletonRecall.Benchmarks

open System.Diagnostics
open System.Threading
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

/// What a predictor for programs takes from pixels in memory to labels, warm: one plane and one volume, on one thread, beside
/// the same network called by torch alone on the same tiles. What is left between the two is all that goes on around the network.
[<RequireQualifiedAccess>]
module PredictCases =

    type private Case =
        {
            Name: string
            Patch: Extent
            Features: int list
            /// Spacing in mm to which the image, which has 1 mm, is brought; as in the plans.
            Spacing: float list
            Image: Image
        }

    let private cases (quick: bool) : Case list =
        [
            {
                Name = "predict 512^2, tiles of 256^2"
                Patch = Extent.plane 256 256
                Features = [ 16; 32; 64; 128 ]
                Spacing = [ 1.0; 1.0 ]
                Image = (Sample.case SampleKind.Vessels 512 (Seed.ofInt 1)).Image
            }
            if not quick then
                {
                    Name = "predict 128^3, tiles of 64^3"
                    Patch = Extent.space 64 64 64
                    Features = [ 8; 16; 32 ]
                    Spacing = [ 1.25; 1.25; 1.25 ]
                    Image =
                        { (Sample.case SampleKind.VesselTrees 128 (Seed.ofInt 1)).Image with
                            Spacing = Spacing.unit 3
                        }
                }
        ]

    // An untrained network: its labels are noise, and cost what any labels cost.
    let private checkpoint (case: Case) : Checkpoint =
        let stages = case.Features.Length
        let axes (value: int) = List.replicate case.Patch.Rank value

        let architecture =
            {
                Blocks = Plain
                FeaturesPerStage = case.Features
                KernelSizes = List.replicate stages (axes 3)
                Strides = List.init stages (fun stage -> axes (if stage = 0 then 1 else 2))
                ConvsPerStage = List.replicate stages 2
                ConvsPerStageDecoder = List.replicate (stages - 1) 2
            }

        let network = Network.create architecture 1 2 (Seed.ofInt 1)
        use _module = network.Module

        {
            Path = ""
            Weights = Network.weights network
            Momentum = []
            ConfigurationName = ""
            Configuration =
                {
                    DataIdentifier = ""
                    PatchSize = case.Patch.Shape
                    MedianSize = List.map float case.Patch.Shape
                    BatchSize = 2
                    Spacing = case.Spacing
                    Normalization = [ ZScore ]
                    Resampling = Resampling.standard
                    BatchDice = false
                    Architecture = architecture
                    InheritsFrom = None
                    PreviousStage = None
                    NextStages = []
                }
            Transpose = [ 0; 1; 2 ]
            Dataset = Dataset.create "Vessels" [ "grey" ] [ "background", 0; "vessel", 1 ] ".png" 1
            Options = Trainer.standard
            Epoch = 1
            Iteration = 0
            LossSum = 0.0
            History = []
            MirrorAxes = []
            Threads = 1
            MemoryFormat = Network.memoryFormat
        }

    // Milliseconds of a step alone.
    let private alone (seconds: float) (work: unit -> unit) : float =
        let struct (best, ()) =
            Timing.best seconds (fun () ->
                work ()
                id)

        best

    let private row (seconds: float) (case: Case) : Row =
        let checkpoint = checkpoint case
        use model = Prediction.ofCheckpoints [ checkpoint ] |> Problem.orThrow
        let engine = Prediction.engine model
        let network = Checkpoint.network checkpoint |> Problem.orThrow
        use _module = network.Module
        let seen = ResizeArray<Tiles>()
        let answers = ResizeArray<float32[]>()

        // What the network is shown and says, once.
        let listening (tiles: Tiles) : float32[] =
            let answer = engine tiles

            seen.Add
                { tiles with
                    Data = Array.copy tiles.Data
                }

            answers.Add(Array.copy answer)
            answer

        let predictor =
            Predictor.ofEngine Predictor.standard checkpoint (fun () -> listening) ignore

        let predict (predictor: Predictor) : LabelMap =
            (Predictor.predict predictor false CancellationToken.None case.Image
             |> Problem.orThrow)
                .Labels

        let labels = predict predictor

        let tensors =
            [
                for tiles in seen ->
                    Tensors.ofArray (int64 tiles.Count :: 1L :: List.map int64 tiles.Extent.Shape) tiles.Data
            ]

        let bare (take: Tensor -> 'T) : 'T list =
            use _off = torch.no_grad ()

            tensors
            |> List.map (fun tiles ->
                use logits = network.Finest tiles
                take logits)

        let isEqual =
            List.forall2
                (fun (answer: float32[]) wanted -> answer = wanted)
                (List.ofSeq answers)
                (bare Tensors.toArray<float32>)

        // The same answers at once, so that the steps around the network are timed without it.
        let canned () : Predict =
            let next = ref -1

            fun _ ->
                next.Value <- next.Value + 1
                answers[next.Value]

        let inNetwork = Stopwatch()

        let ready =
            Predictor.ofEngine
                Predictor.standard
                checkpoint
                (fun () tiles ->
                    inNetwork.Start()
                    let answer = engine tiles
                    inNetwork.Stop()
                    answer)
                ignore

        let around = ResizeArray<float>()

        let struct (ours, again, theirs) =
            Timing.bestInTurn
                seconds
                (fun () ->
                    inNetwork.Reset()
                    let whole = Stopwatch.StartNew()
                    let found = predict ready
                    around.Add((whole.Elapsed - inNetwork.Elapsed).TotalMilliseconds)
                    fun () -> found)
                (fun () -> bare ignore |> ignore)

        let around = around.ToArray() |> Array.sort

        let prepare () =
            Preprocess.image checkpoint.Transpose checkpoint.Configuration (CaseId.ofString "image") case.Image
            |> Problem.orThrow

        let prepared, properties = prepare ()
        let options = ready.Covering

        let prepareTime = alone 0.3 (prepare >> ignore)

        let blendTime =
            alone 0.3 (fun () ->
                SlidingWindow.planes options.Step options.TilesAtOnce case.Patch 2 (canned ()) prepared (fun _ _ -> ()))

        let decideTime =
            alone 0.3 (fun () ->
                Inference.labelsAt
                    options
                    Outputs.Classes
                    {
                        Resampling = checkpoint.Configuration.Resampling
                        Extent = CaseProperties.afterCropping properties
                        Spacing = CaseProperties.spacing properties
                    }
                    case.Patch
                    2
                    (canned ())
                    prepared
                |> ignore)
            - blendTime

        for tensor in tensors do
            tensor.Dispose()

        {
            Name = case.Name
            Ours = ours
            Theirs = theirs
            Equal = isEqual && Volume.equal labels again
            Whose =
                sprintf
                    "the network alone by torch, %d tiles; ours around it %.1f ms (median), of which alone: prepare %.1f ms, blend %.1f, resample and label %.1f"
                    (seen |> Seq.sumBy _.Count)
                    around[around.Length / 2]
                    prepareTime
                    blendTime
                    decideTime
        }

    /// The rows whose name holds the text; printed as they are measured.
    let run (quick: bool) (seconds: float) (only: string) : Row list =
        cases quick
        |> List.filter (fun case -> case.Name.Contains only)
        |> List.map (fun case ->
            LibTorch.ensure ()
            let threads = torch.get_num_threads ()
            torch.set_num_threads 1

            try
                let row = row seconds case
                printfn "%s" (Row.print row)
                row
            finally
                torch.set_num_threads threads)
