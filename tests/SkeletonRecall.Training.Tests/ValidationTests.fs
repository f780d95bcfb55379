module SkeletonRecall.Tests.ValidationTests

open System
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.plane 2 4

// A network of no weights that count: its logits are these functions of its input.
let private shouting (logits: (Tensor -> Tensor) list) : Network =
    let shout (input: Tensor) : Tensor list =
        [ torch.cat (ResizeArray [ for logit in logits -> logit input ], 1L) ]

    { Network.create (Toy.architecture [ 4; 8; 8 ] 2 1) 1 2 (Seed.ofInt 1) with
        Forward = shout
        Finest = shout >> List.head
    }

// Labels on an image that is above 0 at the voxels 0, 1, 2 and 6; the voxel 6 is ignored.
let private batch (regions: int16 list list) (labels: int16[]) (skeleton: int16[] option) : Batch =
    {
        Size = 1
        Channels = 1
        Extent = extent
        Images = [| 1.0f; 1.0f; 1.0f; -1.0f; -1.0f; -1.0f; 1.0f; -1.0f |]
        Regions = regions
        Heads =
            [
                {
                    Extent = extent
                    Labels = labels
                    Skeleton = skeleton
                    Valid = Some [| 1uy; 1uy; 1uy; 1uy; 1uy; 1uy; 0uy; 1uy |]
                }
            ]
    }

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Validation"
        [
            test "classes are counted over all patches, ignored voxels left out" {
                Toy.oneThread ()
                use _scope = Toy.scope ()
                let network = shouting [ (fun input -> -input); id ]
                let labels = [| 1s; 1s; 0s; 1s; 0s; 0s; 0s; 0s |]
                let batch = batch [] labels (Some labels)

                let found =
                    Validation.measure Objective.skeletonRecall [ 1.0 ] 2 network [ batch; batch ]

                // 2 hits, 1 false positive, 1 miss per batch.
                Expect.floatClose Accuracy.high found.PseudoDice.Head (4.0 / 6.0) "pseudo-Dice"
                Expect.isTrue (Double.IsFinite found.Loss) "loss"
                let none = Validation.measure Objective.skeletonRecall [ 1.0 ] 2 network []
                Expect.isTrue (Double.IsNaN none.Loss && Double.IsNaN none.PseudoDice.Head) "no batch"
            }

            test "regions are counted each for itself, though they overlap" {
                Toy.oneThread ()
                use _scope = Toy.scope ()
                // The first region is found where the image is above 0, the second where it is below.
                let network = shouting [ id; (fun input -> -input) ]

                let batch = batch [ [ 1s; 2s ]; [ 2s ] ] [| 1s; 2s; 0s; 2s; 0s; 0s; 0s; 0s |] None

                let found = Validation.measure Objective.nnunet [ 1.0 ] 2 network [ batch; batch ]

                Expect.equal
                    found.PseudoDice
                    [ 4.0 / 6.0; 2.0 / 6.0 ]
                    "2 hits, 1 false alarm, 1 miss; 1 hit, 3 false alarms, 1 miss"

                Expect.isTrue (Double.IsFinite found.Loss) "loss"
            }
        ]
