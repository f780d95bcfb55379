module SkeletonRecall.Tests.PrecisionTests

open System
open TorchSharp
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private relative (found: Tensor) (wanted: Tensor) : float =
    Tensors.item ((found - wanted).norm()) / Tensors.item (wanted.norm ())

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Precision"
        [
            test "names go forth and back" {
                for precision in Precision.all do
                    Expect.equal (Precision.tryParse (Precision.print precision)) (Some precision) "name"

                Expect.isNone (Precision.tryParse "double") "another"
            }

            test "half precision is for CUDA" {
                Expect.equal (Precision.require Device.Cuda Precision.Float16) (Ok()) "CUDA"
                Expect.isError (Precision.require Device.Cpu Precision.Float16) "processor"
                Expect.isError (Precision.require Device.Cpu Precision.Bfloat16) "bfloat16 on the processor"
                Expect.equal (Precision.require Device.Cpu Precision.Float32) (Ok()) "single"

                Expect.throwsT<ArgumentException>
                    (fun () ->
                        TrainOptions.check
                            { TrainOptions.standard with
                                Precision = Precision.Float16
                            })
                    "options"
            }

            for name, architecture, rank in
                [
                    "planes", Toy.architecture [ 8; 20; 24 ] 2 2, 2
                    "volumes, residual", TinyRun.configuration.Architecture, 3
                ] do
                test $"in bfloat16 logits and gradients of %s{name} are near those of single precision, and of its type" {
                    Toy.oneThread ()
                    use _scope = Toy.scope ()
                    let network = Network.create architecture 2 3 (Seed.ofInt 1)
                    let input = Toy.gaussian (2L :: 2L :: List.replicate rank 16L)

                    let evaluated (network: Network) =
                        network.Module.zero_grad ()
                        let heads = network.Forward input

                        // Towards a pattern, so that gradients are no differences of what is almost equal.
                        heads
                        |> List.map (fun head ->
                            let pattern =
                                torch.sin(torch.arange (head.numel (), dtype = torch.float32)).reshape head.shape

                            (head - pattern).square().mean())
                        |> List.reduce (+)
                        |> _.backward()

                        heads,
                        [
                            for name, parameter in Network.parameters network -> name, (nonNull parameter.grad).clone()
                        ]

                    let heads, gradients = evaluated network
                    let narrow = Network.inPrecision Precision.Bfloat16 network
                    let narrowHeads, narrowGradients = evaluated narrow

                    for found, wanted in List.zip narrowHeads heads do
                        Expect.equal found.dtype torch.float32 "logits are of single precision"
                        Expect.isLessThan (relative found wanted) 0.05 "logits"
                        Expect.isGreaterThan (relative found wanted) 1e-5 "but it was computed in bfloat16"

                    let finest = Network.evaluate narrow input
                    Expect.equal finest.dtype torch.float32 "finest"
                    Expect.isLessThan (relative finest heads.Head) 0.05 "finest"

                    let whole (parts: (string * Tensor) list) =
                        torch.cat (ResizeArray [ for _, part in parts -> part.flatten () ], 0L)

                    for _, gradient in narrowGradients do
                        Expect.equal gradient.dtype torch.float32 "gradients are of single precision"

                    Expect.isLessThan (relative (whole narrowGradients) (whole gradients)) 0.2 "gradients"
                }

            test "on another device, where normalization is brought to single precision, it is the same" {
                match LazyDevice.tryDevice () with
                | None -> skiptest "This libtorch has no second device."
                | Some device ->
                    Toy.oneThread ()
                    use _scope = Toy.scope ()
                    let network = Network.create (Toy.architecture [ 16; 32 ] 2 2) 16 2 (Seed.ofInt 1)
                    let input = Toy.gaussian [ 1L; 16L; 16L; 16L ]
                    let narrow = Network.inPrecision Precision.Bfloat16 network
                    let here = Network.evaluate narrow input
                    Network.toDevice device network |> ignore
                    let there = Network.evaluate narrow (input.``to`` device)
                    Expect.isLessThan (relative (there.cpu ()) here) 0.05 "logits"
            }

            test "what lies in freed memory reaches neither results nor gradients" {
                Toy.oneThread ()
                use _scope = Toy.scope ()

                for features, rank in [ [ 4; 8; 8 ], 2; [ 12; 20; 24 ], 2; [ 36; 40 ], 2; [ 4; 20 ], 3 ] do
                    let network =
                        Network.create (Toy.architecture features rank 1) 1 2 (Seed.ofInt 1)
                        |> Network.inPrecision Precision.Bfloat16

                    let input = Toy.gaussian (2L :: 1L :: List.replicate rank 8L)

                    for _ in 1..5 do
                        do
                            use _litter = Toy.scope ()

                            for power in 6..16 do
                                for _ in 1..4 do
                                    torch.full ([| 1L <<< power |], (nanf).ToScalar()) |> ignore

                        network.Module.zero_grad ()
                        let heads = network.Forward input
                        (heads |> List.map (fun head -> (head * head).mean()) |> List.reduce (+)).backward()

                        for name, parameter in Network.parameters network do
                            let gradient = nonNull parameter.grad
                            Expect.isTrue (torch.isfinite(gradient).all().item<bool>()) $"%s{name} of %A{features}"
            }
        ]
