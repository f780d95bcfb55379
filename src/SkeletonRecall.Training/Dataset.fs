namespace SkeletonRecall.Training

open System
open System.IO
open System.Text.Json

/// What nnU-Net's dataset.json says about a data set.
type Dataset =
    {
        /// The name of its folder, e.g. `Dataset001_Vessels`.
        Name: string
        /// One name per channel, in order.
        ChannelNames: string list
        /// Class names and ids, ascending from background = 0, without the ignore label. Of a data set of regions: every
        /// label that is in one, by the name of the region that is this label alone, or else `label 2`.
        Labels: (string * int) list
        /// The regions in the order of dataset.json; none where labels are classes.
        Regions: Region list
        /// The id of unannotated voxels, one more than the highest label.
        Ignore: int option
        /// Ending of the image files, with its dot.
        FileEnding: string
        /// Number of training cases.
        TrainingCount: int
        /// The files of the training cases where dataset.json lists them (its key "dataset"), in its order; none where
        /// imagesTr and labelsTr hold them.
        Files: CaseFiles list option
        /// nnU-Net's name of the reader that dataset.json asks for (`overwrite_image_reader_writer`). Those whose name ends
        /// in WithReorient turn volumes to RAS; the others read as the file's ending says.
        ImageReader: string option
    }

/// Reading and writing dataset.json (nnU-Net v2's documentation/dataset_format.md).
[<RequireQualifiedAccess>]
module Dataset =

    /// A data set of classes in imagesTr and labelsTr: name, channels, classes (background = 0 first), ending and number of
    /// training cases; no ignore label, no regions.
    let create
        (name: string)
        (channels: string list)
        (labels: (string * int) list)
        (ending: string)
        (count: int)
        : Dataset =
        {
            Name = name
            ChannelNames = channels
            Labels = labels
            Regions = []
            Ignore = None
            FileEnding = ending
            TrainingCount = count
            Files = None
            ImageReader = None
        }

    /// Number of classes, background included.
    let classes (dataset: Dataset) : int = dataset.Labels.Length

    /// Whether its classes are regions, which may overlap: a network then has a sigmoid per region in place of a softmax.
    let hasRegions (dataset: Dataset) : bool = not dataset.Regions.IsEmpty

    /// The outputs of a network: one per class, background included, or one per region.
    let outputs (dataset: Dataset) : int =
        if hasRegions dataset then
            dataset.Regions.Length
        else
            dataset.Labels.Length

    /// Number of entries under "labels", background and ignore included: what nnU-Net's planner reckons with.
    let entries (dataset: Dataset) : int =
        let named =
            if hasRegions dataset then
                1 + dataset.Regions.Length
            else
                dataset.Labels.Length

        named + Option.count dataset.Ignore

    /// Whether volumes are turned to RAS when they are read.
    let isReoriented (dataset: Dataset) : bool =
        match dataset.ImageReader with
        | Some name -> name.EndsWith("WithReorient", StringComparison.Ordinal)
        | None -> false

    /// nnU-Net's readers, by the names that plans and `overwrite_image_reader_writer` call them.
    let imageReaders: string list = DatasetEntries.imageReaders

    let private nameOf (path: string) (root: JsonElement) : string =
        let folder =
            match Path.GetDirectoryName(Path.GetFullPath path) with
            | null -> ""
            | folder ->
                match Path.GetFileName folder with
                | null -> ""
                | name -> name

        let inside =
            match root.TryGetProperty "name" with
            | true, value when value.ValueKind = JsonValueKind.String -> value.GetString() |> Option.ofObj
            | _ -> None

        match inside with
        | Some name when not (folder.StartsWith("Dataset", StringComparison.Ordinal)) && name <> "" -> name
        | _ -> folder

    /// A data set from the text of its dataset.json. `path` serves the messages, and its folder gives the name; the
    /// key "name" does where the folder is not called `Dataset...`.
    /// Required: labels, channel_names (or modality), numTraining, file_ending, and regions_class_order where labels are
    /// regions. Read where they are there: dataset (files case by case), overwrite_image_reader_writer; other keys are left
    /// alone. Whatever is wrong is one sentence with the key, what it holds and what it should.
    let parse (path: string) (json: string) : Result<Dataset, Problem> =
        try
            use document = JsonDocument.Parse json
            let root = document.RootElement

            if root.ValueKind <> JsonValueKind.Object then
                DatasetEntries.bad path "it should be a JSON object"
            else
                Problem.attempt {
                    let! labels, regions, ignored = DatasetEntries.labels path root
                    let! channels = DatasetEntries.channelNames path root

                    let! count =
                        DatasetEntries.property path "numTraining" root
                        |> Result.bind (DatasetEntries.number path "numTraining")

                    let! ending =
                        DatasetEntries.property path "file_ending" root
                        |> Result.bind (DatasetEntries.text path "file_ending")

                    if count < 0 then
                        return! DatasetEntries.bad path $"\"numTraining\" should be a count; it is %d{count}"
                    elif not (ending.StartsWith '.') || ending.Length < 2 then
                        return!
                            DatasetEntries.bad
                                path
                                $"\"file_ending\" should begin with a dot, as .png; it is \"%s{ending}\""
                    else
                        let! files = DatasetEntries.files path root
                        let! reader = DatasetEntries.imageReader path root

                        return
                            {
                                Name = nameOf path root
                                ChannelNames = channels
                                Labels = labels
                                Regions = regions
                                Ignore = ignored
                                FileEnding = ending
                                TrainingCount = count
                                Files = files
                                ImageReader = reader
                            }
                }
        with
        | :? JsonException as error ->
            let line = error.LineNumber.GetValueOrDefault() + 1L
            DatasetEntries.bad path $"it is not valid JSON (line %d{line})"
        // Half a character, as "\\ud800", is valid JSON and no text.
        | :? InvalidOperationException ->
            DatasetEntries.bad path "one of its texts holds half a character (a lone surrogate): write it anew in UTF-8"

    /// The text of dataset.json, with nnU-Net's keys and an indent of 4.
    let print (dataset: Dataset) : string =
        let write (writer: Utf8JsonWriter) : unit =
            writer.WriteStartObject()
            writer.WriteString("name", dataset.Name)
            writer.WriteStartObject "channel_names"

            dataset.ChannelNames
            |> List.iteri (fun i name -> writer.WriteString(string i, name))

            writer.WriteEndObject()
            writer.WriteStartObject "labels"

            let list (values: int list) : unit =
                writer.WriteStartArray()
                values |> List.iter (fun value -> writer.WriteNumberValue value)
                writer.WriteEndArray()

            if hasRegions dataset then
                writer.WriteNumber("background", 0)

                for region in dataset.Regions do
                    writer.WritePropertyName region.Name
                    list region.Labels
            else
                dataset.Labels |> List.iter (fun (name, id) -> writer.WriteNumber(name, id))

            dataset.Ignore |> Option.iter (fun id -> writer.WriteNumber("ignore", id))
            writer.WriteEndObject()

            if hasRegions dataset then
                writer.WritePropertyName "regions_class_order"
                list (dataset.Regions |> List.map (fun region -> region.Paint))

            writer.WriteNumber("numTraining", dataset.TrainingCount)
            writer.WriteString("file_ending", dataset.FileEnding)

            dataset.ImageReader
            |> Option.iter (fun name -> writer.WriteString("overwrite_image_reader_writer", name))

            match dataset.Files with
            | None -> ()
            | Some cases ->
                writer.WriteStartObject "dataset"

                for files in cases do
                    writer.WriteStartObject(CaseId.value files.Case)
                    writer.WriteStartArray "images"
                    files.Images |> List.iter (fun image -> writer.WriteStringValue image)
                    writer.WriteEndArray()
                    writer.WriteString("label", files.Labels)
                    writer.WriteEndObject()

                writer.WriteEndObject()

            writer.WriteEndObject()

        JsonText.print 4 write + "\n"
