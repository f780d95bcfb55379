namespace SkeletonRecall.Cli

open System
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open Argu
open SkeletonRecall.Training

/// What the four commands that lead from a raw data set to preprocessed cases have in common.
[<RequireQualifiedAccess>]
module Prepare =

    /// What is to be done with each data set.
    type Job =
        {
            Datasets: string list
            Roots: Roots
            /// Look for what is wrong first.
            Verify: bool
            Measure: bool
            MeasureWorkers: int option
            Plan: PlannerOptions option
            /// Configurations to preprocess, each with its number of workers where one was given.
            Preprocess: (string * int option) list
            PlansName: string
            Clean: bool
            Memory: int64
            Json: bool
        }

    // nnU-Net's numbers, as far as there are cores.
    let private standardWorkers (configuration: string) : int =
        min Environment.ProcessorCount (if configuration = "3d_fullres" then 4 else 8)

    let private wrong (flag: string) (got: string) (wanted: string) : Result<'T, Problem> =
        Error(Mismatch(flag, got, wanted))

    /// The only name that a flag of nnU-Net's may have.
    let only (flag: string) (served: string) (name: string option) : Result<unit, Problem> =
        match name with
        | Some other when other <> served -> wrong flag $"'%s{other}'" $"%s{served}, the only one that is served"
        | _ -> Ok()

    // A list takes every word up to the next flag that is known, a flag that is not among them.
    let private tryFlag (values: string list) : string option =
        values |> List.tryFind (fun value -> value.StartsWith '-')

    let private noName (flag: string) (got: string) : Result<'T, Problem> =
        wrong flag $"'%s{got}'" "names; no flag of this command is called so"

    /// A number of workers, at least 1.
    let workers (flag: string) (count: int option) : Result<int option, Problem> =
        match count with
        | Some count when count < 1 -> wrong flag (string count) "1 or more"
        | _ -> Ok count

    /// Gigabytes as bytes.
    let memory (gigabytes: float option) : Result<int64, Problem> =
        match gigabytes with
        | None -> Ok Preparation.standardMemory
        | Some value when Double.IsFinite value && value > 0.0 && value < 1e6 -> Ok(int64 (value * 1073741824.0))
        | Some value -> wrong "--memory" $"%g{value}" "a number of GB above 0"

    /// Configurations and the workers of each: nnU-Net takes one number for all, or one for each.
    let configurations
        (names: string list option)
        (counts: int list option)
        : Result<(string * int option) list, Problem> =
        let names = names |> Option.defaultValue [ "2d"; "3d_fullres"; "3d_lowres" ]

        match counts with
        | _ when (tryFlag names).IsSome -> tryFlag names |> Option.get |> noName "-c"
        | Some counts when List.exists (fun count -> count < 1) counts ->
            wrong "-np" (counts |> List.map string |> String.concat " ") "1 or more"
        | None -> Ok(names |> List.map (fun name -> name, None))
        | Some [ count ] -> Ok(names |> List.map (fun name -> name, Some count))
        | Some counts when counts.Length = names.Length -> Ok(List.zip names (List.map Some counts))
        | Some counts ->
            wrong "-np" $"%d{counts.Length} numbers for %d{names.Length} configurations" "one number, or one for each"

    /// What the flags of planning say.
    let plannerOptions
        (kind: string option)
        (target: float option)
        (spacing: float list option)
        (name: string option)
        : Result<PlannerOptions, Problem> =
        Problem.attempt {
            let! kind =
                match kind with
                | None
                | Some "ExperimentPlanner" -> Ok PlannerKind.Plain
                | Some "ResEncUNetPlanner" -> Ok PlannerKind.ResEnc
                | Some "nnUNetPlannerResEncM" -> Ok PlannerKind.ResEncM
                | Some "nnUNetPlannerResEncL" -> Ok PlannerKind.ResEncL
                | Some "nnUNetPlannerResEncXL" -> Ok PlannerKind.ResEncXL
                | Some other -> wrong "-pl" $"'%s{other}'" PrepareUsage.planner

            match target, spacing, name with
            | Some value, _, _ when not (Double.IsFinite value && value > 0.0) ->
                return! wrong "-gpu_memory_target" $"%g{value}" "a number of GB above 0"
            | _, Some values, _ when
                values.Length <> 3
                || List.exists (fun mm -> not (Double.IsFinite mm && mm > 0.0)) values
                ->
                let got = values |> List.map (sprintf "%g") |> String.concat " "
                return! wrong "-overwrite_target_spacing" got "three numbers of mm above 0"
            | _, _, Some name when (CaseId.tryOfString name).IsNone ->
                return! wrong "-overwrite_plans_name" $"'%s{name}'" "a name that can be a file's"
            | _ ->
                return
                    { Planner.standard with
                        Kind = kind
                        MemoryTarget = target
                        TargetSpacing = spacing
                        PlansName = name
                    }
        }

    // What became of one data set.
    type private Outcome =
        {
            Name: string
            Folder: string
            Fingerprint: Fingerprint option
            Plans: Plans option
            Folders: PreparedFolder list
        }

    let private json (outcomes: Outcome list) : string =
        use buffer = new MemoryStream()

        do
            use writer =
                new Utf8JsonWriter(
                    buffer,
                    JsonWriterOptions(
                        Indented = true,
                        NewLine = "\n",
                        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
                    )
                )

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

            writer.WriteEndArray()

        Encoding.UTF8.GetString(buffer.ToArray())

    let private printPlans (terminal: Terminal) (plans: Plans) : unit =
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

    // Ends the job where something is wrong with the data set.
    let private verify (terminal: Terminal) (folder: string) : Result<unit, Problem> =
        Terminal.progress terminal "verifying" (fun report ->
            Verification.run (standardWorkers "2d") terminal.Stop report folder)
        |> Result.bind (fun verified ->
            Verify.print terminal folder verified

            if Verification.passed verified then
                Ok()
            else
                Error(
                    Mismatch(
                        folder,
                        "a data set with what was named above",
                        "one that verify finds nothing wrong with"
                    )
                ))

    // Everything that is to be done with one data set.
    let private prepare (job: Job) (terminal: Terminal) (name: string) : Result<Outcome, Problem> =
        let request (workers: int) : PrepareRequest =
            {
                Roots = job.Roots
                Dataset = name
                Workers = workers
                Memory = job.Memory
                Clean = job.Clean
            }

        let note = Terminal.line terminal

        Problem.attempt {
            let! folder, dataset = Preparation.dataset (request 1)
            note $"%s{dataset.Name}"

            if job.Verify then
                do! verify terminal folder

            let! fingerprint =
                if job.Measure then
                    Terminal.progress terminal "measuring" (fun report ->
                        Preparation.fingerprint
                            (request (job.MeasureWorkers |> Option.defaultWith (fun () -> standardWorkers "2d")))
                            terminal.Stop
                            note
                            report)
                    |> Result.map Some
                else
                    Ok None

            let! plans =
                match job.Plan with
                | Some options -> Preparation.plan (request 1) options |> Result.map Some
                | None -> Ok None

            plans |> Option.iter (printPlans terminal)

            let plansName = plans |> Option.map _.PlansName |> Option.defaultValue job.PlansName

            // Each number of workers by itself.
            let groups = job.Preprocess |> List.groupBy snd

            let! folders =
                groups
                |> Problem.traverse (fun (workers, members) ->
                    let names = List.map fst members

                    let workers =
                        workers
                        |> Option.defaultWith (fun () -> names |> List.map standardWorkers |> List.min)

                    Terminal.progress terminal "preprocessing" (fun report ->
                        Preparation.preprocess (request workers) plansName names terminal.Stop note report))

            let folders = List.concat folders

            for folder in folders do
                note $"%s{folder.Folder}: %d{folder.Made} cases preprocessed, %d{folder.Kept} kept"

            return
                {
                    Name = dataset.Name
                    Folder = Store.preprocessedFolder job.Roots dataset.Name
                    Fingerprint = fingerprint
                    Plans = plans
                    Folders = folders
                }
        }

    /// Does the job, data set by data set; the exit code.
    let run (terminal: Terminal) (job: Result<Job, Problem>) : int =
        Problem.attempt {
            let! job = job

            match tryFlag job.Datasets with
            | Some other -> do! noName "-d" other
            | None -> ()

            // The summary alone is to be on the output.
            let spoken =
                if job.Json then
                    { terminal with
                        Output = terminal.Error
                        Interactive = false
                    }
                else
                    terminal

            let! outcomes = job.Datasets |> Problem.traverse (prepare job spoken)

            if job.Json then
                Terminal.line terminal (json outcomes)

            return ()
        }
        |> Terminal.exitCode terminal

    let private standard (datasets: string list) (root: string option) (isJson: bool) : Job =
        {
            Datasets = datasets
            Roots = Train.roots root
            Verify = false
            Measure = false
            MeasureWorkers = None
            Plan = None
            Preprocess = []
            PlansName = "nnUNetPlans"
            Clean = false
            Memory = Preparation.standardMemory
            Json = isJson
        }

    /// The job of `fingerprint`.
    let fingerprint (arguments: ParseResults<FingerprintArguments>) : Result<Job, Problem> =
        Problem.attempt {
            do! only "-fpe" "DatasetFingerprintExtractor" (arguments.TryGetResult FingerprintArguments.Extractor)
            let! workers = workers "-np" (arguments.TryGetResult FingerprintArguments.Workers)

            return
                { standard
                      (arguments.GetResult FingerprintArguments.Dataset)
                      (arguments.TryGetResult FingerprintArguments.Root)
                      (arguments.Contains FingerprintArguments.Json) with
                    Verify = arguments.Contains FingerprintArguments.Verify
                    Measure = true
                    MeasureWorkers = workers
                    Clean = arguments.Contains FingerprintArguments.Clean
                }
        }

    /// The job of `plan`.
    let plan (arguments: ParseResults<PlanArguments>) : Result<Job, Problem> =
        Problem.attempt {
            do! only "-preprocessor_name" "DefaultPreprocessor" (arguments.TryGetResult PlanArguments.Preprocessor)

            let! options =
                plannerOptions
                    (arguments.TryGetResult PlanArguments.Planner)
                    (arguments.TryGetResult PlanArguments.Gpu_Memory_Target)
                    (arguments.TryGetResult PlanArguments.Target_Spacing)
                    (arguments.TryGetResult PlanArguments.Plans_Name)

            return
                { standard
                      (arguments.GetResult PlanArguments.Dataset)
                      (arguments.TryGetResult PlanArguments.Root)
                      (arguments.Contains PlanArguments.Json) with
                    Plan = Some options
                }
        }

    /// The job of `preprocess`.
    let preprocess (arguments: ParseResults<PreprocessArguments>) : Result<Job, Problem> =
        Problem.attempt {
            let! configurations =
                configurations
                    (arguments.TryGetResult PreprocessArguments.Configurations)
                    (arguments.TryGetResult PreprocessArguments.Workers)

            let! memory = memory (arguments.TryGetResult PreprocessArguments.Memory)

            return
                { standard
                      (arguments.GetResult PreprocessArguments.Dataset)
                      (arguments.TryGetResult PreprocessArguments.Root)
                      (arguments.Contains PreprocessArguments.Json) with
                    Preprocess = configurations
                    PlansName = arguments.GetResult(PreprocessArguments.Plans, "nnUNetPlans")
                    Clean = arguments.Contains PreprocessArguments.Clean
                    Memory = memory
                }
        }

    /// The job of `plan-and-preprocess`.
    let planAndPreprocess (arguments: ParseResults<PlanAndPreprocessArguments>) : Result<Job, Problem> =
        Problem.attempt {
            do! only "-fpe" "DatasetFingerprintExtractor" (arguments.TryGetResult PlanAndPreprocessArguments.Extractor)

            do!
                only
                    "-preprocessor_name"
                    "DefaultPreprocessor"
                    (arguments.TryGetResult PlanAndPreprocessArguments.Preprocessor)

            let! measureWorkers =
                workers "-npfp" (arguments.TryGetResult PlanAndPreprocessArguments.Fingerprint_Workers)

            let! options =
                plannerOptions
                    (arguments.TryGetResult PlanAndPreprocessArguments.Planner)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Gpu_Memory_Target)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Target_Spacing)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Plans_Name)

            let! configurations =
                configurations
                    (arguments.TryGetResult PlanAndPreprocessArguments.Configurations)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Workers)

            let! memory = memory (arguments.TryGetResult PlanAndPreprocessArguments.Memory)

            return
                { standard
                      (arguments.GetResult PlanAndPreprocessArguments.Dataset)
                      (arguments.TryGetResult PlanAndPreprocessArguments.Root)
                      (arguments.Contains PlanAndPreprocessArguments.Json) with
                    Verify = arguments.Contains PlanAndPreprocessArguments.Verify
                    Measure = true
                    MeasureWorkers = measureWorkers
                    Plan = Some options
                    Preprocess =
                        if arguments.Contains PlanAndPreprocessArguments.No_Preprocessing then
                            []
                        else
                            configurations
                    Clean = arguments.Contains PlanAndPreprocessArguments.Clean
                    Memory = memory
                }
        }
