module SkeletonRecall.Tests.SoftDiceTests

open TorchSharp
open Expecto
open SkeletonRecall

let private options (batch: bool) (background: bool) : SoftDiceOptions =
    {
        BatchDice = batch
        Background = background
        Smooth = 1e-5
    }

let private handVector (batch: bool) (wanted: float) () : unit =
    use _scope = Tensors.scope ()

    let value =
        SoftDice.loss (options batch false) (LossSamples.logits ()) (LossSamples.target ())

    Expect.isLessThan (abs (Tensors.item value - wanted)) 1e-7 "value"

[<Tests>]
let tests =
    testList
        "SoftDice"
        [
            LossRecords.tests "dice" (fun record ->
                LossRecords.single (
                    SoftDice.loss
                        {
                            BatchDice = LossRecords.flag "batch_dice" record
                            Background = LossRecords.flag "do_bg" record
                            Smooth = LossRecords.number "smooth" record
                        }
                ))

            testCase "the hand vector, batch dice" (handVector true -0.2655235)
            testCase "the hand vector, each sample" (handVector false -0.2448371)

            testCase "a perfect prediction" (fun () ->
                use _scope = Tensors.scope ()
                let target = LossSamples.target ()

                let ids =
                    match target.Truth with
                    | Classes ids -> ids
                    | Regions channels -> channels

                let logits = (Tensors.oneHot 3L torch.float64 ids) * Scalar.op_Implicit 100.0
                let value = SoftDice.loss SoftDice.standard logits target
                Expect.floatClose Accuracy.high (Tensors.item value) -1.0 "value")

            testCase "smooth out of range" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "options" [ "-1" ] (fun () ->
                    SoftDice.loss
                        { SoftDice.standard with Smooth = -1.0 }
                        (LossSamples.logits ())
                        (LossSamples.target ())))

            testCase "labels of another shape" (fun () ->
                use _scope = Tensors.scope ()
                let target = Target.ofClasses (Tensors.ofInt16 [ 2L; 4L; 4L ] (Array.zeroCreate 32))

                LossSamples.throwsNaming "target.Truth" [ "(2, 4, 4)"; "(2, 1, 4, 4)" ] (fun () ->
                    SoftDice.loss SoftDice.standard (LossSamples.logits ()) target))

            for batch in [ false; true ] do
                for background in [ false; true ] do
                    testList
                        $"batch %b{batch}, background %b{background}"
                        [ LossSamples.lawsOf (SoftDice.loss (options batch background)) ]
        ]
