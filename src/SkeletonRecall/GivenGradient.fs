namespace SkeletonRecall

#nowarn "9" // Kernels get the memory of tensors.

open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open TorchSharp

/// Scalars whose gradient was computed by hand.
[<RequireQualifiedAccess>]
module internal GivenGradient =

    /// Where a contiguous tensor's values lie, on the CPU. The tensor must outlive the use.
    let address (tensor: Tensor) : nativeint =
        let bytes = tensor.bytes

        Unsafe.AsPointer(&MemoryMarshal.GetReference bytes)
        |> NativeInterop.NativePtr.ofVoidPtr<byte>
        |> NativeInterop.NativePtr.toNativeInt

    /// Ids or a mask as contiguous int16.
    let narrow (tensor: Tensor) : Tensor = tensor.``to``(torch.int16).contiguous()

    /// A scalar of the given value whose gradient by the scores (of any shape) is the given one: the linear function with
    /// that gradient, moved to the value. Its gradient is a constant to autograd, so the derivative of it would be
    /// wrong. A distance in one dimension stands in the way: it is |1| with slope 1, and libtorch refuses to
    /// differentiate its derivative ("the derivative for '_cdist_backward' is not implemented").
    let attach (value: Tensor) (scores: Tensor) (gradient: Tensor) : Tensor =
        let linear = scores.flatten().dot(gradient.flatten ())
        let one = (linear - linear.detach ()).reshape(1L, 1L).add(KeptScalar.Of 1)
        let once = torch.cdist (one, torch.zeros_like one, 1.0)
        value + once.sum().sub(KeptScalar.Of 1)
