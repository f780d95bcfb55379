namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open System.Text
open System.Text.Json

/// Writing plans.json; `Plans.print` is the public way.
[<RequireQualifiedAccess>]
module internal PlansWriter =

    /// nnU-Net's names of the normalization schemes.
    let schemes: (Normalization * string) list =
        [
            ZScore, "ZScoreNormalization"
            RescaleTo01, "RescaleTo01Normalization"
            RgbTo01, "RGBTo01Normalization"
            NoNormalization, "NoNormalization"
        ]

    // Python's spelling of a float, so that Python reads a float again.
    let private writeFloat (writer: Utf8JsonWriter) (value: float) : unit =
        let text = value.ToString("R", CultureInfo.InvariantCulture)

        writer.WriteRawValue(
            if text.IndexOfAny [| '.'; 'E' |] >= 0 then
                text.ToLowerInvariant()
            else
                text + ".0"
        )

    let private writeList (writer: Utf8JsonWriter) (name: string) (write: 'T -> unit) (values: 'T list) : unit =
        writer.WriteStartArray name
        List.iter write values
        writer.WriteEndArray()

    let private writeInts (writer: Utf8JsonWriter) (name: string) (values: int list) : unit =
        writeList writer name (fun (value: int) -> writer.WriteNumberValue value) values

    let private writeIntLists (writer: Utf8JsonWriter) (name: string) (values: int list list) : unit =
        let row (values: int list) =
            writer.WriteStartArray()
            values |> List.iter (fun (value: int) -> writer.WriteNumberValue value)
            writer.WriteEndArray()

        writeList writer name row values

    let private writeResampling (writer: Utf8JsonWriter) : unit =
        let keywords (name: string) (isLabel: bool) (order: int) =
            writer.WriteStartObject name
            writer.WriteBoolean("is_seg", isLabel)
            writer.WriteNumber("order", order)
            writer.WriteNumber("order_z", 0)
            writer.WriteNull "force_separate_z"
            writer.WriteEndObject()

        let name = "resample_data_or_seg_to_shape"
        writer.WriteString("resampling_fn_data", name)
        writer.WriteString("resampling_fn_seg", name)
        keywords "resampling_fn_data_kwargs" false 3
        keywords "resampling_fn_seg_kwargs" true 1
        writer.WriteString("resampling_fn_probabilities", name)
        keywords "resampling_fn_probabilities_kwargs" false 1

    let private writeArchitecture (writer: Utf8JsonWriter) (rank: int) (architecture: Architecture) : unit =
        writer.WriteStartObject "architecture"

        writer.WriteString("network_class_name", "dynamic_network_architectures.architectures.unet.PlainConvUNet")

        writer.WriteStartObject "arch_kwargs"
        writer.WriteNumber("n_stages", architecture.FeaturesPerStage.Length)
        writeInts writer "features_per_stage" architecture.FeaturesPerStage
        writer.WriteString("conv_op", $"torch.nn.modules.conv.Conv%d{rank}d")
        writeIntLists writer "kernel_sizes" architecture.KernelSizes
        writeIntLists writer "strides" architecture.Strides
        writeInts writer "n_conv_per_stage" architecture.ConvsPerStage
        writeInts writer "n_conv_per_stage_decoder" architecture.ConvsPerStageDecoder
        writer.WriteBoolean("conv_bias", true)
        writer.WriteString("norm_op", $"torch.nn.modules.instancenorm.InstanceNorm%d{rank}d")
        writer.WriteStartObject "norm_op_kwargs"
        writer.WritePropertyName "eps"
        writer.WriteRawValue "1e-05"
        writer.WriteBoolean("affine", true)
        writer.WriteEndObject()
        writer.WriteNull "dropout_op"
        writer.WriteNull "dropout_op_kwargs"
        writer.WriteString("nonlin", "torch.nn.LeakyReLU")
        writer.WriteStartObject "nonlin_kwargs"
        writer.WriteBoolean("inplace", true)
        writer.WriteEndObject()
        writer.WriteEndObject()

        writeList
            writer
            "_kw_requires_import"
            (fun (name: string) -> writer.WriteStringValue name)
            [ "conv_op"; "norm_op"; "dropout_op"; "nonlin" ]

        writer.WriteEndObject()

    let private writeConfiguration
        (writer: Utf8JsonWriter)
        (plans: Plans)
        (name: string)
        (configuration: Configuration)
        : unit =
        let rank = configuration.PatchSize.Length
        writer.WriteStartObject name
        writer.WriteString("data_identifier", $"%s{plans.PlansName}_%s{name}")
        writer.WriteString("preprocessor_name", "DefaultPreprocessor")
        writer.WriteNumber("batch_size", configuration.BatchSize)
        writeInts writer "patch_size" configuration.PatchSize

        // The median size at the configuration's spacing.
        List.map3
            (fun size raw target ->
                if raw = target then
                    size
                else
                    Math.Round(size * raw / target: float))
            (List.skip (3 - rank) plans.MedianShape)
            (List.skip (3 - rank) plans.MedianSpacing)
            configuration.Spacing
        |> writeList writer "median_image_size_in_voxels" (writeFloat writer)

        writeList writer "spacing" (writeFloat writer) configuration.Spacing

        configuration.Normalization
        |> writeList writer "normalization_schemes" (fun scheme ->
            writer.WriteStringValue(schemes |> List.find (fun (known, _) -> known = scheme) |> snd))

        configuration.Normalization
        |> writeList writer "use_mask_for_norm" (fun _ -> writer.WriteBooleanValue false)

        writeResampling writer
        writeArchitecture writer rank configuration.Architecture
        writer.WriteBoolean("batch_dice", configuration.BatchDice)
        writer.WriteEndObject()

    /// See `Plans.print`.
    let print (plans: Plans) : string =
        use buffer = new MemoryStream()

        do
            use writer =
                new Utf8JsonWriter(buffer, JsonWriterOptions(Indented = true, IndentSize = 4, NewLine = "\n"))

            let planes = plans.MedianShape.Head = 1.0
            writer.WriteStartObject()
            writer.WriteString("dataset_name", plans.DatasetName)
            writer.WriteString("plans_name", plans.PlansName)
            writeList writer "original_median_spacing_after_transp" (writeFloat writer) plans.MedianSpacing

            // nnU-Net writes whole numbers here, cut off.
            writeInts writer "original_median_shape_after_transp" (List.map int plans.MedianShape)
            writer.WriteString("image_reader_writer", (if planes then "NaturalImage2DIO" else "SimpleITKIO"))
            writeInts writer "transpose_forward" [ 0; 1; 2 ]
            writeInts writer "transpose_backward" [ 0; 1; 2 ]
            writer.WriteStartObject "configurations"
            plans.Configurations |> Map.iter (writeConfiguration writer plans)
            writer.WriteEndObject()
            writer.WriteString("experiment_planner_used", "ExperimentPlanner")
            writer.WriteString("label_manager", "LabelManager")
            writer.WriteStartObject "foreground_intensity_properties_per_channel"
            writer.WriteEndObject()
            writer.WriteEndObject()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"
