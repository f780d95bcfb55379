namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall.Training

/// What is to be done with each data set.
type PrepareJob =
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

/// The jobs of the four commands that lead from a raw data set to preprocessed cases: parameters to a record.
[<RequireQualifiedAccess>]
module PrepareJob =

    // Nothing to do with the data sets as yet.
    let private standard (datasets: string list) (root: string option) (isJson: bool) : PrepareJob =
        {
            Datasets = datasets
            Roots = Flags.roots root
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
    let fingerprint (arguments: ParseResults<FingerprintArguments>) : Result<PrepareJob, Problem> =
        Problem.attempt {
            let! workers =
                PrepareFlags.measuring
                    (arguments.TryGetResult FingerprintArguments.Extractor)
                    "-np"
                    (arguments.TryGetResult FingerprintArguments.Workers)

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
    let plan (arguments: ParseResults<PlanArguments>) : Result<PrepareJob, Problem> =
        Problem.attempt {
            let! options =
                PrepareFlags.planner
                    (arguments.TryGetResult PlanArguments.Preprocessor)
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
    let preprocess (arguments: ParseResults<PreprocessArguments>) : Result<PrepareJob, Problem> =
        Problem.attempt {
            let! configurations =
                PrepareFlags.configurations
                    (arguments.TryGetResult PreprocessArguments.Configurations)
                    (arguments.TryGetResult PreprocessArguments.Workers)

            let! memory = PrepareFlags.memory (arguments.TryGetResult PreprocessArguments.Memory)

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
    let planAndPreprocess (arguments: ParseResults<PlanAndPreprocessArguments>) : Result<PrepareJob, Problem> =
        Problem.attempt {
            let! measureWorkers =
                PrepareFlags.measuring
                    (arguments.TryGetResult PlanAndPreprocessArguments.Extractor)
                    "-npfp"
                    (arguments.TryGetResult PlanAndPreprocessArguments.Fingerprint_Workers)

            let! options =
                PrepareFlags.planner
                    (arguments.TryGetResult PlanAndPreprocessArguments.Preprocessor)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Planner)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Gpu_Memory_Target)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Target_Spacing)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Plans_Name)

            let! configurations =
                PrepareFlags.configurations
                    (arguments.TryGetResult PlanAndPreprocessArguments.Configurations)
                    (arguments.TryGetResult PlanAndPreprocessArguments.Workers)

            let! memory =
                PrepareFlags.memory (arguments.TryGetResult PlanAndPreprocessArguments.Memory)

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
