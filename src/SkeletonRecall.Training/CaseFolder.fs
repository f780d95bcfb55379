namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open System.Text.RegularExpressions

/// Finding the files of cases by their names: CASE_0000.png and so on.
[<RequireQualifiedAccess>]
module internal CaseFolder =

    let private names (list: string -> string[]) (folder: string) (wanted: string) : Result<string list, Problem> =
        try
            if Directory.Exists folder then
                list folder
                |> Array.choose (fun path -> Path.GetFileName path |> Option.ofObj)
                |> Array.sortWith (fun left right -> String.CompareOrdinal(left, right))
                |> List.ofArray
                |> Ok
            elif File.Exists folder then
                Error(Unreadable(folder, $"it is a file; %s{wanted}"))
            else
                Error(Missing(folder, wanted))
        with
        | :? UnauthorizedAccessException -> Error(Unreadable(folder, "there is no permission to look into it"))
        | :? IOException as error -> Error(Unreadable(folder, error.Message.TrimEnd '.'))

    /// The names of the files in a folder, sorted. `wanted` ends the message when it is not there.
    let fileNames (folder: string) (wanted: string) : Result<string list, Problem> =
        names Directory.GetFiles folder wanted

    /// The names of the folders in a folder; none where it cannot be looked into.
    let folderNames (folder: string) : string list =
        match names Directory.GetDirectories folder "" with
        | Ok found -> found
        | Error _ -> []

    /// `case_0000.png` as its case and channel.
    let channelFile (ending: string) (name: string) : (string * int) option =
        let stem = name.Substring(0, name.Length - ending.Length)

        if stem.Length > 5 && stem[stem.Length - 5] = '_' then
            match Int32.TryParse(stem.AsSpan(stem.Length - 4), NumberStyles.None, CultureInfo.InvariantCulture) with
            | true, channel -> Some(stem.Substring(0, stem.Length - 5), channel)
            | _ -> None
        else
            None

    /// A case name from part of a file's.
    let caseId (path: string) (name: string) : Result<CaseId, Problem> =
        match CaseId.tryOfString name with
        | Some id -> Ok id
        | None -> Error(Mismatch(path, $"the case name '%s{name}'", "one that every system takes as a file name"))

    /// The channel files of a case, in order, or the channel that is missing between them.
    let imageCase
        (folder: string)
        (ending: string)
        (name: string, channels: int list)
        : Result<CaseId * string list, Problem> =
        let path (channel: int) =
            Path.Combine(folder, $"%s{name}_%04d{channel}%s{ending}")

        match
            [ 0 .. channels.Length - 1 ]
            |> List.tryFind (fun wanted -> not (List.contains wanted channels))
        with
        | Some absent -> Error(Missing(path absent, $"channel %d{absent} of case %s{name} is wanted"))
        | None ->
            caseId (path 0) name
            |> Result.map (fun id -> id, List.map path (List.sort channels))

    /// Names that Windows and macOS take for one, since they differ in capitals alone.
    let clashes (folder: string) (names: string list) : Problem list =
        names
        |> List.groupBy (fun name -> name.ToUpperInvariant())
        |> List.filter (fun (_, same) -> same.Length > 1)
        |> List.map (fun (_, same) ->
            let names = String.concat " and " same
            Mismatch(folder, $"the cases %s{names}", "names that differ in more than capitals: rename one"))

    let private distinctNames
        (folder: string)
        (cases: (CaseId * string list) list)
        : Result<(CaseId * string list) list, Problem> =
        match clashes folder (cases |> List.map (fst >> CaseId.value)) with
        | [] -> Ok cases
        | problem :: _ -> Error problem

    /// The channel files of one case, in order; none where there is no file of it.
    let channelFiles (folder: string) (ending: string) (case: CaseId) : Result<string list, Problem> =
        Problem.attempt {
            let! names = fileNames folder "a folder of images is wanted"
            let name = CaseId.value case

            let channels =
                names
                |> List.filter (fun file -> file.EndsWith(ending, StringComparison.Ordinal))
                |> List.choose (channelFile ending)
                |> List.filter (fun (found, _) -> found = name)
                |> List.map snd

            if channels.IsEmpty then
                return []
            else
                return! imageCase folder ending (name, channels) |> Result.map snd
        }

    // $NAME and ${NAME} as the environment has them, as Python's os.path.expandvars does; unknown ones stay.
    let private expand (path: string) : string =
        Regex.Replace(
            path,
            @"\$(?:\{(?<name>[^}]+)\}|(?<name>[A-Za-z0-9_]+))",
            fun found ->
                match Environment.GetEnvironmentVariable found.Groups["name"].Value with
                | null -> found.Value
                | value -> value
        )

    /// Files as dataset.json lists them, ready for use: variables of the environment in their place, relative paths below
    /// the data set's folder.
    let resolve (folder: string) (files: CaseFiles) : CaseFiles =
        let path (listed: string) : string =
            Path.GetFullPath(Path.Combine(folder, expand listed))

        { files with
            Images = List.map path files.Images
            Labels = path files.Labels
        }

    /// What a folder of images holds: files with the ending that have no channel number, and the names of cases with their
    /// channels, sorted. Files with another ending are left alone.
    let survey (folder: string) (ending: string) : Result<string list * (string * int list) list, Problem> =
        fileNames folder "a folder of images is wanted"
        |> Result.map (fun all ->
            let numbered, others =
                all
                |> List.filter (fun name -> name.EndsWith(ending, StringComparison.Ordinal))
                |> List.partition (fun name -> (channelFile ending name).IsSome)

            others,
            numbered
            |> List.choose (channelFile ending)
            |> List.groupBy fst
            |> List.map (fun (name, files) -> name, List.sort (List.map snd files))
            |> List.sortWith (fun (left, _) (right, _) -> String.CompareOrdinal(left, right)))

    /// A file with the ending of the images and without a channel number.
    let unnumbered (folder: string) (ending: string) (name: string) : Problem =
        let stem = name.Substring(0, name.Length - ending.Length)

        Mismatch(Path.Combine(folder, name), "no channel number in the name", $"one, as in %s{stem}_0000%s{ending}")

    /// A folder without images.
    let noImages (folder: string) (ending: string) : Problem =
        Missing(Path.Combine(folder, "*_0000" + ending), "images are wanted")

    /// The cases in a folder of images, sorted by name, with their channel files in order. Files with another ending are
    /// left alone; one with the ending and without a channel number is a problem, and so is a folder without images.
    let listImages (folder: string) (ending: string) : Result<(CaseId * string list) list, Problem> =
        Problem.attempt {
            let! others, cases = survey folder ending

            match others, cases with
            | name :: _, _ -> return! Error(unnumbered folder ending name)
            | [], [] -> return! Error(noImages folder ending)
            | [], cases ->
                return!
                    cases
                    |> Problem.traverse (imageCase folder ending)
                    |> Result.bind (distinctNames folder)
        }
