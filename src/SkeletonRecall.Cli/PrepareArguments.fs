namespace SkeletonRecall.Cli

open Argu

/// What the usage of a flag says in each of the four commands before training that has it.
[<RequireQualifiedAccess>]
module internal PrepareUsage =
    let dataset = "data sets: numbers, names such as Dataset001_Vessels, or folders."

    let measureWorkers =
        "cases that are measured at once (default: 8, at most as many as there are cores)."

    let workers =
        "cases that are preprocessed at once: one number, or one for each configuration (default: 8, or 4 for 3d_fullres, at most as many as there are cores)."

    let memory =
        "GB that the cases at work may take together; a larger one is worked on alone (default: half of the machine's)."

    let json = "end with a summary in JSON; progress and notes go to the error stream."
    let verbose = "nnU-Net's flag; every note is printed anyway."

    let extractor =
        "nnU-Net's name of the way of measuring: DatasetFingerprintExtractor, the only one."

    let planner =
        "ExperimentPlanner (default), ResEncUNetPlanner, nnUNetPlannerResEncM, nnUNetPlannerResEncL or nnUNetPlannerResEncXL."

    let target = "GB of GPU memory to plan for (default: what the planner assumes)."

    let preprocessor =
        "nnU-Net's name of the way of preprocessing: DefaultPreprocessor, the only one."

    let spacing =
        "target spacing in mm, three numbers, slowest axis of the files first (default: by the data)."

    let newName =
        "name of the plans, where the planner's own is to stay for others (default: nnUNetPlans, or the planner's)."

    let configurations =
        "configurations; those that the plans do not hold are passed over (default: 2d 3d_fullres 3d_lowres)."

    let verify = "look for what is wrong with the data sets first, and stop at it."

/// `fingerprint -d DATASET`.
type FingerprintArguments =
    | [<AltCommandLine("-d"); Mandatory>] Dataset of name: string list
    | [<AltCommandLine("-np")>] Workers of count: int
    | [<AltCommandLine("-fpe")>] Extractor of name: string
    | [<AltCommandLine("--verify_dataset_integrity")>] Verify
    | Clean
    | Verbose
    | Root of folder: string
    | Json

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Dataset _ -> PrepareUsage.dataset
            | Workers _ -> PrepareUsage.measureWorkers
            | Extractor _ -> PrepareUsage.extractor
            | Verify -> PrepareUsage.verify
            | Clean -> "measure again though there is a fingerprint."
            | Verbose -> PrepareUsage.verbose
            | Root _ -> Usage.root
            | Json -> PrepareUsage.json

/// `plan -d DATASET`.
type PlanArguments =
    | [<AltCommandLine("-d"); Mandatory>] Dataset of name: string list
    | [<AltCommandLine("-pl")>] Planner of name: string
    | [<AltCommandLine("-gpu_memory_target")>] Gpu_Memory_Target of GB: float
    | [<AltCommandLine("-preprocessor_name")>] Preprocessor of name: string
    | [<AltCommandLine("-overwrite_target_spacing")>] Target_Spacing of mm: float list
    | [<AltCommandLine("-overwrite_plans_name")>] Plans_Name of name: string
    | Verbose
    | Root of folder: string
    | Json

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Dataset _ -> PrepareUsage.dataset
            | Planner _ -> PrepareUsage.planner
            | Gpu_Memory_Target _ -> PrepareUsage.target
            | Preprocessor _ -> PrepareUsage.preprocessor
            | Target_Spacing _ -> PrepareUsage.spacing
            | Plans_Name _ -> PrepareUsage.newName
            | Verbose -> PrepareUsage.verbose
            | Root _ -> Usage.root
            | Json -> PrepareUsage.json

/// `preprocess -d DATASET`.
type PreprocessArguments =
    | [<AltCommandLine("-d"); Mandatory>] Dataset of name: string list
    | [<AltCommandLine("-p", "-plans_name")>] Plans of name: string
    | [<AltCommandLine("-c")>] Configurations of name: string list
    | [<AltCommandLine("-np")>] Workers of count: int list
    | Clean
    | Verbose
    | Memory of GB: float
    | Root of folder: string
    | Json

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Dataset _ -> PrepareUsage.dataset
            | Plans _ -> Usage.plans
            | Configurations _ -> PrepareUsage.configurations
            | Workers _ -> PrepareUsage.workers
            | Clean -> "preprocess all cases anew, those that are there too."
            | Verbose -> PrepareUsage.verbose
            | Memory _ -> PrepareUsage.memory
            | Root _ -> Usage.root
            | Json -> PrepareUsage.json

/// `plan-and-preprocess -d DATASET`.
type PlanAndPreprocessArguments =
    | [<AltCommandLine("-d"); Mandatory>] Dataset of name: string list
    | [<AltCommandLine("-fpe")>] Extractor of name: string
    | [<AltCommandLine("-npfp")>] Fingerprint_Workers of count: int
    | [<AltCommandLine("--verify_dataset_integrity")>] Verify
    | [<AltCommandLine("--no_pp")>] No_Preprocessing
    | Clean
    | [<AltCommandLine("-pl")>] Planner of name: string
    | [<AltCommandLine("-gpu_memory_target")>] Gpu_Memory_Target of GB: float
    | [<AltCommandLine("-preprocessor_name")>] Preprocessor of name: string
    | [<AltCommandLine("-overwrite_target_spacing")>] Target_Spacing of mm: float list
    | [<AltCommandLine("-overwrite_plans_name")>] Plans_Name of name: string
    | [<AltCommandLine("-c")>] Configurations of name: string list
    | [<AltCommandLine("-np")>] Workers of count: int list
    | Verbose
    | Memory of GB: float
    | Root of folder: string
    | Json

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Dataset _ -> PrepareUsage.dataset
            | Extractor _ -> PrepareUsage.extractor
            | Fingerprint_Workers _ -> PrepareUsage.measureWorkers
            | Verify -> PrepareUsage.verify
            | No_Preprocessing -> "measure and plan only."
            | Clean -> "measure again and preprocess all cases anew, those that are there too."
            | Planner _ -> PrepareUsage.planner
            | Gpu_Memory_Target _ -> PrepareUsage.target
            | Preprocessor _ -> PrepareUsage.preprocessor
            | Target_Spacing _ -> PrepareUsage.spacing
            | Plans_Name _ -> PrepareUsage.newName
            | Configurations _ -> PrepareUsage.configurations
            | Workers _ -> PrepareUsage.workers
            | Verbose -> PrepareUsage.verbose
            | Memory _ -> PrepareUsage.memory
            | Root _ -> Usage.root
            | Json -> PrepareUsage.json
