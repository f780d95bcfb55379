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
                        {
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
