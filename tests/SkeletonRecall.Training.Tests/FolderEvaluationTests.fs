module SkeletonRecall.Tests.FolderEvaluationTests

open System
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private cases = [ for number in 0..7 -> $"case_%d{number}" ]

/// Labels of a case; the prediction lacks every third pixel.
let private map (number: int) (found: bool) : LabelMap =
    let extent = Extent.plane 20 30

    Array.init extent.Count (fun index ->
        let inside = index / 30 > 4 && index % 30 > number + 3
        if inside && (not found || index % 3 > 0) then 1s else 0s)
    |> Volume.create extent

let private request (folder: string) : EvaluateRequest =
    {
        Truth = Path.Combine(folder, "truth")
        Prediction = Path.Combine(folder, "prediction")
        Dataset = Toy.dataset
        Evaluation = Evaluation.standard
        AllowMissing = false
        Parallel = 0
    }

let private write (request: EvaluateRequest) : unit =
    cases
    |> List.iteri (fun number case ->
        Reader.writeLabels (Path.Combine(request.Truth, case + ".png")) (map number false)
        |> Problem.orThrow
        // Formats may differ.
        let ending = if number % 2 = 0 then ".png" else ".npy"

        Reader.writeLabels (Path.Combine(request.Prediction, case + ending)) (map number true)
        |> Problem.orThrow)

let private run (request: EvaluateRequest) : CaseScores list =
    FolderEvaluation.run request CancellationToken.None (fun _ _ -> ())
    |> Problem.orThrow

[<Tests>]
let tests =
    testList
        "FolderEvaluation"
        [
            test "cases come in order with the scores of each pair, however many at once" {
                Toy.inFolder (fun folder ->
                    let request = request folder
                    write request
                    let mutable shares = []

                    let results =
                        FolderEvaluation.run request CancellationToken.None (fun share _ -> shares <- share :: shares)
                        |> Problem.orThrow

                    Expect.equal (results |> List.map _.Case) cases "order"

                    let wanted =
                        cases
                        |> List.mapi (fun number case ->
                            Evaluation.score Evaluation.standard Toy.dataset case (map number true) (map number false))
                        |> List.concat

                    Expect.equal (FolderEvaluation.scores results) wanted "scores"
                    Expect.equal (run { request with Parallel = 1 }) results "one at a time"
                    Expect.equal (List.rev shares) [ for done' in 1..8 -> float done' / 8.0 ] "progress")
            }

            test "what is wrong with a case is named, and the others are scored" {
                Toy.inFolder (fun folder ->
                    let request = request folder
                    write request
                    let prediction (name: string) = Path.Combine(request.Prediction, name)
                    File.Delete(prediction "case_0.png")
                    File.Delete(Path.Combine(request.Truth, "case_1.png"))

                    Reader.writeLabels
                        (prediction "case_2.png")
                        (Volume.create (Extent.plane 4 4) (Array.zeroCreate 16))
                    |> Problem.orThrow

                    Reader.writeLabels (prediction "case_4.png") (Volume.map (fun label -> 7s * label) (map 4 true))
                    |> Problem.orThrow

                    File.WriteAllText(prediction "case_6.png", "no picture")
                    let results = run request

                    let messages = FolderEvaluation.problems results |> List.map Problem.message

                    let parts =
                        [
                            [ "case_0"; "not found"; "prediction" ]
                            [ "case_1"; "not found"; "true label map" ]
                            [ "case_2.png"; "4 x 4"; "20 x 30" ]
                            [ "case_4.png"; "7" ]
                            [ "case_6.png"; "cannot be read" ]
                        ]

                    Expect.equal messages.Length parts.Length $"%A{messages}"

                    for message, parts in List.zip messages parts do
                        for part in parts do
                            Expect.stringContains message part "message"

                    Expect.equal
                        (FolderEvaluation.scores results |> List.map _.Case)
                        [ "case_3"; "case_5"; "case_7" ]
                        "the others"

                    let chilled = run { request with AllowMissing = true }
                    Expect.equal (FolderEvaluation.problems chilled).Length 3 "counterparts may be missing")
            }

            test "two files of a case, and folders without a common case, are problems" {
                Toy.inFolder (fun folder ->
                    let request = request folder
                    write request

                    File.Copy(
                        Path.Combine(request.Truth, "case_1.png"),
                        Path.Combine(request.Prediction, "case_1.png")
                    )

                    match FolderEvaluation.run request CancellationToken.None (fun _ _ -> ()) with
                    | Error problem ->
                        Expect.stringContains (Problem.message problem) "case_1.npy and case_1.png" "both"
                    | Ok _ -> failtest "two files of one case"

                    let empty = Path.Combine(folder, "empty")
                    Directory.CreateDirectory empty |> ignore

                    match
                        FolderEvaluation.run { request with Prediction = empty } CancellationToken.None (fun _ _ -> ())
                    with
                    | Error(Missing(path, _)) -> Expect.equal path empty "the folder"
                    | other -> failtest $"%A{other}")
            }

            test "another spacing or orientation is named, and files that tell neither are scored" {
                Toy.inFolder (fun folder ->
                    let request = request folder
                    let extent = Extent.space 3 4 5

                    let labels (spacing: float) =
                        Volume.create extent (Array.init extent.Count (fun index -> int16 (index % 2)))
                        |> Volume.withSpacing (Spacing.ofList [ 2.0; spacing; 0.5 ])

                    let write (folder: string) (name: string) (spacing: float) (direction: float list) =
                        Reader.writeLabelsInPlace
                            (Geometry.create [ 1.0; 2.0; 3.0 ] direction)
                            (Path.Combine(folder, name))
                            (labels spacing)
                        |> Problem.orThrow

                    let straight = [ 1.0; 0.0; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 1.0 ]
                    let turned = [ -1.0; 0.0; 0.0; 0.0; -1.0; 0.0; 0.0; 0.0; 1.0 ]

                    for name in [ "good"; "silent"; "spaced"; "turned" ] do
                        write request.Truth (name + ".nii.gz") 0.75 straight

                    write request.Prediction "good.nrrd" 0.75 straight
                    write request.Prediction "silent.npy" 1.0 straight
                    write request.Prediction "spaced.nii.gz" 0.8 straight
                    write request.Prediction "turned.nii.gz" 0.75 turned
                    // Probabilities beside a label map are none.
                    write request.Prediction "good.npz" 1.0 straight
                    let results = run request

                    Expect.equal
                        (FolderEvaluation.scores results
                         |> List.map (fun score -> score.Case, score.Dice))
                        [ "good", 1.0; "silent", 1.0 ]
                        "scored"

                    let messages = FolderEvaluation.problems results |> List.map Problem.message
                    Expect.equal messages.Length 2 $"%A{messages}"
                    Expect.stringContains messages[0] "spacing" "the spacing"
                    Expect.stringContains messages[0] "spaced.nii.gz" "its file"
                    Expect.stringContains messages[1] "(-1, 0, 0)" "the direction"
                    Expect.stringContains messages[1] "turned.nii.gz" "its file")
            }

            test "a stop ends it" {
                Toy.inFolder (fun folder ->
                    let request = request folder
                    write request
                    use stop = new CancellationTokenSource()

                    Expect.throwsT<OperationCanceledException>
                        (fun () ->
                            FolderEvaluation.run { request with Parallel = 1 } stop.Token (fun _ _ -> stop.Cancel())
                            |> ignore)
                        "stopped")
            }
        ]
