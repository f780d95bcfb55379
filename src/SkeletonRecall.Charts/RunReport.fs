namespace SkeletonRecall.Charts

open System
open System.IO
open SkeletonRecall
open SkeletonRecall.Training

/// The report of one training run or of two, from the folders that they left: run.json, and the cases of the last
/// validation on whole ones where there was one.
[<RequireQualifiedAccess>]
module RunReport =

    /// Where training leaves the page of its own run.
    let file: string = "report.html"

    // Voxels of all pictures of a run together: what is held in memory at once.
    let private most = 60_000_000L

    type private Loaded =
        {
            Name: string
            Options: TrainOptions
            /// What a checkpoint says of data and network; none where the run has left none yet.
            Heading: Checkpoint option
            History: EpochReport list
            Scores: Scores list
            Overlays: CaseOverlay list
        }

    // "trainer, 2d, fold 0" of nnU-Net's folders; else the folder's own name.
    let private name (folder: string) : string =
        let full = Path.TrimEndingDirectorySeparator(Path.GetFullPath folder)
        let own = Store.name full

        match Path.GetDirectoryName full with
        | null -> own
        | parent ->
            match (Store.name parent).Split "__" with
            | [| trainer; _; configuration |] when own.StartsWith("fold_", StringComparison.Ordinal) ->
                $"%s{trainer}, %s{configuration}, fold %s{own.Substring 5}"
            | _ -> own

    let private overlay (run: string) (case: ValidatedCase) : CaseOverlay =
        {
            Case = case.Case
            Run = run
            Image = Volume.map float32 case.Image |> Volume.withSpacing case.Image.Spacing
            Truth = Tube.binarize case.Truth
            Prediction = Tube.binarize case.Prediction
        }

    // The worst cases of any run, as many as memory takes.
    let private worst (scores: (string * Scores list) list) (cases: string list) : string list =
        let value (case: string) =
            scores
            |> List.collect snd
            |> List.filter (fun score -> score.Case = case)
            |> List.map (fun score ->
                if Double.IsNaN score.ClDice then
                    score.Dice
                else
                    score.ClDice)
            |> List.filter (Double.IsNaN >> not)
            |> List.fold min infinity

        List.sortBy (fun case -> value case, case) cases

    let private take (run: string) (folder: string) (cases: string list) : Result<CaseOverlay list, Problem> =
        let rec next (room: int64) (cases: string list) (taken: CaseOverlay list) =
            match cases with
            | case :: rest when room > 0L ->
                match ValidatedCase.load folder case with
                | Error problem -> Error problem
                | Ok loaded ->
                    let count = int64 loaded.Image.Extent.Count

                    if count > room && not taken.IsEmpty then
                        Ok(List.rev taken)
                    else
                        next (room - count) rest (overlay run loaded :: taken)
            | _ -> Ok(List.rev taken)

        next most cases []

    // The newest checkpoint's; a file that is none is passed over, since the page needs it for a few words only.
    let private heading (folder: string) : Checkpoint option =
        [ RunFolder.final; RunFolder.latest; RunFolder.best ]
        |> List.tryPick (fun file -> Checkpoint.loadHeading (Store.file folder file) |> Result.toOption)

    let private settings (runs: Loaded list) : (string * string) list =
        let some (label: string) (value: Loaded -> string option) =
            let values =
                runs |> List.choose (fun run -> value run |> Option.map (fun text -> run, text))

            match values |> List.map snd |> List.distinct with
            | [ same ] -> [ label, same ]
            | _ -> values |> List.map (fun (run, text) -> $"%s{label}, %s{run.Name}", text)

        let one (label: string) (value: TrainOptions -> string) =
            some label (fun run -> Some(value run.Options))

        let told (label: string) (value: Checkpoint -> string) =
            some label (fun run -> Option.map value run.Heading)

        let listed (separator: string) (values: int list) =
            values |> List.map string |> String.concat separator

        List.concat
            [
                told "data set" _.Dataset.Name
                told "configuration" _.ConfigurationName
                told "patch" (fun heading -> listed " x " heading.Configuration.PatchSize)
                told "batch" (fun heading -> string heading.Configuration.BatchSize)
                told "features" (fun heading -> listed ", " heading.Configuration.Architecture.FeaturesPerStage)
                one "objective" (fun options -> Objective.print options.Objective)
                one "epochs" (fun options -> $"%d{options.Epochs}, of %d{options.Iterations} iterations each")
                one "learning rate" (fun options -> Numeral.machine options.LearningRate)
                one "mirroring" (fun options -> if options.Mirror then "all axes" else "none")
                one "skeletons" (fun options -> SkeletonSource.print options.Skeletons)
                one "best checkpoint by" (fun options ->
                    match options.BestBy with
                    | Some measure -> Measure.print measure
                    | None -> "moving pseudo Dice")
                one "seed" (fun options -> string options.Seed)
            ]

    let private summary (runs: Loaded list) : string =
        let epochs (run: Loaded) =
            $"%d{run.History.Length} of %d{run.Options.Epochs} epochs"

        let done' =
            match runs |> List.map epochs |> List.distinct with
            | [ same ] -> same
            | several -> String.concat " and " several

        let cases =
            runs
            |> List.collect (fun run -> run.Scores |> List.map _.Case)
            |> List.distinct
            |> List.length

        if cases = 0 then
            $"%s{done'}; no validation on whole cases."
        else
            let cases =
                if cases = 1 then
                    "1 validation case"
                else
                    $"%d{cases} validation cases"

            $"%s{done'}. Scores and pictures are of %s{cases}, whole, on the grid that the network saw, with the weights of the last epoch."

    /// The page of some runs, the first of which is the baseline; see `Report.page`. A folder without run.json is a problem.
    /// Throws ArgumentException without any run.
    let page (folders: string list) : Result<string, Problem> =
        if folders.IsEmpty then
            invalidArg (nameof folders) "A report is of one run or of several; got none."

        let short = List.map name folders

        let names =
            if (List.distinct short).Length = folders.Length then
                short
            else
                folders

        Problem.attempt {
            let! read =
                List.zip names folders
                |> Problem.traverse (fun (name, folder) ->
                    Problem.attempt {
                        let path = Store.file folder RunFolder.run
                        let! text = Store.readText path "the folder of a training run is wanted"
                        let! options, history = RunRecord.parse path text
                        let! scores = ValidatedCase.scores folder
                        return name, folder, options, history, scores
                    })

            let scores = read |> List.map (fun (name, _, _, _, scores) -> name, scores)

            let! runs =
                read
                |> Problem.traverse (fun (name, folder, options, history, own) ->
                    take name folder (worst scores (ValidatedCase.names folder))
                    |> Result.map (fun overlays ->
                        {
                            Name = name
                            Options = options
                            Heading = heading folder
                            History = history
                            Scores = own
                            Overlays = overlays
                        }))

            return
                Report.page
                    {
                        Title = String.concat " and " names
                        Summary = summary runs
                        Options = settings runs
                        Runs =
                            runs
                            |> List.map (fun run ->
                                {
                                    Name = run.Name
                                    Objective = Objective.print run.Options.Objective
                                    History = run.History
                                })
                        Scores =
                            runs
                            |> List.filter (fun run -> not run.Scores.IsEmpty)
                            |> List.map (fun run -> run.Name, run.Scores)
                        Seed = 0
                        Overlays = runs |> List.collect _.Overlays
                    }
        }

    /// Writes the page of some runs.
    let write (path: string) (folders: string list) : Result<unit, Problem> =
        page folders |> Result.bind (Store.writeText path)
