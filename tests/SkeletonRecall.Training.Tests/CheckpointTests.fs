module SkeletonRecall.Tests.CheckpointTests

open System.IO
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private configuration: Configuration = Toy.configuration [ 2; 4 ]

let private example () : Checkpoint =
    use _scope = Toy.scope ()

    let network = Network.create configuration.Architecture 1 2 (Seed.ofInt 1)

    {
        Path = ""
        Weights = Network.weights network
        Momentum = Network.weights network |> List.skip 4
        ConfigurationName = "2d"
        Configuration = configuration
        Transpose = [ 0; 1; 2 ]
        Dataset = Toy.dataset
        Options =
            { TrainOptions.standard with
                Epochs = 7
                LearningRate = 0.1 + 0.2
                Mirror = false
                Objective = Objective.skeletonRecall |> Objective.withTubeRadius 3
            }
        Epoch = 2
        Iteration = 5
        LossSum = 1.0 / 3.0
        History =
            [
                for epoch in 0..1 ->
                    {
                        Epoch = epoch
                        LearningRate = 0.01
                        TrainLoss = -1.0 / 3.0
                        ValidationLoss = nan
                        Terms = [ "dice", -0.5; "ce", nan ]
                        PseudoDice = [ 0.25 ]
                        Measures = [ Measure.ClDice, 0.5; Measure.B0Error, nan ]
                        Seconds = 1.5
                    }
            ]
        MirrorAxes = [ 0; 1 ]
        Threads = 2
        MemoryFormat = Network.memoryFormat
    }

let private text (value: 'T) : string = sprintf "%A" value

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Checkpoint"
        [
            test "what is saved is loaded, bit for bit" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "c.safetensors")
                    let saved = example ()
                    Checkpoint.save path saved |> Problem.orThrow
                    let loaded = Checkpoint.load path |> Problem.orThrow
                    Expect.equal loaded.Path path "path"
                    Expect.equal loaded.Weights saved.Weights "weights"
                    Expect.equal loaded.Momentum saved.Momentum "momentum"
                    Expect.equal loaded.Configuration saved.Configuration "configuration"
                    Expect.equal loaded.Dataset saved.Dataset "data set"
                    Expect.equal loaded.Options saved.Options "options"
                    Expect.equal (loaded.Threads, loaded.MemoryFormat) (2, "contiguous") "how it was computed"

                    Expect.equal
                        (loaded.Epoch, loaded.Iteration, loaded.LossSum, loaded.MirrorAxes)
                        (saved.Epoch, saved.Iteration, saved.LossSum, saved.MirrorAxes)
                        "position"

                    // NaN is not equal to itself, but its text is.
                    Expect.equal (text loaded.History) (text saved.History) "history"
                    Expect.equal (Directory.GetFiles folder) [| path |] "nothing beside it")
            }

            test "a heading is a checkpoint without its tensors" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "c.safetensors")
                    Checkpoint.save path (example ()) |> Problem.orThrow

                    let wanted =
                        { (Checkpoint.load path |> Problem.orThrow) with
                            Weights = []
                            Momentum = []
                        }

                    Expect.equal (text (Checkpoint.loadHeading path |> Problem.orThrow)) (text wanted) "all else"

                    match Checkpoint.loadHeading (Path.Combine(folder, "none.safetensors")) with
                    | Ok _ -> failtest "accepted"
                    | Error problem -> Expect.stringContains (Problem.message problem) "none.safetensors" "the file")
            }

            test "a configuration that was written as a change, and a channel of CT beside another, come back" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "c.safetensors")

                    let properties: IntensityProperties =
                        {
                            Maximum = 900.0
                            Mean = 100.5
                            Median = 90.0
                            Minimum = -1000.0
                            Low = -950.0
                            High = 850.0
                            Deviation = 33.25
                        }

                    let changed =
                        { configuration with
                            Normalization = [ ZScore; Ct properties ]
                            InheritsFrom = Some "2d"
                        }

                    let saved =
                        { example () with
                            Configuration = changed
                            Dataset =
                                { Toy.dataset with
                                    ChannelNames = [ "PET"; "CT" ]
                                }
                        }

                    Checkpoint.save path saved |> Problem.orThrow
                    let loaded = Checkpoint.load path |> Problem.orThrow
                    Expect.equal loaded.Configuration { changed with InheritsFrom = None } "configuration")
            }

            test "a checkpoint makes its network" {
                use _scope = Toy.scope ()
                let checkpoint = example ()
                let network = Checkpoint.network checkpoint |> Problem.orThrow
                Expect.equal (Network.weights network) checkpoint.Weights "weights"
            }

            test "another shape is told by file, parameter, got and wanted" {
                use _scope = Toy.scope ()

                let checkpoint =
                    { example () with
                        Path = "/runs/fold_0/checkpoint_final.safetensors"
                    }

                let other = Network.create configuration.Architecture 1 3 (Seed.ofInt 1)

                match Checkpoint.into other checkpoint with
                | Ok() -> failtest "accepted"
                | Error problem ->
                    Expect.equal
                        (Problem.message problem)
                        "/runs/fold_0/checkpoint_final.safetensors, parameter decoder.seg_layers.0.weight: got 2 x 2 x 1 x 1; wanted 3 x 2 x 1 x 1."
                        "message"
            }

            test "momentum of another shape is told" {
                use _scope = Toy.scope ()
                let checkpoint = example ()
                let network = Network.create configuration.Architecture 2 2 (Seed.ofInt 1)
                use optimizer = Optimizer.create Optimizer.standard network

                let wrong =
                    { checkpoint with
                        Momentum = checkpoint.Weights
                    }

                match Checkpoint.intoOptimizer optimizer wrong with
                | Error(Mismatch(subject, _, _)) ->
                    Expect.stringContains subject "momentum.encoder.stages.0.0.convs.0.conv.weight" "parameter"
                | other -> failtest $"%A{other}"
            }

            test "files that are no checkpoint are told" {
                Toy.inFolder (fun folder ->
                    let message (path: string) =
                        match Checkpoint.load path with
                        | Ok _ -> failtest "accepted"
                        | Error problem -> Problem.message problem

                    let path = Path.Combine(folder, "c.safetensors")
                    Expect.stringContains (message path) "not found" "missing"
                    Checkpoint.save path (example ()) |> Problem.orThrow
                    let bytes = File.ReadAllBytes path
                    File.WriteAllBytes(path, Array.sub bytes 0 (bytes.Length - 100))
                    Expect.stringStarts (message path) $"%s{path}: cannot be read" "truncated"
                    File.WriteAllText(path, "no checkpoint at all")
                    Expect.stringContains (message path) "safetensors" "text"

                    do
                        use stream = File.Create path

                        Safetensors.write stream { Metadata = Map.empty; Tensors = [] }

                    Expect.stringContains (message path) "lacks \"format\"" "another program's")
            }

            test "a folder that cannot be written is told and keeps what is there" {
                Toy.inFolder (fun folder ->
                    let blocker = Path.Combine(folder, "file")
                    File.WriteAllText(blocker, "")
                    let path = Path.Combine(blocker, "c.safetensors")

                    match Checkpoint.save path (example ()) with
                    | Error(Unwritable _) -> ()
                    | other -> failtest $"%A{other}")
            }
        ]
