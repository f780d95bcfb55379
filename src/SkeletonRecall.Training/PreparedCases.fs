namespace SkeletonRecall.Training

open SkeletonRecall

/// Training cases brought to where patches are drawn from them.
[<RequireQualifiedAccess>]
module PreparedCases =

    // Tubes from skeletons of whole cases need the skeletons; they are kept in files of the given folder.
    let private skeletonOf
        (folder: string)
        (setup: TrainSetup)
        (case: PreprocessedCase)
        : Result<CaseSkeleton option, Problem> =
        let objective = setup.Options.Objective

        match setup.Options.Skeletons, case.Labels with
        | SkeletonSource.Cached, Some labels when Objective.needsSkeleton objective ->
            Case.create case.Id case.Image (Some labels)
            |> SkeletonStore.attach
                (fun key -> Store.labelFile folder $".%s{key}.safetensors" case.Id)
                objective.Tube
                setup.Dataset.Ignore
                setup.Configuration.PatchSize.Length
            |> Result.map (fun case -> case.Skeleton)
        | _ -> Ok None

    /// A preprocessed case that is held in memory. `skeletons` is the folder for skeletons of whole cases. Throws
    /// ArgumentException for a case without labels.
    let ofMemory (skeletons: string) (setup: TrainSetup) (case: PreprocessedCase) : Result<Prepared, Problem> =
        match case.Labels, case.Locations with
        | Some labels, Some locations ->
            skeletonOf skeletons setup case
            |> Result.map (fun skeleton ->
                {
                    Id = case.Id
                    Channels = case.Image.Channels
                    Extent = case.Image.Extent
                    Locations = locations.Classes
                    Annotated = locations.Annotated
                    Skeleton = skeleton
                    FirstStage = None
                    Spacing = case.Image.Spacing
                    CutInto = fun origin canvas -> Patch.cutInto origin case.Image labels canvas
                })
        | _ -> invalidArg (nameof case) $"Case %s{CaseId.value case.Id} has no labels to draw patches by."

    /// A stored case, whose patches are read from its file when they are drawn.
    let ofStore (skeletons: string) (setup: TrainSetup) (case: StoredCase) : Result<Prepared, Problem> =
        Problem.attempt {
            let! prepared = PreprocessedStore.prepare case

            if
                setup.Options.Skeletons = SkeletonSource.Cached
                && Objective.needsSkeleton setup.Options.Objective
            then
                let! whole = PreprocessedStore.load case
                let! skeleton = skeletonOf skeletons setup whole
                return { prepared with Skeleton = skeleton }
            else
                return prepared
        }
