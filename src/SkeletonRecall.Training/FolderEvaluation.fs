namespace SkeletonRecall.Training

open System.Runtime.ExceptionServices
open System.Threading
open System.Threading.Tasks
open SkeletonRecall

/// Two folders of label maps to compare.
type EvaluateRequest =
    {
        /// The folder of true label maps.
        Truth: string
        /// The folder of predicted ones; cases are matched by name, whatever the formats.
        Prediction: string
        /// Classes and ignore label.
        Dataset: Dataset
        /// Measures and convention.
        Evaluation: EvaluationOptions
        /// Whether cases without a counterpart are left out silently; each is a problem otherwise.
        AllowMissing: bool
        /// Cases that are scored at once; below 1 as many as there are cores.
        Parallel: int
    }

/// One case of two folders.
type CaseScores =
    {
        Case: string
        /// The prediction's file; where it should be when it is missing.
        Prediction: string
        /// The reference's file; where it should be when it is missing.
        Reference: string
        /// Scores of each class, or what is wrong with the case.
        Outcome: Result<Scores list, Problem>
    }

/// Scoring folders of label maps, case by case: what is wrong with one case leaves the others alone.
[<RequireQualifiedAccess>]
module FolderEvaluation =

    let private near (wanted: Spacing) (found: Spacing) : bool =
        List.forall2 (fun (wanted: float) found -> abs (wanted - found) <= 1e-3 * wanted) wanted.Values found.Values

    // Formats without spacing and orientation say nothing that could differ.
    let private hasPlace (path: string) : bool =
        [ ".png"; ".bmp"; ".gif"; ".npy"; ".npz" ]
        |> List.forall (fun ending -> not (path.EndsWith(ending, System.StringComparison.OrdinalIgnoreCase)))

    let private sameDirection (wanted: Geometry) (found: Geometry) : bool =
        wanted.Direction.Length = found.Direction.Length
        && List.forall2 (fun (one: float) (other: float) -> abs (one - other) <= 1e-3) wanted.Direction found.Direction

    let private directions (geometry: Geometry) : string =
        List.init geometry.Rank (fun axis ->
            // No minus before zero.
            let vector =
                geometry.Axis axis
                |> List.map (fun value -> sprintf "%.4g" (value + 0.0))
                |> String.concat ", "

            $"(%s{vector})")
        |> String.concat ", "

    let private scoreCase
        (request: EvaluateRequest)
        (case: string)
        (truth: string)
        (prediction: string)
        : Result<Scores list, Problem> =
        Problem.attempt {
            let! wanted, there, _ = Reader.labelsInPlace request.Dataset truth
            let! found, here, _ = Reader.labelsInPlace request.Dataset prediction
            let placed = hasPlace truth && hasPlace prediction

            if found.Extent <> wanted.Extent then
                return! Error(Mismatch(prediction, $"%O{found.Extent}", $"%O{wanted.Extent}, the size of %s{truth}"))
            elif placed && not (near wanted.Spacing found.Spacing) then
                return!
                    Error(
                        Mismatch(
                            prediction,
                            $"the spacing %O{found.Spacing}",
                            $"%O{wanted.Spacing}, the spacing of %s{truth}"
                        )
                    )
            elif placed && not (sameDirection there here) then
                return!
                    Error(
                        Mismatch(
                            prediction,
                            $"axes along %s{directions here}",
                            $"%s{directions there}, as in %s{truth}"
                        )
                    )
            else
                return Evaluation.score request.Evaluation request.Dataset case found wanted
        }

    // The function of each item, in the items' order; one exception is passed on as if they had come one by one.
    let private inParallel (atOnce: int) (stop: CancellationToken) (work: string -> CaseScores) (cases: string[]) =
        let results = Array.zeroCreate<CaseScores option> cases.Length

        let options =
            ParallelOptions(
                CancellationToken = stop,
                MaxDegreeOfParallelism =
                    (if atOnce < 1 then
                         System.Environment.ProcessorCount
                     else
                         atOnce)
            )

        try
            Parallel.For(0, cases.Length, options, (fun index -> results[index] <- Some(work cases[index])))
            |> ignore
        with :? System.AggregateException as errors ->
            ExceptionDispatchInfo.Capture(errors.InnerExceptions[0]).Throw()

        results |> Array.choose id |> Array.toList

    /// Every case of both folders, sorted by name, whatever the order in which they were scored. `report` hears the
    /// share that is done and the case at hand, from one thread at a time. A folder that cannot be read, and two folders
    /// without a common case, are problems. Throws OperationCanceledException when stopped, and ArgumentException for a
    /// connectivity of another rank than the label maps'.
    let run
        (request: EvaluateRequest)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        : Result<CaseScores list, Problem> =
        Problem.attempt {
            let! truths = LabelFolder.maps request.Truth "a folder of true label maps is wanted"

            let! predictions =
                LabelFolder.maps request.Prediction "a folder of predicted label maps is wanted"

            let cases =
                Seq.append (Map.keys truths) (Map.keys predictions)
                |> Seq.distinct
                |> Seq.filter (fun case ->
                    not request.AllowMissing
                    || (truths.ContainsKey case && predictions.ContainsKey case))
                |> Seq.sortWith (fun left right -> System.String.CompareOrdinal(left, right))
                |> Seq.toArray

            if
                not (
                    cases
                    |> Array.exists (fun case -> truths.ContainsKey case && predictions.ContainsKey case)
                )
            then
                return!
                    Error(Missing(request.Prediction, $"label maps named like those in %s{request.Truth} are wanted"))
            else
                let gate = Lock()
                let mutable finished = 0

                let one (case: string) : CaseScores =
                    let expected = Store.file request.Prediction case

                    let reference, prediction, outcome =
                        match truths.TryFind case, predictions.TryFind case with
                        | Some truth, Some prediction -> truth, prediction, scoreCase request case truth prediction
                        | Some truth, None ->
                            truth, expected, Error(Missing(expected, $"a prediction of %s{truth} is wanted"))
                        | None, other ->
                            let prediction = other |> Option.defaultValue expected
                            let truth = Store.file request.Truth case
                            truth, prediction, Error(Missing(truth, $"a true label map for %s{prediction} is wanted"))

                    lock gate (fun () ->
                        finished <- finished + 1
                        report (float finished / float cases.Length) case)

                    {
                        Case = case
                        Prediction = prediction
                        Reference = reference
                        Outcome = outcome
                    }

                return inParallel request.Parallel stop one cases
        }

    /// The scores of the cases that have some, in order.
    let scores (cases: CaseScores list) : Scores list =
        cases |> List.collect (fun case -> case.Outcome |> Result.defaultValue [])

    /// What is wrong, case by case.
    let problems (cases: CaseScores list) : Problem list =
        cases
        |> List.choose (fun case ->
            match case.Outcome with
            | Error problem -> Some problem
            | Ok _ -> None)

    /// Prediction file and reference file of a case that was scored, for `Summary.json`.
    let files (cases: CaseScores list) (name: string) : string * string =
        let case = cases |> List.find (fun case -> case.Case = name)
        case.Prediction, case.Reference
