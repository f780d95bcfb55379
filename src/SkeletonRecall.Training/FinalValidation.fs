namespace SkeletonRecall.Training

open System.Threading
open SkeletonRecall

/// What follows training: the validation cases predicted whole, from their files, and scored.
[<RequireQualifiedAccess>]
module FinalValidation =

    /// The folder of a data set's true label maps: as preprocessing copied them, or else where they lie in the raw data set.
    let truthFolder (roots: Roots) (rawFolder: string) (dataset: Dataset) : string =
        let copied =
            Store.file (Store.preprocessedFolder roots dataset.Name) "gt_segmentations"

        if Files.isFolder copied then
            copied
        else
            Store.file rawFolder "labelsTr"

    /// Predicts cases with the final checkpoint of a fold's folder into `validation` in it and writes summary.json there, as
    /// nnU-Net does.
    /// The second stage of a cascade wants what the first said. Device and precision are those of the checkpoint's training.
    /// Returns the mean Dice over cases and classes; NaN where there is no case.
    let run
        (roots: Roots)
        (rawFolder: string)
        (foldFolder: string)
        (firstStage: FirstStageFolder option)
        (saveProbabilities: bool)
        (stop: CancellationToken)
        (report: float -> string -> unit)
        (cases: CaseId list)
        : Result<float, Problem> =
        let output = Store.file foldFolder "validation"

        let request =
            { PredictFolder.request [ Store.file foldFolder RunFolder.final ] rawFolder output with
                FirstStage = firstStage
                SaveProbabilities = saveProbabilities
            }

        Problem.attempt {
            let! trained = Checkpoint.load request.Checkpoints.Head

            let request =
                { request with
                    Device = trained.Options.Device
                    Precision = trained.Options.Precision
                }

            let! dataset = Store.readDataset rawFolder
            let! files = Store.trainingFiles rawFolder dataset
            let wanted = Set.ofList cases

            let chosen =
                files
                |> List.filter (fun files -> wanted.Contains files.Case)
                |> List.map (fun files -> files.Case, files.Images)

            if chosen.IsEmpty then
                return nan
            else
                let! _ = PredictFolder.cases request stop report chosen

                let! scored =
                    FolderEvaluation.run
                        {
                            Truth = truthFolder roots rawFolder dataset
                            Prediction = output
                            Dataset = dataset
                            Evaluation = Evaluation.standard
                            AllowMissing = true
                            Parallel = 1
                        }
                        stop
                        (fun _ _ -> ())

                match FolderEvaluation.problems scored with
                | problem :: _ -> return! Error problem
                | [] ->
                    let scores = FolderEvaluation.scores scored

                    do!
                        Store.writeText
                            (LabelFolder.summary output)
                            (Summary.json (FolderEvaluation.files scored) scores)

                    return Evaluation.mean (fun score -> score.Dice) scores
        }
