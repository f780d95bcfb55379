namespace SkeletonRecall.Training

open TorchSharp
open SkeletonRecall

/// A weight and, mostly, a bias: what a convolution or a normalization learns.
[<Sealed>]
type internal Affine(weight: Tensor, bias: Tensor option) as this =
    inherit torch.nn.Module("Affine")

    do
        this.register_parameter ("weight", new Modules.Parameter(weight))

        bias
        |> Option.iter (fun bias -> this.register_parameter ("bias", new Modules.Parameter(bias)))

    let hasBias = bias.IsSome

    // Looked up each time: moving the module to another device replaces its parameters.
    member _.Weight: Tensor = nonNull (this.get_parameter "weight")

    member _.Bias: Tensor option =
        if hasBias then
            Some(nonNull (this.get_parameter "bias"))
        else
            None

    /// Null without one, as torch's convolutions take it.
    member this.BiasOrNull: Tensor =
        match this.Bias with
        | Some bias -> bias
        | None -> Unchecked.defaultof<Tensor>

/// Convolutions in 2 and 3 dimensions, by the number of strides.
[<RequireQualifiedAccess>]
module internal Convolution =

    /// oneDNN computes convolutions on the CPU with channels in blocks of 16 and, in libtorch 2.10, does not clear what
    /// fills the last block: a NaN that lies there by chance comes out as a result or a gradient. Feature maps in whole
    /// blocks (nnU-Net's are) are safe, and so are inputs of up to one block and 1 x 1 heads.
    ///
    /// In bfloat16 what fills the last block of the inputs counts too, whatever their number: results are off by tens of
    /// percent, or NaN.
    let private channelBlock = 16

    /// Whether a tensor's numbers have less precision than a single.
    let isNarrow (tensor: Tensor) : bool =
        tensor.dtype = torch.bfloat16 || tensor.dtype = torch.float16

    let private missing (layer: Affine) (channels: int64) : int64 =
        if layer.Weight.device_type = DeviceType.CPU then
            let block = int64 channelBlock
            (block - channels % block) % block
        else
            0L

    /// Appends zeros along the given axis of a tensor.
    let private extend (axis: int) (count: int64) (input: Tensor) : Tensor =
        if count = 0L then
            input.alias ()
        else
            let pairs = int (input.dim ()) - axis

            let padding =
                Array.init (2 * pairs) (fun index -> if index = 2 * pairs - 1 then count else 0L)

            torch.nn.functional.pad (input, padding)

    /// A convolution or its transpose with inputs and outputs filled up to whole blocks.
    let private inBlocks
        (inputAxis: int)
        (compute: Tensor -> Tensor -> Tensor -> Tensor)
        (layer: Affine)
        (input: Tensor)
        : Tensor =
        let outputs, inputs =
            layer.Weight.shape[1 - inputAxis], layer.Weight.shape[inputAxis]

        let moreOutputs = missing layer outputs

        let moreInputs =
            if inputs > int64 channelBlock || isNarrow input then
                missing layer inputs
            else
                0L

        if moreOutputs = 0L && moreInputs = 0L then
            compute input layer.Weight layer.BiasOrNull
        else
            use wide = extend 1 moreInputs input
            use wider = extend inputAxis moreInputs layer.Weight
            use weight = extend (1 - inputAxis) moreOutputs wider


            use bias =
                match layer.Bias with
                | Some bias -> extend 0 moreOutputs bias
                | None -> layer.BiasOrNull

            use result = compute wide weight bias
            result.narrow (1L, 0L, outputs)

    // Laid on what is computed in another precision, a weight is brought to it; autograd brings its gradient back to single
    // precision, in which weights are kept.
    let private alike (input: Tensor) (weight: Tensor) (bias: Tensor) (compute: Tensor -> Tensor -> Tensor) : Tensor =
        if weight.dtype = input.dtype then
            compute weight bias
        else
            use weight = weight.``to`` input.dtype

            if obj.ReferenceEquals(bias, null) then
                compute weight bias
            else
                use bias = bias.``to`` input.dtype
                compute weight bias

    let private flat (stride: int64[]) (padding: int64[]) (input: Tensor) (weight: Tensor) (bias: Tensor) : Tensor =
        alike input weight bias (fun weight bias ->
            if stride.Length = 2 then
                torch.nn.functional.conv2d (input, weight, bias, strides = stride, padding = padding)
            else
                torch.nn.functional.conv3d (input, weight, bias, strides = stride, padding = padding))

    let private raised (stride: int64[]) (input: Tensor) (weight: Tensor) (bias: Tensor) : Tensor =
        alike input weight bias (fun weight bias ->
            if stride.Length = 2 then
                torch.nn.functional.conv_transpose2d (input, weight, bias, strides = stride)
            else
                torch.nn.functional.conv_transpose3d (input, weight, bias, strides = stride))

    /// A convolution with the given stride and padding, (B, inputs, spatial...) to (B, outputs, spatial...).
    let apply (stride: int64[]) (padding: int64[]) (layer: Affine) (input: Tensor) : Tensor =
        inBlocks 1 (flat stride padding) layer input

    /// A transposed convolution whose kernel is its stride.
    let expand (stride: int64[]) (layer: Affine) (input: Tensor) : Tensor = inBlocks 0 (raised stride) layer input

    /// A 1 x 1 convolution in single precision, whatever the input's: losses are computed in it.
    let head (layer: Affine) (input: Tensor) : Tensor =
        let rank = layer.Weight.shape.Length - 2

        let compute (input: Tensor) : Tensor =
            flat (Array.create rank 1L) (Array.zeroCreate rank) input layer.Weight layer.BiasOrNull

        if isNarrow input then
            use wide = input.``to`` torch.float32
            compute wide
        else
            compute input
