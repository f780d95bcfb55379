module SkeletonRecall.Tests.LossTests

open System
open TorchSharp
open Expecto
open FsCheck
open SkeletonRecall

let private few =
    { FsCheckConfig.defaultConfig with
        maxTest = 25
    }

/// A loss of its own: the mean of the squared logits, ignoring the target.
let private squares (logits: Tensor) (_: Target) : Tensor =
    Tensors.scoped (fun () -> (logits * logits).mean())

let private dice: Loss = SoftDice.loss SoftDice.standard
let private crossEntropy: Loss = CrossEntropy.loss CrossEntropy.standard

/// A loss that leaks one tensor per call.
let private leaking (logits: Tensor) (target: Target) : Tensor =
    let kept = (logits * logits).DetachFromDisposeScope()
    ignore kept
    dice logits target

/// A loss whose gradient is cut off in part.
let private cut (logits: Tensor) (_: Target) : Tensor =
    Tensors.scoped (fun () -> (logits.detach () * logits).sum())

let private value (loss: Loss) : float =
    use _scope = Tensors.scope ()
    Tensors.item (loss (LossSamples.logits ()) (LossSamples.target ()))

let private gradient (loss: Loss) : float[] =
    use _scope = Tensors.scope ()
    snd (LossSamples.differentiate loss (LossSamples.logits ()) (LossSamples.target ()))

let private close (left: float) (right: float) : unit =
    Expect.isLessThan (abs (left - right)) (1e-12 * (1.0 + abs right)) $"%g{left} and %g{right}"

let private same (left: Loss) (right: Loss) : unit =
    close (value left) (value right)

    for got, wanted in Array.zip (gradient left) (gradient right) do
        close got wanted

let private weightOf (NonNegativeInt raw: NonNegativeInt) : float = float raw / 7.0

let private unequal (heads: int) (logits: int) (targets: int) (argument: string) : unit =
    use _scope = Tensors.scope ()

    LossSamples.throwsNaming argument [ string heads ] (fun () ->
        Loss.deepSupervision
            (List.replicate heads (1.0, dice))
            (List.init logits (fun _ -> LossSamples.logits ()))
            (List.init targets (fun _ -> LossSamples.target ())))

[<Tests>]
let tests =
    testList
        "Loss"
        [
            testCase "zero is 0 with a zero gradient" (fun () ->
                close (value Loss.zero) 0.0
                Expect.all (gradient Loss.zero) (fun slope -> slope = 0.0) "gradient")

            testCase "the sum of nothing is zero" (fun () -> same (Loss.sum []) Loss.zero)
            testCase "the sum of one is that one" (fun () -> same (Loss.sum [ dice ]) dice)
            testCase "zero is neutral" (fun () -> same (Loss.sum [ Loss.zero; dice; Loss.zero ]) dice)

            testCase "sums commute and associate" (fun () ->
                same (Loss.sum [ dice; crossEntropy ]) (Loss.sum [ crossEntropy; dice ])

                same
                    (Loss.sum [ dice; Loss.sum [ crossEntropy; squares ] ])
                    (Loss.sum [ Loss.sum [ dice; crossEntropy ]; squares ]))

            testCase "weight 1 changes nothing, weight 0 is zero" (fun () ->
                same (Loss.weighted 1.0 dice) dice
                same (Loss.weighted 0.0 dice) Loss.zero)

            testCase "weight 0 does not evaluate" (fun () ->
                let never: Loss = fun _ _ -> failtest "evaluated"
                close (value (Loss.weighted 0.0 never)) 0.0)

            testPropertyWithConfig few "weights multiply" (fun left right ->
                same
                    (Loss.weighted (weightOf left) (Loss.weighted (weightOf right) dice))
                    (Loss.weighted (weightOf left * weightOf right) dice))

            testPropertyWithConfig few "weights add" (fun left right ->
                same
                    (Loss.sum [ Loss.weighted (weightOf left) dice; Loss.weighted (weightOf right) dice ])
                    (Loss.weighted (weightOf left + weightOf right) dice))

            testPropertyWithConfig few "a weight goes into a sum" (fun weight ->
                let weight = weightOf weight

                same
                    (Loss.weighted weight (Loss.sum [ dice; crossEntropy ]))
                    (Loss.sum [ Loss.weighted weight dice; Loss.weighted weight crossEntropy ]))

            testCase "a weight out of range" (fun () ->
                use _scope = Tensors.scope ()

                for weight in [ -0.5; nan; infinity ] do
                    LossSamples.throwsNaming "weight" [ "A weight" ] (fun () ->
                        Loss.weighted weight dice (LossSamples.logits ()) (LossSamples.target ())))

            testCase "mapLogits maps, and the gradient follows" (fun () ->
                let twice (logits: Tensor) (_: Target) : Tensor = logits * Scalar.op_Implicit 2.0
                same (Loss.mapLogits twice squares) (Loss.weighted 4.0 squares))

            testCase "head weights are nnU-Net's" (fun () ->
                Expect.equal (Loss.headWeights 1) [ 1.0 ] "one head"
                Expect.equal (Loss.headWeights 2) [ 1.0; 0.0 ] "two heads"

                for got, wanted in List.zip (Loss.headWeights 5) [ 8.0; 4.0; 2.0; 1.0; 0.0 ] do
                    close got (wanted / 15.0)

                Expect.throwsT<ArgumentException> (fun () -> Loss.headWeights 0 |> ignore) "no head")

            testPropertyWithConfig few "head weights add up to 1" (fun (PositiveInt count) ->
                close (List.sum (Loss.headWeights (min count 60))) 1.0)

            testPropertyWithConfig few "heads are weighted and summed" (fun first second ->
                use _scope = Tensors.scope ()
                let first, second = weightOf first, weightOf second
                let logits, target = LossSamples.logits (), LossSamples.target ()

                let got =
                    Loss.deepSupervision [ first, dice; second, squares ] [ logits; logits ] [ target; target ]

                close (Tensors.item got) (first * value dice + second * value squares))

            testCase "a head of weight 0 is not evaluated" (fun () ->
                use _scope = Tensors.scope ()
                let never: Loss = fun _ _ -> failtest "evaluated"
                let logits, target = LossSamples.logits (), LossSamples.target ()

                let got =
                    Loss.deepSupervision [ 1.0, dice; 0.0, never ] [ logits; logits ] [ target; target ]

                close (Tensors.item got) (value dice))

            testCase "heads of unequal lengths throw" (fun () ->
                unequal 2 1 2 "logits"
                unequal 2 3 2 "logits"
                unequal 2 2 1 "targets"
                unequal 1 1 2 "targets")

            testCase "no heads throw" (fun () ->
                LossSamples.throwsNaming "heads" [ "none" ] (fun () -> Loss.deepSupervision [] [] []))

            testCase "check passes a good loss" (fun () ->
                use _scope = Tensors.scope ()
                let report = Loss.check squares (LossSamples.logits ()) (LossSamples.target ())
                Expect.isTrue report.Passed $"%A{report}"
                close report.Value (value squares))

            testCase "check finds a wrong gradient" (fun () ->
                use _scope = Tensors.scope ()
                let report = Loss.check cut (LossSamples.logits ()) (LossSamples.target ())
                Expect.isFalse report.Passed $"%A{report}"
                Expect.isGreaterThan report.LargestDifference 0.1 "difference")

            testCase "check finds a leak" (fun () ->
                use _scope = Tensors.scope ()
                let report = Loss.check leaking (LossSamples.logits ()) (LossSamples.target ())
                Expect.isFalse report.Passed $"%A{report}"
                Expect.isGreaterThan report.LeftAlive 0L "alive")

            testList "sum" [ LossSamples.lawsOf (Loss.sum [ dice; Loss.weighted 0.5 crossEntropy ]) ]
        ]
