namespace SkeletonRecall.Training

open System
open System.IO
open System.Threading
open System.Threading.Tasks
open SkeletonRecall

/// How much a finding weighs.
[<RequireQualifiedAccess>]
type Gravity =
    /// Training would fail, or learn what is wrong.
    | Wrong
    /// Worth a look.
    | Doubtful

/// Something that was found in a data set.
type Finding =
    {
        /// The case that it is about; none where it is about the whole.
        Case: CaseId option
        Gravity: Gravity
        /// One line: where, what, and the cure.
        Message: string
    }

/// What came of looking through a data set.
type Verified =
    {
        Dataset: Dataset
        /// Training cases that were found.
        Cases: int
        /// Sorted by case; those about the whole come first.
        Findings: Finding list
    }

/// Looking through a data set before it is trained on: all that nnU-Net's verify_dataset_integrity checks, every finding
/// at once instead of the first alone, and a few things that it lets pass.
[<RequireQualifiedAccess>]
module Verification =

    let private finding (gravity: Gravity) (case: CaseId option) (message: string) : Finding =
        {
            Case = case
            Gravity = gravity
            Message = message
        }

    let private wrong (case: CaseId) (problem: Problem) : Finding =
        finding Gravity.Wrong (Some case) (Problem.message problem)

    let private doubtful (case: CaseId) (message: string) : Finding =
        finding Gravity.Doubtful (Some case) message

    let private general (gravity: Gravity) (problem: Problem) : Finding =
        finding gravity None (Problem.message problem)

    /// What was seen of one case.
    type private Seen =
        {
            Findings: Finding list
            /// Ids in its label map.
            Labels: int list
            /// What the reader of its label map had to say.
            Note: string option
        }

    // Two files of one case on the same grid; another place in the world is no error to nnU-Net either.
    let private compareGrids
        (case: CaseId)
        (path: string, extent: Extent, spacing: Spacing, geometry: Geometry)
        (first: string, wanted: Image)
        : Finding list =
        if extent <> wanted.Extent then
            [
                wrong case (Mismatch(path, Reader.size extent, $"%s{Reader.size wanted.Extent}, as %s{first} has"))
            ]
        else
            [
                if not (Reader.close spacing wanted.Spacing) then
                    wrong
                        case
                        (Mismatch(
                            path,
                            $"a spacing of %O{spacing}",
                            $"%O{wanted.Spacing}, as %s{first} has: resample it, or correct its header"
                        ))

                if not (Geometry.near 1e-3 geometry wanted.Geometry) then
                    doubtful
                        case
                        $"%s{path}: another place or direction than %s{first}; got %O{geometry}, wanted %O{wanted.Geometry}: look whether they lie on each other."
            ]

    let private channelFindings (dataset: Dataset) (files: CaseFiles) (images: (string * Image) list) : Finding list =
        let first, head = images.Head
        let names = dataset.ChannelNames
        let channels = images |> List.sumBy (fun (_, image) -> image.Channels)
        let single = channels = images.Length

        [
            for path, image in images.Tail do
                yield! compareGrids files.Case (path, image.Extent, image.Spacing, image.Geometry) (first, head)

            if single && channels < names.Length && dataset.Files.IsNone then
                for channel in channels .. names.Length - 1 do
                    let path =
                        first.Replace("_0000" + dataset.FileEnding, $"_%04d{channel}%s{dataset.FileEnding}")

                    wrong
                        files.Case
                        (Missing(
                            path,
                            $"channel %d{channel} (%s{names[channel]}) of case %s{CaseId.value files.Case} is wanted"
                        ))
            elif channels <> names.Length then
                let list = String.concat ", " names

                wrong
                    files.Case
                    (Mismatch(
                        first,
                        $"%d{channels} channels",
                        $"%d{names.Length}, as \"channel_names\" in dataset.json has (%s{list}): correct the one or the other"
                    ))
        ]

    let private present (labels: LabelMap) : int list =
        let seen = Array.zeroCreate<bool>(int Int16.MaxValue + 1)

        for label in labels.Data do
            seen[int label] <- true

        [
            for label in 0 .. seen.Length - 1 do
                if seen[label] then
                    label
        ]

    // Reads all files of a case and compares them.
    let private look (dataset: Dataset) (files: CaseFiles) : Seen =
        let images = files.Images |> List.map (fun path -> path, Reader.image [ path ])

        let read =
            images
            |> List.choose (fun (path, image) ->
                match image with
                | Ok image -> Some(path, image)
                | Error _ -> None)

        let ofImages =
            [
                for _, image in images do
                    match image with
                    | Error problem -> wrong files.Case problem
                    | Ok _ -> ()

                if read.Length = images.Length && not read.IsEmpty then
                    yield! channelFindings dataset files read
            ]

        if not (File.Exists files.Labels) then
            let wanted = $"a label map for the image %s{CaseId.value files.Case} is wanted"

            {
                Findings = ofImages @ [ wrong files.Case (Missing(files.Labels, wanted)) ]
                Labels = []
                Note = None
            }
        else
            match Reader.labelsInPlace dataset files.Labels with
            | Error problem ->
                {
                    Findings = ofImages @ [ wrong files.Case problem ]
                    Labels = []
                    Note = None
                }
            | Ok(labels, geometry, note) ->
                let ofLabels =
                    match read with
                    | [] -> []
                    | first :: _ ->
                        compareGrids files.Case (files.Labels, labels.Extent, labels.Spacing, geometry) first

                {
                    Findings = ofImages @ ofLabels
                    Labels = present labels
                    Note = note
                }

    // The cases with their files as far as they are there, what is wrong with the list itself, and how many there are.
    let private survey (folder: string) (dataset: Dataset) : CaseFiles list * Finding list * int =
        match dataset.Files with
        | Some listed -> listed |> List.map (CaseFolder.resolve folder), [], listed.Length
        | None ->
            let images = TrainingFiles.imagesFolder folder

            match CaseFolder.survey images dataset.FileEnding with
            | Error problem -> [], [ general Gravity.Wrong problem ], 0
            | Ok(others, cases) ->
                let files, problems =
                    cases
                    |> List.map (fun case ->
                        CaseFolder.imageCase images dataset.FileEnding case
                        |> Result.map (fun (id, paths) ->
                            {
                                Case = id
                                Images = paths
                                Labels = Store.trainingLabels folder dataset id
                            }))
                    |> List.partition Result.isOk

                [
                    for result in files do
                        match result with
                        | Ok files -> files
                        | Error _ -> ()
                ],
                [
                    if others.IsEmpty && cases.IsEmpty then
                        general Gravity.Wrong (CaseFolder.noImages images dataset.FileEnding)

                    for name in others do
                        general Gravity.Wrong (CaseFolder.unnumbered images dataset.FileEnding name)

                    for problem in CaseFolder.clashes images (List.map fst cases) do
                        general Gravity.Wrong problem

                    for result in problems do
                        match result with
                        | Error problem -> general Gravity.Wrong problem
                        | Ok _ -> ()
                ],
                cases.Length

    // What only all cases together tell.
    let private overall (dataset: Dataset) (path: string) (count: int) (seen: Seen list) : Finding list =
        let found = seen |> List.collect (fun case -> case.Labels) |> Set.ofList
        let white = seen |> List.choose (fun case -> case.Note)

        [
            if count > 0 && count <> dataset.TrainingCount then
                general
                    Gravity.Wrong
                    (Mismatch(
                        path,
                        $"\"numTraining\": %d{dataset.TrainingCount}",
                        $"%d{count}, the number of cases that are there: correct it"
                    ))

            if not found.IsEmpty then
                for name, id in dataset.Labels do
                    if not (found.Contains id) then
                        finding
                            Gravity.Doubtful
                            None
                            $"%s{path}: the label %s{name} = %d{id} occurs in no label map; a class without voxels is never learned."

            match white with
            | [] -> ()
            | first :: _ ->
                finding
                    Gravity.Doubtful
                    None
                    $"%s{first} So it is with %d{white.Length} label maps; nnU-Net itself takes only 0 and 1: `convert` writes them so."
        ]

    /// Looks through the data set of a folder. Cases are read by several workers at once; each holds one case. `report`
    /// hears the share that is done and the case at hand. A dataset.json that cannot be read is a problem; all else that is
    /// wrong is a finding: the number of cases, missing files and channels, sizes and spacings that differ between image
    /// and label map or among channels, values that are NaN or infinite, labels that dataset.json does not know. Another
    /// origin or direction, a label that never occurs and masks of {0, 255} are doubtful only.
    /// Throws ArgumentException for less than one worker.
    let run
        (workers: int)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        (folder: string)
        : Result<Verified, Problem> =
        if workers < 1 then
            invalidArg (nameof workers) $"At least one worker is wanted; got %d{workers}."

        Problem.attempt {
            let! dataset = Store.readDataset folder
            let cases, findings, total = survey folder dataset
            let cases = Array.ofList cases
            let seen = Array.zeroCreate<Seen option> cases.Length
            let mutable count = 0
            let turn = obj ()

            let options =
                ParallelOptions(MaxDegreeOfParallelism = workers, CancellationToken = stop)

            Parallel.For(
                0,
                cases.Length,
                options,
                fun number ->
                    seen[number] <- Some(look dataset cases[number])

                    lock turn (fun () ->
                        count <- count + 1
                        report (float count / float cases.Length) (CaseId.value cases[number].Case))
            )
            |> ignore

            let seen = seen |> Array.choose id |> List.ofArray
            let path = Path.Combine(folder, Store.datasetFile)

            return
                {
                    Dataset = dataset
                    Cases = total
                    Findings =
                        findings
                        @ overall dataset path total seen
                        @ (seen |> List.collect (fun case -> case.Findings))
                }
        }

    /// Whether nothing is wrong; what is doubtful does not count.
    let passed (verified: Verified) : bool =
        verified.Findings
        |> List.forall (fun finding -> finding.Gravity = Gravity.Doubtful)
