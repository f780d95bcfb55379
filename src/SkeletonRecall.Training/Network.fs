namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// Named values of a network or an optimizer as plain arrays, row-major.
type NamedArray =
    {
        Name: string
        Shape: int list
        Values: float32[]
    }

/// A network: its parameters and what it computes. Inputs are (B, channels, spatial...), with every spatial size a
/// multiple of `Network.divisor`.
type Network =
    {
        /// Holds the parameters, under nnU-Net's names, and moves them between devices.
        Module: torch.nn.Module
        /// Logits (B, classes, spatial...) of every head, finest first; the finest has the size of the input.
        Forward: Tensor -> Tensor list
        /// Logits of the finest head alone.
        Finest: Tensor -> Tensor
    }

/// nnU-Net's U-Nets in 2 and 3 dimensions, their encoder plain (PlainConvUNet) or residual (ResidualEncoderUNet): per block
/// a convolution with bias, instance normalization (affine, eps 1e-5) and leaky ReLU (slope 0.01); a stage's first
/// block carries its stride; transposed convolutions go up; a 1 x 1 head stands on every decoder level.
/// Ronneberger, Fischer and Brox 2015 (U-Net); Isensee et al. 2021 and 2024 (nnU-Net, its residual encoders).
[<RequireQualifiedAccess>]
module Network =

    let private check (architecture: Architecture) : unit =
        let stages = architecture.FeaturesPerStage.Length

        let requireCount (name: string) (count: int) (wanted: int) =
            if count <> wanted then
                invalidArg (nameof architecture) $"%s{name} has %d{count} entries; %d{stages} stages need %d{wanted}."

        if stages < 2 then
            invalidArg (nameof architecture) $"A U-Net needs at least 2 stages; got %d{stages}."

        requireCount "KernelSizes" architecture.KernelSizes.Length stages
        requireCount "Strides" architecture.Strides.Length stages
        requireCount "ConvsPerStage" architecture.ConvsPerStage.Length stages
        requireCount "ConvsPerStageDecoder" architecture.ConvsPerStageDecoder.Length (stages - 1)
        let rank = architecture.KernelSizes.Head.Length

        if rank <> 2 && rank <> 3 then
            invalidArg (nameof architecture) $"Kernels have 2 or 3 axes; got %d{rank}."

        for axes in architecture.KernelSizes @ architecture.Strides do
            if axes.Length <> rank || axes |> List.exists (fun size -> size < 1) then
                invalidArg (nameof architecture) $"Kernels and strides need %d{rank} positive entries; got %A{axes}."

        for kernel in List.concat architecture.KernelSizes do
            if kernel % 2 = 0 then
                invalidArg (nameof architecture) $"A kernel must be odd to keep sizes; got %d{kernel}."

        if architecture.Strides.Head |> List.exists ((<>) 1) then
            invalidArg (nameof architecture) $"The first stage has stride 1; got %A{architecture.Strides.Head}."

        for count in
            architecture.FeaturesPerStage
            @ architecture.ConvsPerStage
            @ architecture.ConvsPerStageDecoder do
            if count < 1 then
                invalidArg (nameof architecture) $"Features and convolutions count from 1; got %d{count}."

    // Channels last in memory, by libtorch 2.10 on 2 cores with AVX-512: prediction takes 0.74 to 0.82 of the time in 2D and 1.00 to
    // 1.05 in 3D, a training step 1.8 to 1.9 times as long in 2D and 0.86 to 1.5 in 3D. Its group normalization takes variances as
    // differences of squares: with images about 3 logits of up to 6 err by 1e-3, here by 1e-5 (against double precision). So no.
    /// How feature maps and weights lie in memory: batch, channels, then the axes of space, without gaps.
    let memoryFormat: string = "contiguous"

    /// How often each axis is halved (or strided) on the way down: spatial sizes must be multiples of these.
    let divisor (architecture: Architecture) : int list =
        architecture.Strides |> List.reduce (List.map2 (*))

    let private product (sizes: int list) : int = List.fold (*) 1 sizes

    // The stem's output is no skip.
    let private encode (stem: Block list) (stages: Stage list) (input: Tensor) : Tensor list =
        match stem, stages with
        | [], _
        | _, [] ->
            List.scan (fun below stage -> Layers.stage stage below) input stages
            |> List.tail
        | _, first :: others ->
            let top =
                use stemmed = Layers.plain stem input
                Layers.stage first stemmed

            List.scan (fun below stage -> Layers.stage stage below) top others

    // Coarsest level first. `skips` are freed on the way.
    let private decode (levels: DecoderLevel list) (skips: Tensor list) (allHeads: bool) : Tensor list =
        let step (below: Tensor, heads: Tensor list) (level: DecoderLevel, skip: Tensor, last: bool) =
            let features =
                use raised = Convolution.expand level.UpStride level.Up below
                below.Dispose()
                use joined = torch.cat (ResizeArray [ raised; skip ], 1L)
                skip.Dispose()
                Layers.plain level.Blocks joined

            if allHeads || last then
                features, Convolution.head level.Head features :: heads
            else
                features, heads

        let bottleneck, skips =
            match List.rev skips with
            | bottleneck :: skips -> bottleneck, skips
            | [] -> invalidArg (nameof skips) "A decoder needs at least the bottleneck."

        let steps =
            List.zip levels skips
            |> List.mapi (fun index (level, skip) -> level, skip, index = levels.Length - 1)

        let features, heads = List.fold step (bottleneck, []) steps
        features.Dispose()
        heads

    let private tree (stem: Block list) (stages: Stage list) (levels: DecoderLevel list) : torch.nn.Module =
        let encoder =
            [
                if not stem.IsEmpty then
                    "stem", Layers.convs stem
                "stages", Layers.numbered (List.map Layers.stageTree stages)
            ]

        let decoder =
            [
                "stages", Layers.numbered (levels |> List.map (fun level -> Layers.convs level.Blocks))
                "transpconvs", Layers.numbered (levels |> List.map (fun level -> level.Up))
                "seg_layers", Layers.numbered (levels |> List.map (fun level -> level.Head))
            ]

        new Group(
            [
                "encoder", new Group(encoder) :> torch.nn.Module
                "decoder", new Group(decoder)
            ]
        )

    /// A U-Net of the given architecture for images of `channels` channels and `classes` classes, background included.
    /// Weights are drawn by He's rule (normal, leaky ReLU with slope 0.01) from the seed alone; biases are 0, and so is the
    /// scale of the last normalization of each residual block.
    /// Throws ArgumentException when the architecture's lists do not fit each other.
    let create (architecture: Architecture) (channels: int) (classes: int) (seed: Seed) : Network =
        LibTorch.ensure ()
        check architecture

        if channels < 1 then
            invalidArg (nameof channels) $"An image has at least 1 channel; got %d{channels}."

        if classes < 2 then
            invalidArg (nameof classes) $"Background and one class make 2; got %d{classes}."

        let rng = Seed.rng seed
        let features = List.toArray architecture.FeaturesPerStage
        let kernels = List.toArray architecture.KernelSizes
        let strides = List.toArray architecture.Strides

        let stem =
            match architecture.Blocks with
            | Plain -> []
            | Residual -> Layers.blocks rng 1 channels features[0] kernels[0] strides[0]

        let stages =
            architecture.ConvsPerStage
            |> List.mapi (fun stage count ->
                let below = if stage = 0 then 0 else stage - 1

                match architecture.Blocks with
                | Plain ->
                    let inputs = if stage = 0 then channels else features[below]
                    Convolutions(Layers.blocks rng count inputs features[stage] kernels[stage] strides[stage])
                | Residual ->
                    Residuals(Layers.residuals rng count features[below] features[stage] kernels[stage] strides[stage]))

        let levels =
            architecture.ConvsPerStageDecoder
            |> List.mapi (fun level count ->
                let skip = features.Length - 2 - level
                let ones = strides[skip] |> List.map (fun _ -> 1)

                {
                    Up = Layers.transposed rng features[skip + 1] features[skip] strides[skip + 1]
                    UpStride = Layers.longs strides[skip + 1]
                    Blocks = Layers.blocks rng count (2 * features[skip]) features[skip] kernels[skip] ones
                    Head = Layers.convolution rng classes features[skip] ones
                })

        let run (allHeads: bool) (input: Tensor) : Tensor list =
            use _scope = torch.NewDisposeScope()

            decode levels (encode stem stages input) allHeads
            |> List.map (fun head -> head.MoveToOuterDisposeScope())

        {
            Module = tree stem stages levels
            Forward = run true
            Finest = run false >> List.head
        }

    /// The network on a device: its parameters are moved there, and with them those of the network that was given.
    let toDevice (device: torch.Device) (network: Network) : Network =
        LibTorch.ensure ()
        network.Module.``to`` device |> ignore
        network

    /// The same network, and the same parameters, with convolutions computed in a precision. Features between them are of
    /// it too; parameters and logits stay of single precision.
    let inPrecision (precision: Precision) (network: Network) : Network =
        let inside (compute: Tensor -> 'Logits) (input: Tensor) : 'Logits =
            let wanted = Precision.toTorch precision

            if input.dtype = wanted then
                compute input
            else
                use narrow = input.``to`` wanted
                compute narrow

        match precision with
        | Precision.Float32 -> network
        | _ ->
            { network with
                Forward = inside network.Forward
                Finest = inside network.Finest
            }

    /// Logits of the finest head without a record for gradients: for prediction.
    let evaluate (network: Network) (input: Tensor) : Tensor =
        use _off = torch.no_grad ()
        network.Finest input

    /// The parameters by name, in the order in which nnU-Net's optimizer counts them.
    let parameters (network: Network) : (string * Modules.Parameter) list =
        network.Module.named_parameters ()
        |> Seq.map (fun struct (name, value) -> name, value)
        |> Seq.toList

    /// The number of trained values.
    let parameterCount (network: Network) : int64 =
        parameters network |> List.sumBy (fun (_, value) -> value.numel ())

    /// A copy of a float tensor's values.
    let internal values (tensor: Tensor) : float32[] =
        use _scope = torch.NewDisposeScope()
        let plain = tensor.detach().cpu().contiguous()
        let bytes = plain.bytes
        Runtime.InteropServices.MemoryMarshal.Cast<byte, float32>(bytes).ToArray()

    /// Copies of all parameters.
    let weights (network: Network) : NamedArray list =
        parameters network
        |> List.map (fun (name, value) ->
            {
                Name = name
                Shape = value.shape |> Array.map int |> Array.toList
                Values = values value
            })

    /// Copies stored values into the tensors of the same names. The first one that is missing, left over or of another
    /// shape is an error, given as (subject, got, wanted); nothing is copied then.
    let internal assign
        (targets: (string * Tensor) list)
        (stored: NamedArray list)
        : Result<unit, string * string * string> =
        let byName = stored |> List.map (fun array -> array.Name, array) |> Map.ofList
        let text (shape: int list) = String.Join(" x ", shape)

        let problem (name: string, target: Tensor) =
            let wanted = target.shape |> Array.map int |> Array.toList

            match Map.tryFind name byName with
            | None -> Some(name, "no such parameter", text wanted)
            | Some array when array.Shape <> wanted -> Some(name, text array.Shape, text wanted)
            | Some array when array.Values.Length <> product wanted ->
                Some(name, $"%d{array.Values.Length} values", $"%d{product wanted}")
            | Some _ -> None

        let known = targets |> List.map fst |> Set.ofList

        let leftOver =
            stored
            |> List.tryFind (fun array -> not (known.Contains array.Name))
            |> Option.map (fun array -> array.Name, text array.Shape, "no such parameter")

        match List.tryPick problem targets |> Option.orElse leftOver with
        | Some found -> Error found
        | None ->
            use _scope = torch.NewDisposeScope()
            use _off = torch.no_grad ()

            for name, target in targets do
                let array = byName[name]
                target.copy_ (Layers.tensor array.Shape array.Values) |> ignore

            Ok()

    /// Copies stored weights into the network. An error names the parameter, what came and what was wanted, as
    /// (parameter, got, wanted); the network is unchanged then.
    let load (stored: NamedArray list) (network: Network) : Result<unit, string * string * string> =
        assign (parameters network |> List.map (fun (name, value) -> name, value :> Tensor)) stored
