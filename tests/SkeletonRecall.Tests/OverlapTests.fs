module SkeletonRecall.Tests.OverlapTests

open System
open Expecto
open SkeletonRecall

let private isNanOrIn (low: float) (high: float) (value: float) : bool =
    Double.IsNaN value || (value >= low && value <= high)

[<Tests>]
let tests =
    testList
        "Overlap"
        [
            Property.test "counts are those of sets" (fun (AnyPair(prediction, truth)) ->
                let overlap = Overlap.measure prediction truth

                overlap.TruePositives = int64 (Mask.count (Mask.intersect prediction truth))
                && overlap.FalsePositives = int64 (Mask.count (Mask.difference prediction truth))
                && overlap.FalseNegatives = int64 (Mask.count (Mask.difference truth prediction))
                && overlap.TrueNegatives = int64 (Mask.count (Mask.complement (Mask.union prediction truth))))

            Property.test "measures stay in range, and exchange with the masks" (fun (AnyPair(prediction, truth)) ->
                let overlap = Overlap.measure prediction truth
                let exchanged = Overlap.measure truth prediction
                let same (left: float) (right: float) = left.Equals right

                [ Overlap.dice; Overlap.precision; Overlap.recall; Overlap.iou ]
                |> List.forall (fun measure -> isNanOrIn 0.0 1.0 (measure overlap))
                && same (Overlap.dice overlap) (Overlap.dice exchanged)
                && same (Overlap.iou overlap) (Overlap.iou exchanged)
                && same (Overlap.precision overlap) (Overlap.recall exchanged)
                && (Double.IsNaN(Overlap.iou overlap)
                    || abs (Overlap.dice overlap - 2.0 * Overlap.iou overlap / (1.0 + Overlap.iou overlap)) < 1e-12))

            testCase "empty masks"
            <| fun () ->
                let nothing = Mask.empty (Extent.plane 2 2)
                let all = Mask.complement nothing
                let both = Overlap.measure nothing nothing

                for measure in [ Overlap.dice; Overlap.precision; Overlap.recall; Overlap.iou ] do
                    Expect.isTrue (Double.IsNaN(measure both)) "0 of 0"

                let missed = Overlap.measure nothing all
                Expect.equal (Overlap.dice missed) 0.0 "dice"
                Expect.equal (Overlap.recall missed) 0.0 "recall"
                Expect.isTrue (Double.IsNaN(Overlap.precision missed)) "nothing was predicted"

            testCase "extents must agree"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Overlap.measure (Mask.empty (Extent.plane 2 2)) (Mask.empty (Extent.plane 2 3))
                        |> ignore)
                    "2 x 2 and 2 x 3"

            Parity.tests "parity" Parity.pairs (fun record ->
                let dice =
                    Overlap.dice (Overlap.measure (Golden.mask (record.File "pred")) (Golden.mask (record.File "gt")))

                let wanted = record.Number "dice"
                Expect.equal (Double.IsNaN dice) (Double.IsNaN wanted) "NaN"

                if not (Double.IsNaN wanted) then
                    Expect.floatClose Accuracy.veryHigh dice wanted "dice")
        ]
