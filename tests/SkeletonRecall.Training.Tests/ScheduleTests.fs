module SkeletonRecall.Tests.ScheduleTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private report (dice: float list) : EpochReport =
    {
        Epoch = 0
        LearningRate = 0.01
        TrainLoss = 0.0
        ValidationLoss = 0.0
        Terms = []
        PseudoDice = dice
        Measures = []
        Seconds = 0.0
    }

// An epoch with Dice and B0 error on whole cases.
let private measured (epoch: int) (dice: float, error: float) : EpochReport =
    { report [ 0.5 ] with
        Epoch = epoch
        Measures = [ Measure.Dice, dice; Measure.B0Error, error ]
    }

// Which epochs' weights are kept as the best, as training goes on.
let private kept (measure: Measure) (epochs: (float * float) list) : int list =
    let history = epochs |> List.mapi measured

    [
        for count in 1 .. history.Length do
            if EpochReport.isBestBy (Some measure) (List.truncate count history) then
                count - 1
    ]

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

            test "an epoch in a line" {
                Expect.equal
                    (EpochReport.print (report [ 0.25; nan; 0.75 ]))
                    "epoch 0, loss 0.0000, pseudo Dice 0.5000"
                    "all"

                Expect.equal (EpochReport.print (report [ nan ])) "epoch 0, loss 0.0000" "no patch had a class"
            }

            test "the best is strictly above all before" {
                Expect.isFalse (EpochReport.isBest []) "no epoch"
                Expect.isFalse (EpochReport.isBest [ report [ nan ] ]) "no value"
                Expect.isTrue (EpochReport.isBest [ report [ 0.1 ] ]) "the first value"
                Expect.isFalse (EpochReport.isBest [ report [ 0.1 ]; report [ 0.1 ] ]) "equal"
                Expect.isTrue (EpochReport.isBest [ report [ nan ]; report [ 0.1 ]; report [ 0.3 ] ]) "higher"
                Expect.isFalse (EpochReport.isBest [ report [ 0.3 ]; report [ 0.1 ] ]) "lower"
            }

            test "the best by a measure is the best among those whose Dice is within a point of the best" {
                Expect.equal
                    (kept Measure.B0Error [ 0.80, 9.0; 0.805, 5.0; 0.79, 1.0; 0.796, 4.0; 0.81, 4.0; 0.802, 4.0 ])
                    [ 0; 1; 3; 4 ]
                    "fewer errors serve unless Dice falls too low; equal ones take the higher Dice"

                Expect.equal (kept Measure.B0Error [ 0.5, 0.0; 0.9, 20.0; 0.895, 30.0 ]) [ 0; 1 ] "what Dice shuts out"
                Expect.equal (kept Measure.Dice [ 0.5, 1.0; 0.6, 1.0; 0.55, 1.0; 0.6, 1.0 ]) [ 0; 1 ] "higher is better"
                Expect.equal (kept Measure.B0Error [ nan, 1.0; 0.5, nan; 0.5, 3.0 ]) [ 2 ] "epochs without a value"

                Expect.equal
                    (kept Measure.B0Error [ 0.70, 0.0; 0.705, 1.0; 0.713, 2.0 ])
                    [ 0; 2 ]
                    "weights that were not held cannot come back"
            }

            testProperty
                "the best by a measure was the newest once, and no later one that serves is better"
                (fun (values: (byte * byte) list) ->
                    let epochs =
                        values
                        |> List.map (fun (dice, error) -> 0.7 + float dice / 5000.0, float (error % 6uy))

                    let history = epochs |> List.mapi measured

                    match EpochReport.bestBy Measure.B0Error history, List.tryLast (kept Measure.B0Error epochs) with
                    | None, None -> epochs.IsEmpty
                    | Some best, Some last ->
                        let highest = epochs |> List.map fst |> List.max
                        let dice, error = epochs[best.Epoch]

                        best.Epoch = last
                        && dice >= highest - EpochReport.guard
                        && error =
                            (epochs
                             |> List.skip best.Epoch
                             |> List.filter (fun (dice, _) -> dice >= highest - EpochReport.guard)
                             |> List.map snd
                             |> List.min)
                    | _ -> false)

            test "without validation on whole cases nothing is the best by a measure" {
                Expect.isFalse (EpochReport.isBestBy (Some Measure.ClDice) [ report [ 0.5 ] ]) "no measures"
                Expect.isTrue (EpochReport.isBestBy None [ report [ 0.5 ] ]) "the moving average decides"
            }
        ]
