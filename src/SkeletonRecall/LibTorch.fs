namespace SkeletonRecall

open System
open System.IO
open System.Runtime.InteropServices
open System.Security.Cryptography

/// How libtorch and its .NET wrapper came into this process.
[<RequireQualifiedAccess>]
type LibTorchState =
    /// This is no Linux, or the wrapper had been loaded before: TorchSharp looks after itself.
    | LeftAlone
    /// Loaded as it was shipped; the path of the wrapper.
    | AsShipped of wrapper: string
    /// The system's C++ library is older than the wrapper's: a repaired copy was loaded in its place.
    | Repaired of wrapper: string * copy: string

/// Memory and file functions of the GNU C library.
module private GnuLibrary =

    [<DllImport("libc.so.6", EntryPoint = "mallopt")>]
    extern int mallopt(int parameter, int value)

    [<DllImport("libc.so.6", EntryPoint = "gnu_get_libc_version")>]
    extern nativeint gnu_get_libc_version()

    [<DllImport("libc.so.6", EntryPoint = "setenv")>]
    extern int setenv(string name, string value, int overwrite)

    [<DllImport("libc.so.6", EntryPoint = "memfd_create", SetLastError = true)>]
    extern int memfd_create(string name, uint32 flags)

/// A function of libtorch that sets a switch of its context.
type private SwitchOfContext = delegate of context: nativeint * on: byte -> unit

/// A function of libtorch that gives its context.
type private ContextOfLibTorch = delegate of unit -> nativeint

/// Finding and loading the native half of TorchSharp.
/// Every function of this library that takes or makes tensors calls `ensure` first; a program that calls TorchSharp
/// on its own before any of them should call it as its first line.
[<RequireQualifiedAccess>]
module LibTorch =

    /// The libtorch that TorchSharp 0.107 was built against; another one has another binary interface.
    let private libtorchVersion = "2.10.0"
    let private wrapperName = "libLibTorchSharp.so"
    /// The version of the C++ library that Debian 12 and Ubuntu 22.04 lack. One symbol needs it:
    /// std::ios_base_library_init(), an empty function that GCC 13 calls to force a new enough library.
    let private missingVersion = "GLIBCXX_3.4.32"
    /// A function of the C library without arguments and without effect on the program.
    let private stub = "sched_yield"

    let private platform: string =
        match RuntimeInformation.ProcessArchitecture with
        | Architecture.X64 -> "linux-x64"
        | Architecture.Arm64 -> "linux-arm64"
        | other -> $"linux-%s{other.ToString().ToLowerInvariant()}"

    let private variable (name: string) : string option =
        Environment.GetEnvironmentVariable name
        |> Option.ofObj
        |> Option.filter (fun value -> value <> "")

    let private home: string =
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify)

    let private parent (levels: int) (path: string) : string =
        Path.GetFullPath(Path.Combine(path, Path.Combine(Array.create levels "..")))

    /// The folder of an assembly; None inside a single-file program.
    let private folderOf (assembly: Reflection.Assembly) : string option =
        match Path.GetDirectoryName assembly.Location with
        | null
        | "" -> None
        | folder -> Some folder

    /// Where a NuGet cache holds the native files, given its root.
    let private packageFolders (version: string option) (packages: string) : string list =
        [
            match version with
            | Some wrapper -> Path.Combine(packages, "torchsharp", wrapper, "runtimes", platform, "native")
            | None -> ()
            Path.Combine(packages, $"libtorch-cpu-%s{platform}", libtorchVersion, "runtimes", platform, "native")
        ]

    /// All folders that may hold native files, the program's own first: TorchSharp looks there too, and two copies
    /// of libtorch in one process abort it.
    let private folders () : string list =
        let torchSharp = typeof<TorchSharp.torch>.Assembly

        let version =
            torchSharp.GetName().Version
            |> Option.ofObj
            |> Option.map (fun version -> version.ToString 3)

        let around (folder: string) =
            [ folder; Path.Combine(folder, "runtimes", platform, "native") ]

        [
            match AppContext.GetData "NATIVE_DLL_SEARCH_DIRECTORIES" with
            | :? string as folders -> yield! folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            | _ -> ()
            yield! around AppContext.BaseDirectory
            match folderOf torchSharp with
            | Some folder ->
                yield! around folder
                // <packages>/torchsharp/<version>/lib/<framework>/TorchSharp.dll
                yield Path.Combine(parent 2 folder, "runtimes", platform, "native")
                yield! packageFolders None (parent 4 folder)
            | None -> ()
            match folderOf typeof<Extent>.Assembly with
            | Some folder -> yield! around folder
            | None -> ()
            match variable "NUGET_PACKAGES" with
            | Some packages -> yield! packageFolders version packages
            | None -> ()
            yield! packageFolders version (Path.Combine(home, ".nuget", "packages"))
        ]
        |> List.distinct

    /// The folder of a library that this process has mapped already, if any.
    let private mapped (name: string) : string option =
        try
            File.ReadLines "/proc/self/maps"
            |> Seq.tryPick (fun line ->
                match line.IndexOf '/' with
                | -1 -> None
                | at when line.EndsWith("/" + name, StringComparison.Ordinal) ->
                    Option.ofObj (Path.GetDirectoryName(line.Substring at))
                | _ -> None)
        with :? IOException ->
            None

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
            variable "XDG_CACHE_HOME"
            |> Option.filter Path.IsPathRooted
            |> Option.defaultValue (Path.Combine(home, ".cache"))

        // Without a home the path is relative; the program's folder of the day is no place for a cache.
        if not (Path.IsPathRooted root) then
            raise (IOException "there is no home folder")

        let hash = Convert.ToHexStringLower(SHA256.HashData content).Substring(0, 16)
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

    let private loadFrom (libtorch: string) (wrapper: string) : LibTorchState =
        // In the order of their dependence and by full path: the system's own libtorch must never be taken for ours.
        for name in Directory.GetFiles(libtorch, "libgomp*.so*") do
            NativeLibrary.TryLoad name |> ignore

        for name in [ "libc10.so"; "libtorch_cpu.so"; "libtorch.so" ] do
            let path = Path.Combine(libtorch, name)

            try
                NativeLibrary.Load path |> ignore
            with
            | :? DllNotFoundException as error ->
                fail
                    $"libtorch's library %s{path} cannot be loaded (it needs glibc 2.29 and its own folder complete): %s{error.Message}"
            | :? BadImageFormatException -> fail $"libtorch's library %s{path} is damaged or of another platform."

        try
            NativeLibrary.Load wrapper |> ignore
            LibTorchState.AsShipped wrapper
        with :? DllNotFoundException as error ->
            loadRepaired wrapper error.Message

    let private load () : LibTorchState =
        if not (OperatingSystem.IsLinux()) || (mapped wrapperName).IsSome then
            LibTorchState.LeftAlone
        else
            let candidates = folders ()

            let find (name: string) =
                candidates
                |> List.tryFind (fun folder -> File.Exists(Path.Combine(folder, name)))

            let libtorch =
                mapped "libtorch_cpu.so" |> Option.orElseWith (fun () -> find "libtorch_cpu.so")

            match libtorch, find wrapperName with
            | Some libtorch, Some wrapper -> loadFrom libtorch (Path.Combine(wrapper, wrapperName))
            | None, _ ->
                fail
                    $"libtorch is missing: the program needs the package libtorch-cpu-%s{platform} %s{libtorchVersion}, whose libtorch_cpu.so was looked for beside the program, beside TorchSharp.dll and in the NuGet cache."
            | Some _, None ->
                fail
                    $"TorchSharp's native library %s{wrapperName} for %s{platform} was found neither beside the program nor beside TorchSharp.dll nor in the NuGet cache."

    /// Keeps the memory that libtorch frees, instead of giving it back to the system after each operation and
    /// faulting it in again at the next: up to four times faster on the processor. Sizes are ints for mallopt.
    let private tuneAllocator () : unit =
        let trimThreshold, topPad, mmapMax = -1, -2, -4

        if
            OperatingSystem.IsLinux()
            && variable "SKELETONRECALL_ALLOCATOR" <> Some "system"
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
        match mapped "libtorch_cpu.so" with
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
    /// glibc's allocator is told to keep freed memory, unless the environment says SKELETONRECALL_ALLOCATOR=system, and
    /// OpenMP's threads to wait asleep, unless the environment sets OMP_WAIT_POLICY (ACTIVE: spinning).
    /// Throws DllNotFoundException with one sentence that says what is missing.
    let ensure () : unit = once.Value |> ignore

    /// What `ensure` did, for reports about a machine; calls it first.
    let state () : LibTorchState = once.Value
