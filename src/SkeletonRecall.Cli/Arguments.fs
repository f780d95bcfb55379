namespace SkeletonRecall.Cli

open System
open System.Globalization
open Argu

/// `demo`: the whole job on generated vessels.
type DemoArguments =
    | [<AltCommandLine("-o")>] Output of folder: string
    | Seed of number: int
    | Images of count: int
    | Size of pixels: int
    | Epochs of count: int
    | Iterations of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Output _ -> "folder for everything the demo writes (default: ./skeleton-recall/demo)."
            | Seed _ -> "seed of the images, the weights and the patches (default: 1)."
            | Images _ -> "images to train on; as many again are held out (default: 12)."
            | Size _ -> "height and width of an image in pixels (default: 256)."
            | Epochs _ -> "epochs of each training (default: 15)."
            | Iterations _ -> "training steps of an epoch (default: 50)."

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
            | Plans _ -> "name of the plans (default: nnUNetPlans)."
            | Continue -> "go on from the latest checkpoint of this fold."
            | Pretrained_Weights _ -> "a checkpoint to begin with, without its heads (default: weights are drawn)."
            | Pretrained_Heads -> "take the heads of the pretrained weights too."
            | Npz -> "keep probabilities of the validation cases, as .npz files: for ensembles."
            | No_Validation -> "do not predict and score the validation cases at the end (default: it is done)."
            | Num_Gpus _ -> "1, the only number that is served (default: 1)."
            | Device _ -> "where tensors live: cpu (default: cpu)."
            | Root _ ->
                "folder with raw, preprocessed and results where nnUNet_raw, nnUNet_preprocessed and nnUNet_results are not set (default: ./skeleton-recall)."
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
                "epochs between two validations on whole cases by the sliding window, which the last epoch has too; 0 leaves them out (default: after the last epoch only, or every 10 where --measures or --best-by is given)."
            | Measures _ ->
                "what validations on whole cases measure, as in evaluate, e.g. clDice,B0Error (default: Dice, clDice, B0Error, B1Error). Dice is always among it."
            | Best_By _ ->
                "the measure on whole validation cases by which the best checkpoint is chosen, among epochs whose Dice is within 0.01 of the best so far, e.g. B0Error (default: none, the moving pseudo-Dice of patches)."
            | Seed _ -> "seed of weights, patches and augmentation (default: 0)."
            | Workers _ -> "threads that prepare batches (default: 1)."
            | Threads _ -> "threads of a tensor operation (default: all cores)."

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
    | [<AltCommandLine("-num_parts")>] Num_Parts of count: int
    | [<AltCommandLine("-part_id")>] Part_Id of number: int
    | [<AltCommandLine("-device")>] Device of name: string
    | Root of folder: string
    | Threads of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Input _ -> "folder with images named CASE_0000 with the ending of the data set, or one image file."
            | Output _ -> "folder for the label maps."
            | Model _ -> "a checkpoint file, or the folder of a fold or a model, in place of -d -c -tr -p."
            | Dataset _ -> "data set (number or name) that the model was trained on."
            | Configuration _ -> "configuration (default: 2d)."
            | Fold _ ->
                "folds whose networks are averaged, e.g. -f 0 1 2 3 4, or all (default: those that have the checkpoint)."
            | Trainer _ -> "trainer name (default: nnUNetTrainerSkeletonRecall)."
            | Plans _ -> "name of the plans (default: nnUNetPlans)."
            | Checkpoint _ -> "checkpoint: final, best or latest (default: final)."
            | Step_Size _ -> "distance of two tiles as a share of the patch, above 0 and at most 1 (default: 0.5)."
            | No_Mirroring -> "predict each tile once instead of once per mirroring."
            | Continue_Prediction -> "leave label maps alone that are there already."
            | Save_Probabilities -> "keep probabilities too, as .npz files: for ensembles; they are held in memory."
            | Num_Parts _ -> "parts into which the cases are shared out (default: 1)."
            | Part_Id _ -> "the part that is predicted, 0 to one less than the number of parts (default: 0)."
            | Device _ -> "where tensors live: cpu (default: cpu)."
            | Root _ -> "folder with raw, preprocessed and results (default: ./skeleton-recall)."
            | Threads _ -> "threads of a tensor operation (default: all cores)."

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
            | Root _ -> "folder with raw, preprocessed and results (default: ./skeleton-recall)."

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
            | Measures _ ->
                "measures, separated by commas, or all (default: Dice, IoU, precision, recall, clDice and Betti numbers with their errors)."
            | Profile _ ->
                "whose conventions count: paper, topcow, toothfairy or metrics-reloaded (default: paper, which is nnU-Net's where nnU-Net has the measure)."
            | Connectivity _ ->
                "foreground and background connectivity of Betti and Euler numbers and of Betti matching: 8/4 or 4/8 in planes, 26/6, 6/26, 18/6 or 6/18 in volumes, the last two not for Betti matching (default: the profile's)."
            | Window _ ->
                "average the errors of Betti and Euler numbers, and Betti matching, over square or cubic windows of this side (default: none, the whole image)."
            | Allow_Missing -> "leave cases without a counterpart out; without it each is an error."
            | Processes _ -> "cases scored at once (default: all cores)."
            | Seed _ -> "seed of the bootstrap (default: 0)."

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
            | Measures _ -> "measures, separated by commas, or all (default: as of evaluate)."
            | Profile _ -> "whose conventions count: paper, topcow, toothfairy or metrics-reloaded (default: paper)."
            | Connectivity _ ->
                "foreground and background connectivity of Betti numbers, as of evaluate (default: the profile's)."
            | Window _ ->
                "average topology errors over windows of this side, as evaluate does (default: the whole image)."
            | Allow_Missing -> "leave cases without a counterpart out; without it each is an error."
            | Processes _ -> "cases scored at once (default: all cores)."
            | Seed _ -> "seed of the bootstrap (default: 0)."

/// `report RUN [RUN]`.
type ReportArguments =
    | [<MainCommand; ExactlyOnce>] Runs of RUN: string list
    | [<AltCommandLine("-o")>] Output of file: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Runs _ -> "the folder of a training run (.../fold_0), or of two to compare, the baseline first."
            | Output _ -> "the page (default: report.html in the last run's folder)."

/// `skeletonize INPUT OUTPUT`.
type SkeletonizeArguments =
    | [<MainCommand; ExactlyOnce>] Files of INPUT: string * OUTPUT: string
    | Tube_Radius of steps: int
    | Tube_Ball of mm: float
    | Per_Class
    | Ignore of label: int
    | Guard
    | Prune of mm: float
    | Method of name: string
    | Spacing of mm: string
    | Graph

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Files _ -> "label map to read and file to write: .png, .tif, .nii.gz, .nrrd, .mha, .npy, .npz."
            | Tube_Radius _ ->
                "steps by which the skeleton is thickened, 0 to 16; 0 gives the bare skeleton (default: 2)."
            | Tube_Ball _ -> "radius in mm of a ball by which the skeleton is thickened, in place of --tube-radius."
            | Per_Class -> "make a skeleton of each class by itself (default: of all classes merged)."
            | Ignore _ -> "a label that is neither skeletonized nor painted (default: none)."
            | Guard -> "keep a skeleton of every object, also of those that thinning would erase."
            | Prune _ -> "remove spurs of the skeleton shorter than this (default: 0, none)."
            | Method _ -> "thinning: zhang (planes) or lee (planes and volumes) (default: zhang in 2D, lee in 3D)."
            | Spacing _ ->
                "distance of voxel centres, slowest axis first, as 2x0.5x0.5 (default: the file's, or 1 along each axis)."
            | Graph ->
                "write the skeleton also as a graph beside OUTPUT: .nodes.csv, .branches.csv and .graph.json in place of its ending."

/// The commands.
type Arguments =
    | [<CliPrefix(CliPrefix.None)>] Demo of ParseResults<DemoArguments>
    | [<CliPrefix(CliPrefix.None)>] Fingerprint of ParseResults<FingerprintArguments>
    | [<CliPrefix(CliPrefix.None)>] Plan of ParseResults<PlanArguments>
    | [<CliPrefix(CliPrefix.None)>] Preprocess of ParseResults<PreprocessArguments>
    | [<CliPrefix(CliPrefix.None)>] Plan_And_Preprocess of ParseResults<PlanAndPreprocessArguments>
    | [<CliPrefix(CliPrefix.None)>] Train of ParseResults<TrainArguments>
    | [<CliPrefix(CliPrefix.None)>] Predict of ParseResults<PredictArguments>
    | [<CliPrefix(CliPrefix.None)>] Ensemble of ParseResults<EnsembleArguments>
    | [<CliPrefix(CliPrefix.None)>] Find_Best_Configuration of ParseResults<FindBestArguments>
    | [<CliPrefix(CliPrefix.None)>] Postprocess of ParseResults<PostprocessArguments>
    | [<CliPrefix(CliPrefix.None)>] Evaluate of ParseResults<EvaluateArguments>
    | [<CliPrefix(CliPrefix.None)>] Compare of ParseResults<CompareArguments>
    | [<CliPrefix(CliPrefix.None)>] Report of ParseResults<ReportArguments>
    | [<CliPrefix(CliPrefix.None)>] Skeletonize of ParseResults<SkeletonizeArguments>
    | [<CliPrefix(CliPrefix.None)>] Verify of ParseResults<VerifyArguments>
    | [<CliPrefix(CliPrefix.None)>] Convert of ParseResults<ConvertArguments>
    | [<CliPrefix(CliPrefix.None)>] Sample of ParseResults<SampleArguments>
    | [<CliPrefix(CliPrefix.None)>] Weigh of ParseResults<WeighArguments>
    | Version

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Demo _ -> "generate vessels, train with and without skeleton recall, predict, compare, report."
            | Fingerprint _ -> "measure a data set's images: fingerprint -d DATASET."
            | Plan _ -> "plan patches and networks by the fingerprint: plan -d DATASET."
            | Preprocess _ -> "crop, normalize and resample the cases by the plans: preprocess -d DATASET."
            | Plan_And_Preprocess _ -> "fingerprint, plan and preprocess: plan-and-preprocess -d DATASET."
            | Train _ -> "train a network: train DATASET CONFIGURATION FOLD."
            | Ensemble _ -> "average predictions of several models: ensemble -i FOLDERS -o LABELS."
            | Find_Best_Configuration _ ->
                "compare trained models and their ensembles by their validation cases: find-best-configuration DATASET."
            | Postprocess _ -> "keep the largest components where that helps: postprocess -i LABELS -ref TRUTH."
            | Predict _ -> "predict label maps: predict -i IMAGES -o LABELS -m CHECKPOINT."
            | Evaluate _ -> "score label maps against true ones: evaluate TRUTH PREDICTION."
            | Compare _ -> "compare two folders of label maps: compare TRUTH FIRST SECOND."
            | Report _ -> "one page of a training run, or of two: report RUN [RUN]."
            | Skeletonize _ -> "tubed skeleton of a label map: skeletonize INPUT OUTPUT."
            | Verify _ -> "look for what is wrong with a data set: verify DATASET."
            | Convert _ -> "make a data set from images and masks: convert KIND SOURCE TARGET."
            | Sample _ -> "make a data set with known labels: sample KIND TARGET."
            | Weigh _ -> "how hard each term of an objective pulls, and which weight it needs: weigh DATASET."
            | Version -> "print the version."

/// What came of reading a command line.
[<RequireQualifiedAccess>]
type Parsed =
    /// A command to run.
    | Command of ParseResults<Arguments>
    /// Help was asked for.
    | Help of text: string
    /// The command line is wrong: one line, and the usage that it should have followed.
    | Wrong of message: string

/// Reading command lines.
[<RequireQualifiedAccess>]
module Arguments =

    /// The name that users type.
    let programName: string = "skeleton-recall"

    let parser: Lazy<ArgumentParser<Arguments>> =
        lazy ArgumentParser.Create<Arguments>(programName = programName, checkStructure = false)

    /// What is wrong, from Argu's "ERROR: what is wrong" and the usage behind it.
    let firstLine (error: ArguParseException) : string =
        error.Message.Split('\n')[0]
        |> fun line -> line.Trim().Replace("ERROR: ", "").TrimEnd '.'

    /// Reads a command line. Numbers are read in the invariant culture, whatever the machine's: under a decimal comma
    /// 0.5 would otherwise become 5.
    let parse (arguments: string[]) : Parsed =
        let culture = CultureInfo.CurrentCulture
        CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture

        try
            try
                let results = parser.Value.ParseCommandLine(arguments, raiseOnUsage = true)

                if results.GetAllResults().IsEmpty then
                    Parsed.Help(parser.Value.PrintUsage())
                else
                    Parsed.Command results
            with :? ArguParseException as error ->
                if error.ErrorCode = ErrorCode.HelpText then
                    Parsed.Help error.Message
                else
                    Parsed.Wrong(firstLine error)
        finally
            CultureInfo.CurrentCulture <- culture
