namespace SkeletonRecall.Training

open System
open System.IO

/// Folders of label maps, true or predicted: what they belong to and which of their files belong together.
[<RequireQualifiedAccess>]
module LabelFolder =

    /// The data set that some folders of label maps belong to: the file that is named, or else the first dataset.json in
    /// one of the folders or right above it.
    let dataset (file: string option) (folders: string list) : Result<Dataset, Problem> =
        let candidates =
            folders
            |> List.collect (fun folder ->
                [
                    Path.Combine(folder, Store.datasetFile)
                    Path.Combine(folder, "..", Store.datasetFile)
                ])

        match file, List.tryFind File.Exists candidates with
        | Some file, _ -> Store.readDatasetFile file
        | None, Some found -> Store.readDatasetFile found
        | None, None ->
            Error(Missing(candidates.Head, "it names the labels; it is looked for in the folders and above"))

    /// Where the summary of a folder of predictions lies: summary.json in it.
    let summary (folder: string) : string = Path.Combine(folder, "summary.json")

    /// Where the table beside a summary lies: scores.csv in the same folder.
    let table (summary: string) : string =
        match Path.GetDirectoryName(Path.GetFullPath summary) with
        | null -> "scores.csv"
        | folder -> Path.Combine(folder, "scores.csv")

    // JPEG alters labels; pictures of it may lie in the folder.
    let private endingOf (name: string) : string option =
        Reader.endingOf name
        |> Option.filter (fun ending -> not (ending.StartsWith(".jp", StringComparison.OrdinalIgnoreCase)))

    // nnU-Net leaves the probabilities of CASE.nii.gz as CASE.npz beside it.
    let private withoutProbabilities (files: string list) : string list =
        match
            files
            |> List.filter (fun name -> not (name.EndsWith(".npz", StringComparison.OrdinalIgnoreCase)))
        with
        | [] -> files
        | others -> others

    /// The case of a label map's file: its name without folder and ending.
    let case (path: string) : string =
        let name = Path.GetFileName path |> Option.ofObj |> Option.defaultValue path

        match endingOf name with
        | Some ending -> name.Substring(0, name.Length - ending.Length)
        | None ->
            Path.GetFileNameWithoutExtension name
            |> Option.ofObj
            |> Option.defaultValue name

    /// The label maps of a folder by case, sorted by name, whatever their format. Other files are left alone, and so is
    /// CASE.npz beside another file of the case, which holds probabilities. Two files of one case are a problem that names both.
    let maps (folder: string) (wanted: string) : Result<Map<string, string>, Problem> =
        Problem.attempt {
            let! names = Store.fileNames folder wanted

            let byCase =
                names
                |> List.filter (fun name -> (endingOf name).IsSome)
                |> List.groupBy case
                |> List.map (fun (case, files) -> case, withoutProbabilities files)

            match byCase |> List.tryFind (fun (_, files) -> files.Length > 1) with
            | Some(case, files) ->
                let list = String.concat " and " files
                return! Error(Mismatch(folder, $"%s{list}", $"one label map of the case %s{case}"))
            | None ->
                return
                    byCase
                    |> List.map (fun (case, files) -> case, Path.Combine(folder, files.Head))
                    |> Map.ofList
        }

    /// The label maps of the same case in both folders, as case, truth and prediction, sorted by name; and the cases of
    /// the first folder that the second lacks.
    let pair (truth: string) (prediction: string) : Result<(string * string * string) list * string list, Problem> =
        Problem.attempt {
            let! wanted = maps truth "a folder of true label maps is wanted"
            let! found = maps prediction "a folder of predicted label maps is wanted"

            let pairs, missing =
                Map.toList wanted |> List.partition (fun (case, _) -> found.ContainsKey case)

            if pairs.IsEmpty then
                return! Error(Missing(prediction, $"label maps named like those in %s{truth} are wanted"))
            else
                return pairs |> List.map (fun (case, file) -> case, file, found[case]), List.map fst missing
        }

    /// Where a run's predictions lie in a folder of several runs.
    let ofRun (folder: string) (run: string) : string =
        Path.Combine(folder, "predictions", run)
