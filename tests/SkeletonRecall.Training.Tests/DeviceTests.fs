module SkeletonRecall.Tests.DeviceTests

open TorchSharp
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private other () : torch.Device =
    match LazyDevice.tryDevice () with
    | Some device -> device
    | None -> skiptest "This libtorch has no second device."

// Features in whole blocks: the second device computes on the processor, without the care that `Convolution` takes there.
let private plane: Configuration = Toy.configuration [ 16; 32; 32 ]

let private space: Configuration =
    { TinyRun.configuration with
        Architecture =
            { TinyRun.configuration.Architecture with
                FeaturesPerStage = [ 16; 16; 32 ]
            }
    }

// Losses in double precision: the second device mixes up the types of single numbers.
let private wide (network: Network) : Network =
    let toDouble (logits: Tensor) : Tensor = logits.``to`` torch.float64

    { network with
        Forward = network.Forward >> List.map toDouble
        Finest = network.Finest >> toDouble
    }

let private batchOf (configuration: Configuration) (options: BatchOptions) (cases: Case list) : Batch =
    let source =
        cases
        |> List.map (Sampler.prepare options.Ignore)
        |> List.toArray
        |> Loader.validation 0.5 options configuration

    Loader.draw source (Seed.ofInt 4)

let private heads (configuration: Configuration) : Extent list =
    Batch.headExtents configuration.Architecture.Strides (Extent.ofShape configuration.PatchSize)

let private planes: Batch =
    batchOf
        plane
        {
            Tube = Some Tube.standard
            CoarseTube = Some MaxPooled
            HeadExtents = heads plane
            Regions = []
            Ignore = None
        }
        [ Toy.vessels 32 0; Toy.vessels 32 1 ]

/// Two steps of training on a device: losses, weights, and what validation says of them.
let private trained
    (configuration: Configuration)
    (channels: int)
    (outputs: int)
    (batch: Batch)
    (device: torch.Device)
    : float list * NamedArray list * NamedArray list * Validation =
    Toy.oneThread ()

    let network =
        Network.create configuration.Architecture channels outputs (Seed.ofInt 1)
        |> Network.toDevice device
        |> wide

    use _module = network.Module
    use optimizer = Optimizer.create Optimizer.standard network

    let objective = Objective.skeletonRecall |> Objective.withSupervision AllHeads

    let weights = Loss.headWeights batch.Heads.Length

    let losses =
        [
            for _ in 1..2 -> TrainingStep.run 0.01 network optimizer (Objective.loss objective weights) batch
        ]

    // Momentum that is put back, as a run that goes on does, counts in the next step.
    Optimizer.load (Optimizer.state optimizer) optimizer
    |> Result.defaultWith (failtestf "%A")

    let last =
        TrainingStep.run 0.01 network optimizer (Objective.loss objective weights) batch

    losses @ [ last ],
    Network.weights network,
    Optimizer.state optimizer,
    Validation.measure objective weights outputs network [ batch ]

let private close (what: string) (left: NamedArray list) (right: NamedArray list) : unit =
    for one, other in List.zip left right do
        Expect.equal one.Name other.Name what

        for index in 0 .. one.Values.Length - 1 do
            if abs (one.Values[index] - other.Values[index]) > 2e-4f then
                failtest $"%s{what} %s{one.Name}[%d{index}]: %g{one.Values[index]} and %g{other.Values[index]}"

let private sameOnBoth (configuration: Configuration) (channels: int) (outputs: int) (batch: Batch) : unit =
    let device = other ()

    let losses, weights, momentum, validation =
        trained configuration channels outputs batch torch.CPU

    let lossesThere, weightsThere, momentumThere, validationThere =
        trained configuration channels outputs batch device

    List.iter2 (fun here there -> Expect.floatClose Accuracy.medium there here "loss") losses lossesThere
    close "weight" weights weightsThere
    close "momentum of" momentum momentumThere
    Expect.floatClose Accuracy.medium validationThere.Loss validation.Loss "validation"

    List.iter2
        (fun there here ->
            if not (System.Double.IsNaN there && System.Double.IsNaN here) then
                Expect.floatClose Accuracy.medium there here "pseudo-Dice")
        validationThere.PseudoDice
        validation.PseudoDice

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Device"
        [
            test "names go forth and back" {
                for device in Device.all do
                    Expect.equal (Device.tryParse (Device.print device)) (Some device) "name"

                Expect.equal (List.map Device.print Device.all) [ "cpu"; "cuda"; "mps" ] "nnU-Net's names"
                Expect.isNone (Device.tryParse "gpu") "another"
            }

            test "the second device refuses tensors of the first" {
                use _scope = Toy.scope ()
                let there = torch.ones(3L).``to``(other ())
                Expect.throws (fun () -> (there + torch.ones 3L).sum().item<float32>() |> ignore) "mixed"
            }

            test "training and validation of planes are the same on another device" { sameOnBoth plane 1 2 planes }

            test "of volumes through a residual network, two channels, three classes" {
                let configuration = space

                let options =
                    {
                        Tube = Some Tube.standard
                        CoarseTube = Some MaxPooled
                        HeadExtents = heads configuration
                        Regions = []
                        Ignore = None
                    }

                batchOf configuration options [ Toy.rod 6 12 12 ]
                |> sameOnBoth configuration 2 3
            }

            test "of regions, with an ignore label" {
                let configuration = space

                let options =
                    {
                        Tube = Some Tube.standard
                        CoarseTube = Some MaxPooled
                        HeadExtents = heads configuration
                        Regions = [ [ 1s ]; [ 1s; 2s ] ]
                        Ignore = Some 3
                    }

                batchOf configuration options [ Toy.rod 6 12 12 ]
                |> sameOnBoth configuration 2 2
            }

            test "an engine gives the same logits" {
                let device = other ()
                let network = Network.create plane.Architecture 1 2 (Seed.ofInt 1)
                use _module = network.Module

                let tiles =
                    {
                        Count = 2
                        Channels = 1
                        Extent = Extent.plane 16 16
                        Data = Array.init 512 (fun index -> sin (float32 index))
                    }

                let here = Inference.ofNetwork network tiles
                let moved = Network.toDevice device network
                let there = Inference.ofNetwork moved tiles
                let reused = Inference.reusing moved tiles

                for index in 0 .. here.Length - 1 do
                    if abs (here[index] - there[index]) > 1e-5f then
                        failtest $"logit %d{index}: %g{there[index]}, not %g{here[index]}"

                Expect.equal reused there "reused"
            }

            test "weights of terms are found there too" {
                let device = other ()

                let found (device: torch.Device) =
                    let network =
                        Network.create plane.Architecture 1 2 (Seed.ofInt 1)
                        |> Network.toDevice device
                        |> wide

                    use _module = network.Module

                    WeightFinder.measure
                        1.0
                        (Loss.headWeights planes.Heads.Length)
                        Objective.skeletonRecall
                        network
                        [ planes ]

                let here, there = found torch.CPU, found device

                for one, other in List.zip here.Terms there.Terms do
                    Expect.floatClose Accuracy.medium other.LogitsNorm one.LogitsNorm one.Name
                    Expect.floatClose Accuracy.medium other.WeightsNorm one.WeightsNorm one.Name
            }

            test "CUDA that is not there says what to do" {
                LibTorch.ensure ()

                if torch.cuda.is_available () then
                    skiptest "CUDA is there."

                match Device.require Device.Cuda with
                | Ok() -> failtest "there is no CUDA"
                | Error problem ->
                    let message = Problem.message problem

                    for word in [ "--device cuda"; "SKELETONRECALL_LIBTORCH"; "2.10"; "--device cpu" ] do
                        Expect.stringContains message word "what to do"

                let noGpu = Problem.message (Device.cudaProblem (Some "/there") true)
                Expect.stringContains noGpu "/there that finds no GPU" "CUDA without a GPU"
                Expect.equal (Device.require Device.Cpu) (Ok()) "the processor"
            }

            test "a run on a device that is not there fails, and leaves nothing" {
                LibTorch.ensure ()

                if torch.cuda.is_available () then
                    skiptest "CUDA is there."

                Toy.inFolder (fun folder ->
                    let options =
                        { TinyRun.options 1 with
                            Device = Device.Cuda
                        }

                    Expect.throwsT<ProblemException>
                        (fun () ->
                            TinyRun.run options folder None System.Threading.CancellationToken.None ignore
                            |> ignore)
                        "no CUDA"

                    Expect.isEmpty (System.IO.Directory.GetFileSystemEntries folder) "files")
            }
        ]
