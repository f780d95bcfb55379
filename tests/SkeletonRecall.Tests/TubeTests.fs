module SkeletonRecall.Tests.TubeTests

open System
open Expecto
open SkeletonRecall

let private isTubeOf (labels: LabelMap) (tube: LabelMap) : bool =
    Array.forall2 (fun (label: int16) painted -> painted = 0s || painted = label) labels.Data tube.Data

let private steps (steps: int) : TubeOptions =
    { Tube.standard with
        Radius = TubeRadius.Steps steps
    }

let private count (labels: LabelMap) : int =
    labels.Data |> Array.sumBy (fun label -> if label <> 0s then 1 else 0)

[<Tests>]
let tests =
    testList
        "Tube"
        [
            Property.test "a tube is 0 or the label, and grows with the radius" (fun (AnyLabels labels) ->
                let tubes = [ 0..4 ] |> List.map (fun radius -> Tube.ofLabels (steps radius) labels)

                tubes |> List.forall (isTubeOf labels)
                && tubes |> List.pairwise |> List.forall (fun (thin, thick) -> isTubeOf thick thin))

            Property.test "binarizes and assigns as one would voxel by voxel" (fun (AnyLabels labels) ->
                let mask = Tube.binarize labels
                let wanted = Mask.ofVolume (fun (label: int16) -> label > 0s) labels
                let holes = Mask.complement mask

                let painted =
                    Array.map2
                        (fun (label: int16) inside -> label * int16 inside)
                        labels.Data
                        (Mask.toVolume holes).Data

                Mask.equal mask wanted
                && (Tube.assignClasses labels mask).Data = Array.map (max 0s) labels.Data
                && (Tube.assignClasses labels holes).Data = painted)

            Property.test "radius 0 is the skeleton itself" (fun (AnyLabels labels) ->
                count (Tube.ofLabels (steps 0) labels) = Mask.count (Skeleton.thin (Tube.binarize labels)))

            Property.test "leaves its input alone" (fun (AnyLabels labels) ->
                let before = Array.copy labels.Data
                Tube.ofLabels Tube.standard labels |> ignore
                before = labels.Data)

            testCase "an empty map has an empty tube"
            <| fun () ->
                let labels = Volume.create (Extent.space 3 4 5) (Array.zeroCreate<int16> 60)
                Expect.equal (count (Tube.ofLabels Tube.standard labels)) 0 "voxels"

            testCase "negative labels are background, yet stay what they are under the tube"
            <| fun () ->
                let labels = Volume.create (Extent.plane 1 5) [| 1s; 1s; 1s; -1s; 0s |]
                Expect.equal (Mask.count (Tube.binarize labels)) 3 "binarized"
                Expect.equal (Tube.ofLabels Tube.standard labels).Data [| 1s; 1s; 1s; -1s; 0s |] "as upstream"

            testCase "a negative radius is refused"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Tube.ofLabels (steps -1) (Volume.create (Extent.plane 1 1) [| 1s |]) |> ignore)
                    "-1"

            testCase "extents must agree"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Tube.assignClasses (Volume.create (Extent.plane 1 1) [| 1s |]) (Mask.empty (Extent.plane 1 2))
                        |> ignore)
                    "1 x 1 and 1 x 2"

            Parity.tests "parity" Parity.masks (fun record ->
                let labels =
                    Golden.labels (Option.defaultWith (fun () -> record.File "mask") (record.TryFile "seg"))

                let check (options: TubeOptions) (key: string) (wanted: string) =
                    let got = Tube.ofLabels options labels
                    Expect.equal (got.Data) (Golden.labels wanted).Data $"%s{record.Name}: %s{key}"

                check Tube.standard "tube" (record.File "tube")

                match record.TryFile "thinlabel" with
                | Some wanted -> check (steps 0) "thinlabel" wanted
                | None -> ())
        ]
