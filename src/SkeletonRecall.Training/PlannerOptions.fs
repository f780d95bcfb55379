namespace SkeletonRecall.Training

/// nnU-Net's planners: what they take a GPU of the stated memory to hold, and which network they plan.
[<RequireQualifiedAccess>]
type PlannerKind =
    /// nnU-Net's default, `ExperimentPlanner`: plain convolutions, 8 GB.
    | Plain
    /// `ResEncUNetPlanner`: residual blocks, 8 GB, batches of at most 5 % of the data set.
    | ResEnc
    /// `nnUNetPlannerResEncM`: residual blocks, 8 GB.
    | ResEncM
    /// `nnUNetPlannerResEncL`: residual blocks, 24 GB.
    | ResEncL
    /// `nnUNetPlannerResEncXL`: residual blocks, 40 GB.
    | ResEncXL

/// What a planner may be told; the rest it decides.
type PlannerOptions =
    {
        /// Feature maps of the first stage; each further stage has twice as many.
        BaseFeatures: int
        /// The most feature maps of any stage of a network for planes; networks for volumes have at most 320 of them.
        MaxFeatures: int
        /// The patch size, rounded up to what the network can halve, for the configuration with as many axes; None chooses
        /// it by image size and memory.
        PatchSize: int list option
        /// Patches per batch; None chooses by memory.
        BatchSize: int option
        /// Convolutions of each stage, in encoder and decoder, of a network of plain convolutions.
        ConvsPerStage: int
        /// Which of nnU-Net's planners.
        Kind: PlannerKind
        /// GPU memory to plan for in GB (`-gpu_memory_target`); None is what the planner assumes.
        MemoryTarget: float option
        /// Target spacing in mm, one entry per axis of the files (`-overwrite_target_spacing`); None chooses it.
        TargetSpacing: float list option
        /// The name of the plans (`-overwrite_plans_name`); None is the planner's.
        PlansName: string option
    }

/// What a planner assumes of a GPU, in values of feature maps.
type internal PlannerBudget =
    {
        Planner: string
        PlansName: string
        Blocks: Blocks
        MemoryGigabytes: float
        /// Values in the feature maps of a reference network, for a reference batch.
        ValuesInSpace: float
        ValuesInPlane: float
        /// No batch holds more than this share of the data set's voxels.
        LargestShare: float
    }

/// What the planners assume.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module internal PlannerBudget =

    /// nnU-Net's figures.
    let ofKind (kind: PlannerKind) : PlannerBudget =
        let residual (planner: string) (plans: string) (memory: float) (space: float) (plane: float) (share: float) =
            {
                Planner = planner
                PlansName = plans
                Blocks = Residual
                MemoryGigabytes = memory
                ValuesInSpace = space
                ValuesInPlane = plane
                LargestShare = share
            }

        match kind with
        | PlannerKind.Plain ->
            {
                Planner = "ExperimentPlanner"
                PlansName = "nnUNetPlans"
                Blocks = Plain
                MemoryGigabytes = 8.0
                ValuesInSpace = 560e6
                ValuesInPlane = 85e6
                LargestShare = 0.05
            }
        | PlannerKind.ResEnc -> residual "ResEncUNetPlanner" "nnUNetResEncUNetPlans" 8.0 680e6 135e6 0.05
        | PlannerKind.ResEncM -> residual "nnUNetPlannerResEncM" "nnUNetResEncUNetMPlans" 8.0 680e6 135e6 1.0
        | PlannerKind.ResEncL -> residual "nnUNetPlannerResEncL" "nnUNetResEncUNetLPlans" 24.0 2100e6 380e6 1.0
        | PlannerKind.ResEncXL -> residual "nnUNetPlannerResEncXL" "nnUNetResEncUNetXLPlans" 40.0 3600e6 560e6 1.0
