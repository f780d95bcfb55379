namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// Models of Python's nnU-Net as checkpoints of ours.
[<RequireQualifiedAccess>]
module PythonModel =

    // A trainer's objective and length, where its name is one of ours; nnU-Net's own objective for others, which are networks all
    // the same.
    let private options (found: PythonCheckpoint) (axes: int list) : TrainOptions =
        let objective =
            match found.Trainer |> Option.map TrainerName.decode with
            | Some(Ok flags) -> flags.Objective
            | _ ->
                match Objective.parse "nnunet" with
                | Ok objective -> objective
                | Error reason -> invalidOp reason

        { TrainOptions.standard with
            Objective = objective
            // It is trained to its end: what training kept for going on is not read.
            Epochs = max 1 found.Epoch
            Mirror = not axes.IsEmpty
        }

    // What the file says or, in files that do not, the trainer's name.
    let private mirrorAxes (path: string) (rank: int) (found: PythonCheckpoint) : Result<int list, Problem> =
        match found.MirrorAxes, found.Trainer |> Option.map TrainerName.decode with
        | Some axes, _ when List.forall (fun axis -> axis < rank) axes -> Ok axes
        | Some axes, _ ->
            let got = axes |> List.map string |> String.concat ", "
            Error(Mismatch($"%s{path}, inference_allowed_mirroring_axes", got, $"axes from 0 to %d{rank - 1}"))
        | None, Some(Ok flags) when not flags.Mirror -> Ok []
        | None, Some(Ok flags) when flags.OnlyMirror01 -> Ok [ 0 .. rank - 2 ]
        | None, _ -> Ok [ 0 .. rank - 1 ]

    let private configurationName (path: string) (plans: Plans) (found: PythonCheckpoint) : Result<string, Problem> =
        match found.Configuration, List.ofSeq plans.Configurations.Keys with
        | Some name, _ -> Ok name
        | None, [ only ] -> Ok only
        | None, several ->
            let names = String.concat ", " several
            Error(Mismatch($"%s{path}, init_args", "no configuration", $"one of its plans: %s{names}"))

    let private shapeText (shape: int list) : string = String.Join(" x ", shape)

    // The names of the wanted parameters, each of which is there with its shape, and no others are.
    let private fitting
        (path: string)
        (wanted: (string * int list) seq)
        (found: PythonCheckpoint)
        : Result<string list, Problem> =
        let stored = Map.ofList found.Tensors

        let mismatch (name: string) (got: string) (wanted: string) =
            Error(Mismatch($"%s{path}, parameter %s{name}", got, $"%s{wanted}, as its plans say"))

        let wrong =
            wanted
            |> Seq.tryPick (fun (name, shape) ->
                match stored.TryFind name with
                | Some stored when stored = shape -> None
                | Some stored -> Some(mismatch name (shapeText stored) (shapeText shape))
                | None -> Some(mismatch name "no such parameter" (shapeText shape)))

        match wrong with
        | Some problem -> problem
        | None ->
            let names = wanted |> Seq.map fst |> List.ofSeq
            let known = Set.ofList names

            match found.Tensors |> List.tryFind (fun (name, _) -> not (known.Contains name)) with
            | Some(name, shape) -> mismatch name (shapeText shape) "no such parameter"
            | None -> Ok names

    // The reader that nnU-Net chose turns volumes to RAS only where dataset.json asked for it, which plans repeat.
    let private withReader (plans: Plans) (dataset: Dataset) : Dataset =
        { dataset with
            Name = plans.DatasetName
            ImageReader =
                match dataset.ImageReader with
                | None when plans.ImageReader.EndsWith("WithReorient", StringComparison.Ordinal) ->
                    Some plans.ImageReader
                | found -> found
        }

    /// The checkpoint in a stream of a `.pth` file, with the model's plans and data set. `path` names it in messages. A problem,
    /// in one sentence, for a configuration or an architecture that is not served, weights that do not fit the plans (which
    /// names the tensor), and whatever `PythonCheckpoint.read` refuses.
    let read (path: string) (plans: Plans) (dataset: Dataset) (stream: Stream) : Result<Checkpoint, Problem> =
        let dataset = withReader plans dataset

        let described (found: PythonCheckpoint) =
            Problem.attempt {
                let! name = configurationName path plans found
                let! configuration = Plans.configuration name plans
                let! axes = mirrorAxes path configuration.PatchSize.Length found
                return name, configuration, axes
            }

        let wanted (configuration: Configuration) =
            ParameterShapes.ofArchitecture
                configuration.Architecture
                (FirstStage.inputs configuration dataset)
                (Dataset.outputs dataset)

        Problem.attempt {
            let! found, weights =
                PythonCheckpoint.read path stream (fun found ->
                    described found
                    |> Result.bind (fun (_, configuration, _) -> fitting path (wanted configuration) found))

            let! name, configuration, axes = described found

            return
                {
                    Path = path
                    Weights = weights
                    Momentum = []
                    ConfigurationName = name
                    Configuration = configuration
                    Transpose = plans.Transpose
                    Dataset = dataset
                    Options = options found axes
                    Epoch = found.Epoch
                    Iteration = 0
                    LossSum = 0.0
                    History = []
                    MirrorAxes = axes
                    Threads = 0
                    MemoryFormat = ""
                }
        }
