namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// Predictions of several models averaged (nnU-Net's ensemble.py).
[<RequireQualifiedAccess>]
module Ensemble =

    /// The mean of probabilities, each of the same channels and extent. Throws ArgumentException for none; a problem with
    /// the names where they differ.
    let average (all: (string * Probabilities) list) : Result<Probabilities, Problem> =
        match all with
        | [] -> invalidArg (nameof all) "An ensemble has at least one member; got none."
        | (firstPath, first) :: others ->
            let size (each: Probabilities) =
                $"%d{each.Channels} channels of %O{each.Extent}"

            match others |> List.tryFind (fun (_, other) -> size other <> size first) with
            | Some(path, other) -> Error(Mismatch(path, size other, $"%s{size first}, as %s{firstPath} has"))
            | None ->
                let sum = Array.copy first.Data

                for _, other in others do
                    for index in 0 .. sum.Length - 1 do
                        sum[index] <- sum[index] + other.Data[index]

                let share = 1.0f / float32 all.Length

                for index in 0 .. sum.Length - 1 do
                    sum[index] <- sum[index] * share

                Ok { first with Data = sum }

    /// The label map of probabilities: the likeliest class, or regions of a probability above a half, painted.
    let decide (outputs: Outputs) (probabilities: Probabilities) : LabelMap =
        match outputs with
        | Outputs.Classes -> Inference.argmax probabilities.Extent probabilities.Data
        | Outputs.Regions labels ->
            // A sigmoid of a half belongs to a logit of 0.
            probabilities.Data
            |> Array.map (fun value -> value - 0.5f)
            |> Inference.paintRegions labels probabilities.Extent
        |> Volume.withSpacing probabilities.Spacing

    let private names (folder: string) : Result<string list, Problem> =
        Store.fileNames folder "a folder of predictions with probabilities is wanted"
        |> Result.map (List.filter (fun name -> name.EndsWith(".npz", StringComparison.Ordinal)))

    let private requireSame (folders: string list) (listed: string list list) : Result<unit, Problem> =
        match List.zip folders listed |> List.tryFind (fun (_, files) -> files <> listed.Head) with
        | Some(folder, files) ->
            let odd = List.except files listed.Head @ List.except listed.Head files |> List.head

            Error(Mismatch(folder, $"not the same files: %s{odd}", $"the .npz files of %s{folders.Head}"))
        | None when listed.Head.IsEmpty ->
            Error(Missing(folders.Head, "its .npz files are wanted: predict with --save_probabilities"))
        | None -> Ok()

    /// Averages the .npz files of the same names in several folders and writes a label map for each, and its probabilities where
    /// asked for. The first folder's dataset.json says what the channels are. Returns the written label maps.
    let run (folders: string list) (output: string) (withProbabilities: bool) : Result<string list, Problem> =
        Problem.attempt {
            let! listed = folders |> Problem.traverse names
            do! requireSame folders listed
            let! dataset = Store.readDataset folders.Head
            let outputs = Prediction.outputs dataset

            let one (name: string) : Result<string, Problem> =
                Problem.attempt {
                    let paths = folders |> List.map (fun folder -> Store.file folder name)
                    let! members = paths |> Problem.traverse ProbabilityFile.load
                    let! mean = average (List.zip paths members)

                    let path =
                        Store.file output (name.Substring(0, name.Length - 4) + Reader.labelEnding dataset.FileEnding)

                    do! Reader.writeLabelsInPlace mean.Geometry path (decide outputs mean)

                    if withProbabilities then
                        do! ProbabilityFile.save (Store.file output name) mean

                    return path
                }

            let! written = listed.Head |> Problem.traverse one
            do! Store.writeDataset output dataset
            return written
        }
