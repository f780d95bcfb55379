module SkeletonRecall.Tests.CaseValidationTests

open System
open System.Threading
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private region (name: string) (labels: int list) (paint: int) : Region =
    {
        Name = name
        Labels = labels
        Paint = paint
    }

// The core lies within the whole; label 3 is ignored.
let private dataset: Dataset =
    { Dataset.create "Dataset001_R" [ "grey" ] [ "background", 0; "rim", 1; "core", 2 ] ".png" 1 with
        Regions = [ region "whole" [ 1; 2 ] 1; region "core" [ 2 ] 2 ]
        Ignore = Some 3
    }

let private plane (lines: string list) : LabelMap =
    Volume.create
        (Extent.plane lines.Length lines.Head.Length)
        [|
            for line in lines do
                for letter in line -> int16 letter - int16 '0'
        |]

let private truth: LabelMap =
    plane
        [
            "1111111100000000"
            "1122221100000000"
            "1122221100000000"
            "1111111100000033"
        ]

let private prepared (labels: LabelMap) : Prepared =
    Case.create (CaseId.ofString "case_1") (Image.create 1 labels.Extent (Array.map float32 labels.Data)) (Some labels)
    |> Sampler.prepare dataset.Ignore

let private scoresOf (label: Image -> LabelMap) (keep: ValidatedCase -> unit) : Scores list =
    CaseValidation.scores
        [ Measure.Dice; Measure.ClDice; Measure.B0Error; Measure.B1Error ]
        dataset
        label
        CancellationToken.None
        (fun case -> Ok(keep case))
        [| prepared truth |]
    |> Problem.orThrow

[<Tests>]
let tests =
    testSequenced
    <| testList
        "CaseValidation"
        [
            test "regions that overlap are scored whole, the ignored voxels nowhere" {
                // The core is found in two parts and the whole with a hole; what is ignored is called core.
                let found =
                    plane
                        [
                            "1111111100000000"
                            "1121121100000000"
                            "1121021100000000"
                            "1111111100000022"
                        ]

                let kept = ResizeArray<ValidatedCase>()
                let scores = scoresOf (fun _ -> found) kept.Add

                Expect.equal
                    (scores |> List.map (fun score -> score.Label, score.Members))
                    [ 1, [ 1; 2 ]; 2, [ 2 ] ]
                    "regions"

                let value (at: int) (measure: Measure) = scores[at].Value measure
                // 32 voxels, of which 31 are found; 8, of which 4 are.
                Expect.floatClose Accuracy.high (value 0 Measure.Dice) (62.0 / 63.0) "Dice of the whole"
                Expect.floatClose Accuracy.high (value 1 Measure.Dice) (8.0 / 12.0) "Dice of the core"
                Expect.equal (value 0 Measure.B0Error, value 0 Measure.B1Error) (0.0, 1.0) "a hole in the whole"
                Expect.equal (value 1 Measure.B0Error, value 1 Measure.B1Error) (1.0, 0.0) "two parts of the core"
                Expect.isLessThan (value 1 Measure.ClDice) 1.0 "the core's centreline is broken"

                Expect.equal
                    (CaseValidation.mean [ Measure.B0Error ] scores)
                    [ Measure.B0Error, 0.5 ]
                    "the mean of both regions"

                Expect.equal (kept |> Seq.map _.Case |> List.ofSeq) [ "case_1" ] "the case that is kept"
            }

            test "a network's regions are painted one over the other before they are scored" {
                Toy.oneThread ()
                use _scope = Toy.scope ()

                // The first output is above 0 from the label 1 on, the second from the label 2 on.
                let shout (input: Tensor) : Tensor list =
                    use one: Scalar = Scalar.op_Implicit 0.5f
                    use two: Scalar = Scalar.op_Implicit 1.5f
                    [ torch.cat (ResizeArray [ input - one; input - two ], 1L) ]

                let network =
                    { Network.create (Toy.architecture [ 4; 8 ] 2 1) 1 2 (Seed.ofInt 1) with
                        Forward = shout
                        Finest = shout >> List.head
                    }

                let configuration =
                    { Toy.configuration [ 4; 8 ] with
                        PatchSize = [ 4; 8 ]
                    }

                let scores = scoresOf (CaseValidation.labels configuration dataset network) ignore

                // The ignored voxels are painted too, and count nowhere.
                Expect.equal (scores |> List.map (fun score -> score.Dice)) [ 1.0; 1.0 ] "both"
            }

            test "a stop is heard before a case" {
                use stop = new CancellationTokenSource()
                stop.Cancel()

                Expect.throwsT<OperationCanceledException>
                    (fun () ->
                        CaseValidation.scores
                            []
                            dataset
                            (fun _ -> truth)
                            stop.Token
                            (fun _ -> Ok())
                            [| prepared truth |]
                        |> ignore)
                    "stopped"
            }
        ]
