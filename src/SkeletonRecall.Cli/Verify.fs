namespace SkeletonRecall.Cli

open System
open Argu
open SkeletonRecall.Training

/// `verify DATASET`.
[<RequireQualifiedAccess>]
module Verify =

    // More lines than this nobody reads; --json has them all.
    let private most = 50

    let private word (gravity: Gravity) : string =
        match gravity with
        | Gravity.Wrong -> "wrong"
        | Gravity.Doubtful -> "doubtful"

    /// Findings as lines.
    let print (terminal: Terminal) (folder: string) (verified: Verified) : unit =
        let dataset = verified.Dataset

        let kinds =
            if Dataset.hasRegions dataset then
                Terminal.counted dataset.Regions.Length "region"
            else
                $"%d{Dataset.classes dataset} classes with the background"

        let cases = Terminal.counted verified.Cases "case"
        let channels = Terminal.counted dataset.ChannelNames.Length "channel"
        Terminal.line terminal $"%s{folder}: %s{cases}, %s{channels}, %s{kinds}"

        for finding in List.truncate most verified.Findings do
            let case =
                match finding.Case with
                | Some case -> $" (case %s{CaseId.value case})"
                | None -> ""

            Terminal.line terminal $"%s{word finding.Gravity}%s{case}: %s{finding.Message}"

        if verified.Findings.Length > most then
            Terminal.line terminal $"... and %d{verified.Findings.Length - most} more; --json lists them all"

        let count (gravity: Gravity) =
            verified.Findings
            |> List.filter (fun finding -> finding.Gravity = gravity)
            |> List.length

        match count Gravity.Wrong, count Gravity.Doubtful with
        | 0, 0 -> Terminal.line terminal "nothing is wrong"
        | 0, doubtful -> Terminal.line terminal $"nothing is wrong, %d{doubtful} doubtful"
        | wrong, doubtful -> Terminal.line terminal $"%d{wrong} wrong, %d{doubtful} doubtful"

    /// One JSON object for each data set, in a list.
    let json (all: (string * Verified) list) : string =
        JsonText.print 2 (fun writer ->
            writer.WriteStartArray()

            for folder, verified in all do
                writer.WriteStartObject()
                writer.WriteString("folder", folder)
                writer.WriteString("dataset", verified.Dataset.Name)
                writer.WriteNumber("cases", verified.Cases)
                writer.WriteBoolean("passed", Verification.passed verified)
                writer.WriteStartArray "findings"

                for finding in verified.Findings do
                    writer.WriteStartObject()
                    writer.WriteString("gravity", word finding.Gravity)

                    match finding.Case with
                    | Some case -> writer.WriteString("case", CaseId.value case)
                    | None -> writer.WriteNull "case"

                    writer.WriteString("message", finding.Message)
                    writer.WriteEndObject()

                writer.WriteEndArray()
                writer.WriteEndObject()

            writer.WriteEndArray())

    /// Runs the command; exit code 1 where something is wrong with a data set.
    let run (terminal: Terminal) (arguments: ParseResults<VerifyArguments>) : int =
        let workers =
            arguments.GetResult(VerifyArguments.Workers, min 8 Environment.ProcessorCount)

        let asJson = arguments.Contains VerifyArguments.Json
        let roots = Flags.roots (arguments.TryGetResult VerifyArguments.Root)

        let result =
            Problem.attempt {
                let names =
                    arguments.GetResult(VerifyArguments.Datasets, [])
                    @ arguments.GetResult(VerifyArguments.Also, [])

                if names.IsEmpty then
                    do! Error(Mismatch("verify", "no data set", "a number, a name or a folder, as in: verify 1"))

                if workers < 1 then
                    do! Error(Mismatch("--workers", $"%d{workers}", "at least 1"))

                return!
                    names
                    |> Problem.traverse (fun name ->
                        Store.rawFolder roots name
                        |> Result.bind (fun folder ->
                            let look = Verification.run workers terminal.Stop

                            (if asJson then
                                 look (fun _ _ -> ()) folder
                             else
                                 Terminal.progress terminal "verifying" (fun report -> look report folder))
                            |> Result.map (fun verified ->
                                if not asJson then
                                    print terminal folder verified

                                folder, verified)))
            }

        match result with
        | Error problem -> Terminal.fail terminal (Problem.message problem)
        | Ok all ->
            if asJson then
                Terminal.line terminal (json all)

            if all |> List.forall (snd >> Verification.passed) then
                0
            else
                1
