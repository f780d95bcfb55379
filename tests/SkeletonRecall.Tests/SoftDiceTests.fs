module SkeletonRecall.Tests.SoftDiceTests

open TorchSharp
open Expecto
open SkeletonRecall

let private options (batch: bool) (background: bool) : SoftDiceOptions =
    { SoftDice.standard with
        BatchDice = batch
        Background = background
    }

let private recorded (plain: bool) (record: Parity.Record) : HeadLoss =
    LossRecords.single (
        SoftDice.loss
            {
                BatchDice = LossRecords.flag "batch_dice" record
                Background = LossRecords.flag "do_bg" record
                Smooth = LossRecords.number "smooth" record
                Plain = plain
                PresentOnly = false
            }
    )

/// Dice of one class or region, all voxels counted, by hand.
let private byHand (smooth: float) (probabilities: float[]) (truth: float[]) : float =
    let overlap = Array.map2 (*) probabilities truth |> Array.sum
    (2.0 * overlap + smooth) / (Array.sum probabilities + Array.sum truth + smooth)

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
            LossRecords.tests "dice" (recorded false)
            testList "of true and false positives" [ LossRecords.tests "dice" (recorded true) ]

            testCase "regions: all channels are foreground, of sigmoids" (fun () ->
                use _scope = Tensors.scope ()
                let scores = [| -1.0; 0.5; 2.0; -0.3; 1.5; 0.0 |]
                let logits = Tensors.ofDoubles [ 1L; 2L; 3L ] scores

                let target =
                    Target.ofRegions (Tensors.ofBytes [ 1L; 2L; 3L ] [| 0uy; 1uy; 1uy; 1uy; 1uy; 0uy |])

                let sigmoid = scores |> Array.map (fun score -> 1.0 / (1.0 + exp -score))

                let wanted =
                    -0.5
                    * (byHand 1e-5 sigmoid[..2] [| 0.0; 1.0; 1.0 |]
                       + byHand 1e-5 sigmoid[3..] [| 1.0; 1.0; 0.0 |])

                for plain in [ false; true ] do
                    let value =
                        SoftDice.loss { SoftDice.standard with Plain = plain } logits target
                        |> Tensors.item

                    Expect.floatClose Accuracy.veryHigh value wanted "value")

            testCase "a class that is absent is left out by option" (fun () ->
                use _scope = Tensors.scope ()
                // Classes 1 and 2; the labels hold 1 alone.
                let logits = Tensors.ofDoubles [ 1L; 3L; 2L ] [| 0.0; 1.0; 2.0; -1.0; 0.5; 0.25 |]
                let target = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 2L ] [| 1s; 0s |])

                let softmax =
                    let powers =
                        [| [| 0.0; 2.0; 0.5 |]; [| 1.0; -1.0; 0.25 |] |] |> Array.map (Array.map exp)

                    powers |> Array.map (fun voxel -> voxel[1] / Array.sum voxel)

                let value (presentOnly: bool) =
                    SoftDice.loss
                        { SoftDice.standard with
                            PresentOnly = presentOnly
                        }
                        logits
                        target
                    |> Tensors.item

                let one = byHand 1e-5 softmax [| 1.0; 0.0 |]
                Expect.floatClose Accuracy.veryHigh (value true) -one "left out"
                Expect.floatClose Accuracy.low (value false) (-0.5 * one) "counted, with a ratio near 0"
                let none = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 2L ] [| 0s; 0s |])

                let nothing, gradient =
                    LossSamples.differentiate
                        (SoftDice.loss
                            { SoftDice.standard with
                                PresentOnly = true
                            })
                        logits
                        none

                Expect.equal nothing 0.0 "no class"
                Expect.all gradient (fun slope -> slope = 0.0) "no class")

            LossSamples.regionLaws (SoftDice.loss SoftDice.standard)
            testList "SoftDiceLoss" [ LossSamples.lawsOf (SoftDice.loss SoftDice.plain) ]

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
