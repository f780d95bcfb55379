namespace SkeletonRecall.Training

open System
open System.IO
open System.Threading
open System.Threading.Tasks
open SkeletonRecall

/// What came of a conversion.
type Converted =
    {
        Dataset: Dataset
        /// Cases in imagesTs.
        Held: int
        /// What a person should know: which values became which labels, what was left out.
        Notes: string list
    }

/// Making data sets in nnU-Net's raw layout from folders of images and masks.
[<RequireQualifiedAccess>]
module Conversion =

    /// Images in `images`, masks in `masks`, paired by their names; labels by what is found.
    let standard: Recipe =
        {
            Training =
                [
                    {
                        Images = "images/*"
                        Masks = Some "masks/*"
                    }
                ]
            Test = []
            IsHeldOut = fun _ -> false
            Case = id
            Channels = []
            Labels = []
            Rule = MaskRule.Found(None, [])
            Spacing = None
            SkipUnpaired = false
            Ending = None
            ToRas = false
            Clean = fun _ labels -> labels
        }

    // The files of each case: one of each pattern.
    let private images (source: string) (patterns: string) : Result<(string * string list) list, Problem> =
        match List.ofArray (patterns.Split(',', StringSplitOptions.TrimEntries)) with
        | [] -> Ok []
        | first :: others ->
            Problem.attempt {
                let! found = NamePattern.find source first

                let! rest =
                    others
                    |> Problem.traverse (fun pattern ->
                        NamePattern.find source pattern
                        |> Result.map (fun files -> pattern, Map.ofList files))

                return!
                    found
                    |> Problem.traverse (fun (name, image) ->
                        rest
                        |> Problem.traverse (fun (pattern, files) ->
                            match files.TryFind name with
                            | Some file -> Ok file
                            | None ->
                                Error(
                                    Missing(
                                        Path.Combine(source, pattern.Replace("*", name)),
                                        $"the next channel of %s{image} is wanted"
                                    )
                                ))
                        |> Result.map (fun more -> name, image :: more))
            }

    // The part whose images are there, with its images.
    let private part
        (source: string)
        (parts: ConversionPart list)
        : Result<(ConversionPart * (string * string list) list) option, Problem> =
        let rec first (rest: ConversionPart list) =
            match rest with
            | [] -> Ok None
            | part :: rest ->
                images source part.Images
                |> Result.bind (fun found -> if found.IsEmpty then first rest else Ok(Some(part, found)))

        first parts

    let private jobs
        (recipe: Recipe)
        (source: string)
        (isTraining: bool)
        (part: ConversionPart, images: (string * string list) list)
        : Result<ConversionWriter.Job list * string list, Problem> =
        Problem.attempt {
            let! masks =
                match part.Masks with
                | None -> Ok []
                | Some pattern -> NamePattern.find source pattern

            let masks = Map.ofList masks
            let needed = isTraining && part.Masks.IsSome
            let unpaired = images |> List.filter (fun (name, _) -> not (masks.ContainsKey name))

            match unpaired, part.Masks with
            | (name, files) :: _, Some pattern when needed && masks.Count = 0 ->
                let wanted = $"the mask of %s{files.Head} is wanted"
                return! Error(Missing(Path.Combine(source, pattern.Replace("*", name)), wanted))
            | (name, files) :: _, Some pattern when needed && not recipe.SkipUnpaired ->
                let wanted =
                    $"the mask of %s{files.Head} is wanted (%d{unpaired.Length} of %d{images.Length} images have none; --skip-unpaired leaves them out)"

                return! Error(Missing(Path.Combine(source, pattern.Replace("*", name)), wanted))
            | _ ->
                let kept =
                    images |> List.filter (fun (name, _) -> not needed || masks.ContainsKey name)

                let! jobs =
                    kept
                    |> Problem.traverse (fun (name, files) ->
                        match CaseId.tryOfString (recipe.Case name) with
                        | Some case ->
                            let job: ConversionWriter.Job =
                                {
                                    Case = case
                                    Images = files
                                    Mask = masks.TryFind name
                                    IsTraining = isTraining && not (recipe.IsHeldOut name)
                                }

                            Ok job
                        | None ->
                            Error(
                                Mismatch(
                                    files.Head,
                                    $"the case name '%s{recipe.Case name}'",
                                    "one that every system takes as a file name"
                                )
                            ))

                return
                    jobs,
                    [
                        if needed && not unpaired.IsEmpty then
                            $"%d{unpaired.Length} of %d{images.Length} images have no mask and are left out, e.g. %s{List.head (snd unpaired.Head)}"
                    ]
        }

    // The items' results in their order, several at a time; the first problem in that order, and no item after it begins
    // once it is known.
    let private inParallel
        (workers: int)
        (stop: CancellationToken)
        (done': unit -> unit)
        (step: 'T -> Result<'U, Problem>)
        (items: 'T list)
        : Result<'U list, Problem> =
        let items = Array.ofList items
        let results = Array.zeroCreate<Result<'U, Problem> option> items.Length
        let mutable failed = false

        let options =
            ParallelOptions(MaxDegreeOfParallelism = workers, CancellationToken = stop)

        Parallel.For(
            0,
            items.Length,
            options,
            fun number ->
                if not (Volatile.Read &failed) then
                    let result = step items[number]

                    if Result.isError result then
                        Volatile.Write(&failed, true)

                    results[number] <- Some result
                    done' ()
        )
        |> ignore

        results |> Array.choose id |> List.ofArray |> Problem.collect

    let private counted
        (recipe: Recipe)
        (workers: int)
        (stop: CancellationToken)
        (done': unit -> unit)
        (masks: string list)
        : Result<MaskCoding.Counts, Problem> =
        Problem.attempt {
            let! all =
                masks
                |> inParallel workers stop done' (fun path ->
                    ConversionWriter.readMask recipe path |> Result.bind (MaskCoding.count path))

            return!
                (Ok all.Head, List.zip masks.Tail all.Tail)
                ||> List.fold (fun sum (path, counts) ->
                    sum
                    |> Result.bind (fun sum ->
                        MaskCoding.merge sum counts
                        |> Result.mapError (fun reason -> Unreadable(path, reason))))
        }

    let private duplicates (jobs: ConversionWriter.Job list) : Result<unit, Problem> =
        match
            jobs
            |> List.groupBy (fun job -> (CaseId.value job.Case).ToUpperInvariant())
            |> List.tryFind (fun (_, same) -> same.Length > 1)
        with
        | None -> Ok()
        | Some(_, same) ->
            let files = same |> List.map (fun job -> job.Images.Head) |> String.concat " and "

            Error(
                Mismatch(
                    files,
                    $"the case name %s{CaseId.value same.Head.Case} for each",
                    "a name of its own for each case"
                )
            )

    /// Makes the data set `target` (a folder that is not there yet, by nnU-Net's custom `Dataset<3 digits>_<name>`) from the
    /// folder `source`. All masks are looked at first, so that one rule holds for all; the folder gets its name when it is
    /// whole. Several cases are worked on at once, each in memory. `report` hears the share that is done.
    /// Throws ArgumentException for less than one worker.
    let run
        (recipe: Recipe)
        (workers: int)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        (source: string)
        (target: string)
        : Result<Converted, Problem> =
        if workers < 1 then
            invalidArg (nameof workers) $"At least one worker is wanted; got %d{workers}."

        NewFolder.create target (fun beside ->
            Problem.attempt {
                if not (Directory.Exists source) then
                    do! Error(Missing(source, "the folder of the downloaded data set is wanted"))

                let! training = part source recipe.Training
                let! test = part source recipe.Test

                match training with
                | None ->
                    let patterns =
                        recipe.Training |> List.map (fun part -> part.Images) |> String.concat " or "

                    return! Error(Missing(Path.Combine(source, patterns), "images are wanted"))
                | Some training ->
                    let! trained, notes = jobs recipe source true training

                    let! held, others =
                        match test with
                        | Some test -> jobs recipe source false test
                        | None -> Ok([], [])

                    let jobs = trained @ held
                    do! duplicates jobs
                    let masks = jobs |> List.choose (fun job -> job.Mask)
                    let steps = float (masks.Length + jobs.Length)
                    let mutable count = 0

                    let done' () : unit =
                        let now = Interlocked.Increment &count
                        report (float now / steps) ""

                    if masks.IsEmpty then
                        do!
                            Error(
                                Missing(Path.Combine(source, "masks"), "the masks of the training images are wanted")
                            )

                    let! counts = counted recipe workers stop done' masks

                    let! coding =
                        MaskCoding.decide recipe.Rule counts
                        |> Result.mapError (fun reason ->
                            let folder =
                                Path.GetDirectoryName masks.Head |> Option.ofObj |> Option.defaultValue source

                            Unreadable(folder, $"the masks are no labels: %s{reason}"))

                    let! first = Reader.image trained.Head.Images

                    let names =
                        ConversionWriter.labelNames recipe (1 + int (coding.Labels |> Map.values |> Seq.max))

                    let plan: ConversionWriter.Plan =
                        {
                            Recipe = recipe
                            Coding = Some coding
                            Channels = ConversionWriter.channelNames recipe first
                            Ending =
                                recipe.Ending
                                |> Option.defaultValue (if first.Extent.Rank = 2 then ".png" else ".nii.gz")
                            Folder = beside
                        }

                    let! _ = jobs |> inParallel workers stop done' (ConversionWriter.convert plan)

                    let training = jobs |> List.filter (fun job -> job.IsTraining) |> List.length

                    let dataset =
                        Dataset.create
                            (Store.name target)
                            plan.Channels
                            (List.mapi (fun id name -> name, id) names)
                            plan.Ending
                            training

                    do! Store.writeDataset beside dataset

                    return
                        {
                            Dataset = dataset
                            Held = jobs.Length - training
                            Notes = MaskCoding.describe names counts coding :: notes @ others
                        }
            })
