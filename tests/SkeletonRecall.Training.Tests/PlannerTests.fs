module SkeletonRecall.Tests.PlannerTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private planned (result: Result<Plans, Problem>) : Configuration =
    match result with
    | Ok plans -> plans.Configurations["2d"]
    | Error problem -> failtest (Problem.message problem)

let private refused (result: Result<Plans, Problem>) : string =
    match result with
    | Ok _ -> failtest "a problem is wanted"
    | Error problem -> Problem.message problem

let private dataset (channels: string list) (count: int) : Dataset =
    { Toy.dataset with
        ChannelNames = channels
        TrainingCount = count
    }

let private rgb = [ "R"; "G"; "B" ]

let private sample
    (kind: PlannerKind)
    (channels: string list)
    (count: int)
    (classes: int)
    (spacings: float list list)
    (shapes: int list list)
    : Plans =
    let dataset =
        { dataset channels count with
            Labels = ("background", 0) :: [ for id in 1..classes -> $"class%d{id}", id ]
        }

    // As many cases as there are, of the given kinds in turn.
    let turn (kinds: 'T list) : 'T list =
        List.init count (fun case -> kinds[case % kinds.Length])

    let intensity: IntensityProperties =
        {
            Maximum = 4.0
            Mean = 2.0
            Median = 2.0
            Minimum = 0.0
            Low = 1.0
            High = 3.0
            Deviation = 0.5
        }

    {
        Spacings = turn spacings
        Shapes = turn shapes
        Intensities = Map(channels |> List.mapi (fun channel _ -> channel, intensity))
        RelativeSize = 1.0
    }
    |> Planner.ofFingerprint { Planner.standard with Kind = kind } dataset
    |> Problem.orThrow

// ../shared/reference/nnunet-facts.md, section 3.11: configuration, batch, patch, stages.
let private samples =
    let ct = [ "CT" ]
    let mri = [ "mri" ]
    let cube = [ [ 0.3; 0.3; 0.3 ] ], [ [ 280; 400; 400 ] ]
    let circle = [ [ 0.6; 0.297; 0.297 ] ], [ [ 160; 520; 440 ] ]

    let heart =
        [ [ 10.0; 1.56; 1.56 ]; [ 5.0; 1.4; 1.4 ] ], [ [ 9; 216; 256 ]; [ 12; 256; 216 ] ]

    let plane (height: int) (width: int) =
        [ [ 999.0; 1.0; 1.0 ] ], [ [ 1; height; width ] ]

    let small = [ [ 1.0; 1.0; 1.0 ] ], [ [ 36; 50; 35 ] ]

    [
        "A", PlannerKind.Plain, ct, 40, 1, cube, [ "2d", 16, [ 448; 448 ], 7; "3d_fullres", 2, [ 112; 160; 128 ], 6 ]
        "A, low", PlannerKind.Plain, ct, 40, 1, cube, [ "3d_lowres", 2, [ 96; 160; 160 ], 6 ]
        "A, ResEncL", PlannerKind.ResEncL, ct, 40, 1, cube, [ "3d_fullres", 2, [ 128; 224; 224 ], 6 ]
        "B", PlannerKind.Plain, mri, 90, 13, circle, [ "2d", 12, [ 576; 448 ], 7; "3d_fullres", 2, [ 64; 192; 160 ], 6 ]
        "B, low", PlannerKind.Plain, mri, 90, 13, circle, [ "3d_lowres", 2, [ 64; 224; 160 ], 6 ]
        "B, ResEncM", PlannerKind.ResEncM, mri, 90, 13, circle, [ "3d_fullres", 2, [ 56; 192; 160 ], 6 ]
        "B, ResEncL", PlannerKind.ResEncL, mri, 90, 13, circle, [ "3d_fullres", 2, [ 80; 256; 256 ], 7 ]
        "C", PlannerKind.Plain, mri, 200, 3, heart, [ "2d", 49, [ 256; 256 ], 7; "3d_fullres", 4, [ 16; 256; 256 ], 7 ]
        "C, ResEncM", PlannerKind.ResEncM, mri, 200, 3, heart, [ "3d_fullres", 3, [ 16; 256; 256 ], 7 ]
        "C, ResEncL", PlannerKind.ResEncL, mri, 200, 3, heart, [ "3d_fullres", 11, [ 16; 256; 256 ], 7 ]
        "D", PlannerKind.Plain, rgb, 1108, 1, plane 1500 1500, [ "2d", 2, [ 1280; 1024 ], 9 ]
        "D, ResEncM", PlannerKind.ResEncM, rgb, 1108, 1, plane 1500 1500, [ "2d", 13, [ 512; 512 ], 8 ]
        "D, ResEncL", PlannerKind.ResEncL, rgb, 1108, 1, plane 1500 1500, [ "2d", 13, [ 896; 768 ], 8 ]
        "E", PlannerKind.Plain, rgb, 20, 1, plane 584 565, [ "2d", 2, [ 640; 640 ], 8 ]
        "E, ResEncM", PlannerKind.ResEncM, rgb, 20, 1, plane 584 565, [ "2d", 13, [ 512; 512 ], 8 ]
        "F", PlannerKind.Plain, mri, 260, 2, small, [ "2d", 366, [ 56; 40 ], 4; "3d_fullres", 9, [ 40; 56; 40 ], 4 ]
        "F, ResEncM", PlannerKind.ResEncM, mri, 260, 2, small, [ "3d_fullres", 58, [ 40; 56; 40 ], 4 ]
    ]
    |> List.map (fun (name, kind, channels, count, classes, (spacings, shapes), wanted) ->
        name, kind, channels, count, classes, spacings, shapes, wanted)

[<Tests>]
let tests =
    testList
        "Planner"
        [
            // A plain network of nnU-Net's for 512 x 512: 8 stages, 2 classes.
            test "the measure of memory is nnU-Net's" {
                let pooling = Pooling.topology [ 1.0; 1.0 ] [ 512; 512 ]
                Expect.equal (FeatureMaps.count Planner.standard 2 pooling) 82_624_512.0 "values"
            }

            // Plans of nnU-Net's own planner: spacing, median size, voxels of all cases; patch, batch, stages.
            for name, spacing, median, voxels, classes, patch, batch, stages in
                [
                    "a CT", 0.3, [ 400.0; 400.0 ], 280.0 * 400.0 * 400.0 * 40.0, 2, [ 448; 448 ], 16, 7
                    "vessels of the head",
                    0.297,
                    [ 520.0; 440.0 ],
                    160.0 * 520.0 * 440.0 * 90.0,
                    14,
                    [ 576; 448 ],
                    12,
                    7
                    "hearts", 1.48, [ 235.0; 237.0 ], 15.0 * 235.0 * 237.0 * 200.0, 4, [ 256; 256 ], 49, 7
                    "hippocampi", 1.0, [ 50.0; 35.0 ], 36.0 * 50.0 * 35.0 * 260.0, 3, [ 56; 40 ], 366, 4
                ] do
                test $"the plane of %s{name} is planned as by nnU-Net" {
                    let configuration =
                        Planner.plane Planner.standard classes [ ZScore ] [ spacing; spacing ] median voxels

                    Expect.equal configuration.PatchSize patch "patch"
                    Expect.equal configuration.BatchSize batch "batch"
                    Expect.equal configuration.Architecture.Strides.Length stages "stages"
                }

            test "roads are planned as by nnU-Net" {
                let configuration =
                    planned (Planner.plan2d Planner.standard (dataset rgb 1108) [ Extent.plane 1500 1500 ])

                Expect.equal configuration.PatchSize [ 1280; 1024 ] "patch"
                Expect.equal configuration.BatchSize 2 "batch"

                Expect.equal
                    configuration.Architecture.FeaturesPerStage
                    [ 32; 64; 128; 256; 512; 512; 512; 512; 512 ]
                    "features"

                Expect.equal configuration.Normalization [ ZScore; ZScore; ZScore ] "colours"
                Expect.isTrue configuration.BatchDice "batch Dice"
            }

            test "retinas are planned as by nnU-Net" {
                let configuration =
                    planned (Planner.plan2d Planner.standard (dataset rgb 20) [ Extent.plane 584 565 ])

                Expect.equal configuration.PatchSize [ 640; 640 ] "patch"
                Expect.equal configuration.BatchSize 2 "batch"
                Expect.equal configuration.Architecture.Strides.Length 8 "stages"
            }

            test "options are followed" {
                let options =
                    { Planner.standard with
                        BaseFeatures = 8
                        MaxFeatures = 20
                        PatchSize = Some [ 100; 128 ]
                        BatchSize = Some 3
                        ConvsPerStage = 1
                    }

                let configuration =
                    planned (
                        Planner.plan2d options (dataset [ "grey" ] 5) [ Extent.plane 300 300; Extent.plane 200 200 ]
                    )

                Expect.equal configuration.PatchSize [ 112; 128 ] "patch, padded"
                Expect.equal configuration.BatchSize 3 "batch"
                Expect.equal configuration.Architecture.FeaturesPerStage [ 8; 16; 20; 20; 20 ] "features"
                Expect.equal configuration.Architecture.ConvsPerStage [ 1; 1; 1; 1; 1 ] "encoder"
                Expect.equal configuration.Architecture.ConvsPerStageDecoder [ 1; 1; 1; 1 ] "decoder"
            }

            test "channel names choose their scheme" {
                let schemes =
                    [ "grey"; "NoNorm"; "rescale_to_0_1"; "RGB_to_0_1"; "zscore" ]
                    |> List.map (Planner.normalization None false)

                Expect.equal schemes [ Ok ZScore; Ok NoNormalization; Ok RescaleTo01; Ok RgbTo01; Ok ZScore ] "schemes"
                Expect.isError (Planner.normalization None false "CT") "CT"
                Expect.equal (Planner.normalization None true "grey") (Ok ZScoreInside) "cropped by much"
            }

            test "what cannot be planned is a problem that says so" {
                let plan = Planner.plan2d Planner.standard (dataset [ "grey" ] 5)
                Expect.stringContains (refused (plan [])) "no images" "no images"
                Expect.stringContains (refused (plan [ Extent.space 3 9 9 ])) "3 x 9 x 9" "a volume"
                Expect.stringContains (refused (plan [ Extent.plane 7 7 ])) "8 pixels" "tiny images"

                let ct = Planner.plan2d Planner.standard (dataset [ "CT" ] 5) [ Extent.plane 64 64 ]
                Expect.stringContains (refused ct) "CT" "a scheme that is not served"

                let long =
                    { Planner.standard with
                        PatchSize = Some [ 64; 64; 64 ]
                    }

                let result = Planner.plan2d long (dataset [ "grey" ] 5) [ Extent.plane 64 64 ]
                Expect.stringContains (refused result) "two sizes" "a patch of three axes"
            }

            testList
                "the fact sheet's data sets"
                [
                    for name, kind, channels, count, classes, spacings, shapes, wanted in samples do
                        test name {
                            let plans = sample kind channels count classes spacings shapes

                            for configuration, batch, patch, stages in wanted do
                                let found = plans.Configurations[configuration]

                                Expect.equal
                                    (found.BatchSize, found.PatchSize, found.Architecture.Strides.Length)
                                    (batch, patch, stages)
                                    configuration
                        }
                ]

            test "a low resolution is planned where a patch would show too little, and only there" {
                let plans =
                    sample PlannerKind.Plain [ "mri" ] 90 13 [ [ 0.6; 0.297; 0.297 ] ] [ [ 160; 520; 440 ] ]

                let low = plans.Configurations["3d_lowres"]
                Expect.equal low.MedianSize [ 103.0; 324.0; 274.0 ] "median"

                for found, wanted in List.zip low.Spacing [ 0.9347804; 0.4765978; 0.4765978 ] do
                    Expect.floatClose Accuracy.medium found wanted "spacing"

                Expect.equal
                    (plans.Configurations
                     |> Map.map (fun _ configuration -> configuration.BatchDice)
                     |> Map.toList)
                    [
                        "2d", true
                        "3d_cascade_fullres", true
                        "3d_fullres", true
                        "3d_lowres", false
                    ]
                    "batch Dice"

                let full = plans.Configurations["3d_fullres"].Architecture
                Expect.equal (List.take 3 full.Strides) [ [ 1; 1; 1 ]; [ 1; 2; 2 ]; [ 2; 2; 2 ] ] "strides"
                Expect.equal (List.take 2 full.KernelSizes) [ [ 1; 3; 3 ]; [ 3; 3; 3 ] ] "kernels"

                let wide =
                    sample PlannerKind.ResEncL [ "CT" ] 40 1 [ [ 0.3; 0.3; 0.3 ] ] [ [ 280; 400; 400 ] ]

                Expect.equal (wide.Configurations |> Map.keys |> List.ofSeq) [ "2d"; "3d_fullres" ] "large patches"
            }

            test "few coarse slices take the 10th percentile" {
                let plans =
                    sample
                        PlannerKind.Plain
                        [ "mri" ]
                        200
                        3
                        [ [ 10.0; 1.56; 1.56 ]; [ 5.0; 1.4; 1.4 ] ]
                        [ [ 9; 216; 256 ]; [ 12; 256; 216 ] ]

                Expect.equal plans.Configurations["3d_fullres"].Spacing[0] 5.0 "slices"
                Expect.equal plans.MedianSpacing[0] 7.5 "the median stays"
            }

            test "axes are transposed so that the coarsest is first" {
                let plans =
                    sample PlannerKind.Plain [ "mri" ] 20 1 [ [ 0.5; 0.5; 2.0 ] ] [ [ 200; 180; 40 ] ]

                Expect.equal plans.Transpose [ 2; 0; 1 ] "transpose"
                Expect.equal plans.MedianShape [ 40.0; 200.0; 180.0 ] "shape"
                Expect.equal plans.Configurations["2d"].Spacing [ 0.5; 0.5 ] "spacing of planes"
            }

            test "memory, spacing and name are followed" {
                let fingerprint =
                    {
                        Spacings = [ [ 1.0; 1.0; 1.0 ] ]
                        Shapes = [ [ 200; 200; 200 ] ]
                        Intensities = Map.empty
                        RelativeSize = 1.0
                    }

                let plans (options: PlannerOptions) =
                    Planner.ofFingerprint options (dataset [ "mri" ] 100) fingerprint
                    |> Problem.orThrow

                let voxels (plans: Plans) =
                    plans.Configurations["3d_fullres"].PatchSize |> List.fold (*) 1

                let usual = plans Planner.standard

                let small =
                    plans
                        { Planner.standard with
                            MemoryTarget = Some 2.0
                        }

                Expect.isLessThan (voxels small) (voxels usual) "a smaller patch in less memory"

                let coarse =
                    plans
                        { Planner.standard with
                            TargetSpacing = Some [ 2.0; 2.0; 4.0 ]
                            PlansName = Some "coarse"
                        }

                Expect.equal coarse.Configurations["3d_fullres"].Spacing [ 4.0; 2.0; 2.0 ] "spacing, transposed"
                Expect.equal coarse.Configurations["3d_fullres"].MedianSize [ 50.0; 100.0; 100.0 ] "size there"
                Expect.equal coarse.Configurations["2d"].DataIdentifier "coarse_2d" "folder"

                let wrong =
                    { Planner.standard with
                        TargetSpacing = Some [ 1.0; nan; 1.0 ]
                    }

                Expect.stringContains
                    (refused (Planner.ofFingerprint wrong (dataset [ "mri" ] 100) fingerprint))
                    "target spacing"
                    "NaN"

                for memory in [ 0.0; nan; 0.0001 ] do
                    Expect.throwsC
                        (fun () ->
                            plans
                                { Planner.standard with
                                    MemoryTarget = Some memory
                                }
                            |> ignore)
                        (fun error -> Expect.stringContains error.Message "GB" "names the memory")
            }

            testList
                "fingerprints of public data sets"
                [
                    for folder, plansFile in
                        [
                            "2d_xujialiu", "nnUNetPlans.json"
                            "coronary_stenosis_2d_stenunet", "nnUNetPlans.json"
                            "fdg_petct", "nnUNetPlans.json"
                            "liver_timdehaan1", "plans.json"
                            "msseg_full_results", "nnUNetPlans.json"
                            "topcow_mra_skeletonrecall", "plans.json"
                        ] do
                        test folder {
                            let path (file: string) =
                                Golden.sharedPath [ "data"; "nnunet-json"; folder; file ]

                            let text (file: string) = System.IO.File.ReadAllText(path file)

                            let dataset =
                                Dataset.parse (path "dataset.json") (text "dataset.json") |> Problem.orThrow

                            let fingerprint =
                                Fingerprint.parse folder (text "dataset_fingerprint.json") |> Problem.orThrow

                            let wanted = Plans.parse folder (text plansFile) |> Problem.orThrow

                            let planned =
                                Planner.ofFingerprint Planner.standard dataset fingerprint |> Problem.orThrow

                            Expect.equal planned.MedianSpacing wanted.MedianSpacing "median spacing"

                            Expect.equal
                                (List.map int planned.MedianShape)
                                (List.map int wanted.MedianShape)
                                "median shape"

                            Expect.equal planned.Transpose wanted.Transpose "transpose"
                            Expect.equal planned.ImageReader wanted.ImageReader "reader"
                            Expect.equal planned.Intensities wanted.Intensities "intensities"

                            Expect.equal
                                (Map.keys planned.Configurations |> List.ofSeq)
                                (Map.keys wanted.Configurations |> List.ofSeq)
                                "names"

                            for entry in wanted.Configurations do
                                Expect.equal planned.Configurations[entry.Key] entry.Value entry.Key
                        }
                ]
        ]
