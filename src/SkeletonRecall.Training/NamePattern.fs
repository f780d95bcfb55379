namespace SkeletonRecall.Training

open System
open System.IO

/// Files by a pattern with one star, such as `masks/*_mask.png`: what the star stands for is the name of the case. A star
/// at the end takes every ending that can be read. The star may also be a folder: `Dataset/*/data.npy`.
[<RequireQualifiedAccess>]
module internal NamePattern =

    let private between (prefix: string) (suffix: string) (text: string) : string option =
        if
            text.Length > prefix.Length + suffix.Length
            && text.StartsWith(prefix, StringComparison.Ordinal)
            && text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
        then
            Some(text.Substring(prefix.Length, text.Length - prefix.Length - suffix.Length))
        else
            None

    // What the star of `a*b` is in a name; of `a*` in the name of a file, without an ending that can be read.
    let private starIn (isFile: bool) (pattern: string) (name: string) : string option =
        let at = pattern.IndexOf '*'
        let prefix, suffix = pattern.Substring(0, at), pattern.Substring(at + 1)

        if isFile && suffix = "" then
            Reader.endingOf name |> Option.bind (fun ending -> between prefix ending name)
        else
            between prefix suffix name

    let private parts (pattern: string) : string list =
        pattern.Split([| '/'; '\\' |], StringSplitOptions.RemoveEmptyEntries)
        |> List.ofArray

    /// The pattern, or what is wrong with it.
    let check (pattern: string) : Result<string, Problem> =
        if Seq.length (Seq.filter ((=) '*') pattern) <> 1 then
            Error(
                Mismatch(
                    "the pattern",
                    $"'%s{pattern}'",
                    "exactly one star, which stands for the name of the case, as in masks/*_mask.png"
                )
            )
        elif Path.IsPathRooted pattern || List.contains ".." (parts pattern) then
            Error(Mismatch("the pattern", $"'%s{pattern}'", "a path inside the source folder"))
        else
            Ok pattern

    /// The folder that a pattern looks into: its parts before the star.
    let folder (source: string) (pattern: string) : string =
        parts pattern
        |> List.takeWhile (fun part -> not (part.Contains '*'))
        |> fun leading ->
            let isName = leading.Length = (parts pattern).Length

            if isName then
                List.truncate (leading.Length - 1) leading
            else
                leading
        |> List.fold (fun path part -> Path.Combine(path, part)) source

    /// The files below `source` that a pattern matches, by case, sorted by name; none where the folder is not there. Two
    /// files of one case are a problem that names both.
    let find (source: string) (pattern: string) : Result<(string * string) list, Problem> =
        let rec walk (folder: string) (star: string option) (rest: string list) : (string * string) list =
            match rest with
            | [] -> []
            | [ last ] when last.Contains '*' ->
                match CaseFolder.fileNames folder "" with
                | Ok names ->
                    names
                    |> List.choose (fun name ->
                        starIn true last name
                        |> Option.map (fun case -> case, Path.Combine(folder, name)))
                | Error _ -> []
            | [ last ] ->
                let file = Path.Combine(folder, last)

                match star with
                | Some case when File.Exists file -> [ case, file ]
                | _ -> []
            | part :: rest when part.Contains '*' ->
                CaseFolder.folderNames folder
                |> List.collect (fun name ->
                    match starIn false part name with
                    | Some case -> walk (Path.Combine(folder, name)) (Some case) rest
                    | None -> [])
            | part :: rest -> walk (Path.Combine(folder, part)) star rest

        check pattern
        |> Result.bind (fun pattern ->
            let found = walk source None (parts pattern)

            match found |> List.groupBy fst |> List.tryFind (fun (_, files) -> files.Length > 1) with
            | Some(case, files) ->
                let names = files |> List.map snd |> String.concat " and "

                Error(Mismatch(source, names, $"one file of the case %s{case}: give a pattern with the ending"))
            | None ->
                Ok(
                    found
                    |> List.sortWith (fun (left, _) (right, _) -> String.CompareOrdinal(left, right))
                ))
