namespace SkeletonRecall.Cli

open Argu

/// What the usage of a flag says in both commands that score.
[<RequireQualifiedAccess>]
module internal ScoringUsage =
    let measures =
        "measures, separated by commas, or all (default: Dice, IoU, precision, recall, clDice and Betti numbers with their errors)."

    let profile =
        "whose conventions count: paper, topcow, toothfairy or metrics-reloaded (default: paper, which is nnU-Net's where nnU-Net has the measure)."

    let connectivity =
        "foreground and background connectivity of Betti and Euler numbers and of Betti matching: 8/4 or 4/8 in planes, 26/6, 6/26, 18/6 or 6/18 in volumes, the last two not for Betti matching (default: the profile's)."

    let window =
        "average the errors of Betti and Euler numbers, and Betti matching, over square or cubic windows of this side (default: none, the whole image)."

    let allowMissing =
        "leave cases without a counterpart out; without it each is an error."

    let processes = "cases scored at once (default: all cores)."

    let seed = "seed of the bootstrap (default: 0)."

/// `evaluate TRUTH PREDICTION`.
type EvaluateArguments =
    | [<MainCommand; ExactlyOnce>] Folders of TRUTH: string * PREDICTION: string
    | [<AltCommandLine("-djfile")>] Dataset_Json of file: string
    | [<AltCommandLine("-o")>] Output of file: string
    | Table of file: string
    | Measures of names: string
    | Profile of name: string
    | Connectivity of pair: string
    | Window of voxels: int
    | [<AltCommandLine("--chill")>] Allow_Missing
    | [<AltCommandLine("-np")>] Processes of count: int
    | Seed of number: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Folders _ ->
                "folder of true label maps and folder of predicted ones, matched by case. Exit codes: 0, all cases were scored; 1, nothing could be; 2, a wrong command line; 3, some cases failed, which are named, and the others were scored."
            | Dataset_Json _ -> "dataset.json that names the labels (default: beside or above either folder)."
            | Output _ -> "summary file (default: PREDICTION/summary.json)."
            | Table _ -> "scores of each case as CSV (default: scores.csv beside the summary)."
            | Measures _ -> ScoringUsage.measures
            | Profile _ -> ScoringUsage.profile
            | Connectivity _ -> ScoringUsage.connectivity
            | Window _ -> ScoringUsage.window
            | Allow_Missing -> ScoringUsage.allowMissing
            | Processes _ -> ScoringUsage.processes
            | Seed _ -> ScoringUsage.seed

/// `compare TRUTH FIRST SECOND`.
type CompareArguments =
    | [<MainCommand; ExactlyOnce>] Folders of TRUTH: string * FIRST: string * SECOND: string
    | [<AltCommandLine("-djfile")>] Dataset_Json of file: string
    | [<AltCommandLine("-o")>] Output of file: string
    | Measures of names: string
    | Profile of name: string
    | Connectivity of pair: string
    | Window of voxels: int
    | [<AltCommandLine("--chill")>] Allow_Missing
    | [<AltCommandLine("-np")>] Processes of count: int
    | Seed of number: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Folders _ ->
                "folder of true label maps and two folders of predicted ones; the difference is the second minus the first, over the cases of both. Exit codes as of evaluate."
            | Dataset_Json _ -> "dataset.json that names the labels (default: beside or above one of the folders)."
            | Output _ -> "file for the comparison as JSON (default: none)."
            | Measures _ -> ScoringUsage.measures
            | Profile _ -> ScoringUsage.profile
            | Connectivity _ -> ScoringUsage.connectivity
            | Window _ -> ScoringUsage.window
            | Allow_Missing -> ScoringUsage.allowMissing
            | Processes _ -> ScoringUsage.processes
            | Seed _ -> ScoringUsage.seed

/// `report RUN [RUN]`.
type ReportArguments =
    | [<MainCommand; ExactlyOnce>] Runs of RUN: string list
    | [<AltCommandLine("-o")>] Output of file: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Runs _ -> "the folder of a training run (.../fold_0), or of two to compare, the baseline first."
            | Output _ -> "the page (default: report.html in the last run's folder)."
