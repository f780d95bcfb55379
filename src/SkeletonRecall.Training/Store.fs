namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open System.Text
open SkeletonRecall

/// Where files lie: nnU-Net's folders and file names. The only file that joins paths.
[<RequireQualifiedAccess>]
module Store =

    let internal datasetFile: string = TrainingFiles.datasetFile

    /// The three folders. A `root` that was given holds them as raw/, preprocessed/ and results/; without it the variables
    /// nnUNet_raw, nnUNet_preprocessed and nnUNet_results count, each for itself, and `./skeleton-recall` stands in for
    /// those that are not set. `environment` looks a variable up.
    let roots (environment: string -> string option) (root: string option) : Roots =
        let place (variable: string) (name: string) =
            match root, environment variable with
            | Some root, _ -> Path.Combine(root, name)
            | None, Some folder when not (String.IsNullOrWhiteSpace folder) -> folder
            | None, _ -> Path.Combine(".", "skeleton-recall", name)

        {
            Raw = place "nnUNet_raw" "raw"
            Preprocessed = place "nnUNet_preprocessed" "preprocessed"
            Results = place "nnUNet_results" "results"
        }

    let internal fileNames (folder: string) (wanted: string) : Result<string list, Problem> =
        CaseFolder.fileNames folder wanted

    /// The folder of a data set below `Raw`, by name (`Dataset001_Vessels`) or number (`1`, `001`).
    let datasetFolder (roots: Roots) (nameOrId: string) : Result<string, Problem> =
        match Int32.TryParse(nameOrId, NumberStyles.None, CultureInfo.InvariantCulture) with
        | true, number ->
            let prefix = $"Dataset%03d{number}_"

            let found =
                [ roots.Raw; roots.Preprocessed; roots.Results ]
                |> List.collect CaseFolder.folderNames
                |> List.filter (fun name -> name.StartsWith(prefix, StringComparison.Ordinal))
                |> List.distinct

            match found with
            | [ name ] when Directory.Exists(Path.Combine(roots.Raw, name)) -> Ok(Path.Combine(roots.Raw, name))
            | []
            | [ _ ] ->
                Error(Missing(Path.Combine(roots.Raw, prefix + "..."), $"the folder of data set %d{number} is wanted"))
            | several ->
                let list = String.concat ", " several
                Error(Mismatch($"data set %d{number}", $"the folders %s{list}", "one name for the number"))
        | _ ->
            if Path.GetFileName nameOrId <> nameOrId || String.IsNullOrWhiteSpace nameOrId then
                Error(Mismatch("the data set", $"'%s{nameOrId}'", "a number, or a name such as Dataset001_Vessels"))
            else
                let folder = Path.Combine(roots.Raw, nameOrId)

                if Directory.Exists folder then
                    Ok folder
                else
                    Error(Missing(folder, "the data set's folder is wanted, with imagesTr, labelsTr and dataset.json"))

    /// The name of a data set, by name or number, whose raw folder is there or, where there is none, of which models are.
    let datasetName (roots: Roots) (nameOrId: string) : Result<string, Problem> =
        let isIt (folder: string) =
            match Int32.TryParse(nameOrId, NumberStyles.None, CultureInfo.InvariantCulture) with
            | true, number -> folder.StartsWith($"Dataset%03d{number}_", StringComparison.Ordinal)
            | _ -> folder = nameOrId

        match datasetFolder roots nameOrId with
        | Ok folder -> Ok(Path.GetFileName folder |> Option.ofObj |> Option.defaultValue nameOrId)
        | Error problem ->
            match CaseFolder.folderNames roots.Results |> List.filter isIt with
            | [ only ] -> Ok only
            | _ -> Error problem

    /// The folder of a data set: one that is named by its path, or else as `datasetFolder` finds it.
    let rawFolder (roots: Roots) (pathNameOrId: string) : Result<string, Problem> =
        if File.Exists(Path.Combine(pathNameOrId, datasetFile)) then
            Ok pathNameOrId
        else
            datasetFolder roots pathNameOrId

    /// The text of a file.
    let readText (path: string) (wanted: string) : Result<string, Problem> =
        Files.read path wanted
        |> Result.map (fun bytes ->
            let text = Encoding.UTF8.GetString bytes
            text.TrimStart '\uFEFF')

    /// Writes a text file, as UTF-8.
    let writeText (path: string) (text: string) : Result<unit, Problem> =
        let bytes = Encoding.UTF8.GetBytes text
        Files.writeAtomically path (fun stream -> stream.Write(bytes, 0, bytes.Length))

    /// What a dataset.json says. An ending of image files that cannot be read is a problem.
    let readDatasetFile (path: string) : Result<Dataset, Problem> =
        Problem.attempt {
            let! text = readText path "it says which channels and labels the data set has"
            let! dataset = Dataset.parse path text

            if List.contains (dataset.FileEnding.ToLowerInvariant()) Reader.endings then
                return dataset
            else
                let endings = String.concat ", " Reader.endings
                return! Error(Mismatch(path, $"\"file_ending\": \"%s{dataset.FileEnding}\"", $"one of %s{endings}"))
        }

    /// What dataset.json in this folder says.
    let readDataset (folder: string) : Result<Dataset, Problem> =
        readDatasetFile (Path.Combine(folder, datasetFile))

    /// Writes dataset.json into this folder.
    let writeDataset (folder: string) (dataset: Dataset) : Result<unit, Problem> =
        writeText (Path.Combine(folder, datasetFile)) (Dataset.print dataset)

    /// The cases in a folder of images, sorted by name, with their channel files in order. Files with another ending are
    /// left alone; one with the ending and without a channel number is a problem, and so are a folder without images, a
    /// channel that is not there and two names that differ in capitals alone.
    let listImages (folder: string) (ending: string) : Result<(CaseId * string list) list, Problem> =
        CaseFolder.listImages folder ending

    /// The file of a case in a folder of label maps or predictions.
    let labelFile (folder: string) (ending: string) (case: CaseId) : string =
        TrainingFiles.labelFile folder ending case

    /// Where the label map of a training case lies.
    let trainingLabels (folder: string) (dataset: Dataset) (case: CaseId) : string =
        TrainingFiles.labels folder dataset case

    /// The files of the training cases, sorted by case: those that dataset.json lists, or those of imagesTr and labelsTr.
    /// Paths are ready for use. Images must be there; label maps and the number of cases are not looked at.
    let trainingFiles (folder: string) (dataset: Dataset) : Result<CaseFiles list, Problem> =
        TrainingFiles.all folder dataset

    /// The training cases of a data set's folder, sorted by name. Each must have its label map, and their number must be
    /// the one in dataset.json. Label maps without an image are left alone.
    let trainingIds (folder: string) (dataset: Dataset) : Result<CaseId list, Problem> =
        Problem.attempt {
            let! cases = trainingFiles folder dataset

            match cases |> List.tryFind (fun files -> not (File.Exists files.Labels)) with
            | Some files ->
                return! Error(Missing(files.Labels, $"a label map for the image %s{CaseId.value files.Case} is wanted"))
            | None when cases.Length <> dataset.TrainingCount ->
                let place = if dataset.Files.IsSome then "\"dataset\"" else "imagesTr"

                return!
                    Error(
                        Mismatch(
                            Path.Combine(folder, datasetFile),
                            $"\"numTraining\": %d{dataset.TrainingCount}",
                            $"%d{cases.Length}, the number of cases in %s{place}"
                        )
                    )
            | None -> return cases |> List.map (fun files -> files.Case)
        }

    /// The image of a case from its channel files, with as many channels as the data set has, and where it lay in its file:
    /// a data set whose reader turns volumes to RAS has them turned.
    let readImageInPlace (dataset: Dataset) (paths: string list) : Result<Image * Geometry, Problem> =
        Problem.attempt {
            let! image = Reader.image paths

            if image.Channels <> dataset.ChannelNames.Length then
                let names = String.concat ", " dataset.ChannelNames

                return!
                    Error(
                        Mismatch(
                            List.head paths,
                            $"%d{image.Channels} channels",
                            $"%d{dataset.ChannelNames.Length}, as \"channel_names\" in dataset.json has (%s{names})"
                        )
                    )
            elif Dataset.isReoriented dataset then
                return Orientation.toRas image, image.Geometry
            else
                return image, image.Geometry
        }

    /// `readImageInPlace` without the place.
    let readImage (dataset: Dataset) (paths: string list) : Result<Image, Problem> =
        readImageInPlace dataset paths |> Result.map fst

    /// Writes a label map predicted for an image that lay at this place in its file, by the ending of the path.
    let writePrediction (dataset: Dataset) (place: Geometry) (path: string) (labels: LabelMap) : Result<unit, Problem> =
        if Dataset.isReoriented dataset then
            Reader.writeLabelsInPlace place path (Orientation.labelsFromRas place labels)
        else
            Reader.writeLabelsInPlace place path labels

    /// The label map of a case of a data set, turned as its image is, and the line that its reader has to say, if any.
    let readLabels (dataset: Dataset) (path: string) : Result<LabelMap * string option, Problem> =
        Reader.labelsInPlace dataset path
        |> Result.map (fun (labels, place, note) ->
            (if Dataset.isReoriented dataset then
                 Orientation.labelsToRas place labels
             else
                 labels),
            note)

    /// One training case, and the line that the reader of its label map has to say, if any.
    let readTrainingCase (folder: string) (dataset: Dataset) (case: CaseId) : Result<Case * string option, Problem> =
        Problem.attempt {
            let! files = TrainingFiles.ofCase folder dataset case
            let! image = readImage dataset files.Images
            let! labels, note = readLabels dataset files.Labels
            let path = files.Labels
            let paths = files.Images

            if labels.Extent <> image.Extent then
                return!
                    Error(
                        Mismatch(
                            path,
                            Reader.size labels.Extent,
                            $"%s{Reader.size image.Extent}, as %s{List.head paths} has"
                        )
                    )
            else
                return Case.create case image (Some labels), note
        }

    /// Writes a case into a data set's raw folder: its image into imagesTr or imagesTs and its label map, if it has one, into
    /// labelsTr or labelsTs. A plane is one PNG file of all channels, a volume a .nii.gz file for each.
    let writeCase (folder: string) (training: bool) (case: Case) : Result<unit, Problem> =
        let suffix = if training then "Tr" else "Ts"
        let image = case.Image
        let name = CaseId.value case.Id
        let isPlane = image.Extent.Rank = 2
        let ending = if isPlane then ".png" else ".nii.gz"

        let file (channel: int) =
            Path.Combine(folder, "images" + suffix, $"%s{name}_%04d{channel}%s{ending}")

        let labels = labelFile (Path.Combine(folder, "labels" + suffix)) ending case.Id

        let part (channel: int) =
            { image with
                Channels = 1
                Data = (Image.channel channel image).ToArray()
            }

        Problem.attempt {
            if isPlane then
                do! Reader.writeImage (file 0) image
            else
                for channel in 0 .. image.Channels - 1 do
                    do! Reader.writeImage (file channel) (part channel)

            match case.Labels with
            | Some map -> return! Reader.writeLabelsInPlace image.Geometry labels map
            | None -> return ()
        }

    /// Where what is made of a data set before training lies.
    let preprocessedFolder (roots: Roots) (datasetName: string) : string =
        Path.Combine(roots.Preprocessed, datasetName)

    /// The folds of a data set: those of `splits_final.json` in its preprocessed folder or, where there is no such file,
    /// nnU-Net's five folds of the training cases, which are then written there. Fewer than five cases and a file with
    /// other cases are problems.
    let splits (roots: Roots) (dataset: Dataset) (cases: CaseId list) : Result<Fold list, Problem> =
        let path = Path.Combine(preprocessedFolder roots dataset.Name, "splits_final.json")

        if File.Exists path then
            Problem.attempt {
                let! text = readText path "the folds of the data set"
                let! folds = Splits.parse path text

                let unknown =
                    folds
                    |> List.collect (fun fold -> fold.Train @ fold.Validation)
                    |> List.except cases

                match unknown with
                | [] -> return folds
                | case :: _ ->
                    let got = $"the case %s{CaseId.value case}"
                    return! Error(Mismatch(path, got, "cases of imagesTr only: correct the file or remove it"))
            }
        elif cases.Length < 5 then
            Error(
                Mismatch(
                    $"data set %s{dataset.Name}",
                    $"%d{cases.Length} cases",
                    $"at least 5 for five folds: use fold all, or write %s{path}"
                )
            )
        else
            let folds = Splits.fiveFold cases
            writeText path (Splits.print folds) |> Result.map (fun () -> folds)

    /// Where a model's folds lie: `<results>/<data set>/<trainer>__<plans>__<configuration>`.
    let modelFolder
        (roots: Roots)
        (datasetName: string)
        (trainer: string)
        (plansName: string)
        (configuration: string)
        : string =
        Path.Combine(roots.Results, datasetName, $"%s{trainer}__%s{plansName}__%s{configuration}")

    /// Where one fold lies: `fold_0` to `fold_4`, or `fold_all`, in the model's folder.
    let foldFolder
        (roots: Roots)
        (datasetName: string)
        (trainer: string)
        (plansName: string)
        (configuration: string)
        (fold: string)
        : string =
        Path.Combine(modelFolder roots datasetName trainer plansName configuration, $"fold_%s{fold}")

    /// A file in a folder.
    let file (folder: string) (name: string) : string = Path.Combine(folder, name)

    /// The last part of a folder's path: the name of the data set that it holds.
    let name (folder: string) : string =
        Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath folder))
        |> Option.ofObj
        |> Option.defaultValue folder

    /// One image file as the only channel file of its case.
    let singleImage (ending: string) (path: string) : Result<CaseId * string list, Problem> =
        let name = Path.GetFileName path |> Option.ofObj |> Option.defaultValue path

        if not (name.EndsWith(ending, StringComparison.Ordinal)) then
            Error(
                Mismatch(path, $"the ending '%s{Path.GetExtension name}'", $"%s{ending}, as the data set's images have")
            )
        else
            CaseFolder.channelFile ending name
            |> Option.map fst
            |> Option.defaultValue (name.Substring(0, name.Length - ending.Length))
            |> CaseFolder.caseId path
            |> Result.map (fun id -> id, [ path ])

    /// All three folders below one.
    let rootsIn (folder: string) : Roots = roots (fun _ -> None) (Some folder)

    /// The held-out images of a data set.
    let testImages (dataset: string) : string = Path.Combine(dataset, "imagesTs")

    /// The label maps of the held-out images.
    let testLabels (dataset: string) : string = Path.Combine(dataset, "labelsTs")
