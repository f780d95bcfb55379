namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// Which files the training cases of a raw data set are made of.
[<RequireQualifiedAccess>]
module internal TrainingFiles =

    let datasetFile: string = "dataset.json"

    let imagesFolder (folder: string) : string = Path.Combine(folder, "imagesTr")

    /// The file of a case in a folder of label maps or predictions.
    let labelFile (folder: string) (ending: string) (case: CaseId) : string =
        Path.Combine(folder, CaseId.value case + ending)

    /// Where the label map of a training case lies.
    let labels (folder: string) (dataset: Dataset) (case: CaseId) : string =
        let labels = Path.Combine(folder, "labelsTr")
        let own = labelFile labels dataset.FileEnding case

        // nnU-Net's label maps have the ending of the images; ours differ where that format suits no labels.
        if File.Exists own then
            own
        else
            labelFile labels (Reader.labelEnding dataset.FileEnding) case

    /// The files of the training cases, sorted by case: those that dataset.json lists, or those of imagesTr and labelsTr.
    /// Paths are ready for use. Images must be there; label maps and the number of cases are not looked at.
    let all (folder: string) (dataset: Dataset) : Result<CaseFiles list, Problem> =
        let ordered (files: CaseFiles list) : CaseFiles list =
            files
            |> List.sortWith (fun left right -> String.CompareOrdinal(CaseId.value left.Case, CaseId.value right.Case))

        match dataset.Files with
        | Some listed ->
            let resolved = listed |> List.map (CaseFolder.resolve folder) |> ordered

            match
                resolved
                |> List.tryPick (fun files ->
                    files.Images
                    |> List.tryFind (File.Exists >> not)
                    |> Option.map (fun path -> files.Case, path))
            with
            | Some(case, path) ->
                Error(Missing(path, $"dataset.json lists it as an image of the case %s{CaseId.value case}"))
            | None -> Ok resolved
        | None ->
            CaseFolder.listImages (imagesFolder folder) dataset.FileEnding
            |> Result.map (
                List.map (fun (case, images) ->
                    {
                        Case = case
                        Images = images
                        Labels = labels folder dataset case
                    })
            )

    /// The files of one training case: those that dataset.json lists, or those of imagesTr and labelsTr. Images must be there in
    /// the latter case; the label map is not looked at.
    let ofCase (folder: string) (dataset: Dataset) (case: CaseId) : Result<CaseFiles, Problem> =
        let absent () =
            match dataset.Files with
            | Some _ ->
                Error(Missing(Path.Combine(folder, datasetFile), $"the case %s{CaseId.value case} is wanted in it"))
            | None ->
                let name = CaseId.value case + "_0000" + dataset.FileEnding
                let path = Path.Combine(imagesFolder folder, name)
                Error(Missing(path, $"the image of case %s{CaseId.value case} is wanted"))

        match dataset.Files with
        | Some listed ->
            match listed |> List.tryFind (fun files -> files.Case = case) with
            | Some files -> Ok(CaseFolder.resolve folder files)
            | None -> absent ()
        | None ->
            CaseFolder.channelFiles (imagesFolder folder) dataset.FileEnding case
            |> Result.bind (fun images ->
                if images.IsEmpty then
                    absent ()
                else
                    Ok
                        {
                            Case = case
                            Images = images
                            Labels = labels folder dataset case
                        })
