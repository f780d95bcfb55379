module SkeletonRecall.Tests.ValidatedCaseTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private sample (shape: int list) (spacing: float list) : ValidatedCase =
    let extent = Extent.ofShape shape

    let image =
        Image.create 1 extent (Array.init extent.Count (fun index -> float32 index))

    let labels (divisor: int) =
        Volume.create extent (Array.init extent.Count (fun index -> int16 (index % divisor) - 1s))

    ValidatedCase.create
        "case_1"
        { image with
            Spacing = Spacing.ofList spacing
        }
        (labels 3)
        (Volume.map (fun label -> max 0s label) (labels 4))

[<Tests>]
let tests =
    testList
        "ValidatedCase"
        [
            test "what is written is read, planes and volumes" {
                Toy.inFolder (fun folder ->
                    for case in [ sample [ 5; 7 ] [ 1.0; 0.5 ]; sample [ 3; 4; 5 ] [ 2.0; 1.0; 0.25 ] ] do
                        ValidatedCase.write folder case |> Problem.orThrow
                        Expect.equal (ValidatedCase.names folder) [ "case_1" ] "names"
                        let back = ValidatedCase.load folder "case_1" |> Problem.orThrow
                        Expect.equal back.Image.Data case.Image.Data "image"
                        Expect.equal back.Image.Spacing case.Image.Spacing "spacing"
                        Expect.equal (back.Truth.Data, back.Truth.Extent) (case.Truth.Data, case.Truth.Extent) "truth"
                        Expect.equal back.Prediction.Data case.Prediction.Data "prediction"
                        Expect.isTrue (Array.forall (fun label -> label >= 0s) back.Truth.Data) "outside is background")
            }

            test "a run without validation has no cases and no scores, and a damaged file is a problem" {
                Toy.inFolder (fun folder ->
                    Expect.equal (ValidatedCase.names folder) [] "names"
                    Expect.equal (ValidatedCase.scores folder |> Problem.orThrow) [] "scores"
                    ValidatedCase.write folder (sample [ 4; 4 ] [ 1.0; 1.0 ]) |> Problem.orThrow
                    let path = Path.Combine(folder, ValidatedCase.folder, "case_1.npz")

                    for bytes in [ [||]; File.ReadAllBytes path |> Array.truncate 100 ] do
                        File.WriteAllBytes(path, bytes)

                        match ValidatedCase.load folder "case_1" with
                        | Ok _ -> failtest "accepted"
                        | Error problem -> Expect.stringContains (Problem.message problem) "case_1.npz" "the file")
            }
        ]
