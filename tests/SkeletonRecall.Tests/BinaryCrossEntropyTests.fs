module SkeletonRecall.Tests.BinaryCrossEntropyTests

open TorchSharp
open Expecto
open SkeletonRecall

let private standard: Loss = BinaryCrossEntropy.loss BinaryCrossEntropy.standard

/// Two regions of three voxels.
let private scores: float[] = [| -1.0; 0.5; 2.0; -0.3; 1.5; 0.0 |]

let private truth: byte[] = [| 0uy; 1uy; 1uy; 1uy; 1uy; 0uy |]

let private target () : Target =
    Target.ofRegions (Tensors.ofBytes [ 1L; 2L; 3L ] truth)

let private surprise (share: float) (index: int) : float =
    let probability = 1.0 / (1.0 + exp -scores[index])
    let yes = (1.0 - share) * float truth[index] + 0.5 * share
    -(yes * log probability + (1.0 - yes) * log (1.0 - probability))

[<Tests>]
let tests =
    testList
        "BinaryCrossEntropy"
        [
            testCase "the mean over voxels and regions, by hand" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 2L; 3L ] scores

                for share in [ 0.0; 0.2 ] do
                    let wanted = List.averageBy (surprise share) [ 0..5 ]
                    let value = BinaryCrossEntropy.loss { LabelSmoothing = share } logits (target ())
                    Expect.floatClose Accuracy.veryHigh (Tensors.item value) wanted "value")

            testCase "with a mask, the sum over regions is divided by voxels alone, as nnU-Net's" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 2L; 3L ] scores

                let target =
                    target ()
                    |> Target.withValid (Tensors.ofBytes [ 1L; 1L; 3L ] [| 1uy; 0uy; 1uy |])

                let wanted = (List.sumBy (surprise 0.0) [ 0; 2; 3; 5 ]) / 2.0
                Expect.floatClose Accuracy.veryHigh (Tensors.item (standard logits target)) wanted "value")

            testCase "large logits" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofArray [ 1L; 1L; 2L ] [| 1000f; -1000f |]
                let target = Target.ofRegions (Tensors.ofBytes [ 1L; 1L; 2L ] [| 0uy; 1uy |])
                let value, gradient = LossSamples.differentiate standard logits target
                Expect.equal value 1000.0 "value"
                Expect.equal gradient [| 0.5; -0.5 |] "gradient")

            testCase "classes are refused" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "target" [ "Classes" ] (fun () ->
                    standard (LossSamples.logits ()) (LossSamples.target ())))

            testCase "regions of another shape" (fun () ->
                use _scope = Tensors.scope ()
                let regions = Target.ofRegions (torch.zeros (2L, 2L, 4L, 4L))

                LossSamples.throwsNaming "target.Truth" [ "(2, 2, 4, 4)"; "(2, 3, 4, 4)" ] (fun () ->
                    standard (LossSamples.logits ()) regions))

            testCase "NaN logits" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "logits" [ "NaN" ] (fun () ->
                    standard ((LossSamples.logits ()).mul(Scalar.op_Implicit nan)) (LossSamples.regions ())))

            testCase "smoothing out of range" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "options" [ "-0.5" ] (fun () ->
                    BinaryCrossEntropy.loss { LabelSmoothing = -0.5 } (LossSamples.logits ()) (LossSamples.regions ())))

            LossSamples.regionLaws standard
        ]
