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
        Pair: ConnectivityPair
        AllowMissing: bool
        Seed: int
    }

/// `evaluate TRUTH PREDICTION`: scores of predicted label maps.
[<RequireQualifiedAccess>]
module Evaluate =

    /// The options of a command line, or what is wrong with it.
    let options (arguments: ParseResults<EvaluateArguments>) : Result<EvaluateOptions, Problem> =
        let truth, prediction = arguments.GetResult EvaluateArguments.Folders

        let pair =
            match arguments.TryGetResult EvaluateArguments.Connectivity with
            | None -> Ok(ConnectivityPair.standard 2)
            | Some text ->
                ConnectivityPair.parse text
                |> Result.mapError (fun _ -> Mismatch("--connectivity", $"'%s{text}'", "8/4 or 4/8"))

        pair
        |> Result.map (fun pair ->
            {
                Truth = truth
                Prediction = prediction
                DatasetJson = arguments.TryGetResult EvaluateArguments.Dataset_Json
                Summary = arguments.GetResult(EvaluateArguments.Output, LabelFolder.summary prediction)
                Pair = pair
                AllowMissing = arguments.Contains EvaluateArguments.Allow_Missing
                Seed = arguments.GetResult(EvaluateArguments.Seed, 0)
            })

    let private scoreCase
        (options: EvaluateOptions)
        (dataset: Dataset)
        (case: string, truth: string, prediction: string)
        : Result<Scores list, Problem> =
        Problem.attempt {
            let! wanted, _ = Reader.labels dataset truth
            let! found, _ = Reader.labels dataset prediction

            if found.Extent <> wanted.Extent then
                return! Error(Mismatch(prediction, $"%O{found.Extent}", $"%O{wanted.Extent}, the size of %s{truth}"))
            else
                return Evaluation.score options.Pair dataset case found wanted
        }

    /// Runs the command; the exit code. Cases with a problem are named and left out; the others are scored all the same.
    let run (terminal: Terminal) (arguments: ParseResults<EvaluateArguments>) : int =
        let outcome =
            Problem.attempt {
                let! options = options arguments

                let! dataset =
                    LabelFolder.dataset options.DatasetJson [ options.Prediction; options.Truth ]

                let! pairs, missing = LabelFolder.pair options.Truth options.Prediction

                if not missing.IsEmpty && not options.AllowMissing then
                    Terminal.fail
                        terminal
                        $"%d{missing.Length} label maps without prediction, the first is %s{missing.Head}"
                    |> ignore

                let results =
                    Terminal.progress terminal "scoring" (fun report ->
                        pairs
                        |> List.mapi (fun number pair ->
                            terminal.Stop.ThrowIfCancellationRequested()
                            let case, _, _ = pair
                            report (float number / float pairs.Length) case
                            scoreCase options dataset pair))

                let scores = results |> List.collect (Result.defaultValue [])

                let problems =
                    results
                    |> List.choose (fun result ->
                        match result with
                        | Error problem -> Some problem
                        | Ok _ -> None)

                for problem in problems do
                    Terminal.fail terminal (Problem.message problem) |> ignore

                let files =
                    pairs
                    |> List.map (fun (case, truth, prediction) -> case, (prediction, truth))
                    |> Map.ofList

                do! Store.writeText options.Summary (Evaluation.summaryJson (fun case -> files[case]) scores)

                for label in scores |> List.map _.Label |> List.distinct |> List.sort do
                    let name = dataset.Labels |> List.find (fun (_, id) -> id = label) |> fst
                    Terminal.line terminal ""

                    Terminal.line
                        terminal
                        $"class %d{label} (%s{name}), Betti numbers with connectivity %s{ConnectivityPair.print options.Pair}"

                    ScoreTable.single terminal options.Seed (scores |> List.filter (fun score -> score.Label = label))

                Terminal.line terminal ""
                Terminal.line terminal $"written to %s{Path.GetFullPath options.Summary}"
                return problems.IsEmpty && (missing.IsEmpty || options.AllowMissing)
            }

        match outcome with
        | Ok true -> 0
        | Ok false -> 1
        | Error problem -> Terminal.fail terminal (Problem.message problem)
