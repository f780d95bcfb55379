module SkeletonRecall.Tests.TopKCrossEntropyTests

open TorchSharp
open Expecto
open SkeletonRecall

let private at (percent: float) : Loss =
    TopKCrossEntropy.loss
        { TopKCrossEntropy.standard with
            Percent = percent
        }

/// Two classes and ten voxels of class 0 in one row, with the cross-entropy log(1 + e^score) each.
let private scores: float[] =
    [| 0.3; -1.0; 2.0; 0.0; 1.1; -2.0; 0.7; -0.4; 1.6; 0.9 |]

let private logits () : Tensor =
    Tensors.ofDoubles [ 1L; 2L; 10L ] (Array.append (Array.zeroCreate 10) scores)

let private background () : Target =
    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 10L ] (Array.zeroCreate 10))

let private surprise (score: float) : float = log (1.0 + exp score)

[<Tests>]
let tests =
    testList
        "TopKCrossEntropy"
        [
            testCase "all voxels: cross-entropy" (fun () ->
                use _scope = Tensors.scope ()

                for target in [ LossSamples.target (); LossSamples.allIgnored () ] do
                    let value, gradient =
                        LossSamples.differentiate (at 100.0) (LossSamples.logits ()) target

                    let wanted, wantedGradient =
                        LossSamples.differentiate
                            (CrossEntropy.loss CrossEntropy.standard)
                            (LossSamples.logits ())
                            target

                    Expect.floatClose Accuracy.veryHigh value wanted "value"

                    for got, wanted in Array.zip gradient wantedGradient do
                        Expect.isLessThan (abs (got - wanted)) 1e-14 "gradient")

            testCase "the hardest voxels, by hand" (fun () ->
                use _scope = Tensors.scope ()

                for percent, count in [ 10.0, 1; 30.0, 3; 39.9, 3; 1.0, 1 ] do
                    let wanted =
                        scores |> Array.sortDescending |> Array.take count |> Array.averageBy surprise

                    let value = Tensors.item (at percent (logits ()) (background ()))
                    Expect.floatClose Accuracy.veryHigh value wanted $"%g{percent} percent")

            testCase "voxels that do not count are among all, with 0, as nnU-Net's" (fun () ->
                use _scope = Tensors.scope ()
                let valid = Array.init 10 (fun index -> if index = 2 || index = 4 then 1uy else 0uy)

                let target =
                    background () |> Target.withValid (Tensors.ofBytes [ 1L; 1L; 10L ] valid)

                let wanted = (surprise 2.0 + surprise 1.1) / 3.0
                Expect.floatClose Accuracy.veryHigh (Tensors.item (at 30.0 (logits ()) target)) wanted "value")

            testCase "smoothing arrives" (fun () ->
                use _scope = Tensors.scope ()

                let smoothed (loss: Loss) =
                    Tensors.item (loss (LossSamples.logits ()) (LossSamples.target ()))

                let options: TopKCrossEntropyOptions =
                    {
                        Percent = 100.0
                        LabelSmoothing = 0.1
                    }

                let wanted: CrossEntropyOptions = { LabelSmoothing = 0.1 }

                Expect.floatClose
                    Accuracy.veryHigh
                    (smoothed (TopKCrossEntropy.loss options))
                    (smoothed (CrossEntropy.loss wanted))
                    "value")

            testCase "options out of range" (fun () ->
                use _scope = Tensors.scope ()

                for percent in [ 0.0; -1.0; 101.0; nan ] do
                    LossSamples.throwsNaming "options" [ "Percent" ] (fun () -> at percent (logits ()) (background ())))

            testCase "regions are refused" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "target" [ "Regions" ] (fun () ->
                    at 10.0 (LossSamples.logits ()) (LossSamples.regions ())))

            LossSamples.lawsWith LossSamples.distinctLogits (at 30.0)
        ]
