namespace SkeletonRecall.Training

open System.Text.Json

/// Reading one configuration of plans.json; `Plans.parse` is the public way. Errors are reasons, without the file's name.
[<RequireQualifiedAccess>]
module internal ConfigurationReader =

    type private Entries = JsonParts.Entries

    /// The last dotted part of a name, without which older and newer module paths differ.
    let private lastPart (name: string) : string = Array.last (name.Split '.')

    let private blocks (key: string) (entries: Entries) : Result<Blocks, string> =
        JsonParts.get key JsonParts.text entries
        |> Result.bind (fun name ->
            match lastPart name with
            | "PlainConvUNet" -> Ok Plain
            | "ResidualEncoderUNet" -> Ok Residual
            | other -> Error $"\"%s{key}\" is %s{other}; only PlainConvUNet or ResidualEncoderUNet is served")

    let private encoderKey (blocks: Blocks) : string =
        match blocks with
        | Plain -> "n_conv_per_stage"
        | Residual -> "n_blocks_per_stage"

    /// nnU-Net 2.4 and later name the network and its arguments.
    let private architecture (rank: int) (entries: Entries) : Result<Architecture, string> =
        let arguments =
            entries
            |> Map.tryFind "arch_kwargs"
            |> Option.map JsonParts.entriesOf
            |> Option.defaultValue Map.empty

        Problem.attempt {
            let! blocks = blocks "network_class_name" entries
            do! JsonParts.requireName "conv_op" [ $"Conv%d{rank}d" ] arguments
            do! JsonParts.requireName "norm_op" [ $"InstanceNorm%d{rank}d" ] arguments
            do! JsonParts.requireName "dropout_op" [ "null" ] arguments
            do! JsonParts.requireName "nonlin" [ "LeakyReLU" ] arguments
            do! JsonParts.requireName "conv_bias" [ "True" ] arguments

            let! features =
                JsonParts.get "features_per_stage" (JsonParts.list JsonParts.whole) arguments

            let! kernels =
                JsonParts.get "kernel_sizes" (JsonParts.list (JsonParts.list JsonParts.whole)) arguments

            let! strides =
                JsonParts.get "strides" (JsonParts.list (JsonParts.list JsonParts.whole)) arguments

            let! encoder =
                JsonParts.get (encoderKey blocks) (JsonParts.list JsonParts.whole) arguments

            let! decoder =
                JsonParts.get "n_conv_per_stage_decoder" (JsonParts.list JsonParts.whole) arguments

            return
                {
                    Blocks = blocks
                    FeaturesPerStage = features
                    KernelSizes = kernels
                    Strides = strides
                    ConvsPerStage = encoder
                    ConvsPerStageDecoder = decoder
                }
        }

    /// nnU-Net 2.0 to 2.3 give the first stage's features and the most of any.
    let private oldArchitecture (entries: Entries) : Result<Architecture, string> =
        Problem.attempt {
            let! blocks = blocks "UNet_class_name" entries
            let! first = JsonParts.get "UNet_base_num_features" JsonParts.whole entries
            let! most = JsonParts.get "unet_max_num_features" JsonParts.whole entries

            let! kernels =
                JsonParts.get "conv_kernel_sizes" (JsonParts.list (JsonParts.list JsonParts.whole)) entries

            let! strides =
                JsonParts.get "pool_op_kernel_sizes" (JsonParts.list (JsonParts.list JsonParts.whole)) entries

            let! encoder =
                JsonParts.get "n_conv_per_stage_encoder" (JsonParts.list JsonParts.whole) entries

            let! decoder =
                JsonParts.get "n_conv_per_stage_decoder" (JsonParts.list JsonParts.whole) entries

            return
                {
                    Blocks = blocks
                    FeaturesPerStage = List.init kernels.Length (fun stage -> min most (first <<< min stage 20))
                    KernelSizes = kernels
                    Strides = strides
                    ConvsPerStage = encoder
                    ConvsPerStageDecoder = decoder
                }
        }

    let private checkStages (rank: int) (architecture: Architecture) : Result<Architecture, string> =
        let stages = architecture.FeaturesPerStage.Length

        let fits =
            stages >= 2
            && architecture.KernelSizes.Length = stages
            && architecture.Strides.Length = stages
            && architecture.ConvsPerStage.Length = stages
            && architecture.ConvsPerStageDecoder.Length = stages - 1
            && List.forall (fun (sizes: int list) -> sizes.Length = rank) architecture.KernelSizes
            && List.forall (fun (sizes: int list) -> sizes.Length = rank) architecture.Strides

        JsonParts.require
            fits
            $"the network's lists should have one entry per stage (at least 2; the decoder one fewer) and per axis (%d{rank})"
        |> Result.bind (fun () ->
            JsonParts.require
                (List.forall (List.forall (fun size -> size % 2 = 1)) architecture.KernelSizes
                 && List.forall ((=) 1) architecture.Strides.Head)
                "the network's kernels should be odd, and its first stage without a stride")
        |> Result.map (fun () -> architecture)

    let private scheme (intensities: Map<int, IntensityProperties>) (channel: int) (name: string) (masked: bool) =
        match name, masked with
        | "ZScoreNormalization", true -> Ok ZScoreInside
        | "ZScoreNormalization", false -> Ok ZScore
        | "RescaleTo01Normalization", _ -> Ok RescaleTo01
        | "RGBTo01Normalization", _ -> Ok RgbTo01
        | "NoNormalization", _ -> Ok NoNormalization
        | "CTNormalization", _ ->
            match Map.tryFind channel intensities with
            | Some intensity -> Ok(Ct intensity)
            | None ->
                Error
                    $"CTNormalization of channel %d{channel} needs its entry in \"foreground_intensity_properties_per_channel\""
        | other, _ -> Error $"%s{other} is not served"

    let private normalization
        (intensities: Map<int, IntensityProperties>)
        (entries: Entries)
        : Result<Normalization list, string> =
        Problem.attempt {
            let! names =
                JsonParts.get "normalization_schemes" (JsonParts.list JsonParts.text) entries

            let! masked =
                JsonParts.get "use_mask_for_norm" (JsonParts.list JsonParts.truth) entries

            if names.Length <> masked.Length then
                return!
                    Error "\"normalization_schemes\" and \"use_mask_for_norm\" should have one entry per channel each"
            else
                return!
                    List.zip names masked
                    |> List.mapi (fun channel (name, masked) -> scheme intensities channel name masked)
                    |> Problem.collect
        }

    /// The arguments of one of the three resampling functions: its order, its order along z and whether z is separate.
    let private resamplingOf (what: string) (entries: Entries) : Result<int * int * bool option, string> =
        Problem.attempt {
            do! JsonParts.requireName $"resampling_fn_%s{what}" [ "resample_data_or_seg_to_shape" ] entries

            let arguments =
                entries
                |> Map.tryFind $"resampling_fn_%s{what}_kwargs"
                |> Option.map JsonParts.entriesOf
                |> Option.defaultValue Map.empty

            let number (key: string) (fallback: int) =
                match Map.tryFind key arguments with
                | Some value when value.ValueKind = JsonValueKind.Number && fst (value.TryGetInt32()) ->
                    Ok(value.GetInt32())
                | Some value -> Error $"\"%s{key}\" should be a whole number; it is %s{value.GetRawText()}"
                | None -> Ok fallback

            let! order = number "order" (if what = "data" then 3 else 1)
            let! orderAlongZ = number "order_z" 0

            if order < 0 || order > 3 || order = 2 || (what = "seg" && order > 1) then
                return! Error $"\"order\" of \"resampling_fn_%s{what}_kwargs\" is %d{order}, which is not served"
            elif orderAlongZ <> 0 then
                return! Error $"\"order_z\" is %d{orderAlongZ}; only 0 is served"
            else
                match Map.tryFind "force_separate_z" arguments with
                | Some value when value.ValueKind <> JsonValueKind.Null ->
                    let! separate = JsonParts.truth "force_separate_z" value
                    return order, orderAlongZ, Some separate
                | _ -> return order, orderAlongZ, None
        }

    let private resampling (entries: Entries) : Result<Resampling, string> =
        Problem.attempt {
            let! imageOrder, orderAlongZ, separate = resamplingOf "data" entries
            let! labelOrder, _, labelSeparate = resamplingOf "seg" entries
            let! probabilityOrder, _, backSeparate = resamplingOf "probabilities" entries

            if labelSeparate <> separate || backSeparate <> separate then
                return!
                    Error "\"force_separate_z\" differs between images, labels and probabilities, which is not served"
            else
                return
                    {
                        ImageOrder = imageOrder
                        LabelOrder = labelOrder
                        ProbabilityOrder = probabilityOrder
                        OrderAlongZ = orderAlongZ
                        SeparateZ = separate
                    }
        }

    /// A text or null or nothing.
    let private optional (key: string) (entries: Entries) : Result<string option, string> =
        match Map.tryFind key entries with
        | Some value when value.ValueKind <> JsonValueKind.Null -> JsonParts.text key value |> Result.map Some
        | _ -> Ok None

    /// The configuration of its entries.
    let configuration (intensities: Map<int, IntensityProperties>) (entries: Entries) : Result<Configuration, string> =
        Problem.attempt {
            let! patch = JsonParts.get "patch_size" (JsonParts.list JsonParts.whole) entries
            let rank = patch.Length
            do! JsonParts.require (rank = 2 || rank = 3) "\"patch_size\" should have 2 or 3 entries"

            let! architecture =
                match Map.tryFind "architecture" entries with
                | Some value -> architecture rank (JsonParts.entriesOf value)
                | None -> oldArchitecture entries

            let! architecture = checkStages rank architecture
            let! batch = JsonParts.get "batch_size" JsonParts.whole entries
            let! spacing = JsonParts.get "spacing" (JsonParts.list JsonParts.number) entries
            do! JsonParts.require (spacing.Length = rank) "\"spacing\" should have one entry per axis"
            let! normalization = normalization intensities entries
            let! resampling = resampling entries
            let! batchDice = JsonParts.get "batch_dice" JsonParts.truth entries
            let! previous = optional "previous_stage" entries
            let! parent = optional "inherits_from" entries

            let! next =
                match Map.tryFind "next_stage" entries with
                | Some value when value.ValueKind = JsonValueKind.Array ->
                    JsonParts.list JsonParts.text "next_stage" value
                | _ -> optional "next_stage" entries |> Result.map Option.toList

            let! median =
                match Map.tryFind "median_image_size_in_voxels" entries with
                | Some value -> JsonParts.list JsonParts.number "median_image_size_in_voxels" value
                // Added by hand, and read by nothing.
                | None -> Ok(List.map float patch)

            return
                {
                    DataIdentifier =
                        JsonParts.get "data_identifier" JsonParts.text entries
                        |> Result.defaultValue "nnUNetPlans"
                    PatchSize = patch
                    BatchSize = batch
                    MedianSize = median
                    Spacing = spacing
                    Normalization = normalization
                    Resampling = resampling
                    BatchDice = batchDice
                    Architecture = architecture
                    InheritsFrom = parent
                    PreviousStage = previous
                    NextStages = next
                }
        }
