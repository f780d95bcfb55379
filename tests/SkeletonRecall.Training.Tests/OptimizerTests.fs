module SkeletonRecall.Tests.OptimizerTests

open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private architecture: Architecture =
    {
        Blocks = Plain
        FeaturesPerStage = [ 2; 4 ]
        KernelSizes = [ [ 3; 3 ]; [ 3; 3 ] ]
        Strides = [ [ 1; 1 ]; [ 2; 2 ] ]
        ConvsPerStage = [ 1; 1 ]
        ConvsPerStageDecoder = [ 1 ]
    }

let private input () : Tensor =
    Tensors.ofArray [ 1L; 1L; 8L; 8L ] (Array.init 64 (fun index -> float32 (index * 37 % 11) / 5.0f))

let private backward (scale: float) (network: Network) : unit =
    use _scope = Toy.scope ()
    let logits = (network.Forward(input ())).Head
    ((logits * logits).mean() * scale.ToScalar()).backward()

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Optimizer"
        [
            test "it steps as torch's SGD with clipped gradients" {
                use _scope = Toy.scope ()

                for scale in [ 0.01; 100.0 ] do
                    let ours = Network.create architecture 1 2 (Seed.ofInt 1)
                    let theirs = Network.create architecture 1 2 (Seed.ofInt 1)
                    use optimizer = Optimizer.create Optimizer.standard ours

                    let parameters = Network.parameters theirs |> List.map snd

                    let sgd =
                        torch.optim.SGD(parameters, 0.01, momentum = 0.99, weight_decay = 3e-5, nesterov = true)

                    for step in 1..5 do
                        Optimizer.clear optimizer
                        backward scale ours
                        let length = Optimizer.step (0.01 / float step) optimizer

                        for group in sgd.ParamGroups do
                            group.LearningRate <- 0.01 / float step

                        sgd.zero_grad ()
                        backward scale theirs
                        let wanted = torch.nn.utils.clip_grad_norm_ (parameters, 12.0)
                        sgd.step () |> ignore
                        Expect.isLessThan (abs (length - wanted)) (1e-4 * wanted) "length of the gradient"

                    for (name, left), (_, right) in List.zip (Network.parameters ours) (Network.parameters theirs) do
                        let difference = Tensors.item ((left - right).abs().max())
                        Expect.isLessThan difference 2e-6 $"%s{name} at scale %g{scale}"
            }

            test "momentum goes out and back in" {
                use _scope = Toy.scope ()
                let network = Network.create architecture 1 2 (Seed.ofInt 1)
                use optimizer = Optimizer.create Optimizer.standard network
                Expect.isEmpty (Optimizer.state optimizer) "none before a step"
                backward 1.0 network
                Optimizer.step 0.01 optimizer |> ignore
                let state = Optimizer.state optimizer
                Expect.equal state.Length (Network.parameters network).Length "one per parameter"

                use other = Optimizer.create Optimizer.standard network
                Expect.equal (Optimizer.load state other) (Ok()) "loads"
                Expect.equal (Optimizer.state other) state "equal"

                let wrong =
                    { state.Head with
                        Shape = [ 1 ]
                        Values = [| 0.0f |]
                    }

                Expect.isTrue (Result.isError (Optimizer.load (wrong :: state.Tail) other)) "another shape"
            }

            test "a gradient that is not finite changes nothing" {
                use _scope = Toy.scope ()
                let network = Network.create architecture 1 2 (Seed.ofInt 1)
                use optimizer = Optimizer.create Optimizer.standard network
                let before = Network.weights network
                backward infinity network
                Expect.isFalse (System.Double.IsFinite(Optimizer.step 0.01 optimizer)) "length"
                Expect.equal (Network.weights network) before "weights"
                Expect.isEmpty (Optimizer.state optimizer) "momentum"
            }

            test "steps leave no tensor behind" {
                let network = Network.create architecture 1 2 (Seed.ofInt 1)
                use _module = network.Module
                use optimizer = Optimizer.create Optimizer.standard network

                let once () =
                    use _scope = Toy.scope ()
                    Optimizer.clear optimizer
                    backward 1.0 network
                    Optimizer.step 0.01 optimizer |> ignore

                once ()
                let before = Tensors.liveCount ()

                for _ in 1..3 do
                    once ()

                Expect.equal (Tensors.liveCount ()) before "live tensors"
            }
        ]
