namespace SkeletonRecall.Cli

open Argu

/// `train DATASET CONFIGURATION FOLD`.
type TrainArguments =
    | [<MainCommand; ExactlyOnce>] Target of DATASET: string * CONFIGURATION: string * FOLD: string
    | [<AltCommandLine("-tr")>] Trainer of name: string
    | [<AltCommandLine("-p")>] Plans of name: string
    | [<AltCommandLine("--c")>] Continue
    | [<AltCommandLine("-pretrained_weights")>] Pretrained_Weights of checkpoint: string
    | Pretrained_Heads
    | Npz
    | No_Validation
    | [<AltCommandLine("-num_gpus")>] Num_Gpus of count: int
    | [<AltCommandLine("-device")>] Device of name: string
    | Precision of name: string
    | Root of folder: string
    | Loss of text: string
    | Recall_Weight of weight: float
    | Tube_Radius of steps: int
    | Skeletons of name: string
    | Supervision of name: string
    | Epochs of count: int
    | Iterations of count: int
    | Validation_Iterations of count: int
    | Learning_Rate of rate: float
    | Batch_Size of patches: int
    | Patch_Size of HEIGHT: int * WIDTH: int
    | Base_Features of count: int
    | Max_Features of count: int
    | Mirror of axes: string
    | Save_Every of epochs: int
    | Validate_Every of epochs: int
    | Measures of names: string
    | Best_By of measure: string
    | Seed of number: int
    | Workers of count: int
    | Threads of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Target _ ->
                "data set (number or name), configuration (2d, 3d_fullres, ... as the plans have them) and fold (0, 1, ... or all)."
            | Trainer _ ->
                "nnU-Net trainer name, decoded into the flags below and printed (default: nnUNetTrainerSkeletonRecall)."
            | Plans _ -> Usage.plans
            | Continue -> "go on from the latest checkpoint of this fold."
            | Pretrained_Weights _ ->
                "a checkpoint to begin with, ours or a .pth file of nnU-Net, without its heads (default: weights are drawn)."
            | Pretrained_Heads -> "take the heads of the pretrained weights too."
            | Npz -> "keep probabilities of the validation cases, as .npz files: for ensembles."
            | No_Validation -> "do not predict and score the validation cases at the end (default: it is done)."
            | Num_Gpus _ -> "1, the only number that is served (default: 1)."
            | Device _ -> Usage.device
            | Precision _ -> Usage.precision
            | Root _ -> Usage.root
            | Loss _ ->
                "the objective, e.g. \"dice + ce + 1.0*skeleton-recall\" (default: that one), or a preset's name, e.g. nnunet, cldice, scnp."
            | Recall_Weight _ -> "weight of the skeleton recall term (default: 1.0)."
            | Tube_Radius _ -> "steps by which the skeleton is thickened (default: 2)."
            | Skeletons _ ->
                "what tubes are grown from: patch (the skeleton of each augmented patch) or cached (that of the whole case, made once and moved along; its targets differ, in volumes by much) (default: patch)."
            | Supervision _ ->
                "which heads the terms stand on: recall-at-full, full-resolution, all-heads or all-heads-nearest (default: recall-at-full)."
            | Epochs _ -> "epochs (default: 1000)."
            | Iterations _ -> "training steps of an epoch (default: 250)."
            | Validation_Iterations _ -> "validation batches of an epoch (default: 50)."
            | Learning_Rate _ -> "initial learning rate (default: 0.01)."
            | Batch_Size _ -> "patches per batch (default: as planned)."
            | Patch_Size _ -> "patch size in pixels where there are no plans (default: as planned)."
            | Base_Features _ -> "feature maps of the first stage where there are no plans (default: 32)."
            | Max_Features _ -> "largest number of feature maps of a stage where there are no plans (default: 512)."
            | Mirror _ ->
                "axes that training and prediction mirror: all, none, or numbers as 0,1 with 0 the slowest (default: all)."
            | Save_Every _ -> "epochs between two latest checkpoints (default: 50)."
            | Validate_Every _ ->
                "epochs between two validations on whole cases by the sliding window, on the grid that the network sees, which the last epoch has too; 0 leaves them out (default: after the last epoch only, or every 10 where --measures or --best-by is given)."
            | Measures _ ->
                "what validations on whole cases measure, as in evaluate, e.g. clDice,B0Error (default: Dice, clDice, B0Error, B1Error). Dice is always among it."
            | Best_By _ ->
                "the measure on whole validation cases by which the best checkpoint is chosen, among epochs whose Dice is within 0.01 of the best so far, e.g. B0Error (default: none, the moving pseudo-Dice of patches)."
            | Seed _ -> "seed of weights, patches and augmentation (default: 0)."
            | Workers _ -> "threads that prepare batches (default: 1)."
            | Threads _ -> Usage.threads
