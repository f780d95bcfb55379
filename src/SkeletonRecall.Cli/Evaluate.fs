namespace SkeletonRecall.Cli

open System.IO
open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// What `evaluate` is to do.
type EvaluateOptions =
    {
        Truth: string
        Prediction: string
        DatasetJson: string option
        Summary: string
        Table: string
        Evaluation: EvaluationOptions
        AllowMissing: bool
        Parallel: int
        Seed: int
    }

/// `evaluate TRUTH PREDICTION`: scores of predicted label maps.
[<RequireQualifiedAccess>]
module Evaluate =

    /// Some cases failed and the others were scored.
    let someFailed: int = 3

    /// Measures and convention of the four flags.
    let evaluation
        (names: string option)
        (profile: string option)
        (connectivity: string option)
        (window: int option)
        : Result<EvaluationOptions, Problem> =
        Problem.attempt {
            let! profile =
                match profile with
                | None -> Ok Profile.paper
                | Some text ->
                    let known = Profile.all |> List.map _.Name |> String.concat ", "

                    Profile.parse text
                    |> Result.mapError (fun _ -> Mismatch("--profile", $"'%s{text}'", $"one of %s{known}"))

            let! profile =
                match connectivity with
                | None -> Ok profile
                | Some text ->
                    ConnectivityPair.parse text
                    |> Result.map (fun pair -> Profile.withPair pair profile)
                    |> Result.mapError (fun _ ->
                        Mismatch("--connectivity", $"'%s{text}'", "8/4, 4/8, 26/6, 6/26, 18/6 or 6/18"))

            let! measures =
                match names with
                | None -> Ok Evaluation.standard.Measures
                | Some text -> Flags.measures "--measures" text

            let! profile =
                match window with
                | None -> Ok profile
                | Some side when side < 1 -> Error(Mismatch("--window", string side, "1 voxel or more"))
                | Some side -> Ok { profile with Window = Some side }

            let isMatching (measure: Measure) =
                (Measure.print measure).StartsWith("BettiMatching", System.StringComparison.Ordinal)

            let eighteen =
                profile.Space.Foreground = Connectivity.Eighteen
                || profile.Space.Background = Connectivity.Eighteen

            if eighteen && List.exists isMatching measures then
                return!
                    Error(
                        Mismatch(
                            "--connectivity",
                            $"'%s{ConnectivityPair.print profile.Space}' with BettiMatching",
                            "26/6 or 6/26, or measures without BettiMatching"
                        )
                    )
            else
                return
                    {
                        Profile = profile
                        Measures = measures
                    }
        }

    /// The options of a command line, or what is wrong with it.
    let options (arguments: ParseResults<EvaluateArguments>) : Result<EvaluateOptions, Problem> =
        let truth, prediction = arguments.GetResult EvaluateArguments.Folders

        let summary =
            arguments.GetResult(EvaluateArguments.Output, LabelFolder.summary prediction)

        evaluation
            (arguments.TryGetResult EvaluateArguments.Measures)
            (arguments.TryGetResult EvaluateArguments.Profile)
            (arguments.TryGetResult EvaluateArguments.Connectivity)
            (arguments.TryGetResult EvaluateArguments.Window)
        |> Result.map (fun evaluation ->
            {
                Truth = truth
                Prediction = prediction
                DatasetJson = arguments.TryGetResult EvaluateArguments.Dataset_Json
                Summary = summary
                Table = arguments.GetResult(EvaluateArguments.Table, LabelFolder.table summary)
                Evaluation = evaluation
                AllowMissing = arguments.Contains EvaluateArguments.Allow_Missing
                Parallel = arguments.GetResult(EvaluateArguments.Processes, 0)
                Seed = arguments.GetResult(EvaluateArguments.Seed, 0)
            })

    /// Scores one folder under a bar; problems of single cases go to the error stream, one line each.
    let internal scored (terminal: Terminal) (request: EvaluateRequest) (title: string) =
        Terminal.progress terminal title (FolderEvaluation.run request terminal.Stop)
        |> Result.map (fun cases ->
            for problem in FolderEvaluation.problems cases do
                Terminal.fail terminal (Problem.message problem) |> ignore

            cases)

    let private windows (profile: Profile) : string =
        match profile.Window with
        | Some side -> $", topology averaged over windows of %d{side} voxels"
        | None -> ""

    /// Class, its name and the connectivity, above a table of its scores.
    let internal heading (dataset: Dataset) (profile: Profile) (label: int) : string =
        let name =
            if Dataset.hasRegions dataset then
                $"region %s{dataset.Regions[label - 1].Name}"
            else
                let name = dataset.Labels |> List.find (fun (_, id) -> id = label) |> fst
                $"class %d{label} (%s{name})"

        $"%s{name}, profile %s{profile.Name}, connectivity %s{ConnectivityPair.print profile.Plane} in planes and %s{ConnectivityPair.print profile.Space} in volumes%s{windows profile}"

    /// The exit code of scored cases.
    let internal exitCode (cases: CaseScores list) : int =
        if (FolderEvaluation.problems cases).IsEmpty then 0
        elif (FolderEvaluation.scores cases).IsEmpty then 1
        else someFailed

    /// Runs the command; the exit code. Cases with a problem are named and left out; the others are scored all the same.
    let run (terminal: Terminal) (arguments: ParseResults<EvaluateArguments>) : int =
        let outcome =
            Problem.attempt {
                let! options = options arguments

                let! dataset =
                    LabelFolder.dataset options.DatasetJson [ options.Prediction; options.Truth ]

                let! cases =
                    scored
                        terminal
                        {
                            Truth = options.Truth
                            Prediction = options.Prediction
                            Dataset = dataset
                            Evaluation = options.Evaluation
                            AllowMissing = options.AllowMissing
                            Parallel = options.Parallel
                        }
                        "scoring"

                let scores = FolderEvaluation.scores cases

                if scores.IsEmpty then
                    return 1
                else
                    do! Store.writeText options.Summary (Summary.json (FolderEvaluation.files cases) scores)
                    do! Store.writeText options.Table (Summary.table scores)

                    for label in scores |> List.map _.Label |> List.distinct |> List.sort do
                        Terminal.line terminal ""
                        Terminal.line terminal (heading dataset options.Evaluation.Profile label)

                        scores
                        |> List.filter (fun score -> score.Label = label)
                        |> ScoreTable.single terminal options.Seed

                    Terminal.line terminal ""

                    Terminal.line
                        terminal
                        $"written to %s{Path.GetFullPath options.Summary} and %s{Path.GetFullPath options.Table}"

                    return exitCode cases
            }

        match outcome with
        | Ok code -> code
        | Error problem -> Terminal.fail terminal (Problem.message problem)
