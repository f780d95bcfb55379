namespace SkeletonRecall.Cli

open System
open SkeletonRecall.Training

/// What became of one data set.
type PrepareOutcome =
    {
        Name: string
        Folder: string
        Fingerprint: Fingerprint option
        Plans: Plans option
        Folders: PreparedFolder list
    }

/// Saying what was planned and prepared.
[<RequireQualifiedAccess>]
module PrepareSummary =

    /// A table of what was planned.
    let plans (terminal: Terminal) (plans: Plans) : unit =
        Terminal.line terminal $"plans %s{plans.PlansName} by %s{plans.Planner}"

        let sizes (values: 'T list) = String.Join(" x ", values)

        plans.Configurations
        |> Map.toList
        |> List.map (fun (name, configuration) ->
            [
                name
                sizes configuration.PatchSize
                string configuration.BatchSize
                configuration.Spacing |> List.map (sprintf "%.4g") |> sizes
                configuration.MedianSize |> List.map (sprintf "%g") |> sizes
                string configuration.Architecture.Strides.Length
            ])
        |> Terminal.table terminal [ "configuration"; "patch"; "batch"; "spacing mm"; "median image"; "stages" ]

    /// One JSON object for each data set, in a list.
    let json (outcomes: PrepareOutcome list) : string =
        JsonText.print 2 (fun writer ->
            let numbers (key: string) (values: int list) =
                writer.WriteStartArray key
                values |> List.iter writer.WriteNumberValue
                writer.WriteEndArray()

            writer.WriteStartArray()

            for outcome in outcomes do
                writer.WriteStartObject()
                writer.WriteString("dataset", outcome.Name)
                writer.WriteString("folder", outcome.Folder)

                outcome.Fingerprint
                |> Option.iter (fun found -> writer.WriteNumber("cases", found.Shapes.Length))

                match outcome.Plans with
                | None -> ()
                | Some plans ->
                    writer.WriteString("plans", plans.PlansName)
                    writer.WriteStartObject "configurations"

                    for KeyValue(name, configuration) in plans.Configurations do
                        writer.WriteStartObject name
                        numbers "patch_size" configuration.PatchSize
                        writer.WriteNumber("batch_size", configuration.BatchSize)
                        writer.WriteStartArray "spacing"
                        configuration.Spacing |> List.iter writer.WriteNumberValue
                        writer.WriteEndArray()
                        writer.WriteEndObject()

                    writer.WriteEndObject()

                writer.WriteStartArray "preprocessed"

                for folder in outcome.Folders do
                    writer.WriteStartObject()
                    writer.WriteString("folder", folder.Folder)
                    writer.WriteStartArray "configurations"
                    folder.Configurations |> List.iter writer.WriteStringValue
                    writer.WriteEndArray()
                    writer.WriteNumber("made", folder.Made)
                    writer.WriteNumber("kept", folder.Kept)
                    writer.WriteEndObject()

                writer.WriteEndArray()
                writer.WriteEndObject()

            writer.WriteEndArray())
