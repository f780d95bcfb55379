namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall.Charts
open SkeletonRecall.Training

/// `compare TRUTH FIRST SECOND`: two folders of predictions against one of true label maps.
[<RequireQualifiedAccess>]
module Compare =

    // The names of two folders, as much of them as tells one from the other.
    let private names (first: string) (second: string) : string * string =
        let short (folder: string) = Store.name folder

        if short first <> short second then
            short first, short second
        else
            first, second

    /// Runs the command; the exit code. Cases with a problem are named and left out of the pairs.
    let run (terminal: Terminal) (arguments: ParseResults<CompareArguments>) : int =
        let outcome =
            Problem.attempt {
                let truth, first, second = arguments.GetResult CompareArguments.Folders

                let! evaluation =
                    Evaluate.evaluation
                        (arguments.TryGetResult CompareArguments.Measures)
                        (arguments.TryGetResult CompareArguments.Profile)
                        (arguments.TryGetResult CompareArguments.Connectivity)
                        (arguments.TryGetResult CompareArguments.Window)

                let! dataset =
                    LabelFolder.dataset (arguments.TryGetResult CompareArguments.Dataset_Json) [ first; second; truth ]

                let scored (folder: string) (title: string) =
                    Evaluate.scored
                        terminal
                        {
                            Truth = truth
                            Prediction = folder
                            Dataset = dataset
                            Evaluation = evaluation
                            AllowMissing = arguments.Contains CompareArguments.Allow_Missing
                            Parallel = arguments.GetResult(CompareArguments.Processes, 0)
                        }
                        title

                let firstName, secondName = names first second
                let! ours = scored first $"scoring %s{firstName}"
                let! theirs = scored second $"scoring %s{secondName}"
                let seed = arguments.GetResult(CompareArguments.Seed, 0)

                let firstScores, secondScores =
                    FolderEvaluation.scores ours, FolderEvaluation.scores theirs

                let compared (first: Scores list) (second: Scores list) =
                    Comparison.ofScores seed [ firstName, first; secondName, second ]

                for label in firstScores @ secondScores |> List.map _.Label |> List.distinct |> List.sort do
                    let only (scores: Scores list) =
                        scores |> List.filter (fun score -> score.Label = label)

                    Terminal.line terminal ""
                    Terminal.line terminal (Evaluate.heading dataset evaluation.Profile label)
                    ScoreTable.compared terminal (compared (only firstScores) (only secondScores))

                match arguments.TryGetResult CompareArguments.Output with
                | None -> ()
                | Some file ->
                    do! Store.writeText file (Comparison.json (compared firstScores secondScores))
                    Terminal.line terminal $"written to %s{file}"

                return max (Evaluate.exitCode ours) (Evaluate.exitCode theirs)
            }

        match outcome with
        | Ok code -> code
        | Error problem -> Terminal.fail terminal (Problem.message problem)
