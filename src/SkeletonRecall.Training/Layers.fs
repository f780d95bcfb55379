namespace SkeletonRecall.Training

open System
open TorchSharp
open SkeletonRecall

/// Modules under names, nothing else: the tree that gives parameters their names.
[<Sealed>]
type internal Group(children: (string * torch.nn.Module) list) as this =
    inherit torch.nn.Module("Group")

    do
        for name, child in children do
            this.register_module (name, child)

/// A convolution and its instance normalization; a leaky ReLU mostly follows.
type internal Block =
    {
        Convolution: Affine
        Normalization: Affine
        Stride: int64[]
        Padding: int64[]
    }

/// Two blocks beside a shortcut that is added before the last leaky ReLU (He et al. 2015, with the pooled shortcut of
/// He et al. 2018's ResNet-D).
type internal ResidualBlock =
    {
        First: Block
        Second: Block
        /// The average that the shortcut pools by, where the block has a stride.
        Pool: int64[] option
        /// The shortcut's 1 x 1 convolution, where the features change.
        Projection: Block option
    }

/// What a stage of the encoder is made of.
type internal Stage =
    | Convolutions of Block list
    | Residuals of ResidualBlock list

/// One level of the decoder: what brings the level below up, what mixes it with the skip, and the head.
type internal DecoderLevel =
    {
        Up: Affine
        UpStride: int64[]
        Blocks: Block list
        Head: Affine
    }

/// The layers of a U-Net: making, computing and naming them.
[<RequireQualifiedAccess>]
module internal Layers =

    let private slope = 0.01

    let private product (sizes: int list) : int = List.fold (*) 1 sizes

    /// A float tensor of the given values.
    let tensor (shape: int list) (values: float32[]) : Tensor =
        let dimensions = shape |> List.map int64 |> List.toArray
        torch.tensor (values, dimensions = ReadOnlySpan<int64> dimensions, dtype = Nullable torch.float32)

    let private filled (value: float32) (count: int) : Tensor =
        tensor [ count ] (Array.create count value)

    // He initialization (He et al. 2015): normal, with the fan-in of the second axis and the gain of leaky ReLU.
    let private kernel (rng: Rng) (shape: int list) : Tensor =
        let fan = shape.Tail.Head * product shape.Tail.Tail
        let deviation = sqrt (2.0 / (1.0 + slope * slope)) / sqrt (float fan)

        tensor shape (Array.init (product shape) (fun _ -> float32 (rng.Gaussian() * deviation)))

    /// A convolution's weights, with a bias of 0.
    let convolution (rng: Rng) (outputs: int) (inputs: int) (size: int list) : Affine =
        new Affine(kernel rng (outputs :: inputs :: size), Some(filled 0.0f outputs))

    /// A transposed convolution's weights, with a bias of 0.
    let transposed (rng: Rng) (inputs: int) (outputs: int) (size: int list) : Affine =
        new Affine(kernel rng (inputs :: outputs :: size), Some(filled 0.0f outputs))

    let longs (sizes: int list) : int64[] = sizes |> List.map int64 |> List.toArray

    let private ones (sizes: int list) : int list = sizes |> List.map (fun _ -> 1)

    let private blockOf
        (convolution: Affine)
        (scale: float32)
        (features: int)
        (size: int list)
        (stride: int list)
        : Block =
        {
            Convolution = convolution
            Normalization = new Affine(filled scale features, Some(filled 0.0f features))
            Stride = longs stride
            Padding = size |> List.map (fun k -> (k - 1) / 2) |> longs
        }

    /// Blocks one after the other; the first carries the stride and the change of features.
    let blocks (rng: Rng) (count: int) (inputs: int) (features: int) (size: int list) (stride: int list) : Block list =
        List.init count (fun index ->
            let inputs, stride = if index = 0 then inputs, stride else features, ones stride
            blockOf (convolution rng features inputs size) 1.0f features size stride)

    /// Residual blocks one after the other; the first carries the stride and the change of features. The scale of each
    /// block's last normalization begins at 0, so that a block begins as its shortcut.
    let residuals
        (rng: Rng)
        (count: int)
        (inputs: int)
        (features: int)
        (size: int list)
        (stride: int list)
        : ResidualBlock list =
        List.init count (fun index ->
            let inputs, stride = if index = 0 then inputs, stride else features, ones stride

            {
                First = blockOf (convolution rng features inputs size) 1.0f features size stride
                Second = blockOf (convolution rng features features size) 0.0f features size (ones stride)
                Pool =
                    if List.exists ((<>) 1) stride then
                        Some(longs stride)
                    else
                        None
                Projection =
                    if inputs = features then
                        None
                    else
                        let point = ones size
                        let weights = new Affine(kernel rng (features :: inputs :: point), None)
                        Some(blockOf weights 1.0f features point point)
            })

    // Instance normalization as group normalization with a group per feature map: the same numbers, and on a CPU a tenth
    // faster for the whole step than through batch normalization, as libtorch's instance_norm goes.
    let private normalizeAlike (layer: Affine) (input: Tensor) : Tensor =
        torch.nn.functional.group_norm (
            input,
            input.shape[1],
            weight = layer.Weight,
            bias = layer.BiasOrNull,
            eps = 1e-5
        )

    // On the CPU libtorch sums features of lower precision in single precision, with weights of it; elsewhere they are
    // brought to it before, as torch's autocast does.
    let private normalize (layer: Affine) (input: Tensor) : Tensor =
        if
            input.dtype = layer.Weight.dtype
            || (Convolution.isNarrow input && input.device_type = DeviceType.CPU)
        then
            normalizeAlike layer input
        else
            use wide = input.``to`` layer.Weight.dtype
            use result = normalizeAlike layer wide
            result.``to`` input.dtype

    // Every intermediate is freed as soon as its successor stands; autograd holds what the backward pass needs.
    let private linear (block: Block) (input: Tensor) : Tensor =
        use convolved = Convolution.apply block.Stride block.Padding block.Convolution input
        normalize block.Normalization convolved

    // In place: the backward pass of the normalization needs its input only.
    let private activate (values: Tensor) : Tensor =
        use slope = Scalar.op_Implicit slope
        values.leaky_relu_ slope

    let private pool (size: int64[]) (input: Tensor) : Tensor =
        if size.Length = 2 then
            torch.nn.functional.avg_pool2d (input, size, stride = size)
        elif Convolution.isNarrow input then
            // libtorch has no pooling of volumes in bfloat16 on the CPU.
            use wide = input.``to`` torch.float32
            use pooled = torch.nn.functional.avg_pool3d (wide, size, stride = size)
            pooled.``to`` input.dtype
        else
            torch.nn.functional.avg_pool3d (input, size, stride = size)

    let private shortcut (block: ResidualBlock) (input: Tensor) : Tensor =
        use pooled =
            match block.Pool with
            | Some size -> pool size input
            | None -> input.alias ()

        match block.Projection with
        | Some projection -> linear projection pooled
        | None -> pooled.alias ()

    let private residual (block: ResidualBlock) (input: Tensor) : Tensor =
        use between = activate (linear block.First input)
        use beside = shortcut block input
        // Held here: TorchSharp's own factor of 1 may be collected while libtorch reads it, as several threads found out.
        use factor = Scalar.op_Implicit 1
        activate ((linear block.Second between).add_(beside, factor))

    let private chain (compute: 'Block -> Tensor -> Tensor) (blocks: 'Block list) (input: Tensor) : Tensor =
        let step (previous: Tensor) (block: 'Block) : Tensor =
            let next = compute block previous

            if not (obj.ReferenceEquals(previous, input)) then
                previous.Dispose()

            next

        List.fold step input blocks

    /// Blocks one after the other. The input stays, what lies between is freed.
    let plain (blocks: Block list) (input: Tensor) : Tensor =
        chain (fun block input -> activate (linear block input)) blocks input

    /// A stage of the encoder.
    let stage (stage: Stage) (input: Tensor) : Tensor =
        match stage with
        | Convolutions blocks -> plain blocks input
        | Residuals blocks -> chain residual blocks input

    /// Modules named 0, 1, 2, ...
    let numbered (modules: torch.nn.Module list) : torch.nn.Module =
        new Group(modules |> List.mapi (fun index child -> string index, child))

    let private named (block: Block) : torch.nn.Module =
        new Group([ "conv", block.Convolution :> torch.nn.Module; "norm", block.Normalization ])

    /// Blocks under nnU-Net's names.
    let convs (blocks: Block list) : torch.nn.Module =
        new Group([ "convs", numbered (List.map named blocks) ])

    let private namedResidual (block: ResidualBlock) : torch.nn.Module =
        new Group(
            [
                "conv1", named block.First
                "conv2", named block.Second
                match block.Projection with
                // The pool, where there is one, is the shortcut's layer 0.
                | Some projection ->
                    let number = if block.Pool.IsSome then "1" else "0"
                    "skip", new Group([ number, named projection ])
                | None -> ()
            ]
        )

    /// A stage under nnU-Net's names.
    let stageTree (stage: Stage) : torch.nn.Module =
        match stage with
        | Convolutions blocks -> numbered [ convs blocks ]
        | Residuals blocks -> new Group([ "blocks", numbered (List.map namedResidual blocks) ])
