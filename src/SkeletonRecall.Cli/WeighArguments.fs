namespace SkeletonRecall.Cli

open Argu

/// `weigh DATASET`.
type WeighArguments =
    | [<MainCommand; ExactlyOnce>] Dataset of DATASET: string
    | [<AltCommandLine("-m")>] Checkpoint of run: string
    | [<AltCommandLine("-c")>] Configuration of name: string
    | [<AltCommandLine("-p", "-plans_name")>] Plans of name: string
    | [<AltCommandLine("--loss")>] Objective of text: string
    | Batches of count: int
    | Ratio of ratio: float
    | Json of file: string
    | Seed of number: int
    | [<AltCommandLine("-device")>] Device of name: string
    | Root of folder: string
    | Threads of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Dataset _ -> "data set (number or name) to draw batches from."
            | Checkpoint _ ->
                "a trained network: a checkpoint or the folder of a run (default: the network of the configuration, untrained)."
            | Configuration _ ->
                "the configuration of an untrained network (default: 2d, which is planned on the spot where there are no plans)."
            | Plans _ -> Usage.plans
            | Objective _ ->
                "the objective, as of train --loss (default: the checkpoint's, or dice + ce + 1.0*skeleton-recall)."
            | Batches _ -> "batches to measure (default: 4)."
            | Ratio _ -> "how hard a term with its weight should pull, against all others together (default: 1)."
            | Json _ -> "file to write the figures to."
            | Seed _ -> "seed of the batches, and of the weights without a checkpoint (default: 0)."
            | Device _ -> Usage.device
            | Root _ -> Usage.root
            | Threads _ -> Usage.threads
