module SkeletonRecall.Tests.RunRecordTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private history: EpochReport list =
    [
        {
            Epoch = 0
            LearningRate = 0.01
            TrainLoss = 0.1
            ValidationLoss = nan
            Terms = [ "dice", -0.25; "ce", 0.5 ]
            PseudoDice = [ nan; 0.5 ]
            Measures = [ Measure.ClDice, 0.75; Measure.B0Error, nan ]
            Seconds = 2.5
        }
    ]

[<Tests>]
let tests =
    testList
        "RunRecord"
        [
            test "what is printed is parsed" {
                let options =
                    { TrainOptions.standard with
                        LearningRate = 1.0 / 3.0
                        Objective = Objective.nnunet |> Objective.withSupervision AllHeads
                        Seed = -4
                        Skeletons = SkeletonSource.Cached
                        ValidateEvery = 5
                        Measures = [ Measure.TreeLengthDetected; Measure.HausdorffDistance95 ]
                        BestBy = Some Measure.BettiMatching
                    }

                let back, reports =
                    RunRecord.print options history |> RunRecord.parse "run.json" |> Problem.orThrow

                Expect.equal back options "options"
                Expect.equal (sprintf "%A" reports) (sprintf "%A" history) "history"
            }

            test "what is missing or wrong is told by name" {
                let text = RunRecord.print TrainOptions.standard history

                let message (json: string) =
                    match RunRecord.parse "run.json" json with
                    | Ok _ -> failtest "accepted"
                    | Error problem -> Problem.message problem

                Expect.stringContains (message "{") "no valid JSON" "broken"
                Expect.stringContains (message (text.Replace("\"clip\"", "\"clap\""))) "\"clip\" is missing" "missing"
                Expect.stringContains (message (text.Replace("\"epochs\": 1000", "\"epochs\": 0"))) "Epochs" "range"

                Expect.stringContains
                    (message (text.Replace("\"mirror\": true", "\"mirror\": 1")))
                    "true or false"
                    "kind"

                Expect.stringContains (message (text.Replace("dice + ce", "dice + xe"))) "xe" "objective"

                Expect.stringContains
                    (message (text.Replace("\"skeletons\": \"patch\"", "\"skeletons\": \"case\"")))
                    "patch or cached"
                    "skeletons"
            }

            test "records from before there was a choice of skeletons have those of patches" {
                let text =
                    (RunRecord.print TrainOptions.standard history).Replace("    \"skeletons\": \"patch\",\n", "")

                Expect.isFalse (text.Contains "skeletons") "an old record"
                let options, _ = RunRecord.parse "run.json" text |> Problem.orThrow
                Expect.equal options TrainOptions.standard "options"
            }

            test "records from before there were measures on whole cases have none" {
                let options = { TrainOptions.standard with Seed = 7 }

                let report = { history.Head with Measures = [] }
                let text = RunRecord.print options [ report ]
                let first = text.IndexOf(",\n    \"validate_every\"", StringComparison.Ordinal)
                let last = text.IndexOf("\"best_by\": null", StringComparison.Ordinal)

                let old = text.Remove(first, last + "\"best_by\": null".Length - first)

                Expect.isFalse (old.Contains "measures") "an old record"
                let back, reports = RunRecord.parse "run.json" old |> Problem.orThrow
                Expect.equal back options "options"
                Expect.equal reports.Head.Measures [] "measures"
            }

            test "the table has a heading and a line per epoch" {
                let lines =
                    (RunRecord.table history).Split('\n', StringSplitOptions.RemoveEmptyEntries)

                Expect.equal
                    lines
                    [|
                        "epoch,learning_rate,train_loss,validation_loss,pseudo_dice,moving_pseudo_dice,seconds,dice,ce,clDice,B0Error"
                        "0,0.01,0.1,NaN,0.5,0.5,2.5,-0.25,0.5,0.75,NaN"
                    |]
                    "lines"

                Expect.stringStarts (RunRecord.table []) "epoch,learning_rate" "no epoch"
            }

            test "options out of range are refused by name" {
                let refuse (options: TrainOptions) (word: string) =
                    let message =
                        try
                            TrainOptions.check options
                            "accepted"
                        with :? ArgumentException as error ->
                            error.Message

                    Expect.stringContains message word word

                TrainOptions.check TrainOptions.standard

                refuse
                    { TrainOptions.standard with
                        Epochs = 0
                    }
                    "Epochs"

                refuse
                    { TrainOptions.standard with
                        LearningRate = nan
                    }
                    "LearningRate"

                refuse
                    { TrainOptions.standard with
                        Momentum = 1.0
                    }
                    "Momentum"

                refuse
                    { TrainOptions.standard with
                        Oversampling = 1.5
                    }
                    "Oversampling"

                refuse
                    { TrainOptions.standard with
                        BestBy = Some Measure.B0Error
                    }
                    "ValidateEvery"

                refuse
                    { TrainOptions.standard with
                        ValidateEvery = 1
                        BestBy = Some Measure.B0True
                    }
                    "B0True"
            }
        ]
