namespace SkeletonRecall

open System
open System.Runtime.InteropServices
open TorchSharp

/// A tensor of TorchSharp.
type Tensor = torch.Tensor

/// Between arrays and tensors, and the lifetimes of tensors.
/// A tensor function leaves its inputs alone, frees what it made and returns something fresh; whoever calls it frees
/// that, or opens a `scope` around the step.
[<RequireQualifiedAccess>]
module Tensors =

    /// A dispose scope: the tensors made on this thread until it is disposed are freed with it. One per training step.
    /// Never hold it across `yield` or `let!`.
    let scope () : DisposeScope =
        LibTorch.ensure ()
        torch.NewDisposeScope()

    /// Runs a computation of several operations: its temporaries are freed and its result moves to the caller's
    /// dispose scope. Gradients flow through freed temporaries, for autograd holds its own references.
    /// The result must be made inside: an argument returned as it is would come to belong to the caller's scope.
    let scoped (compute: unit -> Tensor) : Tensor =
        use scope = scope ()
        let result = compute ()
        result.MoveToOuterDisposeScope()

    /// Runs a computation that ends in a number or record; every tensor it makes is freed.
    let measured (compute: unit -> 'T) : 'T =
        use _scope = scope ()
        compute ()

    /// A shape as text, such as (2, 1, 64, 64).
    let internal shapeText (shape: int64 seq) : string =
        let sizes =
            shape
            |> Seq.map (fun size -> size.ToString Globalization.CultureInfo.InvariantCulture)

        $"""(%s{String.Join(", ", sizes)})"""

    let private requireCount (shape: int64 list) (length: int) : unit =
        let wanted = List.fold (fun count size -> count * size) 1L shape

        if wanted <> int64 length then
            invalidArg "data" $"The shape %s{shapeText shape} needs %d{wanted} values; the array holds %d{length}."

    // libtorch's own memory, filled from the array: `torch.tensor` would copy the array into another one, which the garbage
    // collector then holds for as long as it likes.
    let private filled<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (kind: torch.ScalarType)
        (shape: int64 list)
        (data: 'T[])
        : Tensor =
        LibTorch.ensure ()
        requireCount shape data.Length
        let result = torch.empty (List.toArray shape, dtype = kind)

        if data.Length > 0 then
            MemoryMarshal.AsBytes(ReadOnlySpan<'T> data).CopyTo result.bytes

        result

    /// A float32 tensor on the CPU with a copy of the values, row-major.
    /// Throws ArgumentException when the shape does not hold as many.
    let ofArray (shape: int64 list) (data: float32[]) : Tensor =
        filled torch.ScalarType.Float32 shape data

    /// A float64 tensor on the CPU with a copy of the values, row-major.
    /// Throws ArgumentException when the shape does not hold as many.
    let ofDoubles (shape: int64 list) (data: float[]) : Tensor =
        filled torch.ScalarType.Float64 shape data

    /// An int16 tensor on the CPU with a copy of the values, row-major: the form of label maps and skeletons.
    /// Throws ArgumentException when the shape does not hold as many.
    let ofInt16 (shape: int64 list) (data: int16[]) : Tensor =
        filled torch.ScalarType.Int16 shape data

    /// A uint8 tensor on the CPU with a copy of the values, row-major: the form of validity masks.
    /// Throws ArgumentException when the shape does not hold as many.
    let ofBytes (shape: int64 list) (data: byte[]) : Tensor = filled torch.ScalarType.Byte shape data

    /// A label map as an int16 tensor (1, 1, spatial...): a batch of one.
    let ofLabels (labels: LabelMap) : Tensor =
        ofInt16 (1L :: 1L :: List.map int64 labels.Extent.Shape) labels.Data

    let private scalarTypeOf (element: Type) : torch.ScalarType =
        if element = typeof<float32> then
            torch.ScalarType.Float32
        elif element = typeof<float> then
            torch.ScalarType.Float64
        elif element = typeof<byte> then
            torch.ScalarType.Byte
        elif element = typeof<int16> then
            torch.ScalarType.Int16
        elif element = typeof<int32> then
            torch.ScalarType.Int32
        elif element = typeof<int64> then
            torch.ScalarType.Int64
        else
            invalidArg
                "'T"
                $"A tensor's values come as float32, float, byte, int16, int32 or int64, not as %s{element.Name}."

    /// The values as a row-major array of their type (float32, float, byte, int16, int32 or int64); the tensor may be
    /// of any device and layout. Throws ArgumentException when the tensor holds another type than the one asked for.
    let toArray<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (tensor: Tensor)
        : 'T[] =
        let wanted = scalarTypeOf typeof<'T>

        if tensor.dtype <> wanted then
            invalidArg (nameof tensor) $"The tensor holds %O{tensor.dtype}; %O{wanted} was asked for."

        measured (fun () ->
            let plain = tensor.detach().cpu().contiguous()
            Runtime.InteropServices.MemoryMarshal.Cast<byte, 'T>(plain.bytes).ToArray())

    /// The value of a tensor that holds one number, as a float.
    let item (tensor: Tensor) : float =
        measured (fun () -> tensor.detach().``to``(torch.float64).item<float>())

    /// Class ids (B, 1, spatial...) as one channel per class (B, classes, spatial...), 1 where the id is the channel's.
    /// Ids must lie in 0..classes-1. The result has the given element type.
    let oneHot (classes: int64) (scalarType: torch.ScalarType) (labels: Tensor) : Tensor =
        scoped (fun () ->
            let indices = labels.``to`` torch.int64

            let shape =
                labels.shape |> Array.mapi (fun axis size -> if axis = 1 then classes else size)

            let zeros = torch.zeros (shape, dtype = scalarType, device = labels.device)
            zeros.scatter_ (1L, indices, torch.ones_like (indices, dtype = scalarType)))

    /// Half-precision values as float32, other values as they are, in a fresh tensor.
    let atLeastSingle (values: Tensor) : Tensor =
        if values.dtype = torch.float16 || values.dtype = torch.bfloat16 then
            values.``to`` torch.float32
        else
            values.alias ()

    /// How many tensors of this thread are alive inside and outside dispose scopes: for leak tests.
    let liveCount () : int64 =
        LibTorch.ensure ()
        let statistics = DisposeScopeManager.Statistics
        statistics.ThreadTotalLiveCount
