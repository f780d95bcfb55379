namespace SkeletonRecall.Training

open System.Globalization
open System.Text.Json
open System.Text.Json.Nodes

/// Writing plans.json; `Plans.print` is the public way.
[<RequireQualifiedAccess>]
module internal PlansWriter =

    let private node (json: string) : JsonNode | null = JsonNode.Parse json

    let private text (value: string) : JsonNode | null = JsonValue.Create value
    let whole (value: int) : JsonNode | null = JsonValue.Create value
    let private truth (value: bool) : JsonNode | null = JsonValue.Create value

    // Python's spelling of a float, so that Python reads a float again.
    let number (value: float) : JsonNode | null =
        let text = value.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant()

        node (
            if text.IndexOfAny [| '.'; 'e' |] >= 0 then
                text
            else
                text + ".0"
        )

    let list (write: 'T -> JsonNode | null) (values: 'T list) : JsonNode | null =
        JsonArray(values |> List.map write |> Array.ofList)

    let private option (write: 'T -> JsonNode | null) (value: 'T option) : JsonNode | null =
        match value with
        | Some value -> write value
        | None -> null

    let object (entries: (string * (JsonNode | null)) list) : JsonObject =
        let result = JsonObject()
        entries |> List.iter (fun (key, value) -> result.Add(key, value))
        result

    let private schemeName (scheme: Normalization) : string =
        match scheme with
        | ZScore
        | ZScoreInside -> "ZScoreNormalization"
        | Ct _ -> "CTNormalization"
        | RescaleTo01 -> "RescaleTo01Normalization"
        | RgbTo01 -> "RGBTo01Normalization"
        | NoNormalization -> "NoNormalization"

    let private resampling (options: Resampling) : (string * (JsonNode | null)) list =
        let keywords (isLabel: bool) (order: int) : JsonNode | null =
            object
                [
                    "is_seg", truth isLabel
                    "order", whole order
                    "order_z", whole options.OrderAlongZ
                    "force_separate_z", option truth options.SeparateZ
                ]

        let name = "resample_data_or_seg_to_shape"

        [
            "resampling_fn_data", text name
            "resampling_fn_seg", text name
            "resampling_fn_data_kwargs", keywords false options.ImageOrder
            "resampling_fn_seg_kwargs", keywords true options.LabelOrder
            "resampling_fn_probabilities", text name
            "resampling_fn_probabilities_kwargs", keywords false options.ProbabilityOrder
        ]

    let private architecture (rank: int) (architecture: Architecture) : JsonNode | null =
        let networkName, encoderKey =
            match architecture.Blocks with
            | Plain -> "PlainConvUNet", "n_conv_per_stage"
            | Residual -> "ResidualEncoderUNet", "n_blocks_per_stage"

        let arguments =
            object
                [
                    "n_stages", whole architecture.FeaturesPerStage.Length
                    "features_per_stage", list whole architecture.FeaturesPerStage
                    "conv_op", text $"torch.nn.modules.conv.Conv%d{rank}d"
                    "kernel_sizes", list (list whole) architecture.KernelSizes
                    "strides", list (list whole) architecture.Strides
                    encoderKey, list whole architecture.ConvsPerStage
                    "n_conv_per_stage_decoder", list whole architecture.ConvsPerStageDecoder
                    "conv_bias", truth true
                    "norm_op", text $"torch.nn.modules.instancenorm.InstanceNorm%d{rank}d"
                    "norm_op_kwargs", node """{"eps": 1e-05, "affine": true}"""
                    "dropout_op", null
                    "dropout_op_kwargs", null
                    "nonlin", text "torch.nn.LeakyReLU"
                    "nonlin_kwargs", node """{"inplace": true}"""
                ]

        object
            [
                "network_class_name", text $"dynamic_network_architectures.architectures.unet.%s{networkName}"
                "arch_kwargs", arguments
                "_kw_requires_import", list text [ "conv_op"; "norm_op"; "dropout_op"; "nonlin" ]
            ]

    let private ownEntries (configuration: Configuration) : JsonObject =
        // A low resolution's sizes are rounded, so that nnU-Net writes them as whole numbers.
        let isRounded = not configuration.NextStages.IsEmpty

        object
            [
                "data_identifier", text configuration.DataIdentifier
                "preprocessor_name", text "DefaultPreprocessor"
                "batch_size", whole configuration.BatchSize
                "patch_size", list whole configuration.PatchSize
                "median_image_size_in_voxels",
                list (fun size -> if isRounded then whole (int size) else number size) configuration.MedianSize
                "spacing", list number configuration.Spacing
                "normalization_schemes", list (schemeName >> text) configuration.Normalization
                "use_mask_for_norm", list (fun scheme -> truth (scheme = ZScoreInside)) configuration.Normalization
                yield! resampling configuration.Resampling
                "architecture", architecture configuration.PatchSize.Length configuration.Architecture
                "batch_dice", truth configuration.BatchDice
                match configuration.NextStages with
                | [] -> ()
                | [ next ] -> "next_stage", text next
                | several -> "next_stage", list text several
                match configuration.PreviousStage with
                | None -> ()
                | Some previous -> "previous_stage", text previous
            ]

    /// What differs from the configuration that it was written as a change of.
    let private configuration (plans: Plans) (configuration: Configuration) : JsonNode | null =
        let own = ownEntries configuration

        match
            configuration.InheritsFrom
            |> Option.bind (fun name ->
                Map.tryFind name plans.Configurations
                |> Option.map (fun parent -> name, ownEntries parent))
        with
        | None -> own
        | Some(name, parent) ->
            let changed =
                [
                    for entry in own do
                        if not (JsonNode.DeepEquals(entry.Value, parent[entry.Key])) then
                            let value =
                                match entry.Value with
                                | null -> null
                                | value -> value.DeepClone()

                            entry.Key, value
                ]

            object (("inherits_from", text name) :: changed)

    let private intensity (values: IntensityProperties) : JsonNode | null =
        object
            [
                "max", number values.Maximum
                "mean", number values.Mean
                "median", number values.Median
                "min", number values.Minimum
                "percentile_00_5", number values.Low
                "percentile_99_5", number values.High
                "std", number values.Deviation
            ]

    /// The channels' intensities under their numbers.
    let intensities (values: Map<int, IntensityProperties>) : JsonNode | null =
        object [ for entry in values -> string entry.Key, intensity entry.Value ]

    /// Indented by 4, as Python writes it.
    let indented (root: JsonObject) : string =
        let options = JsonSerializerOptions(WriteIndented = true, IndentSize = 4)
        options.NewLine <- "\n"
        options.Encoder <- System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping
        root.ToJsonString options + "\n"

    /// nnU-Net's order of the configurations that it plans; others follow by name.
    let private order (name: string) : int * string =
        match name with
        | "2d" -> 0, name
        | "3d_lowres" -> 1, name
        | "3d_fullres" -> 2, name
        | "3d_cascade_fullres" -> 3, name
        | _ -> 4, name

    /// See `Plans.print`.
    let print (plans: Plans) : string =
        let served =
            plans.Configurations
            |> Map.toList
            |> List.map (fun (name, value) -> name, configuration plans value)

        let others =
            plans.NotServed
            |> Map.toList
            |> List.map (fun (name, kept) -> name, node kept.Json)

        let inverse =
            [ 0 .. plans.Transpose.Length - 1 ]
            |> List.map (fun axis -> List.findIndex ((=) axis) plans.Transpose)

        object
            [
                "dataset_name", text plans.DatasetName
                "plans_name", text plans.PlansName
                "original_median_spacing_after_transp", list number plans.MedianSpacing
                // nnU-Net writes whole numbers here, cut off.
                "original_median_shape_after_transp", list (int >> whole) plans.MedianShape
                "image_reader_writer", text plans.ImageReader
                "transpose_forward", list whole plans.Transpose
                "transpose_backward", list whole inverse
                "configurations", (object (served @ others |> List.sortBy (fst >> order)))
                "experiment_planner_used", text plans.Planner
                "label_manager", text "LabelManager"
                "foreground_intensity_properties_per_channel", intensities plans.Intensities
                for key, json in plans.Other do
                    key, node json
            ]
        |> indented
