/// Where the tests find files that are not made on the spot.
module SkeletonRecall.Tests.Golden

open System
open System.IO
open Expecto

/// The folder tests/golden of the source tree.
let folder: string =
    Path.GetFullPath(Path.Combine(__SOURCE_DIRECTORY__, "..", "golden"))

/// A file in tests/golden.
let file (name: string) : string = Path.Combine(folder, name)

/// The bytes of a file in tests/golden.
let bytes (name: string) : byte[] = File.ReadAllBytes(file name)

/// The folder `shared` beside the checkout, with fixtures and real images: the variable SKELETONRECALL_SHARED, or found
/// by walking up from the source.
let shared: string option =
    let isShared (folder: string) : bool =
        File.Exists(Path.Combine(folder, "parity", "index.json"))

    let rec walk (folder: string) : string option =
        let candidate = Path.Combine(folder, "shared")

        if isShared candidate then
            Some candidate
        else
            match Path.GetDirectoryName folder with
            | null -> None
            | parent -> walk parent

    match Environment.GetEnvironmentVariable "SKELETONRECALL_SHARED" with
    | null
    | "" -> walk __SOURCE_DIRECTORY__
    | folder -> if isShared folder then Some folder else None

/// A path below `shared`; the test is skipped, with the reason, where it is missing.
let sharedPath (parts: string list) : string =
    match shared with
    | None -> skiptest "the folder 'shared' with fixtures and real images is not beside the checkout"
    | Some folder ->
        let path = Path.Combine(Array.ofList (folder :: parts))

        if File.Exists path || Directory.Exists path then
            path
        else
            skiptest $"%s{path} is not there"
