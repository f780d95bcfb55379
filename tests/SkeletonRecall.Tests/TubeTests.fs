module SkeletonRecall.Tests.TubeTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Tests.Tubes

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

            Property.test "regions: alone or of the merged foreground, each inside itself" (fun (AnyLabels labels) ->
                let regions = [ [ 1s; 2s; 3s ]; [ 2s ]; [ 3s; 1s ] ]

                let masks =
                    regions
                    |> List.map (fun region -> Mask.ofVolume (fun label -> List.contains label region) labels)

                let alone =
                    masks
                    |> List.map (fun mask ->
                        mask
                        |> Skeleton.thin
                        |> Morphology.dilate Element.Cross 2
                        |> Mask.intersect mask)

                let merged = Tube.binarize (Tube.ofLabels Tube.standard labels)

                List.forall2 Mask.equal (Tube.ofRegions each regions labels) alone
                && List.forall2
                    Mask.equal
                    (Tube.ofRegions Tube.standard regions labels)
                    (List.map (Mask.intersect merged) masks))

            testCase "regions have labels, and no ignored ones"
            <| fun () ->
                let labels = Volume.create (Extent.plane 1 4) [| 1s; 1s; 2s; 2s |]

                match Tube.ofRegions { each with Ignore = Some 2s } [ [ 1s; 2s ]; [ 2s ] ] labels with
                | [ both; second ] ->
                    Expect.equal (Mask.toVolume both).Data [| 1uy; 1uy; 0uy; 0uy |] "the part that counts"
                    Expect.isTrue (Mask.isEmpty second) "ignored whole"
                | other -> failtest $"two regions, %d{other.Length} tubes"

                Expect.throwsT<ArgumentException> (fun () -> Tube.ofRegions each [ [] ] labels |> ignore) "no labels"

            Property.test "is the composition of its steps" (fun (AnyLabels labels) ->
                [ 0..3 ]
                |> List.forall (fun radius ->
                    let wanted =
                        labels
                        |> Tube.binarize
                        |> Skeleton.thin
                        |> Morphology.dilate Element.Cross radius
                        |> Tube.assignClasses labels

                    Volume.equal (Tube.ofLabels (steps radius) labels) wanted))

            Property.test "into the caller's memory it is the same" (fun (AnyLabels labels) ->
                let into (options: TubeOptions) (source: int16[]) (target: int16[]) =
                    Tube.ofLabelsInto options labels.Extent labels.Spacing (ReadOnlySpan source) (Span target)

                Tube.standard :: steps 0 :: steps 1 :: variants
                |> List.filter (fun options -> options.Thinning <> Some Thinning.Zhang)
                |> List.forall (fun options ->
                    let wanted = (Tube.ofLabels options labels).Data
                    let dirty = Array.create labels.Extent.Count 77s
                    into options labels.Data dirty
                    let itself = Array.copy labels.Data
                    into options itself itself
                    dirty = wanted && itself = wanted))

            Property.test "many at once are each by itself" (fun (AnyLabels labels) ->
                let maps = [| labels; only 1s labels; only 2s labels; labels |]
                let wanted = maps |> Array.map (Tube.ofLabels Tube.standard)

                [ 1..5 ]
                |> List.forall (fun threads ->
                    Array.forall2 Volume.equal (Tube.ofMany threads Tube.standard maps) wanted))

            testCase "memory of other lengths, shifted memory and another rank's spacing are refused"
            <| fun () ->
                let extent = Extent.plane 3 5
                let store = Array.zeroCreate<int16> 40

                let refused (spacing: Spacing) (from: int, count: int) (target: int, room: int) (message: string) =
                    Expect.throwsT<ArgumentException>
                        (fun () ->
                            Tube.ofLabelsInto
                                Tube.standard
                                extent
                                spacing
                                (ReadOnlySpan(store, from, count))
                                (Span(store, target, room)))
                        message

                refused (Spacing.unit 2) (0, 14) (20, 15) "14 labels"
                refused (Spacing.unit 2) (0, 15) (20, 16) "a target of 16"
                refused (Spacing.unit 2) (0, 15) (1, 15) "a target one value into the labels"
                refused (Spacing.unit 3) (0, 15) (20, 15) "a spacing of a volume"

            testCase "an empty map has an empty tube"
            <| fun () ->
                let labels = Volume.create (Extent.space 3 4 5) (Array.zeroCreate<int16> 60)
                Expect.equal (count (Tube.ofLabels Tube.standard labels)) 0 "voxels"

            testCase "negative labels are background, yet stay what they are under the tube"
            <| fun () ->
                let labels = Volume.create (Extent.plane 1 5) [| 1s; 1s; 1s; -1s; 0s |]
                Expect.equal (Mask.count (Tube.binarize labels)) 3 "binarized"
                Expect.equal (Tube.ofLabels Tube.standard labels).Data [| 1s; 1s; 1s; -1s; 0s |] "as upstream"

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
