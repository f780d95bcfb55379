module SkeletonRecall.Tests.CrossEntropyTests

open TorchSharp
open Expecto
open SkeletonRecall

let private standard: Loss = CrossEntropy.loss CrossEntropy.standard

[<Tests>]
let tests =
    testList
        "CrossEntropy"
        [
            LossRecords.tests "ce" (fun _ -> LossRecords.single standard)

            testCase "the hand vector" (fun () ->
                use _scope = Tensors.scope ()
                let value = Tensors.item (standard (LossSamples.logits ()) (LossSamples.target ()))
                Expect.isLessThan (abs (value - 1.5903319)) 1e-7 "value")

            testCase "all ignored is 0" (fun () ->
                use _scope = Tensors.scope ()
                let value = standard (LossSamples.logits ()) (LossSamples.allIgnored ())
                Expect.equal (Tensors.item value) 0.0 "value")

            testCase "smoothing mixes the truth with all classes" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()

                let at (share: float) =
                    Tensors.item (CrossEntropy.loss { LabelSmoothing = share } logits target)

                let even = -(Tensors.item (torch.nn.functional.log_softmax(logits, 1L).mean()))
                Expect.floatClose Accuracy.high (at 0.1) (0.9 * at 0.0 + 0.1 * even) "value")

            testCase "smoothing out of range" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "options" [ "1.5" ] (fun () ->
                    CrossEntropy.loss { LabelSmoothing = 1.5 } (LossSamples.logits ()) (LossSamples.target ())))

            testCase "against regions it is the binary one" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.regions ()

                let binary (share: float) =
                    BinaryCrossEntropy.loss { LabelSmoothing = share } logits target |> Tensors.item

                for share in [ 0.0; 0.1 ] do
                    let value = CrossEntropy.loss { LabelSmoothing = share } logits target
                    Expect.equal (Tensors.item value) (binary share) "value")

            testCase "an id outside the classes" (fun () ->
                use _scope = Tensors.scope ()
                let labels = Array.create 32 3s
                let target = Target.ofClasses (Tensors.ofInt16 [ 2L; 1L; 4L; 4L ] labels)

                LossSamples.throwsNaming "target.Truth" [ "3"; "0..2" ] (fun () ->
                    standard (LossSamples.logits ()) target))

            testCase "a negative id" (fun () ->
                use _scope = Tensors.scope ()
                let labels = Array.create 32 -1s
                let target = Target.ofClasses (Tensors.ofInt16 [ 2L; 1L; 4L; 4L ] labels)

                LossSamples.throwsNaming "target.Truth" [ "-1"; "0..2" ] (fun () ->
                    standard (LossSamples.logits ()) target))

            LossSamples.lawsOf standard
            testList "smoothed" [ LossSamples.lawsOf (CrossEntropy.loss { LabelSmoothing = 0.2 }) ]
        ]
