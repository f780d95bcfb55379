module SkeletonRecall.Tests.PlansTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private plane: Plans =
    Planner.plan2d
        { Planner.standard with
            BaseFeatures = 4
        }
        Toy.dataset
        [ Extent.plane 64 51; Extent.plane 64 48 ]
    |> Problem.orThrow

/// The same with a volume's configuration.
let private both: Plans =
    let space: Configuration =
        {
            DataIdentifier = "nnUNetPlans_3d_fullres"
            PatchSize = [ 16; 32; 32 ]
            BatchSize = 2
            MedianSize = [ 20.0; 60.0; 70.5 ]
            Spacing = [ 1.5; 0.25; 0.3 ]
            Normalization = [ NoNormalization; RescaleTo01; RgbTo01 ]
            Resampling = Resampling.standard
            BatchDice = false
            Architecture =
                {
                    Blocks = Plain
                    FeaturesPerStage = [ 4; 8 ]
                    KernelSizes = [ [ 1; 3; 3 ]; [ 3; 3; 3 ] ]
                    Strides = [ [ 1; 1; 1 ]; [ 1; 2; 2 ] ]
                    ConvsPerStage = [ 2; 1 ]
                    ConvsPerStageDecoder = [ 2 ]
                }
            InheritsFrom = None
            PreviousStage = None
            NextStages = []
        }

    { plane with
        MedianSpacing = [ 1.5; 0.25; 0.3 ]
        MedianShape = [ 20.0; 60.0; 70.0 ]
        Configurations = plane.Configurations |> Map.add "3d_fullres" space
    }

let private parse (json: string) : Plans =
    Plans.parse "plans.json" json |> Problem.orThrow

let private shared (parts: string list) : Plans =
    Golden.sharedPath parts |> File.ReadAllText |> parse

let private message (result: Result<'T, Problem>) : string =
    match result with
    | Ok _ -> failtest "a problem is wanted"
    | Error problem -> Problem.message problem

[<Tests>]
let tests =
    testList
        "Plans"
        [
            test "what is printed is read back" {
                Expect.equal (parse (Plans.print both)) both "plans of a plane and a volume"
                // 49.5 columns are cut off in the file, as nnU-Net does.
                let read = parse (Plans.print plane)
                Expect.equal read.Configurations plane.Configurations "configurations"
                Expect.equal read.MedianShape [ 1.0; 64.0; 49.0 ] "median shape"
            }

            test "the keys are nnU-Net's, in its order" {
                use document = JsonDocument.Parse(Plans.print plane)

                let keys (element: JsonElement) =
                    [ for entry in element.EnumerateObject() -> entry.Name ]

                let root = document.RootElement

                Expect.equal
                    (keys root)
                    [
                        "dataset_name"
                        "plans_name"
                        "original_median_spacing_after_transp"
                        "original_median_shape_after_transp"
                        "image_reader_writer"
                        "transpose_forward"
                        "transpose_backward"
                        "configurations"
                        "experiment_planner_used"
                        "label_manager"
                        "foreground_intensity_properties_per_channel"
                    ]
                    "top"

                let configuration = root.GetProperty("configurations").GetProperty "2d"

                Expect.equal
                    (keys configuration)
                    [
                        "data_identifier"
                        "preprocessor_name"
                        "batch_size"
                        "patch_size"
                        "median_image_size_in_voxels"
                        "spacing"
                        "normalization_schemes"
                        "use_mask_for_norm"
                        "resampling_fn_data"
                        "resampling_fn_seg"
                        "resampling_fn_data_kwargs"
                        "resampling_fn_seg_kwargs"
                        "resampling_fn_probabilities"
                        "resampling_fn_probabilities_kwargs"
                        "architecture"
                        "batch_dice"
                    ]
                    "configuration"

                let median = configuration.GetProperty "median_image_size_in_voxels"
                Expect.equal (median[1].GetRawText()) "49.5" "median columns"
                let spacing = configuration.GetProperty "spacing"
                Expect.equal (spacing[0].GetRawText()) "1.0" "floats look like Python's"
            }

            test "plans of nnU-Net's for planes are read" {
                let plans =
                    shared [ "data"; "expected"; "nnunet_checkpoint"; "plain2d"; "plans.json" ]

                let configuration = plans.Configurations["2d"]
                Expect.equal configuration.PatchSize [ 32; 48 ] "patch"
                Expect.equal configuration.Normalization [ ZScore; ZScore; ZScore ] "normalization"
                Expect.equal configuration.Architecture.FeaturesPerStage [ 8; 16; 32; 32 ] "features"
                Expect.equal configuration.Architecture.ConvsPerStageDecoder [ 2; 2; 2 ] "decoder"
                Expect.equal plans.MedianShape [ 1.0; 32.0; 48.0 ] "median shape"
                Expect.equal (parse (Plans.print plans)) plans "printed and read back"
            }

            test "plans of Skeleton Recall's for volumes are read, the cascade too" {
                let plans =
                    shared [ "data"; "nnunet-json"; "topcow_mra_skeletonrecall"; "plans.json" ]

                Expect.equal
                    (plans.Configurations |> Map.keys |> List.ofSeq)
                    [ "2d"; "3d_cascade_fullres"; "3d_fullres"; "3d_lowres" ]
                    "configurations"

                Expect.equal plans.Configurations["3d_fullres"].PatchSize [ 64; 192; 160 ] "patch"

                let second = plans |> Plans.configuration "3d_cascade_fullres" |> Problem.orThrow
                Expect.equal second.PreviousStage (Some "3d_lowres") "its first stage"
                Expect.equal second.PatchSize plans.Configurations["3d_fullres"].PatchSize "inherited"
                Expect.stringContains (plans |> Plans.configuration "5d" |> message) "3d_lowres" "what there is"
            }

            test "plans in the spelling before nnU-Net 2.4 are read" {
                let plans = shared [ "data"; "nnunet-json"; "topcow_mr_fmusio"; "plans.json" ]
                let configuration = plans |> Plans.configuration "3d_fullres" |> Problem.orThrow
                Expect.equal configuration.PatchSize [ 64; 160; 192 ] "patch"
                Expect.equal configuration.Architecture.FeaturesPerStage.Head 32 "features"
            }

            test "other networks and schemes are named as not served" {
                let residual =
                    shared [ "data"; "expected"; "nnunet_checkpoint"; "resenc3d"; "plans.json" ]

                Expect.equal residual.Configurations["3d_fullres"].Architecture.Blocks Residual "residual blocks"

                let served = residual |> Plans.configuration "3d_fullres" |> Problem.orThrow
                Expect.equal served.Architecture.ConvsPerStage [ 1; 2; 2; 2 ] "blocks of each stage"

                let other =
                    (shared [ "data"; "nnunet-json"; "acdc_neunet"; "nnUNetPlans_ACDC.json" ]).NotServed["3d_fullres"]

                Expect.stringContains other.Reason "neUNet" "another network"

                let scheme =
                    plane
                    |> Plans.print
                    |> fun json -> json.Replace("ZScoreNorm", "MyNorm") |> parse

                Expect.stringContains scheme.NotServed["2d"].Reason "MyNormalization" "another scheme"
            }

            test "intensities and masks of normalization are read" {
                let spine = shared [ "data"; "nnunet-json"; "spine_bigboolean"; "plans.json" ]

                match spine.Configurations["2d"].Normalization with
                | [ Ct properties ] -> Expect.isTrue (properties.Low < properties.High) "percentiles"
                | other -> failtest $"CT is wanted; got %A{other}"

                let liver = shared [ "data"; "nnunet-json"; "liver_timdehaan1"; "plans.json" ]
                Expect.equal liver.Configurations["2d"].Normalization [ ZScoreInside ] "inside the mask"
            }

            test "every plans file of nnU-Net's is written back with the same values" {
                let folder = Golden.sharedPath [ "data"; "nnunet-json" ]

                for path in Directory.GetFiles(folder, "*lans*.json", SearchOption.AllDirectories) do
                    let plans = parse (File.ReadAllText path)
                    Expect.equal (parse (Plans.print plans)) plans path
            }

            test "keys that mean nothing here are kept" {
                let json =
                    (Plans.print plane).Replace("\"plans_name\"", "\"mine\": [1, {\"a\": 2.50}], \"plans_name\"")

                let plans = parse json
                Expect.equal plans.Other [ "mine", "[1, {\"a\": 2.50}]" ] "kept"
                Expect.stringContains (Plans.print plans) "2.50" "written"
            }

            test "configurations inherit, and not from themselves" {
                let json =
                    (Plans.print plane)
                        .Replace(
                            "\"configurations\": {",
                            """"configurations": {
                                "small": { "inherits_from": "2d", "batch_size": 5 },
                                "smaller": { "inherits_from": "small", "patch_size": [32, 32] },
                                "lost": { "inherits_from": "3d" },
                                "circle": { "inherits_from": "loop" }, "loop": { "inherits_from": "circle" },"""
                        )

                let plans = parse json
                let parent = plans.Configurations["2d"]

                Expect.equal
                    plans.Configurations["smaller"]
                    { parent with
                        BatchSize = 5
                        PatchSize = [ 32; 32 ]
                        InheritsFrom = Some "small"
                    }
                    "through two steps"

                Expect.stringContains plans.NotServed["lost"].Reason "3d" "a parent that is not there"
                Expect.stringContains plans.NotServed["circle"].Reason "itself" "a circle"
            }

            test "channels have their own intensities, and a channel may have none" {
                let json =
                    (Plans.print plane)
                        .Replace(
                            "\"foreground_intensity_properties_per_channel\": {}",
                            """"foreground_intensity_properties_per_channel": { "1": { "max": 5, "mean": 2, "median": 2,
                                "min": 0, "percentile_00_5": 1, "percentile_99_5": 4, "std": 0.5 } }"""
                        )

                let plans = parse json
                Expect.equal (plans.Intensities |> Map.toList |> List.map fst) [ 1 ] "channels"
                Expect.equal plans.Intensities[1].High 4.0 "percentile 99.5"
                Expect.equal (parse (Plans.print plans)) plans "printed and read back"
            }

            test "axes that are no order of three are problems" {
                for order in [ "[0, 1]"; "[0, 1, 1]"; "[\"a\", 1, 2]"; "[0, 1, 2, 2.5]"; "7" ] do
                    let json =
                        System.Text.RegularExpressions.Regex.Replace(
                            Plans.print plane,
                            "\"transpose_forward\": \\[[^]]*\\]",
                            $"\"transpose_forward\": %s{order}"
                        )

                    let problem = Plans.parse "plans.json" json |> message
                    Expect.stringContains problem "transpose_forward" order
            }

            test "files that are no plans are problems that name them" {
                for json, wanted in
                    [
                        "{", "not valid JSON"
                        "[]", "configurations"
                        "{}", "configurations"
                        """{"configurations": {}}""", "dataset_name"
                    ] do
                    let problem = Plans.parse "some/plans.json" json |> message
                    Expect.stringContains problem "some/plans.json" "file"
                    Expect.stringContains problem wanted "reason"
            }

            test "lists that do not fit each other are not served" {
                let broken =
                    (Plans.print plane).Replace("\"n_conv_per_stage_decoder\": [", "\"n_conv_per_stage_decoder\": [1,")

                Expect.stringContains (parse broken).NotServed["2d"].Reason "one entry per stage" "reason"
            }
        ]
