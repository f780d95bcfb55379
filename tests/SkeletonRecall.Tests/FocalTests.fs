module SkeletonRecall.Tests.FocalTests

open System
open TorchSharp
open Expecto
open SkeletonRecall

let private value (options: FocalOptions) (logits: Tensor) (target: Target) : float =
    Tensors.item (Focal.loss options logits target)

[<Tests>]
let tests =
    testList
        "Focal"
        [
            testCase "by hand: p = 3/4 and p = 1/4" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 2L; 1L; 2L ] [| 0.0; log 3.0; log 3.0; 0.0 |]
                let target = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 1L; 2L ] [| 1s; 1s |])
                let each = [ -(log 0.75) / 16.0; -(log 0.25) * 9.0 / 16.0 ]
                Expect.floatClose Accuracy.veryHigh (value Focal.standard logits target) (List.average each) "value"

                Expect.floatClose
                    Accuracy.veryHigh
                    (value
                        { Focal.standard with
                            Alpha = Some 0.25
                        }
                        logits
                        target)
                    (0.25 * List.average each)
                    "alpha")

            testCase "by hand, a region: as two classes" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 1L; 1L; 2L ] [| log 3.0; log 3.0 |]
                let target = Target.ofRegions (Tensors.ofBytes [ 1L; 1L; 1L; 2L ] [| 1uy; 0uy |])
                let each = [ 0.25 * -(log 0.75) / 16.0; 0.75 * -(log 0.25) * 9.0 / 16.0 ]

                Expect.floatClose
                    Accuracy.veryHigh
                    (value
                        { Focal.standard with
                            Alpha = Some 0.25
                        }
                        logits
                        target)
                    (List.average each)
                    "value")

            testCase "the numbers of MONAI" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = FamilyGolden.scene ()

                let weighted =
                    Focal.loss
                        { Focal.standard with
                            Alpha = Some 0.25
                        }

                FamilyGolden.agree 1e-5 "focal" (Focal.loss Focal.standard) logits target
                FamilyGolden.agree 1e-5 "focal-alpha" weighted logits target
                let logits, target = FamilyGolden.regions ()
                FamilyGolden.agree 1e-5 "focal-regions" weighted logits target)

            testCase "gamma 0 is cross-entropy" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()

                for target in [ LossSamples.target (); LossSamples.masked (); LossSamples.regions () ] do
                    let wanted = Tensors.item (CrossEntropy.loss CrossEntropy.standard logits target)

                    Expect.floatClose
                        Accuracy.veryHigh
                        (value { Gamma = 0.0; Alpha = None } logits target)
                        wanted
                        "value")

            testCase "certain logits give numbers" (fun () ->
                use _scope = Tensors.scope ()

                let logits =
                    (LossSamples.logits ()).mul(Scalar.op_Implicit 1e6).``to`` torch.float32

                for gamma in [ 0.5; 2.0 ] do
                    let loss = Focal.loss { Gamma = gamma; Alpha = None }
                    let value, gradient = LossSamples.differentiate loss logits (LossSamples.target ())
                    Expect.isTrue (Double.IsFinite value) "value"
                    Expect.all gradient Double.IsFinite "gradient")

            testCase "options out of range" (fun () ->
                use _scope = Tensors.scope ()

                for options, part in
                    [
                        { Focal.standard with Gamma = -1.0 }, "Gamma"
                        { Focal.standard with Alpha = Some 1.5 }, "Alpha"
                        { Focal.standard with Alpha = Some nan }, "Alpha"
                    ] do
                    LossSamples.throwsNaming "options" [ part ] (fun () ->
                        Focal.loss options (LossSamples.logits ()) (LossSamples.target ())))

            LossSamples.lawsOf (Focal.loss Focal.standard)
            LossSamples.regionLaws (
                Focal.loss
                    { Focal.standard with
                        Alpha = Some 0.25
                    }
            )
        ]
