module SkeletonRecall.Tests.ScheduleTests

open System
open Expecto
open SkeletonRecall.Training

let private report (dice: float list) : EpochReport =
    {
        Epoch = 0
        LearningRate = 0.01
        TrainLoss = 0.0
        ValidationLoss = 0.0
        Terms = []
        PseudoDice = dice
        Seconds = 0.0
    }

[<Tests>]
let tests =
    testList
        "Schedule"
        [
            test "polynomial decay has nnU-Net's values" {
                let rate = Schedule.polynomial 0.01 1000
                Expect.equal (rate 0) 0.01 "first"
                Expect.floatClose Accuracy.high (rate 1) 0.009990999549909974 "second"
                Expect.isLessThan (abs (rate 500 - 0.00535887)) 5e-9 "half way"
                Expect.isLessThan (abs (rate 999 - 1.995e-05)) 1e-8 "last"
            }

            test "epochs outside the run are refused" {
                Expect.throwsT<ArgumentException> (fun () -> Schedule.polynomial 0.01 10 10 |> ignore) "after the end"
                Expect.throwsT<ArgumentException> (fun () -> Schedule.polynomial 0.01 10 -1 |> ignore) "before"
            }

            test "the moving average starts with the first value and skips epochs without one" {
                let history =
                    [ report [ nan ]; report [ 0.5; nan ]; report [ nan ]; report [ 0.6; 1.0 ] ]

                match EpochReport.movingDice history with
                | [ first; second; third; fourth ] ->
                    Expect.isTrue (Double.IsNaN first) "none yet"
                    Expect.equal (second, third) (0.5, 0.5) "first value, kept"
                    Expect.floatClose Accuracy.high fourth (0.9 * 0.5 + 0.1 * 0.8) "average"
                | other -> failtest $"4 values are wanted, not %d{other.Length}"
            }

            test "the best is strictly above all before" {
                Expect.isFalse (EpochReport.isBest []) "no epoch"
                Expect.isFalse (EpochReport.isBest [ report [ nan ] ]) "no value"
                Expect.isTrue (EpochReport.isBest [ report [ 0.1 ] ]) "the first value"
                Expect.isFalse (EpochReport.isBest [ report [ 0.1 ]; report [ 0.1 ] ]) "equal"
                Expect.isTrue (EpochReport.isBest [ report [ nan ]; report [ 0.1 ]; report [ 0.3 ] ]) "higher"
                Expect.isFalse (EpochReport.isBest [ report [ 0.3 ]; report [ 0.1 ] ]) "lower"
            }
        ]
