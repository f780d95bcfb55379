module SkeletonRecall.Tests.TrainerVolumeTests

open System
open System.IO
open System.Threading
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private none = CancellationToken.None

let private message (result: Result<'T, Problem>) : string =
    match result with
    | Ok _ -> failtest "it was accepted"
    | Error problem -> Problem.message problem

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Trainer of volumes"
        [
            test "six epochs in one go are three, a stop, and three more, bit for bit" {
                let options = TinyRun.options 6

                let straight =
                    Toy.inFolder (fun folder -> TinyRun.run options folder None none ignore |> Problem.orThrow)

                Expect.equal straight.MirrorAxes [ 0; 1; 2 ] "mirror axes"
                Expect.equal straight.ConfigurationName "3d_fullres" "its name"

                for stopHere in [ 2, 1; 3, 0 ] do
                    let resumed =
                        Toy.inFolder (fun folder ->
                            use source = new CancellationTokenSource()

                            let report (progress: Progress) =
                                match progress with
                                | Step(epoch, iteration, _) when (epoch, iteration) = stopHere -> source.Cancel()
                                | _ -> ()

                            Expect.throwsT<OperationCanceledException>
                                (fun () -> TinyRun.run options folder None source.Token report |> ignore)
                                "stopped"

                            let resume = RunFolder.tryResume folder |> Problem.orThrow
                            TinyRun.run options folder resume none ignore |> Problem.orThrow)

                    Expect.equal (Toy.comparable resumed) (Toy.comparable straight) $"stopped at %A{stopHere}"
            }

            test "a volume is trained on and predicted" {
                Toy.inFolder (fun folder ->
                    let options =
                        { TinyRun.options 6 with
                            Iterations = 25
                            SaveEvery = 50
                        }

                    let checkpoint = TinyRun.run options folder None none ignore |> Problem.orThrow
                    let last = List.last checkpoint.History
                    Expect.isLessThan last.TrainLoss checkpoint.History.Head.TrainLoss "the loss falls"
                    Expect.isGreaterThan last.PseudoDice.Head 0.5 "pseudo-Dice of the rod"
                    let network = Checkpoint.network checkpoint |> Problem.orThrow
                    use _module = network.Module
                    let case = Toy.rod 6 12 12

                    let labels =
                        Inference.labels
                            { Inference.standard with
                                MirrorAxes = checkpoint.MirrorAxes
                            }
                            checkpoint.Configuration
                            3
                            (Inference.ofNetwork network)
                            case.Image

                    let scores =
                        Evaluation.score Evaluation.standard TinyRun.dataset "rod" labels (Option.get case.Labels)

                    Expect.isGreaterThan scores.Head.Dice 0.5 "Dice of the whole volume")
            }

            test "an ignore label counts nowhere" {
                Toy.inFolder (fun folder ->
                    let dataset =
                        { TinyRun.dataset with
                            Labels = [ "background", 0; "rod", 1 ]
                            Ignore = Some 2
                        }

                    let setup = TrainSetup.create (TinyRun.options 2) TinyRun.configuration dataset

                    Toy.oneThread ()
                    let cases = [| Sampler.prepare (Some 2) (Toy.rod 6 12 12) |]

                    let checkpoint =
                        Trainer.train setup folder None none ignore cases cases |> Problem.orThrow

                    for report in checkpoint.History do
                        Expect.isTrue (Double.IsFinite report.TrainLoss) "loss"
                        Expect.equal report.PseudoDice.Length 1 "one class")
            }

            test "a second run into the folder is refused, whoever came first" {
                Toy.inFolder (fun folder ->
                    let mutable second = ""

                    let report (progress: Progress) =
                        match progress with
                        | Step(0, 0, _) -> second <- TinyRun.run (TinyRun.options 1) folder None none ignore |> message
                        | _ -> ()

                    TinyRun.run (TinyRun.options 1) folder None none report
                    |> Problem.orThrow
                    |> ignore

                    Expect.stringContains second "another run is training into it" "refused"
                    Expect.stringContains second folder "which folder"
                    // Nobody holds it any more.
                    TinyRun.run (TinyRun.options 1) folder None none ignore
                    |> Problem.orThrow
                    |> ignore)
            }

            test "a checkpoint of other labels, channels or plans is refused in one sentence" {
                Toy.inFolder (fun folder ->
                    let cases = [| Sampler.prepare None (Toy.rod 6 12 12) |]

                    let setup =
                        TrainSetup.create (TinyRun.options 1) TinyRun.configuration TinyRun.dataset

                    let train (setup: TrainSetup) (resume: Checkpoint option) =
                        Trainer.train setup folder resume none ignore cases cases

                    Toy.oneThread ()
                    let checkpoint = train setup None |> Problem.orThrow

                    let refused (change: TrainSetup -> TrainSetup) : string =
                        train (change setup) (Some checkpoint) |> message

                    let labels =
                        refused (fun setup ->
                            { setup with
                                Dataset =
                                    { setup.Dataset with
                                        Labels = [ "background", 0; "tube", 1; "ball", 2 ]
                                    }
                            })

                    Expect.stringContains labels RunFolder.final "the file"
                    Expect.stringContains labels "rod 1" "what came"
                    Expect.stringContains labels "tube 1" "what was wanted"

                    let ignored =
                        refused (fun setup ->
                            { setup with
                                Dataset = { setup.Dataset with Ignore = Some 3 }
                            })

                    Expect.stringContains ignored "ignore 3" "an ignore label"

                    let plan =
                        refused (fun setup ->
                            { setup with
                                Configuration =
                                    { setup.Configuration with
                                        PatchSize = [ 8; 8; 8 ]
                                    }
                            })

                    Expect.stringContains plan "4 x 8 x 8" "the patch that came"
                    Expect.stringContains plan "8 x 8 x 8" "the plan's"
                    train setup (Some checkpoint) |> Problem.orThrow |> ignore)
            }

            test "the way to a loss that is no number is told" {
                Toy.oneThread ()
                let network = Network.create TinyRun.configuration.Architecture 2 3 (Seed.ofInt 1)
                use _module = network.Module
                use optimizer = Optimizer.create Optimizer.standard network

                let extents =
                    Batch.headExtents TinyRun.configuration.Architecture.Strides (Extent.space 4 8 8)

                let batch =
                    Loader.draw
                        (Loader.validation
                            0.5
                            {
                                Tube = Some Tube.standard
                                CoarseTube = None
                                HeadExtents = extents
                                Regions = []
                                Ignore = None
                            }
                            TinyRun.configuration
                            [| Sampler.prepare None (Toy.rod 6 12 12) |])
                        (Seed.ofInt 4)

                let objective = Objective.skeletonRecall
                let loss = Objective.loss objective (Loss.headWeights extents.Length)

                let told (batch: Batch) =
                    Expect.isFalse (Double.IsFinite(TrainingStep.run 0.01 network optimizer loss batch)) "no number"

                    TrainingStep.cause objective network batch

                let images = Array.copy batch.Images
                images[7] <- nanf
                Expect.stringContains (told { batch with Images = images }) "the images" "images"

                let set (name: string) (value: float32) =
                    use _off = torch.no_grad ()

                    let _, parameter =
                        Network.parameters network |> List.find (fun (known, _) -> known = name)

                    parameter.fill_ (value.ToScalar()) |> ignore

                set "decoder.seg_layers.1.bias" 3e38f
                set "decoder.seg_layers.1.weight" 3e38f
                Expect.stringContains (told batch) "head 0" "outputs"
                set "decoder.seg_layers.1.bias" nanf
                Expect.stringContains (told batch) "decoder.seg_layers.1.bias" "weights"
            }

            test "a run begins with pretrained weights, with or without the heads" {
                Toy.oneThread ()

                let create seed =
                    Network.create TinyRun.configuration.Architecture 2 3 (Seed.ofInt seed)

                let source, target = create 1, create 2
                use _source = source.Module
                use _target = target.Module
                let stored = Network.weights source

                let before =
                    Network.weights target
                    |> List.map (fun array -> array.Name, array)
                    |> Map.ofList

                let extra = { stored.Head with Name = "unknown" }

                let pretrained withHeads =
                    {
                        Path = "weights.safetensors"
                        Weights = extra :: stored
                        WithHeads = withHeads
                    }

                Pretrained.into (pretrained false) target |> Problem.orThrow

                for array, taken in List.zip (Network.weights target) stored do
                    if array.Name.Contains "seg_layers" then
                        Expect.equal array before[array.Name] "drawn heads"
                    else
                        Expect.equal array taken "taken"

                Pretrained.into (pretrained true) target |> Problem.orThrow
                Expect.equal (Network.weights target) stored "all of it"

                let missing =
                    { pretrained false with
                        Weights = stored.Tail
                    }

                let said = Pretrained.into missing target |> message
                Expect.stringContains said stored.Head.Name "the parameter"
                Expect.stringContains said "weights.safetensors" "the file"

                // The heads of another number of classes are no hindrance.
                let other = Network.create TinyRun.configuration.Architecture 2 5 (Seed.ofInt 3)
                use _other = other.Module
                Pretrained.into (pretrained false) other |> Problem.orThrow
                Expect.stringContains (Pretrained.into (pretrained true) other |> message) "seg_layers" "heads"
            }

            test "axes that are not to be mirrored are not" {
                let setup =
                    { TrainSetup.create (TinyRun.options 1) TinyRun.configuration TinyRun.dataset with
                        MirrorAxes = Some [ 1 ]
                    }

                Expect.equal (TrainSetup.mirrorAxes setup) [ 1 ] "one"

                let still =
                    { setup with
                        Options = { setup.Options with Mirror = false }
                    }

                Expect.equal (TrainSetup.mirrorAxes still) [] "none"

                Expect.throwsT<ArgumentException>
                    (fun () -> TrainSetup.mirrorAxes { setup with MirrorAxes = Some [ 3 ] } |> ignore)
                    "no such axis"

                let case = Toy.rod 4 6 6
                let patch = Patch.create case.Image (Option.get case.Labels)

                let options =
                    { Augment.still with
                        Mirror = 1.0
                        MirrorAxes = Some [ 1 ]
                    }

                let mirrored = Augment.mirror options (Seed.rng (Seed.ofInt 1)) patch
                Expect.equal mirrored.Labels.Data (Spatial.mirror [ false; true; false ] patch).Labels.Data "rows only"
            }
        ]
