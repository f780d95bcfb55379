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

[<Tests>]
let tests =
    testList
        "Planner"
        [
            // A plain network of nnU-Net's for 512 x 512: 8 stages, 2 classes.
            test "the measure of memory is nnU-Net's" {
                let pooling = Pooling.topology [ 1.0; 1.0 ] [ 512; 512 ]
                Expect.equal (Planner.featureValues Planner.standard 2 pooling) 82_624_512.0 "values"
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
                    |> List.map Planner.normalization

                Expect.equal schemes [ Ok ZScore; Ok NoNormalization; Ok RescaleTo01; Ok RgbTo01; Ok ZScore ] "schemes"
                Expect.isError (Planner.normalization "CT") "CT"
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
        ]
