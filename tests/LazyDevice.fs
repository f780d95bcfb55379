namespace SkeletonRecall.Tests

open System
open System.IO
open System.Runtime.InteropServices
open TorchSharp
open SkeletonRecall

/// A function of libtorch without arguments.
type private Starter = delegate of unit -> unit

/// libtorch's lazy backend, which computes on the processor, as a second device: it takes no tensor of another device beside
/// its own, so that one made in the wrong place is an error, and its numbers are the processor's.
[<RequireQualifiedAccess>]
module LazyDevice =

    // c10::DeviceType::Lazy, which TorchSharp has no name for.
    let private kind: DeviceType = enum 17

    let private started: Lazy<bool> =
        lazy
            (match LibTorch.folder () with
             | None -> false
             | Some folder ->
                 let library = NativeLibrary.Load(Path.Combine(folder, "libtorch_cpu.so"))

                 match NativeLibrary.TryGetExport(library, "_ZN5torch4lazy22InitTorchScriptBackendEv") with
                 | true, address ->
                     Marshal.GetDelegateForFunctionPointer<Starter>(address).Invoke()
                     true
                 | _ -> false)

    /// The device; None where this libtorch has none that is known.
    let tryDevice () : torch.Device option =
        if started.Value then Some(torch.Device(kind, 0)) else None
