module SkeletonRecall.Tests.PredictionTests

open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// Logits that say class 1 where the first channel is above half of the way from what surrounds the rod to the rod.
let private shout (tiles: Tiles) : float32[] =
    let count = tiles.Extent.Count

    Array.init tiles.Count (fun tile ->
        let first =
            Array.sub tiles.Data (tile * tiles.Channels * count) count
            |> Array.map (fun value -> value - 1.3f)

        Array.concat [ Array.map (~-) first; first; Array.create count -100.0f ])
    |> Array.concat

let private checkpoint (transpose: int list) (spacing: float list) : Checkpoint =
    use _scope = Toy.scope ()
    let network = Network.create TinyRun.configuration.Architecture 2 3 (Seed.ofInt 1)

    {
        Path = "here"
        Weights = Network.weights network
        Momentum = []
        ConfigurationName = "3d_fullres"
        Configuration =
            { TinyRun.configuration with
                Spacing = spacing
            }
        Transpose = transpose
        Dataset = TinyRun.dataset
        Options = TinyRun.options 1
        Epoch = 1
        Iteration = 0
        LossSum = 0.0
        History = []
        MirrorAxes = [ 0 ]
        Threads = 1
        MemoryFormat = Network.memoryFormat
    }

// A bright rod within a border of zeros.
let private framed: Image =
    let extent = Extent.space 7 12 14

    let value (index: int) =
        let slice, row, column = index / 168, index / 14 % 12, index % 14

        let isInside =
            slice >= 1 && slice < 6 && row >= 2 && row < 11 && column >= 3 && column < 13

        if not isInside then 0.0f
        elif abs (row - 5) <= 1 && abs (column - 7) <= 1 then 90.0f
        else 10.0f

    let first = Array.init extent.Count value

    { Image.create 2 extent (Array.append first first) with
        Spacing = Spacing.ofList [ 2.0; 1.0; 1.0 ]
    }

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Prediction"
        [
            test "a prediction lies where its image lay, whatever was cropped, turned and resampled" {
                let wanted =
                    Array.sub framed.Data 0 framed.Extent.Count
                    |> Array.map (fun value -> if value > 50.0f then 1s else 0s)

                for transpose in [ [ 0; 1; 2 ]; [ 2; 0; 1 ] ] do
                    for spacing in
                        [
                            Axes.permute transpose [ 2.0; 1.0; 1.0 ]
                            Axes.permute transpose [ 1.0; 0.5; 0.5 ]
                        ] do
                        let model = checkpoint transpose spacing

                        let predict withProbabilities =
                            Prediction.case
                                Inference.standard
                                withProbabilities
                                model
                                shout
                                (CaseId.ofString "framed")
                                framed
                            |> Problem.orThrow

                        let predicted = predict false
                        Expect.equal predicted.Labels.Extent framed.Extent "its grid"
                        Expect.equal predicted.Labels.Spacing framed.Spacing "its spacing"
                        Expect.isNone predicted.Probabilities "none were asked for"

                        let differing =
                            Array.fold2
                                (fun count a b -> if a = b then count else count + 1)
                                0
                                predicted.Labels.Data
                                wanted

                        Expect.isLessThan differing 12 $"labels by %A{transpose} and %A{spacing}"

                        let both = predict true
                        Expect.equal both.Labels.Data predicted.Labels.Data "the same labels"
                        let shares = Expect.wantSome both.Probabilities "probabilities"
                        Expect.equal shares.Length (3 * framed.Extent.Count) "a channel per class"
                        Expect.equal (shares[0], shares[framed.Extent.Count]) (1.0f, 0.0f) "cut away: background"

                        Expect.equal (Inference.argmax framed.Extent shares).Data both.Labels.Data "they say the same"
            }

            test "folds of one model are averaged; others are refused" {
                Toy.inFolder (fun folder ->
                    let path (name: string) = Path.Combine(folder, name)
                    let first = checkpoint [ 0; 1; 2 ] [ 1.0; 1.0; 1.0 ]

                    let second =
                        { first with
                            Weights =
                                first.Weights
                                |> List.map (fun array ->
                                    { array with
                                        Values = array.Values |> Array.map (fun value -> value * 0.9f)
                                    })
                        }

                    Checkpoint.save (path "a") first |> Problem.orThrow
                    Checkpoint.save (path "b") second |> Problem.orThrow
                    use one = Prediction.load [ path "a" ] |> Problem.orThrow
                    use other = Prediction.load [ path "b" ] |> Problem.orThrow
                    use both = Prediction.load [ path "a"; path "b" ] |> Problem.orThrow
                    Expect.equal both.Count 2 "two"
                    let rng = Seed.rng (Seed.ofInt 1)

                    let tiles =
                        {
                            Count = 1
                            Channels = 2
                            Extent = Extent.space 4 8 8
                            Data = Array.init 512 (fun _ -> float32 (rng.Gaussian()))
                        }

                    let mean =
                        Array.map2
                            (fun a b -> (a + b) / 2.0f)
                            (Prediction.engine one tiles |> Array.copy)
                            (Prediction.engine other tiles)

                    let difference =
                        Array.map2 (fun (a: float32) b -> abs (a - b)) mean (Prediction.engine both tiles)

                    Expect.isLessThan (Array.max difference) 1e-5f "the mean"

                    let fewer =
                        { first with
                            Dataset =
                                { first.Dataset with
                                    Labels = [ "background", 0; "rod", 1 ]
                                }
                        }

                    Checkpoint.save (path "c") fewer |> Problem.orThrow

                    match Prediction.load [ path "a"; path "c" ] with
                    | Ok _ -> failtest "other outputs"
                    | Error problem -> Expect.stringContains (Problem.message problem) "outputs" "which differ")
            }

            test "regions that overlap are trained, predicted and painted" {
                Toy.inFolder (fun folder ->
                    Toy.oneThread ()

                    let dataset =
                        { TinyRun.dataset with
                            Regions =
                                [
                                    {
                                        Name = "both"
                                        Labels = [ 1; 2 ]
                                        Paint = 1
                                    }
                                    {
                                        Name = "ball"
                                        Labels = [ 2 ]
                                        Paint = 2
                                    }
                                ]
                        }

                    let setup =
                        TrainSetup.create
                            { TinyRun.options 8 with
                                Iterations = 25
                                SaveEvery = 50
                            }
                            TinyRun.configuration
                            dataset

                    let cases = [| Sampler.prepare None (Toy.rod 6 12 12) |]

                    let checkpoint =
                        Trainer.train setup folder None CancellationToken.None ignore cases cases
                        |> Problem.orThrow

                    let last = List.last checkpoint.History
                    Expect.equal last.PseudoDice.Length 2 "two regions"
                    Expect.isGreaterThan last.PseudoDice.Head 0.5 "both"

                    use model =
                        Prediction.load [ Path.Combine(folder, RunFolder.final) ] |> Problem.orThrow

                    let case = Toy.rod 6 12 12

                    let predicted =
                        Prediction.case
                            Inference.standard
                            true
                            model.Checkpoint
                            (Prediction.engine model)
                            case.Id
                            case.Image
                        |> Problem.orThrow

                    Expect.equal predicted.Labels.Extent case.Image.Extent "grid"

                    let shares = Expect.wantSome predicted.Probabilities "probabilities"
                    let count = case.Image.Extent.Count
                    Expect.equal shares.Length (2 * count) "a channel per region"

                    // The ball is painted over what both make up.
                    let painted =
                        Array.init count (fun i ->
                            if shares[count + i] > 0.5f then 2s
                            elif shares[i] > 0.5f then 1s
                            else 0s)

                    Expect.equal predicted.Labels.Data painted "painted"
                    let truth = case.Labels.Value.Data

                    let dice =
                        let there = truth |> Array.sumBy (fun label -> if label > 0s then 1.0 else 0.0)
                        let found = painted |> Array.sumBy (fun label -> if label > 0s then 1.0 else 0.0)

                        let both =
                            Array.map2 (fun a b -> if a > 0s && b > 0s then 1.0 else 0.0) truth painted
                            |> Array.sum

                        2.0 * both / (there + found)

                    Expect.isGreaterThan dice 0.5 "the region of both, on the whole case")
            }
        ]
