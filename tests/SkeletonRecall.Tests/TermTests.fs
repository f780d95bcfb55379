module SkeletonRecall.Tests.TermTests

open Expecto
open SkeletonRecall

let private term (weight: float) (loss: Component) : Term = { Weight = weight; Component = loss }

[<Tests>]
let tests =
    testList
        "Term"
        [
            testCase "its name and whether it is a recall" (fun () ->
                let recall = term 1.0 (Component.SkeletonRecall SoftRecall.standard)
                Expect.equal (Term.name recall) "skeleton-recall" "name"
                Expect.isTrue (Term.isRecall recall) "recall"
                Expect.isFalse (Term.isRecall (term 1.0 (Component.SoftDice SoftDice.standard))) "dice")

            testCase "its loss is unweighted" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let loss = Term.loss (term 7.0 (Component.SoftDice SoftDice.standard)) logits target
                Expect.equal (Tensors.item loss) (Tensors.item (SoftDice.loss SoftDice.standard logits target)) "value")

            testCase "its text" (fun () ->
                let dice =
                    { SoftDice.standard with
                        BatchDice = true
                        Smooth = 1.0
                    }

                Expect.equal
                    (Term.print None (term 0.5 (Component.SoftDice dice)))
                    "0.5*dice(batch-dice, smooth=1)"
                    "dice"

                Expect.equal
                    (Term.print (Some 3) (term 2.0 (Component.SkeletonRecall SoftRecall.standard)))
                    "2.0*skeleton-recall(tube-radius=3)"
                    "recall")
        ]
