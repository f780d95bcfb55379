namespace SkeletonRecall.Training

open System.Threading
open SkeletonRecall

/// Where what the first stage of a cascade said of the images lies.
type FirstStageFolder =
    /// A folder of label maps of the images, as `predict` writes them.
    | LabelMaps of folder: string
    /// A folder that the first stage's training left; see `NextStage`.
    | NextStageFolder of folder: string

/// Images to label with a trained network.
type PredictRequest =
    {
        /// The files of the checkpoints whose logits are averaged: one, or one per fold.
        Checkpoints: string list
        /// A folder of images named CASE_0000 with the data set's ending, or one image file.
        Input: string
        /// The folder of the label maps.
        Output: string
        /// What the first stage said, for the second one of a cascade.
        FirstStage: FirstStageFolder option
        /// Distance of two tiles as a share of the patch, in (0, 1].
        Step: float
        /// Whether tiles are mirrored along the axes that training mirrored.
        Mirror: bool
        /// Whether cases are left alone whose label map (and probabilities) is there.
        KeepExisting: bool
        /// Whether probabilities are kept too, as nnU-Net's .npz files; they are held whole in memory then.
        SaveProbabilities: bool
        /// Of how many parts of the cases this one is predicted: every `Parts`-th case from number `Part` (0, 1, ...) on.
        Part: int
        Parts: int
        /// Where the networks are computed.
        Device: Device
        /// What their convolutions are computed in.
        Precision: Precision
    }

/// From a folder of images to a folder of label maps.
[<RequireQualifiedAccess>]
module PredictFolder =

    /// All cases of a folder with one or several checkpoints: half-overlapping tiles, mirrored as in training, no
    /// probabilities; label maps that are there are written anew. On the processor, in single precision.
    let request (checkpoints: string list) (input: string) (output: string) : PredictRequest =
        {
            Checkpoints = checkpoints
            Input = input
            Output = output
            FirstStage = None
            Step = Inference.standard.Step
            Mirror = true
            KeepExisting = false
            SaveProbabilities = false
            Part = 0
            Parts = 1
            Device = Device.Cpu
            Precision = Precision.Float32
        }

    let private images (dataset: Dataset) (input: string) : Result<(CaseId * string list) list, Problem> =
        if Files.exists input then
            Store.singleImage dataset.FileEnding input |> Result.map List.singleton
        else
            Store.listImages input dataset.FileEnding

    // Every n-th case, as nnU-Net shares them out.
    let private part (request: PredictRequest) (cases: 'Case list) : 'Case list =
        cases
        |> List.indexed
        |> List.filter (fun (number, _) -> number % request.Parts = request.Part)
        |> List.map snd

    /// How the images of a request are covered with tiles for a checkpoint.
    let internal options (request: PredictRequest) (checkpoint: Checkpoint) : InferenceOptions =
        Predictor.inference
            { Predictor.standard with
                Step = request.Step
                Mirror = request.Mirror
            }
            checkpoint

    // What the first stage said of a case.
    let private firstStage
        (request: PredictRequest)
        (dataset: Dataset)
        (id: CaseId)
        : Result<FirstStageMap option, Problem> =
        match request.FirstStage with
        | None -> Ok None
        | Some(LabelMaps folder) ->
            let path = Store.labelFile folder (Reader.labelEnding dataset.FileEnding) id

            if Files.exists path then
                Store.readLabels dataset path |> Result.map (fst >> InFile >> Some)
            else
                Error(Missing(path, "what the first stage predicts of this image is wanted"))
        | Some(NextStageFolder folder) ->
            PreprocessedStore.openCase (Store.labelFile folder PreprocessedStore.ending id)
            |> Result.bind PreprocessedStore.load
            |> Result.map (fun case -> case.Labels |> Option.map InPrepared)

    let private predictCase
        (request: PredictRequest)
        (checkpoint: Checkpoint)
        (engine: Predict)
        (id: CaseId, paths: string list)
        : Result<string, Problem> =
        let dataset = checkpoint.Dataset
        let options = options request checkpoint

        Problem.attempt {
            let! image, place = Store.readImageInPlace dataset paths

            let! first = firstStage request dataset id

            let! predicted =
                match first with
                | None -> Prediction.case options request.SaveProbabilities checkpoint engine id image
                | Some map -> Prediction.secondStage options request.SaveProbabilities checkpoint engine id map image

            let path = Store.labelFile request.Output (Reader.labelEnding dataset.FileEnding) id

            match predicted.Probabilities with
            | Some data ->
                do!
                    ProbabilityFile.save
                        (Store.labelFile request.Output ".npz" id)
                        {
                            Channels = data.Length / image.Extent.Count
                            Extent = image.Extent
                            Spacing = image.Spacing
                            Geometry = place
                            Data = data
                        }
            | None -> ()

            do! Store.writePrediction dataset place path predicted.Labels
            return path
        }

    // Labels cases with the request's networks, the first of which is loaded already.
    let private casesWith
        (first: Checkpoint)
        (request: PredictRequest)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        (cases: (CaseId * string list) list)
        : Result<string list, Problem> =
        request.Checkpoints.Tail
        |> Problem.traverse ModelFile.load
        |> Result.bind (fun others -> Prediction.ofCheckpointsOn request.Device request.Precision (first :: others))
        |> Result.bind (fun model ->
            use model = model
            let checkpoint = model.Checkpoint
            let engine = Prediction.engine model

            Problem.attempt {
                // One after the other: the tensor operations use all cores.
                let! written =
                    cases
                    |> List.indexed
                    |> Problem.traverse (fun (number, (id, paths)) ->
                        stop.ThrowIfCancellationRequested()
                        report (float number / float cases.Length) (CaseId.value id)
                        predictCase request checkpoint engine (id, paths))

                do!
                    PredictionRecord.write
                        checkpoint.Dataset
                        (Checkpoint.plans checkpoint)
                        {
                            Input = request.Input
                            Output = request.Output
                            SaveProbabilities = request.SaveProbabilities
                            Overwrite = not request.KeepExisting
                            Parts = request.Parts
                            Part = request.Part
                        }

                return written
            })

    /// Labels the given cases, each with its channel files, with the networks of the request, whose input and parts are not
    /// looked at, and returns the written files. Throws ArgumentException for a request without checkpoints.
    let cases
        (request: PredictRequest)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        (cases: (CaseId * string list) list)
        : Result<string list, Problem> =
        ModelFile.load request.Checkpoints.Head
        |> Result.bind (fun first -> casesWith first request stop report cases)

    /// Labels every image with trained networks and returns the written files; dataset.json, plans.json and
    /// predict_from_raw_data_args.json are put beside them, as nnU-Net does. `report`
    /// hears the share that is done and the case at hand. Throws ArgumentException for a part that is none and for a request
    /// without checkpoints.
    let run
        (request: PredictRequest)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        : Result<string list, Problem> =
        if request.Parts < 1 || request.Part < 0 || request.Part >= request.Parts then
            invalidArg
                (nameof request)
                $"Parts are numbered from 0 to one less than their number; got %d{request.Part} of %d{request.Parts}."

        Problem.attempt {
            let! checkpoint = ModelFile.load request.Checkpoints.Head

            if request.FirstStage.IsSome then
                do! Prediction.requireSecondStage checkpoint

            let! all = images checkpoint.Dataset request.Input

            let isThere (ending: string) (id: CaseId) =
                Files.exists (Store.labelFile request.Output ending id)

            let isDone (id: CaseId) =
                request.KeepExisting
                && isThere (Reader.labelEnding checkpoint.Dataset.FileEnding) id
                && (not request.SaveProbabilities || isThere ".npz" id)

            return!
                part request all
                |> List.filter (fst >> isDone >> not)
                |> casesWith checkpoint request stop report
        }
