namespace SkeletonRecall.Training

open System
open System.IO
open System.Text
open System.Text.Json
open SkeletonRecall

/// Which files of a folder were written here, by their contents: `skeleton-recall.json` beside them. What another program
/// wrote there, Python's nnU-Net above all, or what a person edited since, is never written over.
[<RequireQualifiedAccess>]
module Ledger =

    /// The ledger's name in its folder.
    let fileName: string = "skeleton-recall.json"

    let private hash (bytes: byte[]) : string = Sha256.hex bytes

    // File names and the hashes of what was written; none where the ledger is missing or no ledger.
    let private entries (folder: string) : Map<string, string> =
        match Files.read (Path.Combine(folder, fileName)) "" with
        | Error _ -> Map.empty
        | Ok bytes ->
            try
                use document = JsonDocument.Parse(ReadOnlyMemory bytes)

                match document.RootElement.TryGetProperty "written" with
                | true, written when written.ValueKind = JsonValueKind.Object ->
                    Map
                        [
                            for entry in written.EnumerateObject() do
                                if entry.Value.ValueKind = JsonValueKind.String then
                                    entry.Name, entry.Value.ToString()
                        ]
                | _ -> Map.empty
            with
            | :? JsonException
            | :? InvalidOperationException -> Map.empty

    let private note (folder: string) (name: string) (bytes: byte[]) : Result<unit, Problem> =
        Files.writeAtomically (Path.Combine(folder, fileName)) (fun stream ->
            use json =
                new Utf8JsonWriter(stream, JsonWriterOptions(Indented = true, NewLine = "\n"))

            json.WriteStartObject()
            json.WriteStartObject "written"

            for KeyValue(name, hash) in Map.add name (hash bytes) (entries folder) do
                json.WriteString(name, hash)

            json.WriteEndObject()
            json.WriteEndObject())

    let private put (folder: string) (name: string) (bytes: byte[]) : Result<unit, Problem> =
        Problem.attempt {
            do! Files.writeAtomically (Path.Combine(folder, name)) (fun stream -> stream.Write(bytes, 0, bytes.Length))
            return! note folder name bytes
        }

    /// Whether two JSON texts say the same, whatever the order of their keys and the spelling of their numbers.
    let sameJson (left: byte[]) (right: byte[]) : bool =
        try
            use left = JsonDocument.Parse(ReadOnlyMemory left)
            use right = JsonDocument.Parse(ReadOnlyMemory right)
            JsonElement.DeepEquals(left.RootElement, right.RootElement)
        with :? JsonException ->
            false

    /// Writes a file into the folder where there is none, or one that was written here and not changed since. One that says
    /// the same (by `same`, the old content first) is left as it is. Any other is a problem that names the cure. The name may lie in a
    /// folder below.
    let write
        (same: byte[] -> byte[] -> bool)
        (cure: string)
        (folder: string)
        (name: string)
        (bytes: byte[])
        : Result<unit, Problem> =
        let path = Path.Combine(folder, name)

        if not (File.Exists path) then
            put folder name bytes
        else
            Problem.attempt {
                let! there = Files.read path "the file is to be compared"

                if there.AsSpan().SequenceEqual(ReadOnlySpan bytes) || same there bytes then
                    return ()
                elif Map.tryFind name (entries folder) = Some(hash there) then
                    return! put folder name bytes
                else
                    return!
                        Error(
                            Mismatch(
                                path,
                                "a file of another program, or one that was edited, which says something else",
                                cure
                            )
                        )
            }

    /// `write` of a JSON text.
    let writeJson (cure: string) (folder: string) (name: string) (text: string) : Result<unit, Problem> =
        write sameJson cure folder name (Encoding.UTF8.GetBytes text)

    /// `write` of a copy of a file.
    let copy (cure: string) (folder: string) (name: string) (source: string) : Result<unit, Problem> =
        Files.read source "it is to be copied"
        |> Result.bind (write (fun _ _ -> false) cure folder name)
