namespace SkeletonRecall.Cli

open Argu

/// `predict`.
type PredictArguments =
    | [<AltCommandLine("-i"); Mandatory>] Input of path: string
    | [<AltCommandLine("-o"); Mandatory>] Output of folder: string
    | [<AltCommandLine("-m")>] Model of checkpoint: string
    | [<AltCommandLine("-d")>] Dataset of name: string
    | [<AltCommandLine("-c")>] Configuration of name: string
    | [<AltCommandLine("-f")>] Fold of numbers: string list
    | [<AltCommandLine("-tr")>] Trainer of name: string
    | [<AltCommandLine("-p")>] Plans of name: string
    | [<AltCommandLine("-chk")>] Checkpoint of name: string
    | [<AltCommandLine("-step_size")>] Step_Size of share: float
    | [<AltCommandLine("--disable_tta")>] No_Mirroring
    | [<AltCommandLine("--continue_prediction")>] Continue_Prediction
    | [<AltCommandLine("--save_probabilities")>] Save_Probabilities
    | [<AltCommandLine("-prev_stage_predictions")>] Prev_Stage_Predictions of folder: string
    | [<AltCommandLine("-num_parts")>] Num_Parts of count: int
    | [<AltCommandLine("-part_id")>] Part_Id of number: int
    | [<AltCommandLine("-device")>] Device of name: string
    | Precision of name: string
    | Root of folder: string
    | Threads of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Input _ -> "folder with images named CASE_0000 with the ending of the data set, or one image file."
            | Output _ -> "folder for the label maps."
            | Model _ ->
                "a model, ours or of Python's nnU-Net, in place of -d -c -tr -p: the folder of a model or fold, a zip archive of one, or a checkpoint file."
            | Dataset _ -> "data set (number or name) that the model was trained on."
            | Configuration _ -> "configuration (default: 2d)."
            | Fold _ ->
                "folds whose networks are averaged, e.g. -f 0 1 2 3 4, or all (default: those that have the checkpoint)."
            | Trainer _ -> "trainer name (default: nnUNetTrainerSkeletonRecall)."
            | Plans _ -> Usage.plans
            | Checkpoint _ -> "checkpoint: final, best or latest (default: final)."
            | Step_Size _ -> "distance of two tiles as a share of the patch, above 0 and at most 1 (default: 0.5)."
            | No_Mirroring -> "predict each tile once instead of once per mirroring."
            | Continue_Prediction -> "leave label maps alone that are there already."
            | Save_Probabilities -> "keep probabilities too, as .npz files: for ensembles; they are held in memory."
            | Prev_Stage_Predictions _ ->
                "folder of the label maps that the first stage of a cascade predicted of the same images; for its second stage."
            | Num_Parts _ -> "parts into which the cases are shared out (default: 1)."
            | Part_Id _ -> "the part that is predicted, 0 to one less than the number of parts (default: 0)."
            | Device _ -> Usage.device
            | Precision _ -> Usage.precision
            | Root _ -> Usage.root
            | Threads _ -> Usage.threads

/// `ensemble -i FOLDERS -o FOLDER`.
type EnsembleArguments =
    | [<AltCommandLine("-i"); Mandatory>] Inputs of folders: string list
    | [<AltCommandLine("-o"); Mandatory>] Output of folder: string
    | [<AltCommandLine("--save_npz")>] Save_Npz

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Inputs _ -> "folders of predictions with probabilities (.npz) of the same cases."
            | Output _ -> "folder for the label maps."
            | Save_Npz -> "keep the averaged probabilities too (default: label maps alone)."

/// `find-best-configuration DATASET`.
type FindBestArguments =
    | [<MainCommand; ExactlyOnce>] Dataset of DATASET: string
    | [<AltCommandLine("-tr")>] Trainers of names: string list
    | [<AltCommandLine("-p")>] Plans of names: string list
    | [<AltCommandLine("-c")>] Configurations of names: string list
    | [<AltCommandLine("-f")>] Folds of numbers: string list
    | [<AltCommandLine("--disable_ensembling")>] Disable_Ensembling
    | Rule of name: string
    | Root of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Dataset _ -> "data set (number or name) whose trained models are compared."
            | Trainers _ -> "trainer names (default: all that are trained)."
            | Plans _ -> "names of plans (default: all)."
            | Configurations _ -> "configurations (default: all)."
            | Folds _ -> "folds whose validation cases count (default: 0 1 2 3 4)."
            | Disable_Ensembling -> "compare single models only; pairs need train --npz."
            | Rule _ -> "when postprocessing is accepted: thin or dice, as of postprocess (default: thin)."
            | Root _ -> Usage.root

/// `postprocess -i FOLDER`.
type PostprocessArguments =
    | [<AltCommandLine("-i"); Mandatory>] Input of folder: string
    | [<AltCommandLine("-ref")>] Reference of folder: string
    | [<AltCommandLine("-o")>] Output of folder: string
    | Steps of file: string
    | Rule of name: string
    | [<AltCommandLine("-dataset_json")>] Dataset_Json of file: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Input _ -> "folder of predicted label maps."
            | Reference _ -> "folder of true label maps, by which is decided what is removed."
            | Output _ -> "folder for label maps changed as --steps says."
            | Steps _ -> "a postprocessing.json, ours or nnU-Net's, to follow, in place of -ref."
            | Rule _ ->
                "when a removal is accepted: thin (Dice rises, clDice and the b0 error get no worse) or dice, nnU-Net's (default: thin)."
            | Dataset_Json _ -> "dataset.json that names the labels (default: in or above the folders)."
