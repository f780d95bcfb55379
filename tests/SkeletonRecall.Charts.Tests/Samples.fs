/// Runs, scores and pictures as a short comparison leaves them.
module SkeletonRecall.Tests.Samples

open System
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Charts

let baseline: string = "Dice + CE"
let recall: string = "Dice + CE + 1.0·Skeleton Recall"

/// A history that falls as losses do.
let history (seed: int) (epochs: int) (terms: string list) : EpochReport list =
    let rng = Seed.rng (Seed.ofInt seed)

    [
        for epoch in 0 .. epochs - 1 ->
            let fall = exp (-4.0 * float epoch / float epochs)
            let noise () = 0.03 * rng.Gaussian()

            {
                Epoch = epoch
                LearningRate = 0.01
                TrainLoss = 0.2 + 0.9 * fall + noise ()
                ValidationLoss = 0.28 + 0.85 * fall + noise ()
                Terms = terms |> List.map (fun term -> term, 0.15 + 0.5 * fall + noise ())
                PseudoDice = [ 0.85 - 0.7 * fall + noise () ]
                Measures =
                    if epoch % 5 = 4 then
                        [ Measure.Dice, 0.8 - 0.6 * fall; Measure.B0Error, 3.0 + 40.0 * fall ]
                    else
                        []
                Seconds = 2.5
            }
    ]

/// A vessel image of the given side.
let vessels (side: int) (seed: int) : Case =
    Synthetic.vessels
        { Synthetic.standard with
            Extent = Extent.plane side side
        }
        (Seed.ofInt seed)

let private disc (side: int) (rng: Rng) (low: float) (high: float) : int -> bool =
    let row, column = rng.Uniform(0.0, float side), rng.Uniform(0.0, float side)
    let radius = rng.Uniform(low, high)

    fun index ->
        let y, x = float (index / side) - row, float (index % side) - column
        x * x + y * y < radius * radius

let private stroke (side: int) (rng: Rng) : int -> bool =
    let row, column = rng.Uniform(0.0, float side), rng.Uniform(0.0, float side)
    let angle = rng.Uniform(0.0, Math.PI)

    fun index ->
        let y, x = float (index / side) - row, float (index % side) - column
        abs (x * sin angle - y * cos angle) < 1.3 && x * x + y * y < 180.0

/// The truth with holes cut into it and strokes added.
let predict (holes: int) (strokes: int) (seed: int) (truth: LabelMap) : LabelMap =
    let rng = Seed.rng (Seed.ofInt seed)
    let side = truth.Extent.Width
    let cut = List.init holes (fun _ -> disc side rng 3.0 9.0)
    let added = List.init strokes (fun _ -> stroke side rng)

    truth.Data
    |> Array.mapi (fun index label ->
        if added |> List.exists (fun covers -> covers index) then 1s
        elif cut |> List.exists (fun covers -> covers index) then 0s
        else label)
    |> Volume.create truth.Extent

let dataset: Dataset =
    Dataset.create "Dataset001_Vessels" [ "light" ] [ "background", 0; "vessel", 1 ] ".png" 8

/// A comparison of two runs on cases of the given names and side.
let input (side: int) (names: string list) : ReportInput =
    let cases = names |> List.mapi (fun index name -> name, vessels side (100 + index))

    let predicted =
        [ baseline, 14, 5, 1; recall, 7, 4, 50 ]
        |> List.map (fun (run, holes, strokes, seed) ->
            run,
            cases
            |> List.mapi (fun index (name, case) ->
                let truth = Option.get case.Labels
                name, case, truth, predict (holes * side / 256 + index) strokes (seed + index) truth))

    let scores =
        predicted
        |> List.map (fun (run, cases) ->
            run,
            cases
            |> List.collect (fun (name, _, truth, prediction) ->
                Evaluation.score Evaluation.standard dataset name prediction truth))

    {
        Title = "Skeleton Recall on synthetic vessels"
        Summary = "Two 2D U-Nets of the same seed and budget, tried on images that neither was trained on."
        Options =
            [
                "data set", "Dataset001_Vessels"
                "training images", "24"
                "held-out images", string names.Length
                "epochs", "30"
                "patch size", "128 x 128"
                "batch size", "8"
                "seed", "1"
                "tube radius", "2"
                "supervision", "recall-at-full"
                "objectives", "dice + ce; dice + ce + 1.0*skeleton-recall"
            ]
        Runs =
            [
                {
                    Name = baseline
                    Objective = "dice + ce"
                    History = history 1 30 [ "dice"; "ce" ]
                }
                {
                    Name = recall
                    Objective = "dice + ce + 1.0*skeleton-recall"
                    History = history 2 30 [ "dice"; "ce"; "skeleton-recall" ]
                }
            ]
        Scores = scores
        Seed = 1
        Overlays =
            [
                for run, cases in predicted do
                    for name, case, truth, prediction in cases ->
                        {
                            Case = name
                            Run = run
                            Image = Volume.create case.Image.Extent case.Image.Data
                            Truth = Tube.binarize truth
                            Prediction = Tube.binarize prediction
                        }
            ]
    }

/// Tubes that bend through a volume, one of them with a gap and a bridge between two in the prediction.
let space (depth: int) (height: int) (width: int) (spacing: float list) (case: string) (run: string) : CaseOverlay =
    let extent = Extent.space depth height width

    let tube (shift: float) (slice: int) (row: int) (column: int) =
        let across =
            float height / 2.0 + shift + 0.2 * float height * sin (float column / 9.0)

        let along = float depth / 2.0 + 0.25 * float depth * cos (float column / 13.0)
        (float row - across) ** 2.0 + 2.0 * (float slice - along) ** 2.0 < 6.0

    let mask (predicted: bool) =
        Array.init extent.Count (fun index ->
            let column = index % width
            let row = index / width % height
            let slice = index / width / height
            let gap = predicted && column > width / 3 && column < width / 3 + 8
            let first = tube -7.0 slice row column && not gap
            let second = tube 7.0 slice row column

            let bridge =
                predicted && abs (column - 3 * width / 4) < 2 && tube 0.0 slice row column
                || predicted
                   && abs (column - 3 * width / 4) < 2
                   && [ -5.0 .. 5.0 ] |> List.exists (fun shift -> tube shift slice row column)

            first || second || bridge)
        |> Volume.create extent
        |> Volume.withSpacing (Spacing.ofList spacing)
        |> Mask.ofVolume id

    let truth = mask false
    let bright = (Mask.toVolume truth).Data
    let rng = Seed.rng (Seed.ofInt 3)

    {
        Case = case
        Run = run
        Image =
            bright
            |> Array.map (fun voxel -> 60.0f * float32 voxel + float32 (rng.Uniform(0.0, 40.0)))
            |> Volume.create extent
            |> Volume.withSpacing (Spacing.ofList spacing)
        Truth = truth
        Prediction = mask true
    }
