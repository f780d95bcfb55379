namespace SkeletonRecall

open System
open System.IO
open System.Runtime.InteropServices

/// How libtorch and its .NET wrapper came into this process.
[<RequireQualifiedAccess>]
type LibTorchState =
    /// This is no Linux, or the wrapper had been loaded before: TorchSharp looks after itself.
    | LeftAlone
    /// Loaded as it was shipped; the path of the wrapper.
    | AsShipped of wrapper: string
    /// The system's C++ library is older than the wrapper's: a repaired copy was loaded in its place.
    | Repaired of wrapper: string * copy: string

/// A function of libtorch that sets a switch of its context.
type private SwitchOfContext = delegate of context: nativeint * on: byte -> unit

/// A function of libtorch that gives its context.
type private ContextOfLibTorch = delegate of unit -> nativeint

/// Finding and loading the native half of TorchSharp.
/// Every function of this library that takes or makes tensors calls `ensure` first; a program that calls TorchSharp
/// on its own before any of them should call it as its first line.
[<RequireQualifiedAccess>]
module LibTorch =

    let private wrapperName = "libLibTorchSharp.so"
    /// The version of the C++ library that Debian 12 and Ubuntu 22.04 lack. One symbol needs it:
    /// std::ios_base_library_init(), an empty function that GCC 13 calls to force a new enough library.
    let private missingVersion = "GLIBCXX_3.4.32"
    /// A function of the C library without arguments and without effect on the program.
    let private stub = "sched_yield"

    /// Writes a file so that no other process ever sees half of it, and leaves an equal one alone.
    let internal install (folder: string) (name: string) (content: byte[]) : string =
        let path = Path.Combine(folder, name)

        let present =
            File.Exists path
            && FileInfo(path).Length = int64 content.Length
            && File.ReadAllBytes(path).AsSpan().SequenceEqual(ReadOnlySpan content)

        if not present then
            Directory.CreateDirectory folder |> ignore
            let unfinished = path + "." + Guid.NewGuid().ToString "N"
            File.WriteAllBytes(unfinished, content)
            File.Move(unfinished, path, true)

        path

    let private cacheFolder (content: byte[]) : string =
        let root =
            NativeFolders.variable "XDG_CACHE_HOME"
            |> Option.filter Path.IsPathRooted
            |> Option.defaultValue (Path.Combine(NativeFolders.home, ".cache"))

        // Without a home the path is relative; the program's folder of the day is no place for a cache.
        if not (Path.IsPathRooted root) then
            raise (IOException "there is no home folder")

        let hash = (Sha256.hex content).Substring(0, 16)
        Path.Combine(root, "skeleton-recall", "native", hash)

    let private loadFromCache (content: byte[]) : string =
        let path = install (cacheFolder content) wrapperName content
        NativeLibrary.Load path |> ignore
        path

    /// Loads a library from a file in memory, for homes that cannot be written to or run from.
    let private loadFromMemory (content: byte[]) : string =
        let descriptor = GnuLibrary.memfd_create (wrapperName, 0u)

        if descriptor < 0 then
            raise (IOException "memfd_create failed")

        let path = $"/proc/self/fd/%d{descriptor}"

        use handle =
            new Microsoft.Win32.SafeHandles.SafeFileHandle(nativeint descriptor, true)

        RandomAccess.Write(handle, ReadOnlySpan content, 0L)
        NativeLibrary.Load path |> ignore
        "memory"

    let private fail (sentence: string) : 'T = raise (DllNotFoundException sentence)

    let private loadRepaired (wrapper: string) (reason: string) : LibTorchState =
        match Elf.weaken missingVersion stub (File.ReadAllBytes wrapper) with
        | None -> fail $"TorchSharp's native library %s{wrapper} cannot be loaded on this system: %s{reason}"
        | Some content ->
            try
                LibTorchState.Repaired(wrapper, loadFromCache content)
            with
            | :? IOException
            | :? UnauthorizedAccessException
            | :? DllNotFoundException ->
                try
                    LibTorchState.Repaired(wrapper, loadFromMemory content)
                with error ->
                    fail
                        $"TorchSharp's native library needs a repaired copy on this system, which can be kept neither in the cache folder nor in memory (%s{error.Message}); set XDG_CACHE_HOME to a folder that can be written to."

    // What the system's loader said; .NET puts advice before it.
    let private lastLine (message: string) : string =
        message.Split('\n', StringSplitOptions.RemoveEmptyEntries ||| StringSplitOptions.TrimEntries)
        |> Array.last

    let private loadLibrary (path: string) : unit =
        try
            NativeLibrary.Load path |> ignore
        with
        | :? DllNotFoundException as error ->
            fail
                $"libtorch's library %s{path} cannot be loaded (it needs glibc 2.29, its own folder complete and, with CUDA, NVIDIA's libraries): %s{lastLine error.Message}."
        | :? BadImageFormatException -> fail $"libtorch's library %s{path} is damaged or of another platform."

    // Again and again while there is one that loads now because another has been loaded.
    let rec private loadWhatLoads (paths: string list) : unit =
        let left = paths |> List.filter (fun path -> not (fst (NativeLibrary.TryLoad path)))

        if not left.IsEmpty && left.Length < paths.Length then
            loadWhatLoads left

    // A wheel's libraries know the folders of CUDA's beside them; where they do not, those are loaded first.
    let private loadWithCompanions (libtorch: string) (path: string) : unit =
        if not (fst (NativeLibrary.TryLoad path)) then
            loadWhatLoads
                [
                    for folder in PointedLibTorch.companions libtorch do
                        yield! Directory.GetFiles(folder, "*.so*")
                ]

            loadLibrary path

    let private loadFrom (libtorch: string) (wrapper: string) : LibTorchState =
        let files =
            Directory.GetFiles libtorch
            |> Array.choose (fun file -> Option.ofObj (Path.GetFileName file))
            |> Array.toList

        // In the order of their dependence and by full path: the system's own libtorch must never be taken for ours.
        for name in PointedLibTorch.inOrder files do
            let path = Path.Combine(libtorch, name)

            if name.StartsWith("libgomp", StringComparison.Ordinal) then
                NativeLibrary.TryLoad path |> ignore
            else
                loadWithCompanions libtorch path

            if name = "libtorch_cpu.so" then
                PointedLibTorch.versionProblem libtorch (NativeLibrary.Load path)
                |> Option.iter fail

        try
            NativeLibrary.Load wrapper |> ignore
            LibTorchState.AsShipped wrapper
        with :? DllNotFoundException as error ->
            loadRepaired wrapper error.Message

    let private load () : LibTorchState =
        let pointed =
            match PointedLibTorch.find () with
            | Ok pointed -> pointed
            | Error sentence -> fail sentence

        if not (OperatingSystem.IsLinux()) || (NativeFolders.mapped wrapperName).IsSome then
            LibTorchState.LeftAlone
        else
            let candidates = NativeFolders.all ()

            let find (name: string) =
                candidates
                |> List.tryFind (fun folder -> File.Exists(Path.Combine(folder, name)))

            let libtorch =
                pointed
                |> Option.orElseWith (fun () -> NativeFolders.mapped "libtorch_cpu.so")
                |> Option.orElseWith (fun () -> find "libtorch_cpu.so")

            match libtorch, find wrapperName with
            | Some libtorch, Some wrapper -> loadFrom libtorch (Path.Combine(wrapper, wrapperName))
            | None, _ ->
                fail
                    $"libtorch is missing: add the package libtorch-cpu-%s{NativeFolders.platform} %s{NativeFolders.libtorchVersion} to the program or script, or set %s{PointedLibTorch.variable} to a folder with libtorch %s{NativeFolders.libtorchVersion} (torch/lib of a PyTorch wheel, say); it was looked for beside the program, beside TorchSharp.dll and in the NuGet cache."
            | Some _, None ->
                fail
                    $"TorchSharp's native library %s{wrapperName} for %s{NativeFolders.platform} was found neither beside the program nor beside TorchSharp.dll nor in the NuGet cache."

    /// Keeps the memory that libtorch frees, instead of giving it back to the system after each operation and
    /// faulting it in again at the next: up to four times faster on the processor. Sizes are ints for mallopt.
    let private tuneAllocator () : unit =
        let trimThreshold, topPad, mmapMax = -1, -2, -4

        if
            OperatingSystem.IsLinux()
            && NativeFolders.variable "SKELETONRECALL_ALLOCATOR" <> Some "system"
        then
            try
                // Only glibc has this function; other C libraries have no such settings.
                if GnuLibrary.gnu_get_libc_version () <> 0n then
                    GnuLibrary.mallopt (mmapMax, 0) |> ignore
                    GnuLibrary.mallopt (trimThreshold, Int32.MaxValue) |> ignore
                    GnuLibrary.mallopt (topPad, 256 * 1024 * 1024) |> ignore
            with
            | :? DllNotFoundException
            | :? EntryPointNotFoundException -> ()

    /// OpenMP's threads wait asleep for each other instead of spinning. On a machine that does anything else at the same
    /// time, spinning costs a training step several times its length (measured: 2 cores, 2 to 12 times); on an idle one,
    /// sleeping costs a part of it. OpenMP reads the variable when it is loaded; what the user has set stays.
    let private tuneThreads () : unit =
        if OperatingSystem.IsLinux() then
            try
                GnuLibrary.setenv ("OMP_WAIT_POLICY", "PASSIVE", 0) |> ignore
            with
            | :? DllNotFoundException
            | :? EntryPointNotFoundException -> ()

    /// Leaves NNPACK out, which libtorch tries for small convolutions: where it does not know the processor it writes
    /// a warning to stderr for each of them.
    let private leaveOutNnpack () : unit =
        match NativeFolders.mapped "libtorch_cpu.so" with
        | Some folder when OperatingSystem.IsLinux() ->
            let handle = NativeLibrary.Load(Path.Combine(folder, "libtorch_cpu.so"))

            match
                NativeLibrary.TryGetExport(handle, "_ZN2at13globalContextEv"),
                NativeLibrary.TryGetExport(handle, "_ZN2at7Context20setUserEnabledNNPACKEb")
            with
            | (true, context), (true, enable) ->
                let context =
                    Marshal.GetDelegateForFunctionPointer<ContextOfLibTorch>(context).Invoke()

                Marshal.GetDelegateForFunctionPointer<SwitchOfContext>(enable).Invoke(context, 0uy)
            | _ -> ()
        | _ -> ()

    let private once: Lazy<LibTorchState> =
        lazy
            (tuneAllocator ()
             tuneThreads ()
             let state = load ()
             leaveOutNnpack ()
             state)

    /// Loads libtorch and TorchSharp's native library unless that has been done; later calls cost nothing.
    /// On Linux the libraries are loaded by their full paths, and where the system's C++ library is older than
    /// GCC 13's (Debian 12, Ubuntu 22.04) a repaired copy of TorchSharp's is kept in
    /// `$XDG_CACHE_HOME/skeleton-recall` (default `~/.cache/skeleton-recall`) and loaded in its place.
    /// SKELETONRECALL_LIBTORCH names a folder whose libtorch is loaded in place of the program's own (Linux).
    /// glibc's allocator is told to keep freed memory, unless the environment says SKELETONRECALL_ALLOCATOR=system, and
    /// OpenMP's threads to wait asleep, unless the environment sets OMP_WAIT_POLICY (ACTIVE: spinning).
    /// Throws DllNotFoundException with one sentence that says what is missing.
    let ensure () : unit = once.Value |> ignore

    /// What `ensure` did, for reports about a machine; calls it first.
    let state () : LibTorchState = once.Value

    /// The folder that libtorch was loaded from; None where TorchSharp looks after itself and it is not known. Loads it first.
    let folder () : string option =
        ensure ()

        if OperatingSystem.IsLinux() then
            NativeFolders.mapped "libtorch_cpu.so"
        else
            None
