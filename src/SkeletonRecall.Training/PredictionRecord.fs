namespace SkeletonRecall.Training

/// What a folder was predicted with.
type PredictionArguments =
    {
        /// The folder of images, or one image file.
        Input: string
        /// The folder of the label maps.
        Output: string
        /// Whether probabilities were kept.
        SaveProbabilities: bool
        /// Whether label maps that were there have been written anew.
        Overwrite: bool
        /// Of how many parts of the cases this was one, and which (0, 1, ...).
        Parts: int
        Part: int
    }

/// The files that nnU-Net writes beside predicted label maps, and looks for when it postprocesses, evaluates or averages them:
/// dataset.json, plans.json and predict_from_raw_data_args.json.
[<RequireQualifiedAccess>]
module PredictionRecord =

    /// predict_from_raw_data_args.json with nnU-Net's keys, sorted as it sorts them, with an indent of 4.
    let printArguments (arguments: PredictionArguments) : string =
        JsonText.print 4 (fun writer ->
            writer.WriteStartObject()
            writer.WriteNull "folder_with_segs_from_prev_stage"
            writer.WriteString("list_of_lists_or_source_folder", arguments.Input)
            writer.WriteNumber("num_parts", arguments.Parts)
            // Cases are prepared and written by the process that predicts them.
            writer.WriteNumber("num_processes_preprocessing", 1)
            writer.WriteNumber("num_processes_segmentation_export", 1)
            writer.WriteString("output_folder_or_list_of_truncated_output_files", arguments.Output)
            writer.WriteBoolean("overwrite", arguments.Overwrite)
            writer.WriteNumber("part_id", arguments.Part)
            writer.WriteBoolean("save_probabilities", arguments.SaveProbabilities)
            writer.WriteEndObject())

    /// Writes the three files into the folder of the label maps. The data set names the labels that are painted; files that it
    /// lists case by case are left out, since they are those of the training.
    let write (dataset: Dataset) (plans: Plans) (arguments: PredictionArguments) : Result<unit, Problem> =
        Problem.attempt {
            do! Store.writeDataset arguments.Output { dataset with Files = None }
            do! Store.writeText (Store.file arguments.Output "plans.json") (Plans.print plans)

            return!
                Store.writeText
                    (Store.file arguments.Output "predict_from_raw_data_args.json")
                    (printArguments arguments)
        }
