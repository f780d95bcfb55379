module SkeletonRecall.Tests.NetworkTests

open System
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private architecture = Toy.architecture
let private tiny = architecture [ 4; 8; 8 ] 2 2

let private largestDifference (left: Tensor) (right: Tensor) : float =
    Tensors.item ((left - right).abs().max())

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Network"
        [
            test "parameter counts are nnU-Net's" {
                use _scope = Toy.scope ()

                // The fact sheet's counts of planes and residual encoders leave out the weights and biases of
                // normalizations: they were counted without affine parameters, which nnU-Net's plans have.
                let count (architecture: Architecture) channels classes =
                    let network = Network.create architecture channels classes (Seed.ofInt 0)
                    use _module = network.Module
                    Network.parameterCount network

                Expect.equal (count (architecture [ 32; 64; 128; 256; 320; 320 ] 3 2) 1 3) 31_196_399L "3D, 6 stages"

                let plane = architecture [ 32; 64; 128; 256; 512; 512; 512; 512 ] 2 2
                Expect.equal (count plane 3 2) (46_306_958L + 18_176L) "2D, 8 stages"

                let residual =
                    { architecture [ 32; 64; 128; 256; 320; 320 ] 3 1 with
                        Blocks = Residual
                        ConvsPerStage = [ 1; 3; 4; 6; 6; 6 ]
                    }

                Expect.equal (count residual 1 3) (102_322_927L + 27_648L) "residual, 6 stages"
            }

            test "names, shapes and order are those of nnU-Net's checkpoints" {
                for folder, channels, classes in [ "plain2d", 3, 2; "plain3d_aniso", 1, 4; "resenc3d", 2, 3 ] do
                    use _scope = Toy.scope ()

                    let path (file: string) =
                        Golden.sharedPath [ "data"; "expected"; "nnunet_checkpoint"; folder; file ]

                    let plans =
                        Plans.parse folder (IO.File.ReadAllText(path "plans.json")) |> Problem.orThrow

                    let configuration = Seq.exactlyOne plans.Configurations.Values

                    let network =
                        Network.create configuration.Architecture channels classes (Seed.ofInt 0)

                    use document =
                        Text.Json.JsonDocument.Parse(IO.File.ReadAllText(path "tensors.json"))

                    // Python's module keeps the same tensors under further names.
                    let isAlias (name: string) =
                        name.Contains ".all_modules." || name.StartsWith "decoder.encoder."

                    let wanted =
                        [
                            for entry in document.RootElement.EnumerateObject() do
                                if not (isAlias entry.Name) then
                                    entry.Name,
                                    [
                                        for size in entry.Value.GetProperty("shape").EnumerateArray() -> size.GetInt64()
                                    ]
                        ]

                    let ours =
                        Network.parameters network
                        |> List.map (fun (name, parameter) -> name, List.ofArray parameter.shape)

                    Expect.equal ours wanted folder
            }

            test "feature maps of deep, flat and residual networks have the sizes of their plans" {
                use _scope = Toy.scope ()

                // Kernels and strides of a volume of thick slices.
                let flat =
                    { architecture [ 2; 3; 4; 5; 5 ] 3 2 with
                        KernelSizes = [ 1; 1; 3; 3; 3 ] |> List.map (fun first -> [ first; 3; 3 ])
                        Strides = [ [ 1; 1; 1 ]; [ 1; 2; 2 ]; [ 1; 2; 2 ]; [ 2; 2; 2 ]; [ 1; 2; 2 ] ]
                    }

                for blocks in [ Plain; Residual ] do
                    let network = Network.create { flat with Blocks = blocks } 1 3 (Seed.ofInt 0)
                    let heads = network.Forward(Toy.gaussian [ 1L; 1L; 4L; 32L; 16L ])

                    Expect.equal
                        (heads |> List.map (fun head -> List.ofArray head.shape))
                        [
                            [ 1L; 3L; 4L; 32L; 16L ]
                            [ 1L; 3L; 4L; 16L; 8L ]
                            [ 1L; 3L; 4L; 8L; 4L ]
                            [ 1L; 3L; 2L; 4L; 2L ]
                        ]
                        $"%A{blocks}"
            }

            test "names and order are nnU-Net's" {
                use _scope = Toy.scope ()

                let names =
                    Network.create tiny 1 2 (Seed.ofInt 0) |> Network.parameters |> List.map fst

                Expect.equal names.Length 48 "unique tensors of 3 stages of 2 convolutions"

                let block (prefix: string) =
                    [ "conv.weight"; "conv.bias"; "norm.weight"; "norm.bias" ]
                    |> List.map (fun name -> $"%s{prefix}.%s{name}")

                let wanted =
                    [
                        for stage in 0..2 do
                            for conv in 0..1 do
                                yield! block $"encoder.stages.%d{stage}.0.convs.%d{conv}"
                        for level in 0..1 do
                            for conv in 0..1 do
                                yield! block $"decoder.stages.%d{level}.convs.%d{conv}"
                        for part in [ "transpconvs"; "seg_layers" ] do
                            for level in 0..1 do
                                $"decoder.%s{part}.%d{level}.weight"
                                $"decoder.%s{part}.%d{level}.bias"
                    ]

                Expect.equal names wanted "order of the optimizer"
            }

            test "heads come finest first, in the sizes that batches are made for" {
                use _scope = Toy.scope ()

                let check rank (size: int list) =
                    let architecture = architecture [ 2; 3; 4; 5 ] rank 1
                    let network = Network.create architecture 2 3 (Seed.ofInt 0)
                    let heads = network.Forward(Toy.gaussian (1L :: 2L :: List.map int64 size))

                    let wanted =
                        Batch.headExtents architecture.Strides (Extent.ofShape size)
                        |> List.map (fun extent -> 1L :: 3L :: List.map int64 extent.Shape)

                    Expect.equal (heads |> List.map (fun head -> List.ofArray head.shape)) wanted "shapes"

                check 2 [ 16; 24 ]
                check 3 [ 16; 8; 24 ]
            }

            test "evaluate is the finest head alone, without gradients" {
                use _scope = Toy.scope ()
                let network = Network.create tiny 1 2 (Seed.ofInt 1)
                let input = Toy.gaussian [ 1L; 1L; 16L; 16L ]
                let finest = Network.evaluate network input
                Expect.isFalse finest.requires_grad "no gradient"
                Expect.equal (largestDifference finest (network.Forward input).Head) 0.0 "equal to the first head"
            }

            test "all parameters get a gradient from all heads" {
                for blocks in [ Plain; Residual ] do
                    use _scope = Toy.scope ()
                    let network = Network.create { tiny with Blocks = blocks } 1 2 (Seed.ofInt 1)
                    let heads = network.Forward(Toy.gaussian [ 1L; 1L; 16L; 16L ])
                    let total = heads |> List.map (fun head -> (head * head).mean()) |> List.reduce (+)
                    total.backward ()

                    for name, parameter in Network.parameters network do
                        match parameter.grad with
                        | null -> failtest $"%s{name} has no gradient"
                        | gradient -> Expect.isTrue (torch.isfinite(gradient).all().item<bool>()) name
            }

            test "weights depend on the seed alone" {
                use _scope = Toy.scope ()

                let weights (seed: int) =
                    Network.create tiny 1 2 (Seed.ofInt seed) |> Network.weights

                let first = weights 3
                torch.randn (10L) |> ignore
                Expect.equal (weights 3) first "same seed"
                Expect.notEqual (weights 4) first "other seed"
            }

            test "weights follow He's rule" {
                use _scope = Toy.scope ()
                let network = Network.create (architecture [ 32; 64 ] 2 1) 1 2 (Seed.ofInt 3)

                let deviation (name: string) =
                    let array = Network.weights network |> List.find (fun array -> array.Name = name)
                    sqrt (array.Values |> Array.averageBy (fun value -> float value * float value))

                let close (name: string) (fan: int) =
                    let wanted = sqrt (2.0 / 1.0001) / sqrt (float fan)
                    Expect.isLessThan (abs (deviation name / wanted - 1.0)) 0.03 name

                close "encoder.stages.1.0.convs.0.conv.weight" (32 * 9)
                // The fan-in of a transposed convolution counts its outputs, as torch does.
                close "decoder.transpconvs.0.weight" (32 * 4)
                Expect.equal (deviation "encoder.stages.1.0.convs.0.conv.bias") 0.0 "bias"
                Expect.equal (deviation "encoder.stages.1.0.convs.0.norm.weight") 1.0 "norm"
            }

            test "forward and evaluate leave no tensor behind" {
                for blocks in [ Plain; Residual ] do
                    let network = Network.create { tiny with Blocks = blocks } 1 2 (Seed.ofInt 1)
                    use _module = network.Module
                    use input = Toy.gaussian [ 1L; 1L; 16L; 16L ]

                    let use' () =
                        use _scope = Toy.scope ()
                        (network.Forward input).Head.sum().backward()
                        Network.evaluate network input |> ignore

                    use' ()
                    let before = Tensors.liveCount ()

                    for _ in 1..3 do
                        use' ()

                    Expect.equal (Tensors.liveCount ()) before "live tensors"
            }

            test "what lies in freed memory reaches neither results nor gradients" {
                Toy.oneThread ()

                // Memory that libtorch will be given again, full of NaN.
                let litter () =
                    use _scope = Toy.scope ()

                    for power in 6..16 do
                        for _ in 1..4 do
                            torch.full ([| 1L <<< power |], (nanf).ToScalar()) |> ignore

                for features, rank in [ [ 4; 8; 8 ], 2; [ 12; 20; 24 ], 2; [ 4; 20 ], 3 ] do
                    use _scope = Toy.scope ()
                    let network = Network.create (architecture features rank 1) 1 2 (Seed.ofInt 1)
                    let input = Toy.gaussian (2L :: 1L :: List.replicate rank 8L)

                    for _ in 1..5 do
                        litter ()
                        network.Module.zero_grad ()
                        let heads = network.Forward input
                        let total = heads |> List.map (fun head -> (head * head).mean()) |> List.reduce (+)
                        total.backward ()
                        Expect.isTrue (Double.IsFinite(Tensors.item total)) "result"

                        for name, parameter in Network.parameters network do
                            let gradient = nonNull parameter.grad
                            Expect.isTrue (torch.isfinite(gradient).all().item<bool>()) $"%s{name} of %A{features}"
            }

            test "stored weights go back, and misfits are named" {
                use _scope = Toy.scope ()
                let source = Network.create tiny 1 2 (Seed.ofInt 1)
                let target = Network.create tiny 1 2 (Seed.ofInt 2)
                let stored = Network.weights source
                Expect.equal (Network.load stored target) (Ok()) "loads"
                Expect.equal (Network.weights target) stored "equal"

                let other = Network.create tiny 1 3 (Seed.ofInt 2)
                let before = Network.weights other

                Expect.equal
                    (Network.load stored other)
                    (Error("decoder.seg_layers.0.weight", "2 x 8 x 1 x 1", "3 x 8 x 1 x 1"))
                    "shape"

                Expect.equal (Network.weights other) before "unchanged"
                let isError = Result.isError (Network.load stored.Tail target)
                Expect.isTrue isError "missing parameter"

                let extra = { stored.Head with Name = "extra" }
                let isError = Result.isError (Network.load (extra :: stored) target)
                Expect.isTrue isError "unknown parameter"
            }

            test "architectures that do not fit are refused" {
                let refuse (architecture: Architecture) (word: string) =
                    let message =
                        try
                            Network.create architecture 1 2 (Seed.ofInt 0) |> ignore
                            "accepted"
                        with :? ArgumentException as error ->
                            error.Message

                    Expect.stringContains message word word

                refuse { tiny with ConvsPerStage = [ 1 ] } "ConvsPerStage has 1 entries"
                refuse { tiny with FeaturesPerStage = [ 4 ] } "at least 2 stages"

                refuse
                    { tiny with
                        Strides = [ [ 2; 2 ]; [ 2; 2 ]; [ 2; 2 ] ]
                    }
                    "first stage has stride 1"

                refuse
                    { tiny with
                        KernelSizes = List.replicate 3 [ 2; 2 ]
                    }
                    "must be odd"
            }
        ]
