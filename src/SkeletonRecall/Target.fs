namespace SkeletonRecall

open TorchSharp

/// What the labels of a batch say.
type Truth =
    /// Class ids of any integer type, (B, 1, spatial...), 0 for background.
    | Classes of ids: Tensor
    /// One channel of 0 and 1 per region, (B, R, spatial...); regions may overlap.
    | Regions of channels: Tensor

/// What one head should have said.
type Target =
    {
        /// The labels.
        Truth: Truth
        /// The tubed skeleton in the labels' form: ids (B, 1, spatial...), 0 off the tube, or one channel per region.
        Skeleton: Tensor option
        /// (B, 1, spatial...), 1 where a voxel counts and 0 where it is ignored; None where every voxel counts.
        Valid: Tensor option
    }

/// Making targets and checking them against logits.
[<RequireQualifiedAccess>]
module Target =

    /// Class ids (B, 1, spatial...) alone: no skeleton, every voxel counts.
    let ofClasses (ids: Tensor) : Target =
        {
            Truth = Classes ids
            Skeleton = None
            Valid = None
        }

    /// The same target with a tubed skeleton (B, 1, spatial...) of class ids.
    let withSkeleton (skeleton: Tensor) (target: Target) : Target =
        { target with Skeleton = Some skeleton }

    /// The same target with a validity mask (B, 1, spatial...), 1 where a voxel counts.
    let withValid (valid: Tensor) (target: Target) : Target = { target with Valid = Some valid }

    /// The target's tensors.
    let tensors (target: Target) : Tensor list =
        [
            match target.Truth with
            | Classes ids -> ids
            | Regions channels -> channels
            yield! Option.toList target.Skeleton
            yield! Option.toList target.Valid
        ]

    /// The same target on another device, in fresh tensors.
    let toDevice (device: torch.Device) (target: Target) : Target =
        let move (tensor: Tensor) = tensor.``to`` (device, copy = true)

        {
            Truth =
                match target.Truth with
                | Classes ids -> Classes(move ids)
                | Regions channels -> Regions(move channels)
            Skeleton = Option.map move target.Skeleton
            Valid = Option.map move target.Valid
        }

    /// Frees the target's tensors.
    let dispose (target: Target) : unit =
        for tensor in tensors target do
            tensor.Dispose()

    let private isInteger (tensor: Tensor) : bool =
        match tensor.dtype with
        | torch.ScalarType.Byte
        | torch.ScalarType.Int8
        | torch.ScalarType.Int16
        | torch.ScalarType.Int32
        | torch.ScalarType.Int64 -> true
        | _ -> false

    let private requireShape (name: string) (wanted: int64[]) (tensor: Tensor) : unit =
        if tensor.shape <> wanted then
            invalidArg
                name
                $"The shape is %s{Tensors.shapeText tensor.shape} where %s{Tensors.shapeText wanted} is wanted, to fit the logits."

    let private requireDevice (name: string) (logits: Tensor) (tensor: Tensor) : unit =
        if string tensor.device <> string logits.device then
            invalidArg name $"The tensor is on %O{tensor.device}; the logits are on %O{logits.device}."

    /// Throws ArgumentException unless logits are floating point, (B, C, spatial...), with at least two classes.
    let requireLogits (logits: Tensor) : unit =
        if not (torch.is_floating_point logits) then
            invalidArg (nameof logits) $"Logits are floating-point numbers; these are %O{logits.dtype}."

        let shape = logits.shape

        if shape.Length < 3 then
            invalidArg
                (nameof logits)
                $"Logits have the shape (batch, class, spatial...); these have %s{Tensors.shapeText shape}."

        if shape[1] < 2L then
            invalidArg
                (nameof logits)
                $"Logits need a channel for the background and one for each other class; the shape %s{Tensors.shapeText shape} has %d{shape[1]}."

    /// The shape (B, 1, spatial...) that goes with logits (B, C, spatial...).
    let private oneChannel (logits: Tensor) : int64[] =
        logits.shape |> Array.mapi (fun axis size -> if axis = 1 then 1L else size)

    /// Checks class ids (B, 1, spatial...) of an argument against logits: type, device, shape and the range
    /// 0..C-1. Throws ArgumentException that names the argument, what came and what was wanted.
    let requireIds (name: string) (logits: Tensor) (ids: Tensor) : unit =
        if not (isInteger ids) then
            invalidArg name $"Class ids are integers; these are %O{ids.dtype}."

        requireShape name (oneChannel logits) ids
        requireDevice name logits ids

        if ids.numel () > 0L then
            let classes = logits.shape[1]

            let struct (least, greatest) =
                Tensors.measured (fun () ->
                    let struct (least, greatest) = torch.aminmax ids
                    struct (least.``to``(torch.int64).item<int64>(), greatest.``to``(torch.int64).item<int64>()))

            if least < 0L || greatest >= classes then
                let found = if least < 0L then least else greatest

                invalidArg
                    name
                    $"The class id %d{found} is outside 0..%d{classes - 1L}, the classes of the logits; voxels without a label are marked in Target.Valid."

    /// Checks a validity mask (B, 1, spatial...) against logits: device and shape. Throws ArgumentException otherwise.
    let requireValid (logits: Tensor) (target: Target) : unit =
        match target.Valid with
        | None -> ()
        | Some valid ->
            requireShape "target.Valid" (oneChannel logits) valid
            requireDevice "target.Valid" logits valid

    /// The class ids of a target, checked against logits. Throws ArgumentException for regions.
    let classIds (logits: Tensor) (target: Target) : Tensor =
        match target.Truth with
        | Classes ids ->
            requireIds "target.Truth" logits ids
            requireValid logits target
            ids
        | Regions _ ->
            invalidArg "target" "This loss compares classes (softmax); the target holds regions (Truth.Regions)."

    /// The tubed skeleton of a target, checked against logits. Throws ArgumentException where there is none.
    let skeletonIds (logits: Tensor) (target: Target) : Tensor =
        match target.Skeleton with
        | Some ids ->
            requireIds "target.Skeleton" logits ids
            requireValid logits target
            ids
        | None -> invalidArg "target" "Skeleton recall needs the tubed skeleton of the labels; target.Skeleton is None."

    /// Throws ArgumentException that names the logits when a loss came out as NaN because they hold NaN or infinity.
    /// Costs nothing where the loss is a number.
    let requireFinite (logits: Tensor) (loss: Tensor) : unit =
        if System.Double.IsNaN(Tensors.item loss) then
            let finite = Tensors.measured (fun () -> torch.isfinite(logits).all().item<bool>())

            if not finite then
                invalidArg (nameof logits) "The logits hold NaN or infinite values; finite ones are wanted."
