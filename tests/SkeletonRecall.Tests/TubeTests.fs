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

let private classes (labels: LabelMap) : int16 list =
    labels.Data
    |> Array.distinct
    |> Array.filter (fun label -> label > 0s)
    |> List.ofArray

let private only (label: int16) (labels: LabelMap) : LabelMap =
    Volume.map (fun value -> if value = label then label else 0s) labels

let private each: TubeOptions =
    { Tube.standard with
        SkeletonOf = SkeletonOf.EachClass
    }

// Each option away from its default, and some together.
let private variants: TubeOptions list =
    [
        each
        { Tube.standard with
            Radius = TubeRadius.Ball 2.5
        }
        { Tube.standard with Ignore = Some 2s }
        { Tube.standard with Guard = true }
        { Tube.standard with Prune = 4.0 }
        { Tube.standard with
            Thinning = Some Thinning.Lee
        }
        { each with
            Radius = TubeRadius.Ball 1.5
            Ignore = Some 1s
            Guard = true
            Prune = 3.0
        }
    ]

let private labelsOf (lines: string list) : LabelMap =
    lines
    |> List.toArray
    |> Array.collect (fun line -> line.ToCharArray())
    |> Array.map (fun cell -> if cell = '.' then 0s else int16 cell - int16 '0')
    |> Volume.create (Extent.plane lines.Length lines[0].Length)

let private linesOf (labels: LabelMap) : string list =
    labels.Data
    |> Array.map (fun label -> if label = 0s then '.' else char (int '0' + int label))
    |> Array.chunkBySize labels.Extent.Width
    |> Array.map String
    |> List.ofArray

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

            Property.test "under any options a tube is 0 or the label" (fun (AnyLabels labels) ->
                variants
                |> List.forall (fun options -> isTubeOf labels (Tube.ofLabels options labels)))

            Property.test
                "of each class: the union over the classes of the tubes of each alone"
                (fun (AnyLabels labels) ->
                    [ each; { each with Guard = true } ]
                    |> List.forall (fun options ->
                        let alone =
                            classes labels
                            |> List.map (fun label -> (Tube.ofLabels Tube.standard (only label labels)).Data)

                        let alone =
                            if options.Guard then
                                classes labels
                                |> List.map (fun label ->
                                    (Tube.ofLabels { Tube.standard with Guard = true } (only label labels)).Data)
                            else
                                alone

                        let union =
                            List.fold (Array.map2 max) (Array.zeroCreate<int16> labels.Extent.Count) alone

                        (Tube.ofLabels options labels).Data = union))

            Property.test "under the guard each class has a tube wherever it is" (fun (AnyLabels labels) ->
                let tube =
                    Tube.ofLabels
                        { each with
                            Guard = true
                            Radius = TubeRadius.Steps 0
                        }
                        labels

                let pair = ConnectivityPair.standard labels.Extent.Rank

                classes labels
                |> List.forall (fun label ->
                    Topology.betti pair (Tube.binarize (only label tube)) =
                        Topology.betti pair (Tube.binarize (only label labels))))

            Property.test "an ignored label is as if it were background" (fun (AnyLabels labels) ->
                [ Tube.standard; each ]
                |> List.forall (fun options ->
                    [ 1s; 2s; 9s ]
                    |> List.forall (fun label ->
                        let without = Volume.map (fun value -> if value = label then 0s else value) labels

                        (Tube.ofLabels { options with Ignore = Some label } labels).Data =
                            (Tube.ofLabels options without).Data)))

            testCase "an ignored label below 0 is not painted either"
            <| fun () ->
                let labels = Volume.create (Extent.plane 1 5) [| 1s; 1s; 1s; -1s; 0s |]

                Expect.equal
                    (Tube.ofLabels { Tube.standard with Ignore = Some -1s } labels).Data
                    [| 1s; 1s; 1s; 0s; 0s |]
                    "-1 is 0"

            Property.test "a ball grows with its radius, and is the skeleton's neighbourhood" (fun (AnyLabels labels) ->
                let steps = List.init labels.Extent.Rank (fun axis -> 0.5 * float (axis + 1))
                let labels = labels |> Volume.withSpacing (Spacing.ofList steps)
                let radii = [ 0.25; 0.5; 1.0; 1.75; 3.0 ]

                let tubes =
                    radii
                    |> List.map (fun radius ->
                        Tube.ofLabels
                            { Tube.standard with
                                Radius = TubeRadius.Ball radius
                            }
                            labels)

                let distance = labels |> Tube.binarize |> Skeleton.thin |> Distance.toMask

                let near (radius: float) : int16[] =
                    Array.map2
                        (fun distance label -> if distance <= radius then label else 0s)
                        distance.Data
                        labels.Data

                tubes |> List.pairwise |> List.forall (fun (thin, thick) -> isTubeOf thick thin)
                && List.forall2 (fun radius (tube: LabelMap) -> tube.Data = near radius) radii tubes)

            Property.test "pruning and the method are those of skeletons" (fun (AnyLabels labels) ->
                let wanted =
                    labels
                    |> Tube.binarize
                    |> Skeleton.thinBy Thinning.Lee
                    |> Skeleton.prune 3.0
                    |> Tube.assignClasses labels

                let options =
                    { steps 0 with
                        Prune = 3.0
                        Thinning = Some Thinning.Lee
                    }

                (Tube.ofLabels options labels).Data = wanted.Data)

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

            testCase "options out of range are refused by what came"
            <| fun () ->
                let labels = Volume.create (Extent.plane 1 1) [| 1s |]

                for options, text in
                    [
                        steps -1, "got -1"
                        steps 17, "got 17"
                        { Tube.standard with
                            Radius = TubeRadius.Ball 0.0
                        },
                        "got 0"
                        { Tube.standard with
                            Radius = TubeRadius.Ball nan
                        },
                        "got NaN"
                        { Tube.standard with
                            Radius = TubeRadius.Ball infinity
                        },
                        "got Inf"
                        { Tube.standard with Prune = -1.5 }, "got -1.5"
                        { Tube.standard with Prune = nan }, "got NaN"
                    ] do
                    for work in
                        [
                            fun () -> Tube.ofLabels options labels |> ignore
                            fun () -> Tube.ofRegions options [ [ 1s ] ] labels |> ignore
                            fun () -> Tube.skeleton options (Tube.binarize labels) |> ignore
                            fun () -> Tube.grow options (Tube.binarize labels) |> ignore
                        ] do
                        let message =
                            try
                                work ()
                                "nothing"
                            with :? ArgumentException as refused ->
                                refused.Message

                        Expect.stringContains message text $"%A{options}"

                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Tube.ofLabels
                            { Tube.standard with
                                Thinning = Some Thinning.Zhang
                            }
                            (Volume.create (Extent.space 1 1 1) [| 1s |])
                        |> ignore)
                    "Zhang's on a volume"

            testCase "the pictures of the documentation"
            <| fun () ->
                let dot = Generators.plane [ "....."; "....."; "..#.."; "....."; "....." ]

                let grown (radius: TubeRadius) (spacing: float list) : string =
                    dot
                    |> Mask.withSpacing (Spacing.ofList spacing)
                    |> Tube.grow { Tube.standard with Radius = radius }
                    |> Generators.picture

                let lines (rows: string list) = String.concat "\n" rows + "\n"

                Expect.equal
                    (grown (TubeRadius.Steps 2) [ 1.0; 1.0 ])
                    (lines [ "..#.."; ".###."; "#####"; ".###."; "..#.." ])
                    "steps"

                Expect.equal
                    (grown (TubeRadius.Ball 2.3) [ 1.0; 1.0 ])
                    (lines [ ".###."; "#####"; "#####"; "#####"; ".###." ])
                    "ball"

                Expect.equal
                    (grown (TubeRadius.Ball 2.3) [ 2.0; 1.0 ])
                    (lines [ "....."; ".###."; "#####"; ".###."; "....." ])
                    "rows apart"

                let bands =
                    labelsOf [ for label in [ "1"; "1"; "1"; "2"; "2" ] -> String.replicate 8 label ]

                Expect.equal
                    (linesOf (Tube.ofLabels (steps 0) bands))
                    [ "........"; ".....11."; "..111..."; "........"; "........" ]
                    "merged"

                Expect.equal
                    (linesOf (
                        Tube.ofLabels
                            { steps 0 with
                                SkeletonOf = SkeletonOf.EachClass
                            }
                            bands
                    ))
                    [ "......1."; "111111.."; "........"; "22222222"; "........" ]
                    "each class"

                let part = labelsOf [ "...999"; "111999"; "...999" ]

                Expect.equal
                    (linesOf (Tube.ofLabels { steps 0 with Ignore = Some 9s } part))
                    [ "......"; "111..."; "......" ]
                    "ignored"

                let spur = labelsOf [ "...1...."; "...1...."; "11111111" ]

                Expect.equal
                    (linesOf (Tube.ofLabels { steps 0 with Prune = 3.0 } spur))
                    [ "........"; "........"; "11111111" ]
                    "pruned"

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
