/// A small data set of volumes in the folders that it is prepared in.
module SkeletonRecall.Tests.Rods

open System
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

/// Two channels, a rod and a sheath.
let dataset: Dataset =
    Dataset.create "Dataset007_Rods" [ "CT"; "T1" ] [ "background", 0; "rod", 1; "sheath", 2 ] ".nii.gz" 5

/// A rod with a sheath in noise, in a frame of zeros.
let caseOf (number: int) : Case =
    let extent = Extent.space (14 + number) 24 26
    let rng = Seed.rng (Seed.ofInt number)
    let spacing = Spacing.ofList [ 1.5 + 0.1 * float number; 0.8; 0.8 ]

    let apart (i: int) =
        let row = i / extent.Width % extent.Height
        let column = i % extent.Width
        abs (row - 12) + abs (column - 13 - number % 3)

    let isFrame (i: int) =
        i % extent.Width < 2 || i / extent.Width % extent.Height < 3

    let labels =
        Array.init extent.Count (fun i ->
            if apart i < 2 then 1s
            elif apart i < 4 then 2s
            else 0s)

    let values =
        Array.init (2 * extent.Count) (fun n ->
            let i = n % extent.Count

            if isFrame i then
                0.0f
            else
                float32 (10.0 * rng.NextDouble() + 40.0 * float labels[i] + 1.0))

    Case.create
        (CaseId.ofString $"rod_%d{number}")
        { Image.create 2 extent values with
            Spacing = spacing
        }
        (Some(Volume.create extent labels |> Volume.withSpacing spacing))

/// Hears nothing.
let silent (_: string) : unit = ()
/// Hears nothing.
let still (_: float) (_: string) : unit = ()

let private requestIn (folder: string) : PrepareRequest =
    {
        Roots = Store.rootsIn folder
        Dataset = "7"
        Workers = 2
        Memory = Preparation.standardMemory
        Clean = false
    }

/// The fingerprint.
let measured (request: PrepareRequest) : Fingerprint =
    Preparation.fingerprint request CancellationToken.None silent still
    |> Problem.orThrow

// A data set that has been measured, which takes a while, to be copied by each test.
let private template: Lazy<string> =
    lazy
        (let folder = Directory.CreateTempSubdirectory("skeleton-recall-template-").FullName
         AppDomain.CurrentDomain.ProcessExit.Add(fun _ -> Directory.Delete(folder, true))
         let request = requestIn folder
         let raw = Store.file request.Roots.Raw dataset.Name
         Store.writeDataset raw dataset |> Problem.orThrow

         for number in 0..4 do
             Store.writeCase raw true (caseOf number) |> Problem.orThrow

         measured request |> ignore
         folder)

/// Works in a copy of the data set, which has been measured.
let inFolder (work: string -> PrepareRequest -> 'T) : 'T =
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-prepare-").FullName

    try
        for path in Directory.GetFiles(template.Value, "*", SearchOption.AllDirectories) do
            let copy = Path.Combine(folder, Path.GetRelativePath(template.Value, path))

            Path.GetDirectoryName copy
            |> Option.ofObj
            |> Option.iter (Directory.CreateDirectory >> ignore)

            // With its time.
            File.Copy(path, copy)

        work folder (requestIn folder)
    finally
        Directory.Delete(folder, true)

/// Measured and planned.
let planned (request: PrepareRequest) : Plans =
    measured request |> ignore
    Preparation.plan request Planner.standard |> Problem.orThrow

/// Preprocesses by the plans of this name.
let tryPreprocess (request: PrepareRequest) (name: string) (configurations: string list) =
    Preparation.preprocess request name configurations CancellationToken.None silent still

/// Preprocesses by the standard plans.
let preprocessed (request: PrepareRequest) (configurations: string list) : PreparedFolder list =
    tryPreprocess request "nnUNetPlans" configurations |> Problem.orThrow

/// How many cases were made and kept.
let counts (folders: PreparedFolder list) : (int * int) list =
    folders |> List.map (fun folder -> folder.Made, folder.Kept)

/// The preprocessed folder.
let target (request: PrepareRequest) : string =
    Store.preprocessedFolder request.Roots dataset.Name

/// What lies in a folder, sorted.
let files (folder: string) : string list =
    Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
    |> Array.map (fun path -> Path.GetRelativePath(folder, path).Replace('\\', '/'))
    |> Array.sortWith (fun left right -> String.CompareOrdinal(left, right))
    |> List.ofArray

/// What a refusal says.
let message (result: Result<'T, Problem>) : string =
    match result with
    | Ok _ -> failtest "it was not refused"
    | Error problem -> Problem.message problem
