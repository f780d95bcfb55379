namespace SkeletonRecall

open System
open System.IO
open System.Reflection
open System.Runtime.InteropServices

/// Where native files lie, may lie, and have been loaded from.
[<RequireQualifiedAccess>]
module internal NativeFolders =

    /// The libtorch that TorchSharp was built against, as it says itself; another one has another binary interface.
    let libtorchVersion: string =
        let name = "libtorchPackageVersion"

        match typeof<TorchSharp.torch>.GetField(name, BindingFlags.NonPublic ||| BindingFlags.Static) with
        | null -> "2.10.0"
        | field ->
            match Version.TryParse(string (field.GetRawConstantValue())) with
            | true, NonNull version -> version.ToString 3
            | _ -> "2.10.0"

    let platform: string =
        match RuntimeInformation.ProcessArchitecture with
        | Architecture.X64 -> "linux-x64"
        | Architecture.Arm64 -> "linux-arm64"
        | other -> $"linux-%s{other.ToString().ToLowerInvariant()}"

    let variable (name: string) : string option =
        Environment.GetEnvironmentVariable name
        |> Option.ofObj
        |> Option.filter (fun value -> value <> "")

    let home: string =
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify)

    let private parent (levels: int) (path: string) : string =
        Path.GetFullPath(Path.Combine(path, Path.Combine(Array.create levels "..")))

    /// The folder of an assembly; None inside a single-file program.
    let private folderOf (assembly: Assembly) : string option =
        match Path.GetDirectoryName assembly.Location with
        | null
        | "" -> None
        | folder -> Some folder

    let private torchSharp: Assembly = typeof<TorchSharp.torch>.Assembly

    /// Where a NuGet cache holds the native files, given its root.
    let private packageFolders (version: string option) (packages: string) : string list =
        [
            match version with
            | Some wrapper -> Path.Combine(packages, "torchsharp", wrapper, "runtimes", platform, "native")
            | None -> ()
            Path.Combine(packages, $"libtorch-cpu-%s{platform}", libtorchVersion, "runtimes", platform, "native")
        ]

    let private ofProgram () : string list =
        match AppContext.GetData "NATIVE_DLL_SEARCH_DIRECTORIES" with
        | :? string as folders ->
            folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            |> Array.toList
        | _ -> []

    /// Where TorchSharp finds a library by its full path before it asks the system's loader, which would give it the
    /// one that is loaded already.
    let ofTorchSharp () : string list =
        ofProgram () @ Option.toList (folderOf torchSharp) |> List.distinct

    /// All folders that may hold native files, the program's own first.
    let all () : string list =
        let version =
            torchSharp.GetName().Version
            |> Option.ofObj
            |> Option.map (fun version -> version.ToString 3)

        let around (folder: string) =
            [
                folder
                // See buildTransitive/SkeletonRecall.targets.
                Path.Combine(folder, "libtorch")
                Path.Combine(folder, "runtimes", platform, "native")
            ]

        [
            for folder in ofProgram () do
                yield folder
                yield Path.Combine(folder, "libtorch")
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
    let mapped (name: string) : string option =
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
