module SkeletonRecall.Tests.CentrelineTests

open System
open Expecto
open SkeletonRecall

let private same (wanted: float) (got: float) (name: string) : unit =
    Expect.equal (Double.IsNaN got) (Double.IsNaN wanted) $"%s{name}: NaN"

    if not (Double.IsNaN wanted) then
        Expect.floatClose Accuracy.veryHigh got wanted name

[<Tests>]
let tests =
    testList
        "Centreline"
        [
            Property.test
                "exchanging the masks exchanges precision and sensitivity"
                (fun (AnyPair(prediction, truth)) ->
                    let ours = Centreline.measure prediction truth
                    let exchanged = Centreline.measure truth prediction

                    ours.Precision.Equals exchanged.Sensitivity
                    && ours.Sensitivity.Equals exchanged.Precision
                    && (ours.ClDice.Equals exchanged.ClDice
                        || abs (ours.ClDice - exchanged.ClDice) < 1e-12))

            Property.test "a mask agrees with itself" (fun (AnyMask mask) ->
                let measured = Centreline.measure mask mask

                if Mask.isEmpty (Skeleton.thin mask) then
                    Double.IsNaN measured.ClDice
                else
                    measured.ClDice = 1.0)

            testCase "extents must agree"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Centreline.measure (Mask.empty (Extent.plane 2 2)) (Mask.empty (Extent.plane 2 3))
                        |> ignore)
                    "2 x 2 and 2 x 3"

            // The records name upstream's tprec and tsens, which are exchanged (see the folder's conventions).
            Parity.tests "parity" Parity.pairs (fun record ->
                let measured =
                    Centreline.measure (Golden.mask (record.File "pred")) (Golden.mask (record.File "gt"))

                same (record.Number "tsens") measured.Precision "precision"
                same (record.Number "tprec") measured.Sensitivity "sensitivity"
                same (record.Number "cldice") measured.ClDice "clDice")
        ]
