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
        /// The tubed skeleton. Of classes: ids (B, 1, spatial...), 0 off the tube, or, where tubes of classes may overlap,
        /// one channel of 0 and 1 per class, (B, C, spatial...), the background's first and not looked at. Of regions:
        /// one channel per region.
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

    /// Regions alone, (B, R, spatial...), one channel of 0 and 1 each; they may overlap. No skeleton, every voxel counts.
    let ofRegions (channels: Tensor) : Target =
        {
            Truth = Regions channels
            Skeleton = None
            Valid = None
        }

    /// One-hot classes (B, C, spatial...), the background's channel first, as class ids in a fresh int16 tensor: no
    /// skeleton, every voxel counts. Throws ArgumentException unless each voxel has one channel of 1 and others of 0.
    let ofOneHot (channels: Tensor) : Target =
        if channels.dim () < 3L then
            invalidArg
                (nameof channels)
                $"One-hot classes have the shape (batch, class, spatial...); these have %s{Tensors.shapeText channels.shape}."

        let isOneHot =
            Tensors.measured (fun () ->
                let one = channels.eq (KeptScalar.Of 1)
                let zero = channels.eq (KeptScalar.Of 0)

                one.logical_or(zero).all().item<bool>()
                && one.sum(1L).eq(KeptScalar.Of 1).all().item<bool>())

        if not isOneHot then
            invalidArg (nameof channels) "Each voxel of one-hot classes has one channel of 1 and others of 0."

        ofClasses (
            Tensors.scoped (fun () -> channels.``to``(torch.uint8).argmax(1L, keepdim = true).``to`` torch.int16)
        )

    /// The same target with a tubed skeleton: of classes, ids (B, 1, spatial...) or one channel per class, (B, C,
    /// spatial...); of regions, one channel per region.
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

    /// Throws ArgumentException unless logits are floating point, (B, channel, spatial...).
    let requireLogits (logits: Tensor) : unit =
        if not (torch.is_floating_point logits) then
            invalidArg (nameof logits) $"Logits are floating-point numbers; these are %O{logits.dtype}."

        let shape = logits.shape

        if shape.Length < 3 then
            invalidArg
                (nameof logits)
                $"Logits have the shape (batch, class, spatial...); these have %s{Tensors.shapeText shape}."

    /// Throws ArgumentException unless logits have a channel for the background and one for a class.
    let private requireClasses (logits: Tensor) : unit =
        let shape = logits.shape

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

    /// Checks channels of 0 and 1 of an argument against logits: shape, device and values. Throws ArgumentException that
    /// names the argument, what came and what was wanted.
    let requireChannels (name: string) (logits: Tensor) (channels: Tensor) : unit =
        requireShape name logits.shape channels
        requireDevice name logits channels

        if channels.dtype <> torch.bool && channels.numel () > 0L then
            let fits =
                Tensors.measured (fun () ->
                    if isInteger channels then
                        let struct (least, greatest) = torch.aminmax channels

                        least.``to``(torch.int64).item<int64>() >= 0L
                        && greatest.``to``(torch.int64).item<int64>() <= 1L
                    else
                        // NaN is neither.
                        channels.eq(KeptScalar.Of 0).logical_or(channels.eq (KeptScalar.Of 1)).all().item<bool>())

            if not fits then
                invalidArg
                    name
                    "Channels hold 0 and 1 and nothing else; voxels without a label are marked in Target.Valid."

    /// The class ids of a target, checked against logits. Throws ArgumentException for regions.
    let classIds (logits: Tensor) (target: Target) : Tensor =
        match target.Truth with
        | Classes ids ->
            requireClasses logits
            requireIds "target.Truth" logits ids
            requireValid logits target
            ids
        | Regions _ ->
            invalidArg "target" "This loss compares classes (softmax); the target holds regions (Truth.Regions)."

    /// The regions of a target, checked against logits. Throws ArgumentException for classes.
    let regionChannels (logits: Tensor) (target: Target) : Tensor =
        match target.Truth with
        | Regions channels ->
            requireChannels "target.Truth" logits channels
            requireValid logits target
            channels
        | Classes _ ->
            invalidArg "target" "This loss compares regions (sigmoid); the target holds classes (Truth.Classes)."

    /// Checks logits and labels of either kind against each other. Throws ArgumentException that names the argument.
    let require (logits: Tensor) (target: Target) : unit =
        requireLogits logits

        match target.Truth with
        | Classes _ -> classIds logits target |> ignore
        | Regions _ -> regionChannels logits target |> ignore

    /// Whether the skeleton is a map of class ids; false for one channel per class or region and where there is none.
    let hasSkeletonIds (target: Target) : bool =
        match target.Truth, target.Skeleton with
        | Classes _, Some skeleton -> skeleton.dim () < 2L || skeleton.shape[1] = 1L
        | _ -> false

    /// The tubed skeleton of a target, checked against logits: ids or channels (`hasSkeletonIds`).
    /// Throws ArgumentException where there is none and where it does not fit.
    let skeleton (logits: Tensor) (target: Target) : Tensor =
        match target.Skeleton with
        | Some skeleton ->
            match target.Truth with
            | Classes _ -> requireClasses logits
            | Regions _ -> ()

            if hasSkeletonIds target then
                requireIds "target.Skeleton" logits skeleton
            else
                requireChannels "target.Skeleton" logits skeleton

            requireValid logits target
            skeleton
        | None -> invalidArg "target" "Skeleton recall needs the tubed skeleton of the labels; target.Skeleton is None."

    /// The first channel that is no background: 1 of classes, 0 of regions.
    let firstForeground (target: Target) : int64 =
        match target.Truth with
        | Classes _ -> 1L
        | Regions _ -> 0L

    /// Probabilities of the logits, as them: the softmax over the channels where the target holds classes, each
    /// channel's sigmoid where it holds regions; float32 for half precision. A fresh tensor.
    let probabilities (logits: Tensor) (target: Target) : Tensor =
        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits

            match target.Truth with
            | Classes _ -> scores.softmax 1L
            | Regions _ -> scores.sigmoid ())

    /// The labels as one channel of 0 and 1 per channel of the probabilities, of their type. A fresh tensor.
    let truthChannels (probabilities: Tensor) (target: Target) : Tensor =
        match target.Truth with
        | Classes ids -> Tensors.oneHot probabilities.shape[1] probabilities.dtype ids
        | Regions channels -> channels.``to`` (probabilities.dtype, copy = true)

    /// The tubed skeleton (`skeleton`) as one channel of 0 and 1 per channel of the probabilities, of their type. Of
    /// classes, the background's channel comes first and means nothing. A fresh tensor.
    let skeletonChannels (probabilities: Tensor) (target: Target) : Tensor =
        match target.Skeleton with
        | Some skeleton when hasSkeletonIds target -> Tensors.oneHot probabilities.shape[1] probabilities.dtype skeleton
        | Some skeleton -> skeleton.``to`` (probabilities.dtype, copy = true)
        | None -> invalidArg "target" "Skeleton recall needs the tubed skeleton of the labels; target.Skeleton is None."

    /// 1 where a voxel counts and 0 where it does not, (B, 1, spatial...), in the given type; None where all count.
    let counts (scalarType: torch.ScalarType) (target: Target) : Tensor option =
        target.Valid
        |> Option.map (fun valid -> Tensors.scoped (fun () -> (valid.ne (KeptScalar.Of 0)).``to`` scalarType))

    /// The channels from `first` on of (B, C, spatial...), a view.
    let internal channelsFrom (first: int64) (channels: Tensor) : Tensor =
        channels.narrow (1L, first, channels.shape[1] - first)

    /// The mean over channels and the voxels that count of values (B, C, spatial...) that are 0 at the others; `valid` is
    /// what `counts` gives. 0 where no voxel counts.
    let internal meanOfCounted (valid: Tensor option) (values: Tensor) : Tensor =
        match valid with
        | None -> values.mean ()
        | Some valid ->
            values.sum ()
            / (valid.sum().clamp_min(KeptScalar.Of 1.0) * KeptScalar.Of(float values.shape[1]))

    /// Throws ArgumentException that names the logits when a loss came out as NaN because they hold NaN or infinity.
    /// Costs nothing where the loss is a number.
    let requireFinite (logits: Tensor) (loss: Tensor) : unit =
        if System.Double.IsNaN(Tensors.item loss) then
            let finite = Tensors.measured (fun () -> torch.isfinite(logits).all().item<bool>())

            if not finite then
                invalidArg (nameof logits) "The logits hold NaN or infinite values; finite ones are wanted."
