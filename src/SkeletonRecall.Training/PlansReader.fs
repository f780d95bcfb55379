namespace SkeletonRecall.Training

open System
open System.Text.Json

/// Reading plans.json; `Plans.parse` is the public way. Errors are reasons, without the file's name.
[<RequireQualifiedAccess>]
module internal PlansReader =

    /// A configuration's keys, those of the one that it inherits from included.
    type private Entries = Map<string, JsonElement>

    let private list
        (read: string -> JsonElement -> Result<'T, string>)
        (key: string)
        (value: JsonElement)
        : Result<'T list, string> =
        if value.ValueKind <> JsonValueKind.Array then
            Error $"\"%s{key}\" should be a list; it is %s{value.GetRawText()}"
        else
            List.foldBack
                (fun item rest ->
                    match read key item, rest with
                    | Ok item, Ok rest -> Ok(item :: rest)
                    | Error reason, _
                    | _, Error reason -> Error reason)
                (List.ofSeq (value.EnumerateArray()))
                (Ok [])

    let private whole (key: string) (value: JsonElement) : Result<int, string> =
        let mutable number = 0

        if
            value.ValueKind = JsonValueKind.Number
            && value.TryGetInt32 &number
            && number > 0
        then
            Ok number
        else
            Error $"\"%s{key}\" should hold positive whole numbers; it holds %s{value.GetRawText()}"

    let private number (key: string) (value: JsonElement) : Result<float, string> =
        if value.ValueKind = JsonValueKind.Number && value.GetDouble() > 0.0 then
            Ok(value.GetDouble())
        else
            Error $"\"%s{key}\" should hold positive numbers; it holds %s{value.GetRawText()}"

    let private text (key: string) (value: JsonElement) : Result<string, string> =
        let found =
            if value.ValueKind = JsonValueKind.String then
                value.GetString()
            else
                null

        match found with
        | null -> Error $"\"%s{key}\" should be a text; it is %s{value.GetRawText()}"
        | text -> Ok text

    let private truth (key: string) (value: JsonElement) : Result<bool, string> =
        match value.ValueKind with
        | JsonValueKind.True -> Ok true
        | JsonValueKind.False -> Ok false
        | _ -> Error $"\"%s{key}\" should be true or false; it is %s{value.GetRawText()}"

    let private entriesOf (value: JsonElement) : Entries =
        if value.ValueKind = JsonValueKind.Object then
            Map.ofList [ for entry in value.EnumerateObject() -> entry.Name, entry.Value ]
        else
            Map.empty

    let private get
        (key: string)
        (read: string -> JsonElement -> Result<'T, string>)
        (entries: Entries)
        : Result<'T, string> =
        match Map.tryFind key entries with
        | Some value -> read key value
        | None -> Error $"\"%s{key}\" is missing"

    let private require (condition: bool) (reason: string) : Result<unit, string> =
        if condition then Ok() else Error reason

    /// The entry, when it is there, must be one of the texts by its last dotted part (null counts as "null").
    let private requireName (key: string) (allowed: string list) (entries: Entries) : Result<unit, string> =
        match Map.tryFind key entries with
        | None -> Ok()
        | Some value ->
            let name = value.ToString().Split '.' |> Array.last
            let name = if name = "" then "null" else name
            let wanted = String.concat " or " allowed
            require (List.contains name allowed) $"\"%s{key}\" is %s{name}; only %s{wanted} is served"

    /// nnU-Net 2.4 and later name the network and its arguments.
    let private architecture (rank: int) (entries: Entries) : Result<Architecture, string> =
        let arguments =
            entries
            |> Map.tryFind "arch_kwargs"
            |> Option.map entriesOf
            |> Option.defaultValue Map.empty

        requireName "network_class_name" [ "PlainConvUNet" ] entries
        |> Result.bind (fun () -> requireName "conv_op" [ $"Conv%d{rank}d" ] arguments)
        |> Result.bind (fun () -> requireName "norm_op" [ $"InstanceNorm%d{rank}d" ] arguments)
        |> Result.bind (fun () -> requireName "dropout_op" [ "null" ] arguments)
        |> Result.bind (fun () -> requireName "nonlin" [ "LeakyReLU" ] arguments)
        |> Result.bind (fun () -> requireName "conv_bias" [ "True" ] arguments)
        |> Result.bind (fun () -> get "features_per_stage" (list whole) arguments)
        |> Result.bind (fun features ->
            get "kernel_sizes" (list (list whole)) arguments
            |> Result.bind (fun kernels ->
                get "strides" (list (list whole)) arguments
                |> Result.bind (fun strides ->
                    get "n_conv_per_stage" (list whole) arguments
                    |> Result.bind (fun convs ->
                        get "n_conv_per_stage_decoder" (list whole) arguments
                        |> Result.map (fun decoder ->
                            {
                                FeaturesPerStage = features
                                KernelSizes = kernels
                                Strides = strides
                                ConvsPerStage = convs
                                ConvsPerStageDecoder = decoder
                            })))))

    /// nnU-Net 2.0 to 2.3 give the first stage's features and the most of any.
    let private oldArchitecture (entries: Entries) : Result<Architecture, string> =
        requireName "UNet_class_name" [ "PlainConvUNet" ] entries
        |> Result.bind (fun () -> get "UNet_base_num_features" whole entries)
        |> Result.bind (fun first ->
            get "unet_max_num_features" whole entries
            |> Result.bind (fun most ->
                get "conv_kernel_sizes" (list (list whole)) entries
                |> Result.bind (fun kernels ->
                    get "pool_op_kernel_sizes" (list (list whole)) entries
                    |> Result.bind (fun strides ->
                        get "n_conv_per_stage_encoder" (list whole) entries
                        |> Result.bind (fun convs ->
                            get "n_conv_per_stage_decoder" (list whole) entries
                            |> Result.map (fun decoder ->
                                {
                                    FeaturesPerStage =
                                        List.init kernels.Length (fun i -> min most (first <<< min i 20))
                                    KernelSizes = kernels
                                    Strides = strides
                                    ConvsPerStage = convs
                                    ConvsPerStageDecoder = decoder
                                }))))))

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

        require
            fits
            $"the network's lists should have one entry per stage (at least 2; the decoder one fewer) and per axis (%d{rank})"
        |> Result.map (fun () -> architecture)

    let private scheme (key: string) (value: JsonElement) : Result<Normalization, string> =
        text key value
        |> Result.bind (fun name ->
            match PlansWriter.schemes |> List.tryFind (fun (_, known) -> known = name) with
            | Some(scheme, _) -> Ok scheme
            | None -> Error $"%s{name} is not served yet")

    let private configuration (entries: Entries) : Result<Configuration, string> =
        let cascade =
            Map.tryFind "previous_stage" entries
            |> Option.exists (fun value -> value.ValueKind <> JsonValueKind.Null)

        require (not cascade) "it is the second stage of a cascade, which is not served"
        |> Result.bind (fun () -> get "patch_size" (list whole) entries)
        |> Result.bind (fun patch ->
            let rank = patch.Length

            require (rank = 2 || rank = 3) "\"patch_size\" should have 2 or 3 entries"
            |> Result.bind (fun () ->
                match Map.tryFind "architecture" entries with
                | Some value -> architecture rank (entriesOf value)
                | None -> oldArchitecture entries)
            |> Result.bind (checkStages rank)
            |> Result.bind (fun architecture ->
                get "batch_size" whole entries
                |> Result.bind (fun batch ->
                    get "spacing" (list number) entries
                    |> Result.bind (fun spacing ->
                        get "normalization_schemes" (list scheme) entries
                        |> Result.bind (fun schemes ->
                            get "use_mask_for_norm" (list truth) entries
                            |> Result.bind (fun masked ->
                                require
                                    (not (List.contains true masked))
                                    "normalization within a mask (use_mask_for_norm) is not served yet")
                            |> Result.bind (fun () ->
                                require (spacing.Length = rank) "\"spacing\" should have one entry per axis")
                            |> Result.bind (fun () -> get "batch_dice" truth entries)
                            |> Result.map (fun batchDice ->
                                {
                                    PatchSize = patch
                                    BatchSize = batch
                                    Spacing = spacing
                                    Normalization = schemes
                                    BatchDice = batchDice
                                    Architecture = architecture
                                }))))))

    /// A configuration's own keys over those of the configuration that it inherits from.
    let rec private resolve (all: Entries) (seen: string list) (name: string) : Result<Entries, string> =
        match Map.tryFind name all with
        | None -> Error $"it inherits from %s{name}, which is not there"
        | Some _ when List.contains name seen -> Error $"it inherits from itself, through %s{name}"
        | Some value ->
            let own = entriesOf value

            match Map.tryFind "inherits_from" own with
            | None -> Ok own
            | Some parent ->
                text "inherits_from" parent
                |> Result.bind (resolve all (name :: seen))
                |> Result.map (fun inherited ->
                    Map.fold (fun merged key value -> Map.add key value merged) inherited own)

    /// See `Plans.parse`.
    let parse (json: string) : Result<Plans, string> =
        try
            use document = JsonDocument.Parse json
            let root = entriesOf document.RootElement

            match Map.tryFind "configurations" root with
            | None -> Error "the key \"configurations\" is missing"
            | Some value ->
                let all = entriesOf value

                let results =
                    [
                        for name in all.Keys -> name, resolve all [] name |> Result.bind configuration
                    ]

                // Files trimmed by hand may lack the medians, which nothing here depends on.
                let medians (key: string) (fallback: float) =
                    get key (list number) root |> Result.defaultValue (List.replicate 3 fallback)

                get "dataset_name" text root
                |> Result.bind (fun dataset ->
                    get "plans_name" text root
                    |> Result.map (fun name ->
                        {
                            DatasetName = dataset
                            PlansName = name
                            MedianSpacing = medians "original_median_spacing_after_transp" 1.0
                            MedianShape = medians "original_median_shape_after_transp" 1.0
                            Configurations =
                                results
                                |> List.choose (fun (name, result) ->
                                    result |> Result.toOption |> Option.map (fun found -> name, found))
                                |> Map.ofList
                            NotServed =
                                results
                                |> List.choose (fun (name, result) ->
                                    match result with
                                    | Ok _ -> None
                                    | Error reason -> Some(name, reason))
                                |> Map.ofList
                        }))
        with :? JsonException as error ->
            let line = error.LineNumber.GetValueOrDefault() + 1L
            Error $"it is not valid JSON (line %d{line})"

/// Reading and writing plans.json (nnU-Net v2's plans_handler.py), for U-Nets of plain convolutions.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Plans =

    /// The text of plans.json with nnU-Net's keys in its order, indent 4. `NotServed` configurations are left out, and the
    /// intensity properties, which no scheme here uses, are empty. The image reader named is nnU-Net's for PNG and JPEG files
    /// where the images are planes, and SimpleITK's otherwise.
    let print (plans: Plans) : string = PlansWriter.print plans

    /// Plans from the text of plans.json, new and old spelling (before nnU-Net 2.4) alike, `inherits_from` resolved.
    /// `path` serves the messages. Configurations that cannot be used here end in `NotServed`, with the reason.
    let parse (path: string) (json: string) : Result<Plans, Problem> =
        PlansReader.parse json
        |> Result.mapError (fun reason -> Unreadable(path, reason))

    /// One configuration by name. A problem that says why when it is not there or not served.
    let configuration (name: string) (plans: Plans) : Result<Configuration, Problem> =
        match Map.tryFind name plans.Configurations, Map.tryFind name plans.NotServed with
        | Some found, _ -> Ok found
        | None, Some reason ->
            Error(Mismatch($"configuration %s{name} of %s{plans.DatasetName}", reason, "one that is served"))
        | None, None ->
            let known = plans.Configurations.Keys |> String.concat ", "
            Error(Mismatch($"configuration of %s{plans.DatasetName}", name, $"one of its plans: %s{known}"))
