namespace SkeletonRecall.Cli

/// What the usage of a flag says in every command that has it.
[<RequireQualifiedAccess>]
module internal Usage =
    let root =
        "folder with raw, preprocessed and results in place of nnUNet_raw, nnUNet_preprocessed and nnUNet_results (default: those variables, or ./skeleton-recall)."

    let plans = "name of the plans (default: nnUNetPlans)."

    let device =
        "where networks are computed: cpu, cuda (an NVIDIA GPU, untried) or mps (Apple's, untried) (default: cpu)."

    let precision =
        "what convolutions are computed in: float32 or, on cuda, bfloat16 or float16 (untried) (default: float32)."

    let threads = "threads of a tensor operation (default: all cores)."
