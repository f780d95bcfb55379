module SkeletonRecall.Tests.SparseRecallTests

open TorchSharp
open Expecto
open FsCheck
open FsCheck.FSharp
open SkeletonRecall

/// A case to compute both ways.
type private Case =
    {
        Options: SoftRecallOptions
        Batch: int
        Classes: int
        Shape: int list
        Seed: int
        Masked: bool
        /// One voxel of so many has a skeleton; 0 for none.
        Rarity: int
    }

let private inputs (case: Case) (kind: torch.ScalarType) : Tensor * Target =
    let logits, target =
        LossSamples.random case.Seed 5.0 case.Rarity case.Masked case.Batch case.Classes case.Shape

    logits.``to`` kind, target

let private agrees (case: Case) : unit =
    use _scope = Tensors.scope ()

    let served (kind: torch.ScalarType) : Tensor * Target =
        let logits, target = inputs case kind
        Expect.isTrue (SparseRecall.serves logits target) "served"
        logits, target

    LossSamples.agree $"%A{case}" (SparseRecall.loss case.Options) (SoftRecall.composed case.Options) served

type private Cases =
    static member Case() : Arbitrary<Case> =
        let flag = Gen.elements [ false; true ]

        gen {
            let! batchDice = flag
            let! presentOnly = flag
            let! smooth = Gen.elements [ 1e-5; 1.0 ]
            let! batch = Gen.choose (1, 3)
            let! classes = Gen.choose (2, 6)
            let! shape = Gen.elements [ [ 1 ]; [ 5; 7 ]; [ 16; 16 ]; [ 33; 31 ]; [ 3; 5; 7 ] ]
            let! seed = Gen.choose (0, 1000000)
            let! masked = flag
            let! rarity = Gen.elements [ 0; 1; 4; 40 ]

            return
                {
                    Options =
                        {
                            BatchDice = batchDice
                            Smooth = smooth
                            PresentOnly = presentOnly
                        }
                    Batch = batch
                    Classes = classes
                    Shape = shape
                    Seed = seed
                    Masked = masked
                    Rarity = rarity
                }
        }
        |> Arb.fromGen

let private cases =
    { FsCheckConfig.defaultConfig with
        maxTest = 150
        arbitrary = [ typeof<Cases> ]
    }

let private standard: Loss = SparseRecall.loss SoftRecall.standard

[<Tests>]
let tests =
    testList
        "SparseRecall"
        [
            testPropertyWithConfig cases "it agrees with the composition" agrees

            testCase "recall itself uses it, half precision and strides too, but not for channels" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()
                Expect.isTrue (SparseRecall.serves logits target) "ids"
                Expect.isFalse (SparseRecall.serves logits (LossSamples.regions ())) "regions"
                Expect.isFalse (SparseRecall.serves (torch.zeros (2L, 3L, 0L)) target) "nothing"

                Expect.isFalse
                    (SparseRecall.serves (torch.zeros (1L, 2L, 3L, device = torch.META)) target)
                    "another device"

                let value, _ =
                    LossSamples.differentiate (SoftRecall.loss SoftRecall.standard) logits target

                let own, _ = LossSamples.differentiate standard logits target
                Expect.equal value own "value")

            testCase "no gradient is made where none is wanted" (fun () ->
                use _scope = Tensors.scope ()
                let value = standard (LossSamples.logits ()) (LossSamples.target ())
                Expect.isFalse value.requires_grad "without variable"
                use _noGradient = torch.no_grad ()
                let variable = (LossSamples.logits ()).requires_grad_ true
                Expect.isFalse (standard variable (LossSamples.target ())).requires_grad "no_grad")

            testCase "the gradient can be scaled and taken again over a kept graph" (fun () ->
                use _scope = Tensors.scope ()
                let variable = (LossSamples.logits ()).requires_grad_ true
                let value = (standard variable (LossSamples.target ())) * Scalar.op_Implicit 3.0

                let once =
                    (torch.autograd.grad ([| value |], [| variable |], retain_graph = true))[0]

                let again =
                    (torch.autograd.grad ([| value |], [| variable |], retain_graph = true))[0]

                let _, single = LossSamples.differentiate standard variable (LossSamples.target ())

                Expect.equal (Tensors.toArray<float> again) (Tensors.toArray<float> once) "twice the same"

                for got, wanted in Array.zip (Tensors.toArray<float> once) single do
                    Expect.isLessThan (abs (got - 3.0 * wanted)) 1e-15 "three times")

            testPropertyWithConfig cases "in a sum it agrees with the composition" (fun case ->
                use _scope = Tensors.scope ()
                let entropy: Loss = CrossEntropy.loss CrossEntropy.standard

                LossSamples.agree
                    $"%A{case}, summed"
                    (Loss.sum
                        [
                            entropy
                            Loss.weighted 0.7 (SoftRecall.loss case.Options)
                            SoftRecall.loss SoftRecall.standard
                        ])
                    (fun logits target ->
                        entropy logits target
                        + SoftRecall.composed case.Options logits target * Scalar.op_Implicit 0.7
                        + SoftRecall.composed SoftRecall.standard logits target)
                    (inputs case))

            testCase "the gradient's gradient is refused" (fun () ->
                use _scope = Tensors.scope ()

                let summed =
                    Loss.sum [ SoftDice.loss SoftDice.standard; SoftRecall.loss SoftRecall.standard ]

                let logits = (LossSamples.logits ()).requires_grad_ true
                LossSamples.refusesTwice "skeleton recall" (summed logits (LossSamples.target ())) logits
                let variable = (LossSamples.logits ()).requires_grad_ true
                let value = standard variable (LossSamples.target ())
                LossSamples.refusesTwice "skeleton recall" value variable
                LossSamples.refusesTwice "skeleton recall" (value * value) variable)

            testList
                "composed"
                [
                    LossSamples.lawsOf (fun logits target ->
                        Target.require logits target

                        Tensors.scoped (fun () ->
                            let value =
                                SoftRecall.composed SoftRecall.standard (Tensors.atLeastSingle logits) target

                            Target.requireFinite logits value
                            value))
                ]
        ]
