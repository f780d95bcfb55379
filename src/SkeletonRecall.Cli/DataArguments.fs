namespace SkeletonRecall.Cli

open Argu

/// `verify DATASET`.
type VerifyArguments =
    | [<MainCommand>] Datasets of DATASET: string list
    | [<CustomCommandLine("-d")>] Also of DATASET: string list
    | [<AltCommandLine("-np")>] Workers of count: int
    | Json
    | Root of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Datasets _ -> "data sets: number, name, or a folder with dataset.json."
            | Also _ -> "the same, as nnU-Net has it."
            | Workers _ -> "cases that are read at once, each in memory (default: the cores, at most 8)."
            | Json -> "print what was found as JSON."
            | Root _ -> "folder with raw, preprocessed and results (default: ./skeleton-recall)."
