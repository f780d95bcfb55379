namespace SkeletonRecall

#nowarn "9" // Kernels get the memory of tensors.

open System
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open Microsoft.FSharp.NativeInterop
open TorchSharp

/// The memory of tensors on the CPU, which kernels work on.
[<RequireQualifiedAccess>]
module internal TensorMemory =

    /// Where a contiguous tensor's values lie. The tensor must outlive the use.
    let address (tensor: Tensor) : nativeint =
        let bytes = tensor.bytes

        Unsafe.AsPointer(&MemoryMarshal.GetReference bytes)
        |> NativePtr.ofVoidPtr<byte>
        |> NativePtr.toNativeInt

    /// Values from the start-th on.
    let span<'T when 'T: unmanaged> (memory: nativeint) (start: int64) (count: int) : Span<'T> =
        Span<'T>(NativePtr.toVoidPtr (NativePtr.ofNativeInt<'T>(memory + nativeint (start * int64 sizeof<'T>))), count)

    /// Ids or a mask as contiguous int16.
    let narrow (tensor: Tensor) : Tensor = tensor.``to``(torch.int16).contiguous()
