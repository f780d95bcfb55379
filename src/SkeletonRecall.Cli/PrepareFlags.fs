namespace SkeletonRecall.Cli

open System
open SkeletonRecall.Training

/// Reading the flags of `fingerprint`, `plan`, `preprocess` and `plan-and-preprocess`, which share them.
[<RequireQualifiedAccess>]
module PrepareFlags =

    /// The only name that a flag of nnU-Net's may have.
    let only (flag: string) (served: string) (name: string option) : Result<unit, Problem> =
        match name with
        | Some other when other <> served -> Flags.wrong flag $"'%s{other}'" $"%s{served}, the only one that is served"
        | _ -> Ok()

    /// Gigabytes as bytes.
    let memory (gigabytes: float option) : Result<int64, Problem> =
        match gigabytes with
        | None -> Ok Preparation.standardMemory
        | Some value when Double.IsFinite value && value > 0.0 && value < 1e6 -> Ok(int64 (value * 1073741824.0))
        | Some value -> Flags.wrong "--memory" $"%g{value}" "a number of GB above 0"

    /// Configurations and the workers of each: nnU-Net takes one number for all, or one for each.
    let configurations
        (chosen: string list option)
        (counts: int list option)
        : Result<(string * int option) list, Problem> =
        let chosen = chosen |> Option.defaultValue [ "2d"; "3d_fullres"; "3d_lowres" ]

        match counts with
        | Some counts when List.exists (fun count -> count < 1) counts ->
            Flags.wrong "-np" (counts |> List.map string |> String.concat " ") "1 or more"
        | None -> Ok(chosen |> List.map (fun name -> name, None))
        | Some [ count ] -> Ok(chosen |> List.map (fun name -> name, Some count))
        | Some counts when counts.Length = chosen.Length -> Ok(List.zip chosen (List.map Some counts))
        | Some counts ->
            Flags.wrong
                "-np"
                $"%d{counts.Length} numbers for %d{chosen.Length} configurations"
                "one number, or one for each"

    /// What the flags of measuring say: the number of workers, where one is given as `flag`.
    let measuring (extractor: string option) (flag: string) (workers: int option) : Result<int option, Problem> =
        Problem.attempt {
            do! only "-fpe" "DatasetFingerprintExtractor" extractor
            do! Flags.atLeast flag 1 workers
            return workers
        }

    /// What the flags of planning say.
    let planner
        (preprocessor: string option)
        (kind: string option)
        (target: float option)
        (spacing: float list option)
        (name: string option)
        : Result<PlannerOptions, Problem> =
        Problem.attempt {
            do! only "-preprocessor_name" "DefaultPreprocessor" preprocessor

            let! kind =
                match kind with
                | None
                | Some "ExperimentPlanner" -> Ok PlannerKind.Plain
                | Some "ResEncUNetPlanner" -> Ok PlannerKind.ResEnc
                | Some "nnUNetPlannerResEncM" -> Ok PlannerKind.ResEncM
                | Some "nnUNetPlannerResEncL" -> Ok PlannerKind.ResEncL
                | Some "nnUNetPlannerResEncXL" -> Ok PlannerKind.ResEncXL
                | Some other -> Flags.wrong "-pl" $"'%s{other}'" PrepareUsage.planner

            match target, spacing, name with
            | Some value, _, _ when not (Double.IsFinite value && value > 0.0) ->
                return! Flags.wrong "-gpu_memory_target" $"%g{value}" "a number of GB above 0"
            | _, Some values, _ when
                values.Length <> 3
                || List.exists (fun mm -> not (Double.IsFinite mm && mm > 0.0)) values
                ->
                let got = values |> List.map (sprintf "%g") |> String.concat " "
                return! Flags.wrong "-overwrite_target_spacing" got "three numbers of mm above 0"
            | _, _, Some name when (CaseId.tryOfString name).IsNone ->
                return! Flags.wrong "-overwrite_plans_name" $"'%s{name}'" "a name that can be a file's"
            | _ ->
                return
                    { Planner.standard with
                        Kind = kind
                        MemoryTarget = target
                        TargetSpacing = spacing
                        PlansName = name
                    }
        }
