module SkeletonRecall.Tests.CbDiceTests

open TorchSharp
open Expecto
open SkeletonRecall

let private cbDice (options: CbDiceOptions) : Loss = CbDice.loss options

[<Tests>]
let tests =
    testList
        "CbDice"
        [
            testCase "the numbers of the authors' code, planes" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = FamilyGolden.scene ()
                FamilyGolden.agree 1e-5 "cbdice" (cbDice CbDice.standard) logits target
                FamilyGolden.agree 1e-5 "cbdice-1-3" (cbDice { Iterations = 3; Smooth = 1.0 }) logits target)

            testCase "the numbers of the authors' code, a volume" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = FamilyGolden.scene ()

                let ids =
                    match target.Truth with
                    | Classes ids -> ids
                    | Regions _ -> failtest "classes are wanted"

                let deep =
                    torch.stack ([| for slice in 0..4 -> logits * Scalar.op_Implicit (1.0 - 0.1 * float slice) |], 2L)

                let labels =
                    torch.stack (
                        [|
                            for slice in 0..4 ->
                                if slice >= 1 && slice <= 3 then
                                    ids.alias ()
                                else
                                    torch.zeros_like ids
                        |],
                        2L
                    )

                let loss = cbDice { CbDice.standard with Iterations = 3 }
                FamilyGolden.agree 1e-5 "cbdice-volume" loss deep (Target.ofClasses labels))

            testCase "by hand: a line of one pixel, half of it found" (fun () ->
                use _scope = Tensors.scope ()
                // Radii and distances are 1: all that is predicted is right, and half of the line is found.
                let found (half: bool) (at: int) =
                    at / 8 = 2 && at % 8 >= 2 && (not half || at % 8 < 5)

                let labels = Array.init 40 (fun at -> if at / 8 = 2 && at % 8 >= 2 then 1s else 0s)
                let target = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 5L; 8L ] labels)

                let value (half: bool) =
                    let logits =
                        Array.init 80 (fun at ->
                            if at < 40 then 0.0
                            elif found half (at - 40) then 60.0
                            else -60.0)

                    Tensors.item (
                        cbDice { Iterations = 1; Smooth = 0.0 } (Tensors.ofDoubles [ 1L; 2L; 5L; 8L ] logits) target
                    )

                Expect.floatClose Accuracy.medium (value false) -1.0 "all"
                // The skeleton of the labels is 6 pixels, of which 3 lie in the prediction.
                Expect.floatClose Accuracy.medium (value true) (-2.0 * 0.5 / 1.5) "half")

            testCase "options out of range" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()

                LossSamples.throwsNaming "iterations" [ "-1" ] (fun () ->
                    cbDice { CbDice.standard with Iterations = -1 } logits target)

                LossSamples.throwsNaming "options" [ "Smooth" ] (fun () ->
                    cbDice { CbDice.standard with Smooth = nan } logits target))

            LossSamples.lawsWith LossSamples.distinctLogits (cbDice { CbDice.standard with Iterations = 1 })
            LossSamples.regionLaws (cbDice { CbDice.standard with Iterations = 1 })
        ]
