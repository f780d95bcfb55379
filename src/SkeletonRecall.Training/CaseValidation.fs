namespace SkeletonRecall.Training

open System.Threading
open SkeletonRecall

/// Measuring whole validation cases while training goes on.
[<RequireQualifiedAccess>]
module CaseValidation =

    /// The label map that a network gives for a prepared image, by half-overlapping tiles without mirroring; regions are
    /// painted.
    let labels (configuration: Configuration) (dataset: Dataset) (network: Network) (image: Image) : LabelMap =
        let same =
            {
                Resampling = configuration.Resampling
                Extent = image.Extent
                Spacing = image.Spacing
            }

        Inference.labelsAt
            Inference.standard
            (if Dataset.hasRegions dataset then
                 Outputs.Regions(dataset.Regions |> List.map _.Paint)
             else
                 Outputs.Classes)
            same
            (Extent.ofShape configuration.PatchSize)
            (Dataset.outputs dataset)
            (Inference.ofNetwork network)
            image

    /// The mean of each measure over cases of each class, then over classes, NaN left out, as the `foreground_mean` of
    /// summary.json but for classes without a value. All NaN without scores.
    let mean (measures: Measure list) (scores: Scores list) : MeasureValues =
        let classes = scores |> List.groupBy (fun score -> score.Label) |> List.map snd

        measures
        |> List.map (fun measure ->
            measure,
            classes
            |> List.map (Evaluation.mean (fun score -> score.Value measure))
            |> Statistics.mean)

    /// The scores, by the paper's profile, of what `label` gives for each whole case on the grid that the network sees.
    /// Classes are the data set's, and voxels of its ignore label count nowhere. One case is held at a time, which `keep`
    /// gets when it is scored. Throws OperationCanceledException when stopped between two cases.
    let scores
        (measures: Measure list)
        (dataset: Dataset)
        (label: Image -> LabelMap)
        (stop: CancellationToken)
        (keep: ValidatedCase -> Result<unit, Problem>)
        (cases: Prepared[])
        : Result<Scores list, Problem> =
        let options =
            { Evaluation.standard with
                Measures = measures
            }

        let one (case: Prepared) : Result<Scores list, Problem> =
            stop.ThrowIfCancellationRequested()
            let name = CaseId.value case.Id

            let corner = List.replicate case.Extent.Rank 0
            let whole = Sampler.box case.Extent corner case

            let seen =
                { whole with
                    FirstStage = case.FirstStage |> Option.map (fun cut -> cut case.Extent corner)
                }

            let found = label (FirstStage.attach (FirstStage.labels dataset) seen).Image

            keep (ValidatedCase.create name whole.Image whole.Labels found)
            |> Result.map (fun () -> Evaluation.score options dataset name found whole.Labels)

        cases |> List.ofArray |> Problem.traverse one |> Result.map List.concat
