namespace SkeletonRecall

open System
open System.Collections.Concurrent
open System.Runtime.InteropServices
open System.Threading
open TorchSharp

/// TorchSharp's native functions that are called past it: its own calls take an error back that is to be left.
module private Wrapper =

    [<DllImport("LibTorchSharp")>]
    extern nativeint THSJIT_compile(string script)

    [<DllImport("LibTorchSharp")>]
    extern void THSJIT_CompilationUnit_Invoke(
        nativeint script,
        string name,
        nativeint arguments,
        int count,
        nativeint allocator,
        int8& typeCode,
        int index
    )

    [<DllImport("LibTorchSharp")>]
    extern nativeint THSTorch_get_and_reset_last_err()

/// The frame of a backward function, which libtorch's engine calls. An exception must not leave it, or the process ends;
/// `torch.autograd.grad` lets not even libtorch's own through. What goes wrong is left as TorchSharp's last error of this
/// thread, which `grad` and `backward` look for and throw (ExternalException) when the engine is done.
[<RequireQualifiedAccess>]
module internal GradientCallback =

    /// Scripts that fail with a sentence; the only way to have TorchSharp hold a sentence of ours.
    let private scripts = ConcurrentDictionary<string, nativeint>()

    let private script (sentence: string) : nativeint =
        let plain = sentence.Replace('"', '\'').Replace('\\', '/').ReplaceLineEndings " "
        Wrapper.THSJIT_compile $"def refused():\n    assert 1 < 0, \"%s{plain}\"\n"

    /// The last sentence that was left in this thread.
    let private left = new ThreadLocal<string>(fun () -> "")

    /// What the last callback in this thread gave to the engine, which reads it only after the callback has returned.
    let private given = new ThreadLocal<Tensor option>(fun () -> None)

    let private leave (sentence: string) : unit =
        left.Value <- sentence
        let mutable typeCode = 0y
        Wrapper.THSJIT_CompilationUnit_Invoke(scripts.GetOrAdd(sentence, script), "refused", 0n, 0, 0n, &typeCode, 0)

    /// Runs a backward function. Its result is handed to the engine, and freed with the caller's dispose scope or by the
    /// next callback. `refusal` is left as an error behind it. An error that an earlier callback left is kept.
    let run (refusal: string option) (compute: unit -> Tensor) : Tensor =
        let earlier =
            if Wrapper.THSTorch_get_and_reset_last_err() = 0n then
                None
            else
                Some left.Value

        let mutable problem = earlier |> Option.orElse refusal

        let result =
            try
                given.Value |> Option.iter _.Dispose()
                given.Value <- None
                let result = Tensors.scoped compute
                given.Value <- Some result
                result
            with error ->
                problem <- problem |> Option.orElse (Some error.Message)
                Unchecked.defaultof<Tensor>

        // Any other call of TorchSharp would take it back.
        problem |> Option.iter leave
        result
