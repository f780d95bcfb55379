namespace SkeletonRecall.Training

open System
open System.IO

/// Loading models of either kind: checkpoints of ours (`.safetensors`) and of Python's nnU-Net v2 (`.pth`), by themselves, in
/// folders or in zip archives.
[<RequireQualifiedAccess>]
module ModelFile =

    let private wanted = "a checkpoint is wanted"

    // Torch's files are zip archives, or begin as pickles where they are older; ours begin with a length.
    let private isTorchFile (stream: Stream) : bool =
        if Archive.isArchive stream then
            true
        else
            let first = stream.ReadByte()
            let second = stream.ReadByte()
            stream.Position <- 0L
            first = 0x80 && second >= 2 && second <= 5

    let private folderOf (path: string) : string =
        Path.GetDirectoryName path |> Option.ofObj |> Option.defaultValue ""

    // plans.json and dataset.json lie beside the folds, or beside the file where it lies in none.
    let private beside (path: string) (name: string) : string =
        let folder = folderOf path

        let isFold =
            (Path.GetFileName folder |> Option.ofObj |> Option.defaultValue "")
                .StartsWith("fold_", StringComparison.Ordinal)

        ModelPath.join (if isFold then folderOf folder else folder) name

    let private pythonModel (path: string) (stream: Stream) : Result<Checkpoint, Problem> =
        Problem.attempt {
            let plansPath, datasetPath = beside path "plans.json", beside path "dataset.json"

            let! plansText =
                ModelPath.readText plansPath "the plans of the model are wanted beside its folds"

            let! plans = Plans.parse plansPath plansText

            let! datasetText =
                ModelPath.readText datasetPath "the model's data set is wanted beside its folds"

            let! dataset = Dataset.parse datasetPath datasetText
            return! PythonModel.read path plans dataset stream
        }

    let private loadFile (path: string) : Result<Checkpoint, Problem> =
        ModelPath.withStream path wanted (fun stream ->
            if isTorchFile stream then
                pythonModel path stream
            else
                Checkpoint.read path stream)

    // The only checkpoint of a path.
    let private single (path: string) : Result<string, Problem> =
        ModelFolder.checkpoints path "final" None
        |> Result.bind (fun found ->
            match found with
            | [ only ] -> Ok only
            | several -> Error(Mismatch(path, $"%d{several.Length} folds", $"one of them, as %s{several.Head}")))

    /// Loads a checkpoint: a file, or a folder or zip archive that holds one final checkpoint alone. A `.pth` file needs
    /// plans.json and dataset.json beside its fold's folder (or beside itself). A problem, in one sentence, for whatever is
    /// missing, damaged, not served, or does not fit.
    let load (path: string) : Result<Checkpoint, Problem> = single path |> Result.bind loadFile

    /// The weights of a checkpoint by themselves, under nnU-Net's names: a `.pth` file needs nothing beside it.
    let weights (path: string) : Result<NamedArray list, Problem> =
        single path
        |> Result.bind (fun path ->
            ModelPath.withStream path wanted (fun stream ->
                if isTorchFile stream then
                    PythonCheckpoint.readAll path stream |> Result.map snd
                else
                    Checkpoint.read path stream |> Result.map _.Weights))
