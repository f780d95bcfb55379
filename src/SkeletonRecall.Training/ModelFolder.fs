namespace SkeletonRecall.Training

open System
open System.Globalization
open SkeletonRecall

/// Finding checkpoints, ours (`.safetensors`) and those of Python's nnU-Net (`.pth`), in the folders that both leave:
/// `fold_0/checkpoint_final.pth` and so on beside plans.json and dataset.json, also in a zip archive of such folders.
[<RequireQualifiedAccess>]
module ModelFolder =

    // A file's model and fold, both as folders below the place looked at; no fold where it lies in none.
    type private Found =
        {
            Model: string
            Fold: string
            File: string
        }

    let private parent (name: string) : string * string =
        match name.LastIndexOf '/' with
        | -1 -> "", name
        | at -> name.Substring(0, at), name.Substring(at + 1)

    let private isFold (name: string) : bool =
        name.StartsWith("fold_", StringComparison.Ordinal)

    let private find (kind: string) (files: string list) : Found list =
        let wanted = [ $"checkpoint_%s{kind}.safetensors"; $"checkpoint_%s{kind}.pth" ]

        files
        |> List.choose (fun file ->
            let folder, name = parent file
            let model, fold = parent folder

            if not (List.contains name wanted) then
                None
            elif isFold fold then
                Some
                    {
                        Model = model
                        Fold = fold
                        File = file
                    }
            else
                Some
                    {
                        Model = folder
                        Fold = ""
                        File = file
                    })
        // Ours first, where a fold has both.
        |> List.sortBy (fun found -> List.findIndex ((=) (snd (parent found.File))) wanted)
        |> List.distinctBy (fun found -> found.Model, found.Fold)

    let private number (fold: string) : int option =
        match Int32.TryParse(fold.Replace("fold_", ""), NumberStyles.None, CultureInfo.InvariantCulture) with
        | true, value -> Some value
        | _ -> None

    // What else could be asked for.
    let private others (kind: string) (files: string list) : string =
        match
            [ "final"; "best"; "latest" ]
            |> List.filter (fun other -> other <> kind && not (find other files).IsEmpty)
        with
        | [] -> "a trained fold is wanted: run train"
        | found ->
            let names =
                found
                |> List.map (fun other -> $"checkpoint_%s{other}")
                |> String.concat " and "

            $"there is %s{names}"

    let private ofModel
        (path: string)
        (kind: string)
        (folds: string list option)
        (found: Found list)
        : Result<string list, Problem> =
        let file (found: Found) = ModelPath.join path found.File

        match folds with
        | Some folds ->
            folds
            |> Problem.traverse (fun fold ->
                match found |> List.tryFind (fun found -> found.Fold = $"fold_%s{fold}") with
                | Some found -> Ok(file found)
                | None ->
                    let missing =
                        ModelPath.join (ModelPath.join path found.Head.Model) $"fold_%s{fold}/checkpoint_%s{kind}"

                    let there =
                        found
                        |> List.map (fun one -> one.Fold.Replace("fold_", ""))
                        |> String.concat ", "

                    Error(Missing(missing, $"the folds that have one are %s{there}")))
        | None ->
            let numbered =
                found
                |> List.choose (fun found -> number found.Fold |> Option.map (fun number -> number, file found))
                |> List.sort
                |> List.map snd

            if numbered.IsEmpty then
                Ok(found |> List.map file |> List.truncate 1)
            else
                Ok numbered

    /// The checkpoints of one kind (`final`, `best` or `latest`) in a model: the file itself where `path` is one, else those of
    /// the folds that were named or, where none were, of all numbered folds that have it, or of `fold_all`. `path` is a file, the
    /// folder of a fold or model, or one above it that holds a single model, in a zip archive or not; the paths that come
    /// back lead into the archive then (`ModelPath`). A problem where there is none, or more than one model.
    let checkpoints (path: string) (kind: string) (folds: string list option) : Result<string list, Problem> =
        ModelPath.files path
        |> Result.bind (fun files ->
            match files with
            | None -> Ok [ path ]
            | Some files ->
                let found = find kind files

                match found |> List.map _.Model |> List.distinct with
                | [] -> Error(Missing(ModelPath.join path $"fold_0/checkpoint_%s{kind}", others kind files))
                | [ _ ] -> ofModel path kind folds found
                // A folder's own checkpoint counts before what lies below it.
                | models when List.contains "" models ->
                    found |> List.filter (fun found -> found.Model = "") |> ofModel path kind folds
                | models ->
                    let names = models |> List.sort |> String.concat ", "

                    Error(
                        Mismatch(
                            path,
                            $"%d{models.Length} models: %s{names}",
                            $"one of them, as %s{ModelPath.join path (List.min models)}"
                        )
                    ))
