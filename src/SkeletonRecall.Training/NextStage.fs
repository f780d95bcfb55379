namespace SkeletonRecall.Training

open System.Threading
open SkeletonRecall

/// What the first stage of a cascade leaves for the second: label maps of its validation cases in the voxels of the second stage's
/// preprocessed cases, in the model's folder below `predicted_next_stage/CONFIGURATION` as in nnU-Net. They are files of
/// `PreprocessedStore` without an image, so that the part under a patch is read alone.
[<RequireQualifiedAccess>]
module NextStage =

    /// The folder of what a model leaves for a configuration.
    let folder (model: string) (next: string) : string =
        Store.file (Store.file model "predicted_next_stage") next

    let private save (path: string) (made: string) (properties: CaseProperties) (id: CaseId) (labels: LabelMap) =
        PreprocessedStore.save
            path
            made
            {
                Id = id
                Image =
                    {
                        Channels = 0
                        Extent = labels.Extent
                        Spacing = labels.Spacing
                        Geometry = Geometry.standard labels.Extent.Rank
                        Data = [||]
                    }
                Labels = Some labels
                Properties = properties
                Locations = None
            }

    // What the model says of a prepared image, in the voxels of a later stage. Whether an axis is resampled by itself is decided by
    // the first stage's spacing alone, as in nnU-Net.
    let private labels
        (options: InferenceOptions)
        (checkpoint: Checkpoint)
        (engine: Predict)
        (next: Configuration)
        (prepared: Image)
        (properties: CaseProperties)
        : LabelMap option =
        let before = CaseProperties.spacing properties

        Preprocess.targetSpacing next before
        |> Option.map (fun spacing ->
            let grid =
                {
                    Resampling = checkpoint.Configuration.Resampling
                    Extent = Resample.size (CaseProperties.afterCropping properties) before spacing
                    Spacing = prepared.Spacing
                }

            Inference.labelsAt
                options
                (Prediction.outputs checkpoint.Dataset)
                grid
                (Extent.ofShape checkpoint.Configuration.PatchSize)
                (Dataset.outputs checkpoint.Dataset)
                engine
                prepared
            |> Volume.withSpacing spacing)

    /// Predicts cases with a first stage's checkpoint, mirrored as in training, for each of the configurations that follow it, and
    /// writes them below the model's folder.
    let write
        (checkpointFile: string)
        (model: string)
        (next: (string * Configuration) list)
        (stop: CancellationToken)
        (cases: (CaseId * string list) list)
        : Result<unit, Problem> =
        ModelFile.load checkpointFile
        |> Result.bind (fun checkpoint ->
            let trained = checkpoint.Options
            Prediction.ofCheckpointsOn trained.Device trained.Precision [ checkpoint ])
        |> Result.bind (fun loaded ->
            use loaded = loaded
            let checkpoint = loaded.Checkpoint
            let engine = Prediction.engine loaded

            let options =
                PredictFolder.options (PredictFolder.request [ checkpointFile ] model model) checkpoint

            let one (id: CaseId, paths: string list) : Result<unit, Problem> =
                stop.ThrowIfCancellationRequested()

                Problem.attempt {
                    let! image = Store.readImage checkpoint.Dataset paths

                    let! prepared, properties =
                        Preprocess.image checkpoint.Transpose checkpoint.Configuration id image

                    for name, configuration in next do
                        match labels options checkpoint engine configuration prepared properties with
                        | None -> ()
                        | Some map ->
                            do!
                                save
                                    (Store.labelFile (folder model name) PreprocessedStore.ending id)
                                    checkpoint.ConfigurationName
                                    properties
                                    id
                                    map
                }

            cases |> Problem.traverse one |> Result.map ignore)

    /// What the previous stage left of a case; a problem that names the cure where it left nothing.
    let openCase (model: string) (previous: string) (next: string) (id: CaseId) : Result<StoredCase, Problem> =
        let path = Store.labelFile (folder model next) PreprocessedStore.ending id

        if Files.exists path then
            PreprocessedStore.openCase path
        else
            Error(
                Missing(
                    path,
                    $"what %s{previous} predicts of its validation cases is wanted: train all folds of %s{previous} to their end first"
                )
            )

    /// A prepared case whose patches show what the previous stage said. A problem where that is of another size.
    let attach (stage: StoredCase) (prepared: Prepared) : Result<Prepared, Problem> =
        if stage.Extent <> prepared.Extent then
            Error(
                Mismatch(
                    stage.Path,
                    $"%O{stage.Extent}",
                    $"%O{prepared.Extent}, as the case has after preprocessing: predict with the previous stage again (train it with --c)"
                )
            )
        else
            Ok
                { prepared with
                    FirstStage = Some(fun size origin -> (PreprocessedStore.patch size origin stage).Labels)
                }
