module SkeletonRecall.Tests.TrainSetupTests

open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private setup: TrainSetup =
    TrainSetup.create
        { Trainer.standard with
            Epochs = 2
            Iterations = 2
            ValidationIterations = 1
            Seed = 3
        }
        (Toy.configuration [ 4; 8; 8 ])
        Toy.dataset

let private train (setup: TrainSetup) : Checkpoint =
    Toy.oneThread ()

    Toy.inFolder (fun folder ->
        Trainer.trainCases
            setup
            folder
            None
            CancellationToken.None
            ignore
            [ Toy.vessels 32 0; Toy.vessels 32 1 ]
            [ Toy.vessels 32 2 ]
        |> Problem.orThrow)

[<Tests>]
let tests =
    testSequenced
    <| testList
        "TrainSetup"
        [
            test "a loss of one's own trains as the objective does when it says the same" {
                let plain = train setup
                // The batch's Dice, as the configuration has it; recall stands on the finest head alone.
                let objective = Objective.withBatchDice true Objective.skeletonRecall

                let same =
                    train
                        { setup with
                            Loss = Some(Objective.loss objective)
                        }

                Expect.equal (Toy.comparable same) (Toy.comparable plain) "bit for bit"

                let crossEntropy = CrossEntropy.loss CrossEntropy.standard
                let calls = ref 0

                let own: Loss =
                    fun logits target ->
                        calls.Value <- calls.Value + 1
                        Expect.isSome target.Skeleton "the finest head's tube"
                        crossEntropy logits target

                let other = train (TrainSetup.withLoss own crossEntropy setup)
                // Two training iterations and one of validation, each epoch, on the finest head.
                Expect.equal calls.Value 6 "calls"
                Expect.notEqual other.Weights plain.Weights "another loss, another network"
                let terms = other.History.Head.Terms |> List.map fst
                Expect.equal terms (plain.History.Head.Terms |> List.map fst) "the log shows the objective's terms"

                // Cross-entropy over all heads, whose weights add up to 1.
                let ce = other.History.Head.Terms |> List.find (fst >> (=) "ce") |> snd
                Expect.isLessThan (abs (other.History.Head.ValidationLoss - ce)) 0.2 "the loss is the own one"
                Expect.isGreaterThan other.History.Head.ValidationLoss 0.0 "not the objective's"
            }
        ]
