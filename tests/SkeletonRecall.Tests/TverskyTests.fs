module SkeletonRecall.Tests.TverskyTests

open System
open TorchSharp
open Expecto
open SkeletonRecall

let private value (options: TverskyOptions) (target: Target) : float =
    Tensors.item (Tversky.loss options (LossSamples.logits ()) target)

[<Tests>]
let tests =
    testList
        "Tversky"
        [
            testCase "by hand: p = 3/4 inside, 1/4 outside" (fun () ->
                use _scope = Tensors.scope ()
                let logit = log 3.0
                let logits = Tensors.ofDoubles [ 1L; 2L; 1L; 2L ] [| 0.0; logit; logit; 0.0 |]
                let target = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 1L; 2L ] [| 1s; 0s |])
                // TP = 3/4, FP = 1/4, FN = 1/4.
                let options = { Tversky.standard with Smooth = 0.0 }
                let plain = Tensors.item (Tversky.loss options logits target)
                Expect.floatClose Accuracy.veryHigh plain 0.25 "plain"
                let focal = Tensors.item (Tversky.loss { options with Gamma = 2.0 } logits target)
                Expect.floatClose Accuracy.veryHigh focal 0.5 "focal"

                let lopsided =
                    { options with
                        FalsePositives = 1.0
                        FalseNegatives = 3.0
                    }

                Expect.floatClose
                    Accuracy.veryHigh
                    (Tensors.item (Tversky.loss lopsided logits target))
                    (4.0 / 7.0)
                    "weights")

            testCase "the numbers of MONAI" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = FamilyGolden.scene ()

                for batch, ending in [ false, ""; true, "-batch" ] do
                    let inBatches (options: TverskyOptions) =
                        Tversky.loss { options with BatchDice = batch }

                    FamilyGolden.agree 1e-10 $"tversky%s{ending}" (inBatches Tversky.standard) logits target
                    FamilyGolden.agree 1e-10 $"focal-tversky%s{ending}" (inBatches Tversky.focal) logits target

                let logits, target = FamilyGolden.regions ()
                FamilyGolden.agree 1e-10 "tversky-regions" (Tversky.loss Tversky.standard) logits target)

            testCase "halves are Dice" (fun () ->
                use _scope = Tensors.scope ()

                for batch in [ false; true ] do
                    for target in [ LossSamples.target (); LossSamples.masked (); LossSamples.regions () ] do
                        let got =
                            value
                                { Tversky.standard with
                                    FalsePositives = 0.5
                                    FalseNegatives = 0.5
                                    BatchDice = batch
                                    Smooth = 0.5
                                }
                                target

                        let dice =
                            SoftDice.loss
                                { SoftDice.standard with
                                    BatchDice = batch
                                    Smooth = 1.0
                                }
                                (LossSamples.logits ())
                                target

                        Expect.floatClose Accuracy.veryHigh got (1.0 + Tensors.item dice) "value")

            testCase "options out of range" (fun () ->
                use _scope = Tensors.scope ()
                let standard = Tversky.standard

                for options, part in
                    [
                        { standard with FalsePositives = -1.0 }, "FalsePositives"
                        { standard with FalseNegatives = nan }, "FalseNegatives"
                        { standard with Gamma = 0.0 }, "Gamma"
                        { standard with Smooth = infinity }, "Smooth"
                    ] do
                    LossSamples.throwsNaming "options" [ part ] (fun () ->
                        Tversky.loss options (LossSamples.logits ()) (LossSamples.target ())))

            LossSamples.lawsOf (Tversky.loss Tversky.standard)
            testList "focal" [ LossSamples.lawsOf (Tversky.loss Tversky.focal) ]
            LossSamples.regionLaws (Tversky.loss Tversky.focal)
        ]
