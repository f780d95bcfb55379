namespace SkeletonRecall.Training

open System
open System.IO
open System.Threading
open SkeletonRecall

/// What became of the cases of one configuration.
type PreparedFolder =
    {
        /// The folder of the preprocessed cases.
        Folder: string
        /// The configurations that use it.
        Configurations: string list
        /// Cases that were preprocessed now.
        Made: int
        /// Cases that were there already, complete and made of the same files by the same plans.
        Kept: int
    }

/// One folder of preprocessed cases.
[<RequireQualifiedAccess>]
module PreparedFolder =

    // A file that is none of ours: Python's nnU-Net keeps .npz, .npy, .b2nd and .pkl files there.
    let private tryForeign (folder: string) : Result<string option, Problem> =
        if not (Directory.Exists folder) then
            Ok None
        else
            Store.fileNames folder "the folder of preprocessed cases"
            |> Result.map (
                List.tryFind (fun name ->
                    not (
                        name.EndsWith(PreprocessedStore.ending, StringComparison.Ordinal)
                        || name.EndsWith(".tmp", StringComparison.Ordinal)
                    ))
            )

    // Bytes that each case will take, by the fingerprint and the headers of its files. What was cut away is measured by no
    // fingerprint: for files without such a header it counts as in the case that is in the middle.
    let private needs
        (dataset: Dataset)
        (plans: Plans)
        (configuration: Configuration)
        (fingerprint: Fingerprint)
        (files: CaseFiles list)
        : int64 list =
        List.map3
            (fun (spacing: float list) (shape: int list) (files: CaseFiles) ->
                let cropped = List.fold (fun product length -> product * int64 length) 1L shape
                let before = Axes.permute plans.Transpose spacing

                let target =
                    if configuration.Spacing.Length = 2 then
                        before.Head :: configuration.Spacing
                    else
                        configuration.Spacing

                let grown = List.map2 (/) before target |> List.fold (*) 1.0

                Preprocess.peakBytes
                    dataset.ChannelNames.Length
                    (VoxelFile.tryDeclared files.Images.Head
                     |> Option.defaultValue (int64 (float cropped / fingerprint.RelativeSize)))
                    cropped
                    (int64 (float cropped * grown)))
            fingerprint.Spacings
            fingerprint.Shapes
            files

    /// Preprocesses one folder of cases, which the named configurations share. A folder with files of another program is a problem.
    let internal make
        (request: PrepareRequest)
        (stop: CancellationToken)
        (note: string -> unit)
        (report: int -> string -> unit)
        (source: string * Dataset)
        (plans: Plans)
        (fingerprint: Fingerprint)
        (files: CaseFiles list)
        (names: string list, configuration: Configuration)
        : Result<PreparedFolder, Problem> =
        let rawFolder, dataset = source

        let folder =
            Store.file (PrepareRequest.target request dataset) configuration.DataIdentifier

        let one (files: CaseFiles, _) : Result<bool * string option, Problem> =
            let path = Store.labelFile folder PreprocessedStore.ending files.Case
            let made = CaseOrigin.print dataset plans configuration files

            let isThere =
                not request.Clean
                && match PreprocessedStore.openCase path with
                   | Ok case -> case.Made = made
                   | Error _ -> false

            if isThere then
                Ok(false, None)
            else
                Problem.attempt {
                    let! case, remark = Store.readTrainingCase rawFolder dataset files.Case
                    let! prepared = Preprocess.case plans.Transpose configuration dataset case
                    do! PreprocessedStore.save path made prepared
                    return true, remark
                }

        Problem.attempt {
            let! foreign = tryForeign folder

            match foreign with
            | Some name ->
                return!
                    Error(
                        Mismatch(
                            folder,
                            $"files of another program, such as %s{name}",
                            "a folder of its own: plan under another name with -overwrite_plans_name and preprocess with -p, or take another --root"
                        )
                    )
            | None ->
                let needs = needs dataset plans configuration fingerprint files
                let most = ceil (float (List.max needs) / 1048576.0)

                note
                    $"%s{configuration.DataIdentifier}: %d{files.Length} cases, at most %.0f{most} MB each at work, %d{request.Workers} at once within %.0f{float request.Memory / 1048576.0} MB"

                let! results =
                    Workers.run
                        request.Workers
                        request.Memory
                        stop
                        (fun number (files: CaseFiles, _) -> report number (CaseId.value files.Case))
                        snd
                        one
                        (List.zip files needs)

                results |> List.choose snd |> List.tryHead |> Option.iter note

                return
                    {
                        Folder = folder
                        Configurations = names
                        Made = results |> List.filter fst |> List.length
                        Kept = results |> List.filter (fst >> not) |> List.length
                    }
        }

    /// The preprocessed cases of a configuration, ready to draw patches from, in the given order: None where the folder holds none of
    /// them. A problem when some are missing, or were made by other plans or of other files than there are now.
    let tryCases
        (roots: Roots)
        (rawFolder: string)
        (dataset: Dataset)
        (plans: Plans)
        (configuration: Configuration)
        (cases: CaseId list)
        : Result<StoredCase list option, Problem> =
        let folder =
            Store.file (Store.preprocessedFolder roots dataset.Name) configuration.DataIdentifier

        let path (case: CaseId) =
            Store.labelFile folder PreprocessedStore.ending case

        if cases |> List.forall (fun case -> not (Files.exists (path case))) then
            Ok None
        else
            Problem.attempt {
                let! files = Store.trainingFiles rawFolder dataset
                let files = files |> List.map (fun files -> files.Case, files) |> Map.ofList

                let one (case: CaseId) =
                    PreprocessedStore.openCase (path case)
                    |> Result.bind (fun stored ->
                        if stored.Made = CaseOrigin.print dataset plans configuration files[case] then
                            Ok stored
                        else
                            Error(
                                Mismatch(
                                    path case,
                                    "a case that was made by other plans, or of a file that has changed since",
                                    "the data set as it is: run preprocess again"
                                )
                            ))

                let! stored = cases |> Problem.traverse one
                return Some stored
            }
