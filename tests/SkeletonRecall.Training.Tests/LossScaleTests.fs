module SkeletonRecall.Tests.LossScaleTests

open TorchSharp
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// The rule of torch.amp.GradScaler, written again: init_scale 65536, growth_factor 2, backoff_factor 0.5, growth_interval 2000.
let private asTorch (steps: bool list) : float =
    let mutable scale = 65536.0
    let mutable tracker = 0

    for finite in steps do
        if not finite then
            scale <- scale * 0.5
            tracker <- 0
        else
            tracker <- tracker + 1

            if tracker = 2000 then
                scale <- scale * 2.0
                tracker <- 0

    scale

let private after (steps: bool list) : LossScale =
    steps
    |> List.fold (fun scale finite -> LossScale.next finite scale) LossScale.start

[<Tests>]
let tests =
    testList
        "LossScale"
        [
            test "grows and shrinks as torch's GradScaler" {
                let finite count = List.replicate count true

                for steps in
                    [
                        []
                        finite 1999
                        finite 2000
                        finite 4000
                        [ false ]
                        finite 1999 @ [ false ] @ finite 1999
                        finite 2000 @ [ false; false; false ] @ finite 2000
                    ] do
                    Expect.equal (after steps).Factor (asTorch steps) $"%d{steps.Length} steps"
            }

            test "never below 1 nor beyond a single's range" {
                let least = after (List.replicate 40 false)
                Expect.equal least.Factor 1.0 "least"
                Expect.isTrue (LossScale.isLeast least) "least"
                Expect.isFalse (LossScale.isLeast LossScale.start) "start"
                let mutable scale = LossScale.start

                for _ in 1..400_000 do
                    scale <- LossScale.next true scale

                Expect.isTrue (System.Single.IsFinite(float32 scale.Factor)) "most"
            }

            test "a scaled step changes weights as one without, and one that overflows changes none" {
                Toy.oneThread ()
                let configuration = Toy.configuration [ 4; 8; 8 ]

                let extents =
                    Batch.headExtents configuration.Architecture.Strides (Extent.plane 16 16)

                let options =
                    {
                        Tube = Some Tube.standard
                        CoarseTube = None
                        HeadExtents = extents
                        Regions = []
                        Ignore = None
                    }

                let batch =
                    [ Toy.vessels 32 0; Toy.vessels 32 1 ]
                    |> List.map (Sampler.prepare None)
                    |> List.toArray
                    |> Loader.validation 0.5 options configuration
                    |> fun source -> Loader.draw source (Seed.ofInt 4)

                let loss = Objective.loss Objective.skeletonRecall (Loss.headWeights extents.Length)

                let stepped (step: Network -> Optimizer -> 'T) : 'T * NamedArray list =
                    let network = Network.create configuration.Architecture 1 2 (Seed.ofInt 1)
                    use _module = network.Module
                    use optimizer = Optimizer.create Optimizer.standard network
                    let result = step network optimizer
                    result, Network.weights network

                let plain, weights =
                    stepped (fun network optimizer -> TrainingStep.run 0.01 network optimizer loss batch)

                let struct (scaled, next), same =
                    stepped (fun network optimizer ->
                        TrainingStep.scaled 0.01 LossScale.start network optimizer loss batch)

                Expect.equal scaled plain "the loss is not the scaled one"
                Expect.equal same weights "a power of two loses no bit"
                Expect.equal next { LossScale.start with Steps = 1 } "next"

                let overflowing =
                    {
                        Factor = System.Math.ScaleB(1.0, 127)
                        Steps = 5
                    }

                // Its slope is beyond a single's range.
                let steep (heads: Tensor list) (targets: Target list) : Tensor =
                    (loss heads targets).mul((1e6).ToScalar())

                let struct (value, halved), unchanged =
                    stepped (fun network optimizer ->
                        TrainingStep.scaled 0.01 overflowing network optimizer steep batch)

                let _, untouched = stepped (fun _ _ -> ())
                Expect.floatClose Accuracy.medium value (1e6 * plain) "the loss is a number"

                Expect.equal
                    halved
                    {
                        Factor = System.Math.ScaleB(1.0, 126)
                        Steps = 0
                    }
                    "halved"

                Expect.equal unchanged untouched "the step is left out"
            }
        ]
