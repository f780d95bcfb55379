module SkeletonRecall.Tests.TrainerTests

open System
open System.IO
open System.Threading
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private configuration: Configuration = Toy.configuration [ 4; 8; 8 ]

let private options: TrainOptions =
    { Trainer.standard with
        Epochs = 4
        Iterations = 3
        ValidationIterations = 2
        SaveEvery = 1
        Seed = 3
    }

let private training = [ Toy.vessels 32 0; Toy.vessels 32 1 ]
let private validation = [ Toy.vessels 32 2 ]

let private run
    (options: TrainOptions)
    (folder: string)
    (resume: Checkpoint option)
    (token: CancellationToken)
    (report: Progress -> unit)
    : Result<Checkpoint, Problem> =
    Toy.oneThread ()
    Trainer.run options configuration Toy.dataset folder resume token report training validation

let private path (folder: string) (name: string) : string = Path.Combine(folder, name)

// Runs until a progress report asks to stop; what is left in the folder then.
let private stopAt (stopHere: Progress -> bool) (folder: string) : Checkpoint =
    use source = new CancellationTokenSource()

    let report (progress: Progress) =
        if stopHere progress then
            source.Cancel()

    Expect.throwsT<OperationCanceledException>
        (fun () -> run options folder None source.Token report |> ignore)
        "cancelled"

    Checkpoint.load (path folder RunFolder.latest) |> Problem.orThrow

let private straight =
    lazy
        (Toy.inFolder (fun folder ->
            run options folder None CancellationToken.None ignore
            |> Problem.orThrow
            |> Toy.comparable))

let private resumed (stopHere: Progress -> bool) : Checkpoint =
    Toy.inFolder (fun folder ->
        let latest = stopAt stopHere folder

        run options folder (Some latest) CancellationToken.None ignore
        |> Problem.orThrow)

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Trainer"
        [
            test "whole validation cases are measured every n epochs and at the end, and decide on the best" {
                Toy.inFolder (fun folder ->
                    let options =
                        { options with
                            ValidateEvery = 3
                            Measures = [ Measure.B0Error; Measure.TreeLengthDetected ]
                            BestBy = Some Measure.B0Error
                        }

                    let checkpoint =
                        run options folder None CancellationToken.None ignore |> Problem.orThrow

                    let names (report: EpochReport) = report.Measures |> List.map fst
                    let all = [ Measure.Dice; Measure.B0Error; Measure.TreeLengthDetected ]
                    Expect.equal (checkpoint.History |> List.map names) [ []; []; all; all ] "epochs 2 and 3"
                    let network = Checkpoint.network checkpoint |> Problem.orThrow

                    let wanted =
                        [
                            for case in validation do
                                let labels =
                                    Inference.labels
                                        Inference.standard
                                        configuration
                                        2
                                        (Inference.ofNetwork network)
                                        case.Image

                                yield!
                                    Evaluation.score
                                        { Evaluation.standard with
                                            Measures = all
                                        }
                                        Toy.dataset
                                        (CaseId.value case.Id)
                                        labels
                                        case.Labels.Value
                        ]
                        |> CaseValidation.mean all

                    Expect.equal
                        (sprintf "%A" (List.last checkpoint.History).Measures)
                        (sprintf "%A" wanted)
                        "what prediction and evaluation of the final weights give"

                    let best = Checkpoint.load (path folder RunFolder.best) |> Problem.orThrow

                    Expect.equal
                        (EpochReport.bestBy Measure.B0Error checkpoint.History |> Option.map _.Epoch)
                        (Some(best.Epoch - 1))
                        "the best checkpoint"

                    Expect.equal
                        (ValidatedCase.names folder)
                        (validation |> List.map (fun case -> CaseId.value case.Id))
                        "cases"

                    let left =
                        ValidatedCase.load folder (CaseId.value validation.Head.Id) |> Problem.orThrow

                    Expect.equal left.Truth.Data validation.Head.Labels.Value.Data "the truth of a case"

                    let scores = ValidatedCase.scores folder |> Problem.orThrow

                    Expect.equal
                        (sprintf "%A" (CaseValidation.mean all scores))
                        (sprintf "%A" wanted)
                        "the summary's scores"

                    let log = File.ReadAllText(path folder RunFolder.log)
                    Expect.stringContains log "Whole validation cases: Dice " "the log"
                    Expect.stringContains log "New best B0Error" "the log"
                    let table = File.ReadAllLines(path folder RunFolder.progress)
                    Expect.stringEnds table[0] ",Dice,B0Error,TreeLengthDetected" "heading"
                    Expect.stringEnds table[1] ",,," "an epoch without")
            }

            test "a run leaves its files and tells what it does" {
                Toy.inFolder (fun folder ->
                    let told = ResizeArray<Progress>()

                    let checkpoint =
                        run options folder None CancellationToken.None told.Add |> Problem.orThrow

                    Expect.equal checkpoint.Epoch 4 "epochs"

                    let files =
                        Directory.GetFiles folder
                        |> Array.map (fun file -> Path.GetFileName(file: string))
                        |> Set.ofArray

                    Expect.equal
                        files
                        (set
                            [
                                RunFolder.best
                                RunFolder.final
                                RunFolder.log
                                RunFolder.run
                                RunFolder.progress
                                RunFolder.events
                                RunFolder.hold
                            ])
                        "files; the latest gave way to the final one"

                    let final = Checkpoint.load (path folder RunFolder.final) |> Problem.orThrow
                    Expect.equal (Toy.comparable final) (Toy.comparable checkpoint) "final"
                    Expect.equal final.MirrorAxes [ 0; 1 ] "mirror axes"
                    Expect.equal final.Momentum.Length (final.Weights.Length - 2) "all but the coarsest head move"

                    let read, history =
                        File.ReadAllText(path folder RunFolder.run)
                        |> RunRecord.parse "run.json"
                        |> Problem.orThrow

                    Expect.equal read options "options"
                    Expect.equal history.Length 4 "history"

                    let steps =
                        told
                        |> Seq.choose (function
                            | Step(e, i, _) -> Some(e, i)
                            | Epoch _ -> None)

                    Expect.equal
                        (Seq.toList steps)
                        [
                            for e in 0..3 do
                                for i in 0..2 -> e, i
                        ]
                        "steps"

                    for report in history do
                        Expect.isTrue
                            (Double.IsFinite report.TrainLoss && Double.IsFinite report.ValidationLoss)
                            "loss"

                        Expect.equal (report.Terms |> List.map fst) [ "dice"; "ce"; "skeleton-recall" ] "terms"
                        Expect.equal report.PseudoDice.Length 1 "one foreground class"
                        Expect.equal report.LearningRate (Schedule.polynomial 0.01 4 report.Epoch) "rate"

                    let log = File.ReadAllText(path folder RunFolder.log)
                    Expect.stringContains log "Epoch 3" "log"

                    Expect.equal
                        (RunFolder.tryResume folder |> Problem.orThrow |> Option.map Toy.comparable)
                        (Some(Toy.comparable final))
                        "resume finds the final one")
            }

            test "the same seed gives the same run" {
                let again =
                    Toy.inFolder (fun folder ->
                        run { options with Workers = 2 } folder None CancellationToken.None ignore
                        |> Problem.orThrow)

                Expect.equal (Toy.comparable again) straight.Value "two workers or one"
            }

            test "stopped between epochs and resumed is the same run, bit for bit" {
                let stopHere (progress: Progress) =
                    match progress with
                    | Epoch report -> report.Epoch = 1
                    | Step _ -> false

                Expect.equal (Toy.comparable (resumed stopHere)) straight.Value "2 + 2 epochs"
            }

            test "stopped within an epoch and resumed is the same run, bit for bit" {
                Expect.equal
                    (Toy.comparable (
                        resumed (function
                            | Step(1, 1, _) -> true
                            | _ -> false)
                    ))
                    straight.Value
                    "stopped after an iteration"

                Expect.equal
                    (Toy.comparable (
                        resumed (function
                            | Step(2, 2, _) -> true
                            | _ -> false)
                    ))
                    straight.Value
                    "stopped before validation"
            }

            test "a finished run does nothing more" {
                Toy.inFolder (fun folder ->
                    let first = run options folder None CancellationToken.None ignore |> Problem.orThrow

                    let again =
                        run options folder (Some first) CancellationToken.None ignore |> Problem.orThrow

                    Expect.equal (Toy.comparable again) (Toy.comparable first) "unchanged")
            }

            test "training learns" {
                Toy.inFolder (fun folder ->
                    let checkpoint =
                        Trainer.run
                            { options with
                                Epochs = 2
                                Iterations = 40
                            }
                            configuration
                            Toy.dataset
                            folder
                            None
                            CancellationToken.None
                            ignore
                            [ Toy.cross 24 ]
                            [ Toy.cross 24 ]
                        |> Problem.orThrow

                    Expect.isGreaterThan
                        (EpochReport.meanDice (List.last checkpoint.History))
                        0.8
                        "pseudo-Dice of a cross"

                    let network = Checkpoint.network checkpoint |> Problem.orThrow
                    use _module = network.Module
                    let case = Toy.cross 24

                    let prediction =
                        Inference.labels
                            Inference.standard
                            checkpoint.Configuration
                            2
                            (Inference.ofNetwork network)
                            case.Image

                    let truth = case.Labels |> Option.get

                    let scores =
                        Evaluation.score Evaluation.standard Toy.dataset "cross" prediction truth

                    Expect.isGreaterThan scores.Head.Dice 0.8 "Dice of the whole image")
            }

            test "a loss that is no number stops the run and keeps the last good checkpoint" {
                Toy.inFolder (fun folder ->
                    let bad =
                        { options with
                            LearningRate = 1e30
                            Epochs = 3
                        }

                    match run bad folder None CancellationToken.None ignore with
                    | Ok _ -> failtest "it went on"
                    | Error problem ->
                        let message = Problem.message problem
                        Expect.stringContains message "loss at epoch 0, iteration" "where"
                        Expect.isFalse (File.Exists(path folder RunFolder.final)) "no final checkpoint")
            }

            test "a checkpoint of another network is refused" {
                Toy.inFolder (fun folder ->
                    let first =
                        run { options with Epochs = 1 } folder None CancellationToken.None ignore
                        |> Problem.orThrow

                    let wider =
                        { configuration with
                            Architecture =
                                { configuration.Architecture with
                                    FeaturesPerStage = [ 5; 8; 8 ]
                                }
                        }

                    match
                        Trainer.run
                            options
                            wider
                            Toy.dataset
                            folder
                            (Some first)
                            CancellationToken.None
                            ignore
                            training
                            validation
                    with
                    | Error(Mismatch(subject, got, wanted)) ->
                        Expect.stringContains subject RunFolder.final "file"
                        Expect.stringContains got "features 4, 8, 8" "what came"
                        Expect.stringContains wanted "features 5, 8, 8" "what was wanted"
                    | other -> failtest $"%A{other}")
            }

            test "options and cases that cannot be trained on are refused" {
                Toy.inFolder (fun folder ->
                    let start options cases () =
                        Trainer.run
                            options
                            configuration
                            Toy.dataset
                            folder
                            None
                            CancellationToken.None
                            ignore
                            cases
                            []
                        |> ignore

                    let byMeasure =
                        { options with
                            ValidateEvery = 1
                            BestBy = Some Measure.ClDice
                        }

                    Expect.throwsT<ArgumentException> (start byMeasure training) "the best by a measure of no case"
                    Expect.throwsT<ArgumentException> (start options []) "no case"
                    Expect.throwsT<ArgumentException> (start { options with Epochs = 0 } training) "no epoch"
                    Expect.throwsT<ArgumentException> (start options [ Toy.rod 8 8 8 ]) "other channels")
            }
        ]
