namespace SkeletonRecall

open System
open System.IO
open System.Runtime.InteropServices
open System.Text.RegularExpressions

/// A function of libtorch that gives its version.
type private VersionOfLibTorch = delegate of unit -> uint64

/// A folder with libtorch that the environment names in place of the program's own.
[<RequireQualifiedAccess>]
module internal PointedLibTorch =

    /// The variable that names it.
    let variable: string = "SKELETONRECALL_LIBTORCH"

    let private needed = [ "libc10.so"; "libtorch_cpu.so"; "libtorch.so" ]

    let private wanted =
        $"a folder with libtorch %s{NativeFolders.libtorchVersion}, such as torch/lib of a PyTorch wheel"

    let private missing (folder: string) : string list =
        needed
        |> List.filter (fun name -> not (File.Exists(Path.Combine(folder, name))))

    /// The libraries of a folder in the order of their dependence, from the names of its files: OpenMP, whose file carries
    /// a hash; of CUDA what is there.
    let inOrder (files: string list) : string list =
        let isThere (name: string) = List.contains name files

        [
            yield!
                files
                |> List.filter (fun name ->
                    name.StartsWith("libgomp", StringComparison.Ordinal)
                    && name.Contains(".so", StringComparison.Ordinal))
                |> List.sort
            "libc10.so"
            "libtorch_cpu.so"
            "libc10_cuda.so"
            "libtorch_cuda.so"
            "libtorch.so"
        ]
        |> List.filter (fun name -> List.contains name needed || isThere name)

    /// Folders with libraries of CUDA beside a wheel's: torch/lib stands beside nvidia/cublas/lib and others.
    let companions (folder: string) : string list =
        let packages = Path.GetFullPath(Path.Combine(folder, "..", "..", "nvidia"))

        if Directory.Exists packages then
            Directory.GetDirectories packages
            |> Array.map (fun package -> Path.Combine(package, "lib"))
            |> Array.filter Directory.Exists
            |> Array.sort
            |> Array.toList
        else
            []

    /// The version that stands beside a folder in a file of a wheel (torch/version.py) or of an archive (build-version).
    let private said (folder: string) : string option =
        let parent = Path.GetFullPath(Path.Combine(folder, ".."))
        let number = Regex @"\d+\.\d+(\.\d+)?[\w.+]*"

        [
            Path.Combine(parent, "version.py"), Regex @"__version__\s*=\s*['""]([^'""]+)"
            Path.Combine(parent, "build-version"), Regex @"^\s*(\S+)"
        ]
        |> List.tryPick (fun (file, pattern) ->
            if File.Exists file then
                let found = pattern.Match(File.ReadAllText file)

                if found.Success && number.IsMatch found.Groups[1].Value then
                    Some found.Groups[1].Value
                else
                    None
            else
                None)

    let private isWanted (version: string) : bool =
        let majorAndMinor (text: string) =
            text.Split('.') |> Array.truncate 2 |> Array.toList

        majorAndMinor version = majorAndMinor NativeFolders.libtorchVersion

    /// A sentence about libtorch in a folder that is of another version than TorchSharp was built against; None where it
    /// is of that one. `library` is the handle of its loaded libtorch_cpu.
    let versionProblem (folder: string) (library: nativeint) : string option =
        let found =
            match NativeLibrary.TryGetExport(library, "aoti_torch_abi_version") with
            | true, address ->
                // A byte each: major, minor, patch.
                let version =
                    Marshal.GetDelegateForFunctionPointer<VersionOfLibTorch>(address).Invoke()

                $"%d{version >>> 56}.%d{(version >>> 48) &&& 0xffUL}.%d{(version >>> 40) &&& 0xffUL}"
            | _ -> said folder |> Option.defaultValue "of before 2.9"

        if isWanted found then
            None
        else
            Some $"%s{folder} holds libtorch %s{found}; TorchSharp needs %s{NativeFolders.libtorchVersion}."

    /// Whether two paths name one file.
    let private isSame (left: string) (right: string) : bool =
        match GnuLibrary.realPath left, GnuLibrary.realPath right with
        | Some left, Some right -> left = right
        | _ -> false

    // The folder itself, or `lib` in it where the libraries lie there.
    let private libraries (folder: string) : string =
        let below = Path.Combine(folder, "lib")

        if not (missing folder).IsEmpty && (missing below).IsEmpty then
            below
        else
            folder

    // Another copy of libtorch that is in this process, or will be.
    let private other (folder: string) : string option =
        let isOther (at: string) : bool =
            let library = "libtorch_cpu.so"

            File.Exists(Path.Combine(at, library))
            && not (isSame (Path.Combine(at, library)) (Path.Combine(folder, library)))

        match NativeFolders.mapped "libtorch_cpu.so" with
        | Some loaded when isOther loaded ->
            Some $"libtorch has been loaded from %s{loaded} before; call LibTorch.ensure first"
        | Some _ -> None
        | None ->
            NativeFolders.ofTorchSharp ()
            |> List.tryFind isOther
            |> Option.map (fun at ->
                $"TorchSharp will load the program's own from %s{at} too, and two copies abort the process; build the program with PointableLibTorch=true or without a libtorch package")

    /// The folder that the environment names; None where it names none. An error is a sentence that says what was found
    /// and what is wanted; the program's own libtorch is no way out.
    let find () : Result<string option, string> =
        match NativeFolders.variable variable with
        | None -> Ok None
        | Some _ when not (OperatingSystem.IsLinux()) ->
            Error $"%s{variable} is set, but served on Linux alone; without it TorchSharp looks for libtorch itself."
        | Some name ->
            let folder = libraries (Path.GetFullPath name)

            if not (Directory.Exists folder) then
                Error $"%s{variable} names %s{folder}, which is no folder; wanted: %s{wanted}."
            else
                match missing folder, said folder with
                | [], Some version when not (isWanted version) ->
                    Error $"%s{variable} names %s{folder}, which holds libtorch %s{version}; wanted: %s{wanted}."
                | [], _ ->
                    match other folder with
                    | Some reason -> Error $"%s{variable} names %s{folder}, but %s{reason}."
                    | None -> Ok(Some folder)
                | missing, _ ->
                    let names = String.Join(" and ", missing)
                    Error $"%s{variable} names %s{folder}, which has no %s{names}; wanted: %s{wanted}."
