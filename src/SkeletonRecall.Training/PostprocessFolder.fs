namespace SkeletonRecall.Training

open SkeletonRecall

/// Postprocessing of folders of predictions.
[<RequireQualifiedAccess>]
module PostprocessFolder =

    // Every label map of a folder changed and written under its name into another.
    let private rewrite
        (change: LabelMap -> LabelMap)
        (dataset: Dataset)
        (input: string)
        (output: string)
        : Result<int, Problem> =
        Problem.attempt {
            let! maps = LabelFolder.maps input "a folder of predicted label maps is wanted"

            for KeyValue(_, path) in maps do
                let! labels, place, _ = Reader.labelsInPlace dataset path
                do! Reader.writeLabelsInPlace place (Store.file output (Store.name path)) (change labels)

            do! Store.writeDataset output dataset
            return maps.Count
        }

    /// Decides by the predictions of a folder and their true label maps, and writes postprocessing.json beside the predictions and
    /// the postprocessed label maps into `postprocessed` there, as nnU-Net's determine_postprocessing does.
    let determine
        (rule: PostprocessRule)
        (dataset: Dataset)
        (truth: string)
        (prediction: string)
        : Result<Postprocessing, Problem> =
        Problem.attempt {
            let! pairs, _ = LabelFolder.pair truth prediction

            let read (truth: string, prediction: string) : Result<LabelMap * LabelMap, Problem> =
                Problem.attempt {
                    let! predicted, _ = Reader.labels dataset prediction
                    let! wanted, _ = Reader.labels dataset truth

                    if predicted.Extent <> wanted.Extent then
                        return!
                            Error(Mismatch(prediction, string predicted.Extent, $"%O{wanted.Extent}, as %s{truth} has"))
                    else
                        return predicted, wanted
                }

            let! decision =
                pairs
                |> List.map (fun (case, truth, prediction) -> case, (truth, prediction))
                |> Postprocess.determine rule dataset read

            do! Store.writeText (Store.file prediction PostprocessFile.name) (PostprocessFile.print decision)

            let! _ =
                rewrite (Postprocess.apply decision.Steps) dataset prediction (Store.file prediction "postprocessed")

            return decision
        }

    /// Does to the label maps of a folder what a postprocessing.json says, and writes them into another. Returns their number.
    let apply (dataset: Dataset) (file: string) (input: string) (output: string) : Result<int, Problem> =
        Problem.attempt {
            let! text = Store.readText file "the decision is wanted: run postprocess with -ref"
            let! steps = PostprocessFile.parse file text
            return! rewrite (Postprocess.apply steps) dataset input output
        }
