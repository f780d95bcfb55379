module SkeletonRecall.Tests.SoftRecallTests

open TorchSharp
open Expecto
open SkeletonRecall

let private each: Loss = SoftRecall.loss SoftRecall.standard

let private batched: Loss =
    SoftRecall.loss
        { SoftRecall.standard with
            BatchDice = true
        }

let private handVector (loss: Loss) (wanted: float) () : unit =
    use _scope = Tensors.scope ()
    let value = loss (LossSamples.logits ()) (LossSamples.target ())
    Expect.isLessThan (abs (Tensors.item value - wanted)) 1e-7 "value"

[<Tests>]
let tests =
    testList
        "SoftRecall"
        [
            LossRecords.tests "skelrec" (fun record ->
                LossRecords.single (
                    SoftRecall.loss
                        { SoftRecall.standard with
                            BatchDice = LossRecords.flag "batch_dice" record
                            Smooth = LossRecords.number "smooth" record
                        }
                ))

            testCase "the hand vector, batch dice" (handVector batched -0.6621452)
            testCase "the hand vector, each sample" (handVector each -0.6753441)

            testCase "no skeleton: -1 and no gradient" (fun () ->
                use _scope = Tensors.scope ()
                let none = Tensors.ofInt16 [ 2L; 1L; 4L; 4L ] (Array.zeroCreate 32)
                let target = LossSamples.target () |> Target.withSkeleton none
                let value, gradient = LossSamples.differentiate each (LossSamples.logits ()) target
                Expect.equal value -1.0 "value"
                Expect.all gradient (fun slope -> slope = 0.0) "gradient")

            testCase "one channel per class has the value of ids" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.masked ()

                let channels =
                    target
                    |> Target.withSkeleton (Tensors.oneHot 3L torch.uint8 target.Skeleton.Value)

                for loss in [ each; batched ] do
                    let value, gradient = LossSamples.differentiate loss logits channels
                    let wanted, wantedGradient = LossSamples.differentiate loss logits target
                    Expect.floatClose Accuracy.veryHigh value wanted "value"

                    for got, wanted in Array.zip gradient wantedGradient do
                        Expect.isLessThan (abs (got - wanted)) 1e-12 "gradient")

            testCase "tubes of classes may overlap" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 3L; 2L ] (Array.zeroCreate 6)

                let target =
                    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 2L ] [| 1s; 2s |])
                    |> Target.withSkeleton (Tensors.ofBytes [ 1L; 3L; 2L ] [| 0uy; 0uy; 1uy; 1uy; 1uy; 0uy |])

                let loss =
                    SoftRecall.loss
                        { SoftRecall.standard with
                            Smooth = 0.0
                        }
                // Every probability is 1/3.
                Expect.floatClose Accuracy.veryHigh (Tensors.item (loss logits target)) (-1.0 / 3.0) "value")

            testCase "regions: of sigmoids, all channels foreground" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 2L; 2L ] [| -1.0; 0.5; 2.0; 0.0 |]

                let target =
                    Target.ofRegions (Tensors.ofBytes [ 1L; 2L; 2L ] [| 1uy; 1uy; 1uy; 1uy |])
                    |> Target.withSkeleton (Tensors.ofBytes [ 1L; 2L; 2L ] [| 1uy; 1uy; 0uy; 1uy |])

                let sigmoid (score: float) = 1.0 / (1.0 + exp -score)
                let first = (sigmoid -1.0 + sigmoid 0.5 + 1e-5) / (2.0 + 1e-5)
                let second = (sigmoid 0.0 + 1e-5) / (1.0 + 1e-5)
                let value = Tensors.item (each logits target)
                Expect.floatClose Accuracy.veryHigh value (-0.5 * (first + second)) "value")

            testCase "a class without skeleton is left out by option" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 3L; 1L ] [| 0.0; 0.0; 0.0 |]

                let target =
                    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 1L ] [| 1s |])
                    |> Target.withSkeleton (Tensors.ofInt16 [ 1L; 1L; 1L ] [| 1s |])

                let value (presentOnly: bool) (target: Target) =
                    LossSamples.differentiate
                        (SoftRecall.loss
                            {
                                BatchDice = false
                                Smooth = 0.0
                                PresentOnly = presentOnly
                            })
                        logits
                        target

                Expect.floatClose Accuracy.veryHigh (fst (value true target)) (-1.0 / 3.0) "left out"

                let nothing =
                    target |> Target.withSkeleton (Tensors.ofInt16 [ 1L; 1L; 1L ] [| 0s |])

                let none, gradient = value true nothing
                Expect.equal none 0.0 "no skeleton at all"
                Expect.all gradient (fun slope -> slope = 0.0) "no skeleton at all")

            testCase "a voxel that does not count has no say, though a skeleton runs through it" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 2L; 3L ] [| 0.0; 0.0; 0.0; 1.0; 2.0; -3.0 |]

                let target =
                    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 3L ] [| 1s; 1s; 0s |])
                    |> Target.withSkeleton (Tensors.ofInt16 [ 1L; 1L; 3L ] [| 1s; 1s; 1s |])
                    |> Target.withValid (Tensors.ofBytes [ 1L; 1L; 3L ] [| 1uy; 1uy; 0uy |])

                let value, gradient = LossSamples.differentiate each logits target
                let sigmoid (score: float) = 1.0 / (1.0 + exp -score)
                let wanted = -(sigmoid 1.0 + sigmoid 2.0 + 1e-5) / (2.0 + 1e-5)
                Expect.floatClose Accuracy.veryHigh value wanted "value"
                Expect.equal gradient[2] 0.0 "background there"
                Expect.equal gradient[5] 0.0 "foreground there")

            LossSamples.regionLaws each

            testCase "a target without skeleton" (fun () ->
                use _scope = Tensors.scope ()

                let target =
                    { LossSamples.target () with
                        Skeleton = None
                    }

                LossSamples.throwsNaming "target" [ "target.Skeleton is None" ] (fun () ->
                    each (LossSamples.logits ()) target))

            testCase "a skeleton of another shape" (fun () ->
                use _scope = Tensors.scope ()

                let target =
                    LossSamples.target ()
                    |> Target.withSkeleton (Tensors.ofInt16 [ 2L; 1L; 2L; 4L ] (Array.zeroCreate 16))

                LossSamples.throwsNaming "target.Skeleton" [ "(2, 1, 2, 4)"; "(2, 1, 4, 4)" ] (fun () ->
                    each (LossSamples.logits ()) target))

            testCase "a skeleton of floats" (fun () ->
                use _scope = Tensors.scope ()

                let target =
                    LossSamples.target () |> Target.withSkeleton (torch.zeros (2L, 1L, 4L, 4L))

                LossSamples.throwsNaming "target.Skeleton" [ "Float32" ] (fun () ->
                    each (LossSamples.logits ()) target))

            testList "each sample" [ LossSamples.lawsOf each ]
            testList "batch" [ LossSamples.lawsOf batched ]
        ]
