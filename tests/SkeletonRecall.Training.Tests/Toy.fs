/// Tiny data sets and temporary folders for the tests of this project.
module SkeletonRecall.Tests.Toy

open System
open System.IO
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

/// Runs a test in a fresh temporary folder, which is removed afterwards.
let inFolder (test: string -> 'T) : 'T =
    let name = "skeleton-recall-tests-" + Guid.NewGuid().ToString("N").Substring(0, 12)
    let folder = Path.Combine(Path.GetTempPath(), name)
    Directory.CreateDirectory folder |> ignore

    try
        test folder
    finally
        Directory.Delete(folder, true)

/// One grey channel, background and vessel.
let dataset: Dataset =
    Dataset.create "Dataset900_Toy" [ "grey" ] [ "background", 0; "vessel", 1 ] ".png" 6

/// A case on a plane from functions of row and column: grey values (one channel) and labels.
let case (name: string) (height: int) (width: int) (grey: int -> int -> float32) (label: int -> int -> int16) : Case =
    let extent = Extent.plane height width

    let fill (value: int -> int -> 'T) =
        Array.init extent.Count (fun index -> value (index / width) (index % width))

    Case.create (CaseId.ofString name) (Image.create 1 extent (fill grey)) (Some(Volume.create extent (fill label)))

/// A bright cross two pixels wide on a dark ground, labelled 1; every image is the same.
let cross (size: int) : Case =
    let isCross (row: int) (column: int) =
        let near (value: int) =
            value = size / 2 || value = size / 2 - 1

        near row || near column

    case "cross" size size (fun row column -> if isCross row column then 200.0f else 50.0f) (fun row column ->
        if isCross row column then 1s else 0s)

/// Synthetic vessels on a small square; the same number gives the same case.
let vessels (size: int) (number: int) : Case =
    let options =
        { Synthetic.standard with
            Extent = Extent.plane size size
            Trees = 2
            RootRadius = 2.5
            Blobs = 2
        }

    let made = Synthetic.vessels options (Seed.child number (Seed.ofInt 7))

    { made with
        Id = CaseId.ofString $"vessels_%03d{number}"
    }

/// A volume of two channels with a slanted rod, labelled 1, and a small ball, labelled 2.
let rod (depth: int) (height: int) (width: int) : Case =
    let extent = Extent.space depth height width

    let label (index: int) : int16 =
        let slice = index / (height * width)
        let row = index / width % height
        let column = index % width
        let fromRod = max (abs (row - height / 3)) (abs (column - width / 3 - slice / 2))

        let fromBall =
            max (max (abs (slice - depth / 2)) (abs (row - 3 * height / 4))) (abs (column - 3 * width / 4))

        if fromRod <= 1 then 1s
        elif fromBall <= 1 then 2s
        else 0s

    let labels = Array.init extent.Count label
    let first = labels |> Array.map (fun label -> 10.0f * float32 label)

    let second =
        labels |> Array.mapi (fun index label -> float32 (index % 7) - float32 label)

    Case.create
        (CaseId.ofString "rod")
        (Image.create 2 extent (Array.append first second))
        (Some(Volume.create extent labels))

/// A dispose scope for a test's tensors; the native library is loaded first.
let scope () : IDisposable =
    LibTorch.ensure ()
    torch.NewDisposeScope()

/// Torch on one thread, for results that must be equal bit for bit.
let oneThread () : unit =
    LibTorch.ensure ()
    torch.set_num_threads 1

/// A plain network of 3 x 3 (x 3) kernels that halves its input at each stage but the first; `convs` convolutions a stage.
let architecture (features: int list) (rank: int) (convs: int) : Architecture =
    let stages = features.Length
    let axes (value: int) = List.replicate rank value

    {
        Blocks = Plain
        FeaturesPerStage = features
        KernelSizes = List.replicate stages (axes 3)
        Strides = List.init stages (fun stage -> axes (if stage = 0 then 1 else 2))
        ConvsPerStage = List.replicate stages convs
        ConvsPerStageDecoder = List.replicate (stages - 1) convs
    }

/// Two patches of 16 x 16 at once, by a network of these features.
let configuration (features: int list) : Configuration =
    {
        DataIdentifier = "nnUNetPlans_2d"
        PatchSize = [ 16; 16 ]
        MedianSize = [ 16.0; 16.0 ]
        BatchSize = 2
        Spacing = [ 1.0; 1.0 ]
        Normalization = [ ZScore ]
        Resampling = Resampling.standard
        BatchDice = true
        Architecture = architecture features 2 1
        InheritsFrom = None
        PreviousStage = None
        NextStages = []
    }

/// Everything in a checkpoint but wall time.
let comparable (checkpoint: Checkpoint) =
    checkpoint.Weights,
    checkpoint.Momentum,
    checkpoint.Epoch,
    checkpoint.History
    |> List.map (fun report -> sprintf "%A" { report with Seconds = 0.0 })

/// Gaussian numbers, always the same.
let gaussian (shape: int64 list) : Tensor =
    let rng = Seed.rng (Seed.ofInt 5)
    let count = int (List.fold (*) 1L shape)
    Tensors.ofArray shape (Array.init count (fun _ -> float32 (rng.Gaussian())))
