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

    /// The label maps that stand under the same name in both folders, as case, truth and prediction, sorted by name; and
    /// the names of those of the first folder that the second lacks. Other files are left alone.
    let pair (truth: string) (prediction: string) : Result<(string * string * string) list * string list, Problem> =
        Problem.attempt {
            let! wanted = Store.fileNames truth "a folder of true label maps is wanted"
            let! found = Store.fileNames prediction "a folder of predicted label maps is wanted"

            let maps = wanted |> List.filter (fun name -> (Reader.endingOf name).IsSome)

            let pairs, missing = maps |> List.partition (fun name -> List.contains name found)

            if pairs.IsEmpty then
                return! Error(Missing(prediction, $"label maps named like those in %s{truth} are wanted"))
            else
                return
                    pairs
                    |> List.map (fun name ->
                        let ending = Reader.endingOf name |> Option.defaultValue ""
                        let case = name.Substring(0, name.Length - ending.Length)

                        case, Path.Combine(truth, name), Path.Combine(prediction, name)),
                    missing
        }

    /// Where a run's predictions lie in a folder of several runs.
    let ofRun (folder: string) (run: string) : string =
        Path.Combine(folder, "predictions", run)
