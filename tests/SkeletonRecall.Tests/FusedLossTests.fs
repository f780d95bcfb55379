module SkeletonRecall.Tests.FusedLossTests

open TorchSharp
open Expecto
open FsCheck
open FsCheck.FSharp
open SkeletonRecall

/// A case to compute both ways.
type private Case =
    {
        Terms: FusedTerms
        Batch: int
        Classes: int
        Shape: int list
        Seed: int
        Masked: bool
        Tube: bool
        Scale: float
    }

let private plain (terms: FusedTerms) : Loss =
    Loss.sum
        [
            Loss.weighted terms.CrossEntropy (CrossEntropy.loss CrossEntropy.standard)
            Loss.weighted terms.DiceWeight (SoftDice.loss terms.Dice)
            Loss.weighted terms.RecallWeight (SoftRecall.loss terms.Recall)
        ]

let private paper: FusedTerms =
    {
        CrossEntropy = 1.0
        DiceWeight = 1.0
        Dice = SoftDice.standard
        RecallWeight = 1.0
        Recall = SoftRecall.standard
    }

let private inputs (case: Case) (kind: torch.ScalarType) : Tensor * Target =
    let logits, target =
        LossSamples.random
            case.Seed
            case.Scale
            (if case.Tube then 4 else 0)
            case.Masked
            case.Batch
            case.Classes
            case.Shape

    logits.``to`` kind, target

let private agrees (case: Case) : unit =
    use _scope = Tensors.scope ()

    let served (kind: torch.ScalarType) : Tensor * Target =
        let logits, target = inputs case kind
        Expect.isTrue (FusedLoss.serves logits target) "served"
        logits, target

    LossSamples.agree $"%A{case}" (FusedLoss.loss case.Terms) (plain case.Terms) served

/// Any case that the fused form serves.
type private Cases =
    static member Case() : Arbitrary<Case> =
        let flag = Gen.elements [ false; true ]
        let weight = Gen.elements [ 0.0; 0.5; 1.0; 3.0 ]

        gen {
            let! crossEntropy = weight
            let! dice = weight
            let! recall = weight
            let! diceBatch = flag
            let! recallBatch = flag
            let! background = flag
            let! dicePresent = flag
            let! recallPresent = flag
            let! smooth = Gen.elements [ 1e-5; 1.0; 0.0 ]
            let! batch = Gen.choose (1, 3)
            let! classes = Gen.choose (2, 6)

            let! shape =
                Gen.elements
                    [
                        [ 1 ]
                        [ 5; 7 ]
                        [ 16; 16 ]
                        [ 33; 31 ]
                        [ 3; 5; 7 ]
                        [ 8; 8; 8 ]
                        [ 150; 120 ]
                    ]

            let! seed = Gen.choose (0, 1000000)
            let! masked = flag
            let! tube = flag
            let! scale = Gen.elements [ 1.0; 5.0; 30.0 ]

            return
                {
                    Terms =
                        {
                            CrossEntropy = crossEntropy
                            DiceWeight = dice
                            Dice =
                                {
                                    BatchDice = diceBatch
                                    Background = background
                                    Smooth = smooth
                                    Plain = false
                                    PresentOnly = dicePresent
                                }
                            RecallWeight = recall
                            Recall =
                                {
                                    BatchDice = recallBatch
                                    Smooth = max smooth 1e-5
                                    PresentOnly = recallPresent
                                }
                        }
                    Batch = batch
                    Classes = classes
                    Shape = shape
                    Seed = seed
                    Masked = masked
                    Tube = tube
                    Scale = scale
                }
        }
        |> Arb.fromGen

let private cases =
    { FsCheckConfig.defaultConfig with
        maxTest = 150
        arbitrary = [ typeof<Cases> ]
    }

[<Tests>]
let tests =
    testList
        "FusedLoss"
        [
            testPropertyWithConfig cases "it agrees with the sum of the losses" agrees

            testCase "many classes" (fun () ->
                agrees
                    {
                        Terms = paper
                        Batch = 2
                        Classes = 40
                        Shape = [ 30; 30 ]
                        Seed = 3
                        Masked = true
                        Tube = true
                        Scale = 4.0
                    })

            testCase "the number of threads changes nothing" (fun () ->
                use _scope = Tensors.scope ()

                let case =
                    {
                        Terms = paper
                        Batch = 2
                        Classes = 3
                        Shape = [ 300; 200 ]
                        Seed = 5
                        Masked = true
                        Tube = true
                        Scale = 4.0
                    }

                let logits, target = inputs case torch.float32
                let first = LossSamples.differentiate (FusedLoss.loss paper) logits target

                for _ in 1..5 do
                    Expect.equal (LossSamples.differentiate (FusedLoss.loss paper) logits target) first "bits")

            testCase "the value's gradient can be scaled and taken again over a kept graph" (fun () ->
                use _scope = Tensors.scope ()
                let variable = (LossSamples.logits ()).requires_grad_ true

                let value =
                    (FusedLoss.loss paper variable (LossSamples.target ())) * Scalar.op_Implicit 3.0

                let once =
                    (torch.autograd.grad ([| value |], [| variable |], retain_graph = true))[0]

                let again =
                    (torch.autograd.grad ([| value |], [| variable |], retain_graph = true))[0]

                let _, single =
                    LossSamples.differentiate (FusedLoss.loss paper) variable (LossSamples.target ())

                Expect.equal (Tensors.toArray<float> again) (Tensors.toArray<float> once) "twice the same"

                for got, wanted in Array.zip (Tensors.toArray<float> once) single do
                    Expect.isLessThan (abs (got - 3.0 * wanted)) 1e-15 "three times")

            testCase "the gradient's gradient is refused" (fun () ->
                use _scope = Tensors.scope ()
                let variable = (LossSamples.logits ()).requires_grad_ true
                let value = FusedLoss.loss paper variable (LossSamples.target ())

                LossSamples.refusesTwice "fused" value variable
                // A square has a second derivative of its own, which must not hide that the loss has none.
                LossSamples.refusesTwice "fused" (value * value) variable)

            testCase "no gradient is made where none is wanted" (fun () ->
                use _scope = Tensors.scope ()
                let value = FusedLoss.loss paper (LossSamples.logits ()) (LossSamples.target ())
                Expect.isFalse value.requires_grad "without variable"
                use _noGradient = torch.no_grad ()
                let variable = (LossSamples.logits ()).requires_grad_ true
                Expect.isFalse (FusedLoss.loss paper variable (LossSamples.target ())).requires_grad "no_grad")

            testCase "integer logits, logits elsewhere, regions and skeletons of channels are not served" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let channels = torch.zeros (2L, 3L, 4L, 4L)
                Expect.isTrue (FusedLoss.serves logits target) "ids"
                Expect.isFalse (FusedLoss.serves logits (Target.ofRegions channels)) "regions"
                Expect.isFalse (FusedLoss.serves logits (Target.withSkeleton channels target)) "channels"
                Expect.isFalse (FusedLoss.serves (torch.zeros (1L, 2L, 3L, dtype = torch.int32)) target) "integers"
                Expect.isFalse (FusedLoss.serves (torch.zeros (1L, 2L, 0L)) target) "nothing"
                Expect.isFalse (FusedLoss.serves (torch.zeros (1L, 2L, 3L, device = torch.META)) target) "elsewhere")

            LossSamples.lawsOf (FusedLoss.loss paper)
        ]
