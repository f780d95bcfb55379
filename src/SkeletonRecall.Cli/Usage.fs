namespace SkeletonRecall.Cli

/// What the usage of a flag says in every command that has it.
[<RequireQualifiedAccess>]
module internal Usage =
    let root =
        "folder with raw, preprocessed and results in place of nnUNet_raw, nnUNet_preprocessed and nnUNet_results (default: those variables, or ./skeleton-recall)."

    let plans = "name of the plans (default: nnUNetPlans)."
    let device = "where tensors live: cpu (default: cpu)."
    let threads = "threads of a tensor operation (default: all cores)."
