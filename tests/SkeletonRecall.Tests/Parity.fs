namespace SkeletonRecall.Tests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall

/// The records of `shared/parity/index.json`.
[<RequireQualifiedAccess>]
module Parity =

    /// One record with the accessors that tests need.
    type Record(json: JsonElement) =
        /// The record's JSON.
        member _.Json: JsonElement = json
        /// The record's name.
        member _.Name: string = string (json.GetProperty "name")
        /// 2 or 3.
        member _.Rank: int = json.GetProperty("ndim").GetInt32()

        /// A file of the record, by key; None where the record has no such file.
        member _.TryFile(key: string) : string option =
            let files =
                match json.TryGetProperty "files" with
                | true, files -> files
                | _ -> json

            match files.TryGetProperty key with
            | true, file -> Some(Golden.sharedPath $"parity/%O{file}")
            | _ -> None

        /// A file of the record, by key.
        member this.File(key: string) : string =
            match this.TryFile key with
            | Some file -> file
            | None -> invalidArg (nameof key) $"%s{this.Name} has no file %s{key}."

        /// A number, NaN included.
        member _.Number(key: string) : float =
            let value = json.GetProperty key

            if value.ValueKind = JsonValueKind.String then
                nan
            else
                value.GetDouble()

        /// The object under a key, as names with their integers.
        member _.Counts(key: string) : (string * int list) list =
            [
                for entry in json.GetProperty(key).EnumerateObject() do
                    entry.Name,
                    (if entry.Value.ValueKind = JsonValueKind.Array then
                         [ for value in entry.Value.EnumerateArray() -> value.GetInt32() ]
                     else
                         [ entry.Value.GetInt32() ])
            ]

    let private read (list: string) : Record list =
        match Golden.shared with
        | None -> []
        | Some folder ->
            use document =
                JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "parity", "index.json")))

            [
                for record in document.RootElement.GetProperty(list).EnumerateArray() -> Record(record.Clone())
            ]

    /// The masks; none without the folder `shared`.
    let masks: Record list = read "masks"
    /// The pairs of masks; none without the folder `shared`.
    let pairs: Record list = read "pairs"
    /// The losses; none without the folder `shared`.
    let losses: Record list = read "losses"

    /// One test per record, or one skipped test where there is no folder `shared`.
    let tests (name: string) (records: Record list) (check: Record -> unit) : Test =
        testList
            name
            (if Golden.shared.IsNone then
                 [
                     testCase "shared" (fun () -> Golden.sharedPath "parity/index.json" |> ignore)
                 ]
             else
                 records
                 |> List.map (fun record -> testCase record.Name (fun () -> check record)))

    /// Connectivities by the names that the records use: "8", "26".
    let connectivity (name: string) : Connectivity =
        [
            Connectivity.Four
            Connectivity.Eight
            Connectivity.Six
            Connectivity.Eighteen
            Connectivity.TwentySix
        ]
        |> List.find (fun connectivity -> string (Connectivity.size connectivity) = name)

    /// Fails, with the number of differing voxels, unless both masks are equal.
    let requireMask (got: Mask) (wanted: Mask) (name: string) : unit =
        Expect.equal got.Extent wanted.Extent $"%s{name}: extents"

        let differing =
            Mask.count (Mask.difference got wanted)
            + Mask.count (Mask.difference wanted got)

        Expect.equal differing 0 $"%s{name}: voxels that differ of %d{Mask.count wanted} wanted"
