namespace SkeletonRecall.Cli

open System
open System.IO
open SkeletonRecall.Training

/// What `convert` and `sample` have in common: where a data set goes, and what is said of it.
[<RequireQualifiedAccess>]
module MadeDataset =

    /// The folder that was named: by its path, or by a name below the raw data sets.
    let folder (root: string option) (target: string) : Result<string, Problem> =
        let name = Store.name target
        let digits = name.Replace("Dataset", "")

        let isNamed =
            name.StartsWith("Dataset", StringComparison.Ordinal)
            && digits.Length > 4
            && Seq.forall Char.IsAsciiDigit (digits.Substring(0, 3))
            && digits[3] = '_'

        if not isNamed then
            Error(
                Mismatch("the data set", $"'%s{name}'", "a name with a number of three digits, as Dataset001_Vessels")
            )
        elif Path.GetFileName target = target then
            Ok(Path.Combine((Flags.roots root).Raw, target))
        else
            Ok target

    let private json (folder: string) (dataset: Dataset) (test: int) (notes: string list) : string =
        JsonText.print 2 (fun writer ->
            writer.WriteStartObject()
            writer.WriteString("folder", folder)
            writer.WriteString("dataset", dataset.Name)
            writer.WriteNumber("training", dataset.TrainingCount)
            writer.WriteNumber("test", test)
            writer.WriteString("file_ending", dataset.FileEnding)
            writer.WriteStartArray "channels"
            dataset.ChannelNames |> List.iter (fun name -> writer.WriteStringValue name)
            writer.WriteEndArray()
            writer.WriteStartObject "labels"
            dataset.Labels |> List.iter (fun (name, id) -> writer.WriteNumber(name, id))
            writer.WriteEndObject()
            writer.WriteStartArray "notes"
            notes |> List.iter (fun note -> writer.WriteStringValue note)
            writer.WriteEndArray()
            writer.WriteEndObject())

    /// Says what was made, in lines or as JSON.
    let report
        (terminal: Terminal)
        (asJson: bool)
        (folder: string)
        (dataset: Dataset)
        (test: int)
        (notes: string list)
        : unit =
        if asJson then
            Terminal.line terminal (json folder dataset test notes)
        else
            notes |> List.iter (Terminal.line terminal)
            let channels = String.concat ", " dataset.ChannelNames

            let labels =
                dataset.Labels
                |> List.map (fun (name, id) -> $"%s{name} = %d{id}")
                |> String.concat ", "

            let training = Terminal.counted dataset.TrainingCount "training case"
            Terminal.line terminal $"%s{folder}: %s{training}, %d{test} held out"
            Terminal.line terminal $"channels %s{channels}; labels %s{labels}; files %s{dataset.FileEnding}"

    /// Runs work with a bar, or silently where JSON is printed.
    let progress (terminal: Terminal) (asJson: bool) (title: string) (work: ProgressReport -> 'T) : 'T =
        if asJson then
            work (fun _ _ -> ())
        else
            Terminal.progress terminal title work
