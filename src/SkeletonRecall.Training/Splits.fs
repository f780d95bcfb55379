namespace SkeletonRecall.Training

open System
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json

/// Which cases are trained on and which ones judge the training.
type Fold =
    {
        Train: CaseId list
        Validation: CaseId list
    }

/// nnU-Net's folds and their file, splits_final.json.
[<RequireQualifiedAccess>]
module Splits =

    /// The seed of nnU-Net's five folds.
    let private seed = 12345u

    let private sorted (cases: CaseId list) : CaseId[] =
        let cases =
            cases
            |> Array.ofList
            |> Array.sortWith (fun left right -> String.CompareOrdinal(CaseId.value left, CaseId.value right))

        match cases |> Array.pairwise |> Array.tryFind (fun (left, right) -> left = right) with
        | Some(twice, _) -> invalidArg (nameof cases) $"The case %s{CaseId.value twice} is there twice."
        | None -> cases

    let private pick (cases: CaseId[]) (isValidation: bool[]) : Fold =
        let chosen (wanted: bool) =
            [
                for index in 0 .. cases.Length - 1 do
                    if isValidation[index] = wanted then
                        cases[index]
            ]

        {
            Train = chosen false
            Validation = chosen true
        }

    /// nnU-Net's five folds: scikit-learn's KFold(5, shuffle = True, random_state = 12345) over the sorted names. The same
    /// cases give the same folds as in Python, whatever their order here.
    /// Throws ArgumentException for fewer than five cases and for a case that is there twice.
    let fiveFold (cases: CaseId list) : Fold list =
        let cases = sorted cases

        if cases.Length < 5 then
            invalidArg (nameof cases) $"Five folds need at least 5 cases; got %d{cases.Length}."

        let order = NumpyRandom(seed).Permutation cases.Length
        let size = cases.Length / 5
        let longer = cases.Length % 5

        List.init 5 (fun fold ->
            let first = fold * size + min fold longer
            let count = size + (if fold < longer then 1 else 0)
            let isValidation = Array.create cases.Length false

            for position in first .. first + count - 1 do
                isValidation[order[position]] <- true

            pick cases isValidation)

    /// Fold 0..4 of `folds`; from 5 on (or where the file holds fewer), nnU-Net's random 80:20 split of all their cases
    /// with seed 12345 + fold. Throws ArgumentException for a negative number.
    let fold (number: int) (folds: Fold list) : Fold =
        if number < 0 then
            invalidArg (nameof number) $"A fold is 0 or more; got %d{number}."

        match List.tryItem number folds with
        | Some fold -> fold
        | None ->
            let cases =
                folds
                |> List.collect (fun fold -> fold.Train @ fold.Validation)
                |> List.distinct
                |> sorted

            let order = NumpyRandom(seed + uint32 number).Permutation cases.Length
            // As Python's int(n * 0.8), and the training cases in the order of the draw, as nnU-Net keeps them.
            let chosen = Array.truncate (int (float cases.Length * 0.8)) order

            {
                Train = [ for index in chosen -> cases[index] ]
                Validation =
                    [
                        for index in 0 .. cases.Length - 1 do
                            if not (Array.contains index chosen) then
                                cases[index]
                    ]
            }

    /// Fold `all`: every case trains and every case judges, as in nnU-Net.
    let all (cases: CaseId list) : Fold =
        let cases = sorted cases |> List.ofArray
        { Train = cases; Validation = cases }

    /// The text of splits_final.json.
    let print (folds: Fold list) : string =
        use buffer = new MemoryStream()

        let options =
            JsonWriterOptions(
                Indented = true,
                IndentSize = 4,
                NewLine = "\n",
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
            )

        do
            use writer = new Utf8JsonWriter(buffer, options)

            let list (key: string) (cases: CaseId list) =
                writer.WriteStartArray key
                cases |> List.iter (fun case -> writer.WriteStringValue(CaseId.value case))
                writer.WriteEndArray()

            writer.WriteStartArray()

            for fold in folds do
                writer.WriteStartObject()
                list "train" fold.Train
                list "val" fold.Validation
                writer.WriteEndObject()

            writer.WriteEndArray()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"

    let private cases (path: string) (key: string) (fold: JsonElement) : Result<CaseId list, Problem> =
        let bad () =
            Error(Unreadable(path, $"each fold should hold \"%s{key}\", a list of case names"))

        let name (value: JsonElement) : Result<CaseId, Problem> =
            if value.ValueKind = JsonValueKind.String then
                match value.GetString() |> Option.ofObj |> Option.bind CaseId.tryOfString with
                | Some id -> Ok id
                | None -> bad ()
            else
                bad ()

        if fold.ValueKind <> JsonValueKind.Object then
            bad ()
        else
            match fold.TryGetProperty key with
            | true, list when list.ValueKind = JsonValueKind.Array ->
                [ for value in list.EnumerateArray() -> name value ] |> Problem.collect
            | _ -> bad ()

    /// The folds in a splits_final.json; `path` serves the messages.
    let parse (path: string) (json: string) : Result<Fold list, Problem> =
        try
            use document = JsonDocument.Parse json

            if document.RootElement.ValueKind <> JsonValueKind.Array then
                Error(Unreadable(path, "it should be a list of folds"))
            else
                [
                    for fold in document.RootElement.EnumerateArray() ->
                        Problem.attempt {
                            let! train = cases path "train" fold
                            let! validation = cases path "val" fold

                            return
                                {
                                    Train = train
                                    Validation = validation
                                }
                        }
                ]
                |> Problem.collect
        with :? JsonException as error ->
            let line = error.LineNumber.GetValueOrDefault() + 1L
            Error(Unreadable(path, $"it is not valid JSON (line %d{line})"))
