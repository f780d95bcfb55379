module SkeletonRecall.Tests.TrainingStepTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

[<Tests>]
let tests =
    testSequenced
    <| testList
        "TrainingStep"
        [
            test "steps leave the number of live tensors as it was" {
                Toy.oneThread ()
                let configuration = Toy.configuration [ 4; 8; 8 ]
                let network = Network.create configuration.Architecture 1 2 (Seed.ofInt 1)
                use _module = network.Module
                use optimizer = Optimizer.create Optimizer.standard network

                let extents =
                    Batch.headExtents configuration.Architecture.Strides (Extent.plane 16 16)

                let batchOptions =
                    {
                        Tube = Some Tube.standard
                        CoarseTube = Some MaxPooled
                        HeadExtents = extents
                        Regions = []
                        Ignore = None
                    }

                let source =
                    [ Toy.vessels 32 0; Toy.vessels 32 1 ]
                    |> List.map (Sampler.prepare None)
                    |> List.toArray
                    |> Loader.validation 0.5 batchOptions configuration

                let objective = Objective.skeletonRecall |> Objective.withSupervision AllHeads
                let weights = Loss.headWeights extents.Length
                let batch = Loader.draw source (Seed.ofInt 4)

                let step () =
                    Trainer.step 0.01 network optimizer (Objective.loss objective weights) batch
                    |> ignore

                let validate () =
                    Validation.measure objective weights 2 network [ batch; batch ] |> ignore

                step ()
                validate ()
                let before = Tensors.liveCount ()

                for _ in 1..3 do
                    step ()
                    validate ()

                Expect.equal (Tensors.liveCount ()) before "live tensors"
            }
        ]
