module SkeletonRecall.Tests.MeasuresTests

open System
open Expecto
open SkeletonRecall

let private value (profile: Profile) (measure: Measure) (prediction: Mask) (truth: Mask) : float =
    Measures.ofPair profile [ measure ] None prediction truth
    |> List.exactlyOne
    |> snd

let private same (wanted: float) (got: float) (name: string) : unit =
    if Double.IsFinite wanted then
        Expect.floatClose Accuracy.veryHigh got wanted name
    else
        Expect.equal (string got) (string wanted) name

let private labels (rows: string list) : LabelMap =
    let data =
        rows
        |> String.concat ""
        |> Seq.map (fun letter -> int16 letter - int16 '0')
        |> Array.ofSeq

    Volume.create (Extent.plane rows.Length rows[0].Length) data

let private mask (rows: string list) : Mask =
    labels rows |> Mask.ofVolume (fun label -> label > 0s)

let private nothing = mask [ "00000"; "00000"; "00000" ]
let private bar = mask [ "00000"; "11111"; "00000" ]
let private other = mask [ "11111"; "00000"; "00000" ]

// Thinning erases it whole.
let private erased =
    Mask.ofVolume ((=) 1uy) (Volume.create (Extent.space 2 2 2) (Array.create 8 1uy))

let private noVoxel = Mask.empty (Extent.space 2 2 2)

[<Tests>]
let tests =
    testList
        "Measures"
        [
            Property.test "every measure is there once, in the order asked for" (fun (AnyPair(prediction, truth)) ->
                let asked = List.rev Measure.all
                let values = Measures.ofPair Profile.paper asked None prediction truth
                List.map fst values = asked)

            Property.test "a mask agrees with itself by every profile" (fun (AnyMask mask) ->
                // Where outside is no background, a mask of the whole image has no contour.
                let full = Mask.count mask = mask.Extent.Count

                Profile.all
                |> List.forall (fun profile ->
                    Measures.ofPair profile Measure.all None mask mask
                    |> List.forall (fun (measure, value) ->
                        let expected =
                            match Measure.better measure with
                            | Better.Higher -> Mask.isEmpty mask || value = 1.0 || Mask.isEmpty (Skeleton.thin mask)
                            | Better.Lower -> value = 0.0 || Mask.isEmpty mask
                            | Better.Neither -> true

                        // A skeleton of single voxels has no branches.
                        let branchless =
                            Double.IsNaN value
                            && (measure = Measure.BranchesDetected || measure = Measure.TreeLengthDetected)
                            && (BranchDetection.measure mask mask).Branches = 0

                        expected
                        || branchless
                        || (full && profile.Name = "toothfairy" && Double.IsNaN value))))

            testCase "empty masks, by profile"
            <| fun () ->
                let rows =
                    [
                        Measure.Dice, nothing, nothing, [ nan; 0.0; 0.0; nan; 1.0 ]
                        Measure.IoU, nothing, nothing, [ nan; 0.0; 0.0; nan; nan ]
                        Measure.Precision, nothing, bar, [ 0.0; 0.0; 0.0; 0.0; nan ]
                        Measure.Recall, bar, nothing, [ 0.0; 0.0; 0.0; 0.0; nan ]
                        Measure.Dice, bar, nothing, [ 0.0; 0.0; 0.0; 0.0; 0.0 ]
                        Measure.VolumeDifference, nothing, bar, [ 1.0; 1.0; 1.0; 1.0; 1.0 ]
                        Measure.ClDice, nothing, nothing, [ nan; 0.0; 0.0; 1.0; nan ]
                        Measure.ClDice, nothing, bar, [ 0.0; 0.0; 0.0; 0.0; nan ]
                        Measure.ClDice, bar, other, [ 0.0; 0.0; 0.0; 0.0; nan ]
                        Measure.ClDice, erased, erased, [ nan; 0.0; 0.0; 1.0; nan ]
                        Measure.TopologyPrecision, erased, noVoxel, [ 0.0; 0.0; 0.0; 1.0; nan ]
                        Measure.HausdorffDistance95, nothing, nothing, [ nan; 90.0; 290.0; nan; 0.0 ]
                        Measure.HausdorffDistance95, nothing, bar, [ sqrt 34.0; 90.0; 290.0; infinity; nan ]
                        Measure.SurfaceDice, nothing, nothing, [ nan; 0.0; 0.0; nan; 1.0 ]
                        Measure.SurfaceDice, bar, nothing, [ 0.0; 0.0; 0.0; 0.0; 0.0 ]
                        Measure.HausdorffDistance, bar, other, [ 1.0; 1.0; 1.0; 1.0; 1.0 ]
                        Measure.B0Error, nothing, bar, [ 1.0; 1.0; 1.0; 1.0; 1.0 ]
                    ]

                for measure, prediction, truth, wanted in rows do
                    List.zip Profile.all wanted
                    |> List.iter (fun (profile, wanted) ->
                        same
                            wanted
                            (value profile measure prediction truth)
                            $"%s{Measure.print measure} by %s{profile.Name}")

            testCase "what is not valid counts nowhere"
            <| fun () ->
                let truth = mask [ "11000"; "00000"; "00011" ]
                let prediction = mask [ "10000"; "00000"; "00000" ]
                let valid = mask [ "11111"; "11111"; "00000" ]

                let values =
                    Measures.ofPair
                        Profile.paper
                        [
                            Measure.TruePositives
                            Measure.FalseNegatives
                            Measure.TrueNegatives
                            Measure.B0True
                        ]
                        (Some valid)
                        prediction
                        truth

                Expect.equal (List.map snd values) [ 1.0; 1.0; 8.0; 1.0 ] "counts"

            testCase "errors of windows are means over them"
            <| fun () ->
                // Left window: 2 components for 1; right window: 1 for 1; the whole: 2 for 1.
                let truth = mask [ "1111"; "0000" ]
                let prediction = mask [ "1011"; "0000" ]
                let windows = { Profile.paper with Window = Some 2 }
                same 1.0 (value Profile.paper Measure.B0Error prediction truth) "whole"
                same 0.0 (value windows Measure.B0Error prediction truth) "windows"
                let apart = mask [ "1000"; "0100" ]
                let four = Profile.withPair (ConnectivityPair.dual Connectivity.Four) windows
                same 1.0 (value four Measure.B0Error apart (mask [ "1000"; "0001" ])) "4/8"
                same 0.5 (value windows Measure.EulerError apart (mask [ "1000"; "0001" ])) "8/4"

            testCase "classes, their mean and the merged one"
            <| fun () ->
                let truth = labels [ "1122"; "0000"; "0003" ]
                let prediction = labels [ "1120"; "0000"; "4000" ]

                let scores (averaging: Averaging) =
                    Measures.ofLabels
                        { Profile.paper with
                            Averaging = averaging
                        }
                        [ Measure.Dice; Measure.B0Error ]
                        [ 1; 2; 3; 4; 5 ]
                        None
                        prediction
                        truth

                let present = scores Averaging.Present

                Expect.equal
                    (present.Classes |> List.map (fun (label, values) -> label, snd values[1]))
                    [ 1, 0.0; 2, 0.0; 3, 1.0; 4, 1.0; 5, 0.0 ]
                    "B0 errors"

                same ((1.0 + 2.0 / 3.0) / 4.0) (snd present.Mean[0]) "Dice, present"
                same 0.5 (snd present.Mean[1]) "B0 error, present"
                same ((1.0 + 2.0 / 3.0) / 3.0) (snd (scores Averaging.InTruth).Mean[0]) "Dice, in the truth"
                same 0.4 (snd (scores Averaging.All).Mean[1]) "B0 error, all"
                same (2.0 * 3.0 / 9.0) (snd present.Merged[0]) "merged"

            testCase "values of other measures have no mean"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Measures.mean [ Measure.Dice ] [ [ Measure.IoU, 1.0 ] ] |> ignore)
                    "IoU for Dice"

            // The records name upstream's tprec and tsens, which are exchanged (see the folder's conventions).
            Parity.tests "parity" Parity.pairs (fun record ->
                let prediction, truth =
                    Golden.mask (record.File "pred"), Golden.mask (record.File "gt")

                let measured (measure: Measure) =
                    value Profile.metricsReloaded measure prediction truth

                same (record.Number "tsens") (measured Measure.TopologyPrecision) "precision"
                same (record.Number "tprec") (measured Measure.TopologySensitivity) "sensitivity"
                same (record.Number "cldice") (measured Measure.ClDice) "clDice"

                if not (Mask.isEmpty prediction && Mask.isEmpty truth) then
                    same (record.Number "dice") (measured Measure.Dice) "Dice"

                for name, wanted in record.Counts "betti_gt" do
                    let pair = ConnectivityPair.dual (Parity.connectivity (name.Substring 2))

                    let ours =
                        snd (record.Counts "betti_pred" |> List.find (fun (other, _) -> other = name))

                    let profile = Profile.withPair pair Profile.paper

                    [ Measure.B0Error; Measure.B1Error; Measure.B2Error ]
                    |> List.take wanted.Length
                    |> List.zip3 ours wanted
                    |> List.iter (fun (ours, wanted, measure) ->
                        same
                            (float (abs (ours - wanted)))
                            (value profile measure prediction truth)
                            $"%s{name} %O{measure}"))
        ]
