module SkeletonRecall.Tests.TermTests

open Expecto
open SkeletonRecall

let private term (weight: float) (loss: Component) : Term =
    { Term.ofComponent loss with
        Weight = weight
    }

let private dice: Term = term 1.0 (Component.SoftDice SoftDice.standard)
let private recall: Term = term 1.0 (Component.SkeletonRecall SoftRecall.standard)

let private penalized (terms: Term list) : Term =
    term 1.0 (Component.Scnp(Scnp.standard, terms))

[<Tests>]
let tests =
    testList
        "Term"
        [
            testCase "its name and whether it is a recall" (fun () ->
                Expect.equal (Term.name recall) "skeleton-recall" "name"
                Expect.isTrue (Term.isRecall recall) "recall"
                Expect.isFalse (Term.isRecall dice) "dice")

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
                    (TermText.print Tube.standard (term 0.5 (Component.SoftDice dice)))
                    "0.5*dice(batch-dice, smooth=1)"
                    "dice"

                Expect.equal
                    (TermText.print
                        { Tube.standard with
                            Radius = TubeRadius.Steps 3
                        }
                        (term 2.0 (Component.SkeletonRecall SoftRecall.standard)))
                    "2.0*skeleton-recall(tube-radius=3)"
                    "recall")

            testCase "what holds a recall is searched and changed" (fun () ->
                let tree = penalized [ dice; penalized [ recall ] ]
                Expect.isTrue (Term.exists Term.isRecall tree) "found inside"

                let silent =
                    tree
                    |> Term.map (fun term ->
                        if Term.isRecall term then
                            { term with Weight = 0.0 }
                        else
                            term)

                Expect.isFalse (Term.exists Term.isRecall silent) "a weight of 0 does not count"

                Expect.isFalse (Term.exists Term.isRecall { tree with Weight = 0.0 }) "nor what is held at weight 0"
                Expect.equal (Term.without Term.isRecall [ tree; recall ]) [ penalized [ dice ] ] "without recalls"
                Expect.equal (Term.name tree) "scnp(dice + scnp(skeleton-recall))" "name")

            testCase "what is wrong with a term" (fun () ->
                Expect.isNone (Term.problem (penalized [ dice ])) "good"
                Expect.isSome (Term.problem (penalized [])) "holds nothing"
                Expect.isSome (Term.problem (penalized [ { dice with Weight = nan } ])) "a weight inside"

                Expect.isSome
                    (Term.problem
                        { dice with
                            Schedule = WeightSchedule.WarmUp 0
                        })
                    "schedule")
        ]
