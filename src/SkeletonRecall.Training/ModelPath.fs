namespace SkeletonRecall.Training

open System
open System.IO
open System.Text

/// Places of files that may lie in a zip archive: `model.zip/Dataset001_Vessels/fold_0/checkpoint_final.pth` leads into one, as
/// the same path would after unpacking it. Nothing is unpacked to disk.
[<RequireQualifiedAccess>]
module ModelPath =

    /// A file in a folder or archive, or in a folder of it.
    let join (folder: string) (name: string) : string =
        if name = "" then folder else Path.Combine(folder, name)

    // The zip archive that a path leads into, and the rest of the way.
    let private archiveOf (path: string) : (string * string) option =
        let rec walk (folder: string | null) : (string * string) option =
            match folder with
            | null
            | "" -> None
            | folder when File.Exists folder ->
                let inner = path.Substring(folder.Length).Trim('/', Path.DirectorySeparatorChar)
                Some(folder, inner.Replace('\\', '/'))
            | folder -> walk (Path.GetDirectoryName folder)

        if File.Exists path || Directory.Exists path then
            None
        else
            walk (Path.GetDirectoryName path)

    // Archives refuse by an exception, which ends here.
    let private guarded (archive: string) (read: unit -> Result<'T, Problem>) : Result<'T, Problem> =
        match Elements.guard read with
        | Ok result -> result
        | Error reason -> Error(Unreadable(archive, reason))

    let private lift (read: Stream -> Result<'T, Problem>) (stream: Stream) : Result<Result<'T, Problem>, string> =
        Ok(read stream)

    let private withArchive (path: string) (read: Archive -> Result<'T, Problem>) : Result<'T, Problem> =
        Files.withStream
            path
            "a zip archive is wanted"
            (lift (fun stream -> guarded path (fun () -> read (Archive.read stream))))
        |> Result.bind id

    /// What `read` makes of a file, opened as a stream that can be sought; a file in an archive is inflated as it is read.
    /// `wanted` ends the message when it is not there.
    let withStream (path: string) (wanted: string) (read: Stream -> Result<'T, Problem>) : Result<'T, Problem> =
        match archiveOf path with
        | None -> Files.withStream path wanted (lift read) |> Result.bind id
        | Some(archive, inner) ->
            withArchive archive (fun content ->
                match content.Entries.TryFind inner with
                | None -> Error(Missing(path, wanted))
                | Some entry ->
                    use stream = Archive.stream content entry
                    read stream)

    /// The text of a file of at most 64 MiB.
    let readText (path: string) (wanted: string) : Result<string, Problem> =
        withStream path wanted (fun stream ->
            Elements.guard (fun () ->
                let bytes = Elements.rest (64L <<< 20) 0L stream
                (Encoding.UTF8.GetString bytes).TrimStart '\uFEFF')
            |> Result.mapError (fun reason -> Unreadable(path, reason)))

    // A model's folds lie this deep at most: Dataset/Trainer__Plans__Configuration/fold_0.
    let private deepest = 4

    let rec private below (folder: string) (prefix: string) (depth: int) : string list =
        let named (path: string) =
            Path.GetFileName path |> Option.ofObj |> Option.defaultValue ""

        [
            for file in Directory.GetFiles folder -> prefix + named file

            if depth > 0 then
                for inner in Directory.GetDirectories folder do
                    yield! below inner $"%s{prefix}%s{named inner}/" (depth - 1)
        ]

    let private isTorchFile (content: Archive) : bool =
        content.Entries.Keys
        |> Seq.exists (fun name -> ("/" + name).EndsWith("/data.pkl", StringComparison.Ordinal))

    /// The names of the files in a folder or an archive, those in its folders included (with `/`), sorted; None for a single
    /// file, as checkpoints are. Folders are looked into as deep as results lie.
    let files (path: string) : Result<string list option, Problem> =
        let listed (content: Archive) (inner: string) =
            let prefix = if inner = "" then "" else inner + "/"

            content.Entries.Keys
            |> Seq.filter (fun name -> name.StartsWith(prefix, StringComparison.Ordinal))
            |> Seq.map (fun name -> name.Substring prefix.Length)
            |> List.ofSeq

        let isArchive (path: string) =
            Files.withStream path "a model is wanted" (fun stream -> Ok(Archive.isArchive stream))

        try
            if Directory.Exists path then
                Ok(Some(List.sort (below path "" deepest)))
            else
                match archiveOf path with
                | Some(archive, inner) ->
                    withArchive archive (fun content ->
                        if content.Entries.ContainsKey inner then
                            Ok None
                        else
                            Ok(Some(listed content inner)))
                | None ->
                    isArchive path
                    |> Result.bind (fun found ->
                        if not found then
                            Ok None
                        else
                            withArchive path (fun content ->
                                Ok(
                                    if isTorchFile content then
                                        None
                                    else
                                        Some(listed content "")
                                )))
        with
        | :? UnauthorizedAccessException -> Error(Unreadable(path, "there is no permission to look into it"))
        | :? IOException as error -> Error(Unreadable(path, error.Message.TrimEnd '.'))
