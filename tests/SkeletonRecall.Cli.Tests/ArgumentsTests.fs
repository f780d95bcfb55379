module SkeletonRecall.Cli.Tests.ArgumentsTests

open System
open System.Globalization
open Expecto
open SkeletonRecall
open SkeletonRecall.Cli
open SkeletonRecall.Training

let private trainRequest (arguments: string list) : Result<TrainRequest, Problem> =
    match Arguments.parse (Array.ofList ("train" :: arguments)) with
    | Parsed.Command results ->
        match results.GetAllResults() with
        | [ Train arguments ] -> Train.request arguments
        | other -> failtest $"%A{other} is no train command"
    | other -> failtest $"%A{other}"

let private trained (arguments: string list) : TrainRequest =
    match trainRequest arguments with
    | Ok request -> request
    | Error problem -> failtest (Problem.message problem)

let private refused (arguments: string list) : string =
    match trainRequest arguments with
    | Ok _ -> failtest $"%A{arguments} should have been refused"
    | Error problem -> Problem.message problem

/// Whatever the machine's culture, a comma as decimal separator must not change what is read.
let private underComma (work: unit -> 'T) : 'T =
    let before = CultureInfo.CurrentCulture
    let comma = CultureInfo.InvariantCulture.Clone() :?> CultureInfo
    comma.NumberFormat.NumberDecimalSeparator <- ","
    comma.NumberFormat.NumberGroupSeparator <- "."
    CultureInfo.CurrentCulture <- comma

    try
        work ()
    finally
        CultureInfo.CurrentCulture <- before

[<Tests>]
let tests =
    testList
        "Arguments"
        [
            test "the structure of the argument unions is sound" { Argu.ArgumentParser<Arguments>.CheckStructure() }

            test "nnU-Net's words are understood" {
                let request =
                    trained
                        [
                            "7"
                            "2d"
                            "3"
                            "-tr"
                            "nnUNetTrainerSkeletonRecall_100epochs"
                            "-p"
                            "MyPlans"
                            "--c"
                        ]

                Expect.equal (request.Dataset, request.Configuration, request.Fold) ("7", "2d", "3") "target"
                Expect.equal request.Trainer "nnUNetTrainerSkeletonRecall_100epochs" "trainer"
                Expect.equal request.PlansName "MyPlans" "plans"
                Expect.equal request.Train.Epochs 100 "epochs"
                Expect.isTrue request.Continue "continue"
                Expect.equal request.Train.Objective Objective.skeletonRecall "objective"
            }

            test "trainer names and presets mean objectives" {
                let objective (arguments: string list) =
                    Objective.print (trained ([ "1"; "2d"; "0" ] @ arguments)).Train.Objective

                for name, text in
                    [
                        "nnUNetTrainer", "dice + ce"
                        "nnUNetTrainerNoMirroring", "dice + ce"
                        "nnUNetTrainer_5epochs", "dice + ce"
                        "nnUNetTrainerSkeletonRecallDS", "dice + ce + 1.0*skeleton-recall on all-heads-nearest"
                        "nnUNetTrainerCELoss_5epochs", "ce"
                        "nnUNetTrainerDiceLoss", "dice"
                        "nnUNetTrainerDiceCELoss_noSmooth_5epochs", "dice(smooth=0) + ce"
                        "nnUNetTrainerDiceTopK10Loss", "dice + topk"
                        "nnUNetTrainerTopkLoss", "1.0*topk"
                        "nnUNetTrainerSCNPLoss", "scnp(dice + ce)"
                        "nnUNetTrainer_CE_DC_CBDC_NoMirroring", "dice + 2.0*ce + cbdice"
                    ] do
                    Expect.equal (objective [ "-tr"; name ]) text name

                Expect.equal (objective [ "--loss"; "clce" ]) "dice + clce" "a preset"
                Expect.isFalse (trained [ "1"; "2d"; "0"; "-tr"; "nnUNetTrainerNoMirroring" ]).Train.Mirror "mirroring"

                Expect.equal
                    (objective [ "--loss"; "scnp-skeleton-recall"; "--recall-weight"; "0.5" ])
                    "dice + ce + 0.5*skeleton-recall + scnp(dice + ce + 0.5*skeleton-recall)"
                    "flags edit a preset"
            }

            test "validation on whole cases is asked for by name" {
                let options (arguments: string list) =
                    (trained ([ "1"; "2d"; "0" ] @ arguments)).Train

                let both = options [ "--measures"; "cldice,b0-error"; "--best-by"; "B0Error" ]
                Expect.equal both.Measures [ Measure.ClDice; Measure.B0Error ] "measures"
                Expect.equal both.BestBy (Some Measure.B0Error) "the deciding one"
                Expect.equal both.ValidateEvery 10 "how often, once asked for"
                Expect.equal (options [ "--validate-every"; "3" ]).ValidateEvery 3 "how often"

                for arguments, part in
                    [
                        [ "--best-by"; "B0True" ], "higher or lower"
                        [ "--best-by"; "Dice,clDice" ], "one measure"
                        [ "--best-by"; "Dice"; "--validate-every"; "0" ], "whole cases"
                        [ "--measures"; "dyce" ], "clDice"
                        [ "--validate-every"; "-1" ], "0 or more"
                    ] do
                    Expect.stringContains (refused ([ "1"; "2d"; "0" ] @ arguments)) part part
            }

            test "axes of mirroring are flags and parts of names" {
                let axes (arguments: string list) =
                    let request = trained arguments
                    request.Train.Mirror, request.MirrorAxes

                Expect.equal (axes [ "1"; "3d_fullres"; "0" ]) (true, None) "all"
                Expect.equal (axes [ "1"; "3d_fullres"; "0"; "--mirror"; "none" ]) (false, None) "none"
                Expect.equal (axes [ "1"; "3d_fullres"; "0"; "--mirror"; "2,0" ]) (true, Some [ 0; 2 ]) "two"
                let only = "nnUNetTrainerSkeletonRecall_onlyMirror01"
                Expect.equal (axes [ "1"; "3d_fullres"; "0"; "-tr"; only ]) (true, Some [ 0; 1 ]) "of a volume"
                Expect.equal (axes [ "1"; "2d"; "0"; "-tr"; only ]) (true, Some [ 0 ]) "of a plane"
            }

            test "defaults are nnU-Net's" {
                let request = trained [ "Dataset007_X"; "2d"; "all" ]

                Expect.equal
                    request.Train
                    { TrainOptions.standard with
                        ValidateEvery = Int32.MaxValue
                    }
                    "options; whole cases are validated after the last epoch"

                Expect.equal request.Trainer "nnUNetTrainerSkeletonRecall" "trainer"
            }

            test "flags edit the recall term" {
                let request =
                    trained
                        [
                            "1"
                            "2d"
                            "0"
                            "--recall-weight"
                            "0.5"
                            "--tube-radius"
                            "3"
                            "--supervision"
                            "all-heads"
                        ]

                Expect.equal
                    (Objective.print request.Train.Objective)
                    "dice + ce + 0.5*skeleton-recall(tube-radius=3) on all-heads"
                    "objective"
            }

            test "flags of a term that is not there are refused" {
                Expect.stringContains
                    (refused [ "1"; "2d"; "0"; "-tr"; "nnUNetTrainer"; "--recall-weight"; "1" ])
                    "--recall-weight"
                    "names the flag"

                Expect.stringContains
                    (refused [ "1"; "2d"; "0"; "--loss"; "dice + ce"; "--tube-radius"; "1" ])
                    "--tube-radius"
                    "names the flag"
            }

            test "names that are not served are refused by name" {
                Expect.stringContains
                    (refused [ "1"; "2d"; "0"; "-tr"; "nnUNetTrainerDA5" ])
                    "nnUNetTrainerDA5"
                    "trainer"

                Expect.stringContains (refused [ "1"; "2d"; "0"; "-num_gpus"; "2" ]) "-num_gpus" "processors"
                Expect.stringContains (refused [ "1"; "2d"; "0"; "--mirror"; "0,2" ]) "0,2" "a plane's axes"
                Expect.stringContains (refused [ "1"; "2d"; "0"; "--pretrained-heads" ]) "--pretrained-heads" "heads"
                Expect.stringContains (refused [ "1"; "2d"; "0"; "-device"; "gpu" ]) "cpu, cuda, mps" "device"
                Expect.stringContains (refused [ "1"; "2d"; "0"; "--precision"; "half" ]) "bfloat16" "precision"

                Expect.stringContains
                    (refused [ "1"; "2d"; "0"; "--precision"; "float16" ])
                    "others are for CUDA"
                    "precision of another device"

                Expect.stringContains (refused [ "1"; "2d"; "0"; "--loss"; "dice + foo" ]) "character 8" "loss"
                Expect.stringContains (refused [ "1"; "2d"; "0"; "--epochs"; "0" ]) "--epochs" "range"
            }

            test "device and precision" {
                Expect.equal (trained [ "1"; "2d"; "0" ]).Train.Device Device.Cpu "the processor"
                let standard = (trained [ "1"; "2d"; "0"; "-device"; "cpu" ]).Train
                Expect.equal standard.Precision Precision.Float32 "single precision"

                if TorchSharp.torch.cuda.is_available () then
                    skiptest "CUDA is there."

                Expect.stringContains
                    (refused [ "1"; "2d"; "0"; "-device"; "cuda" ])
                    "SKELETONRECALL_LIBTORCH"
                    "what to do for CUDA"

                for command in
                    [
                        [ "predict"; "-i"; "images"; "-o"; "labels"; "-m"; "none" ]
                        [ "weigh"; "1" ]
                    ] do
                    Commands.failed 1 (command @ [ "-device"; "cuda" ]) [ "SKELETONRECALL_LIBTORCH" ]
            }

            test "a number has a decimal point in any culture" {
                let request =
                    underComma (fun () -> trained [ "1"; "2d"; "0"; "--recall-weight"; "0.5" ])

                Expect.equal
                    (underComma (fun () -> Objective.print request.Train.Objective))
                    "dice + ce + 0.5*skeleton-recall"
                    "half"
            }

            test "an unknown flag and a missing argument are one line and exit code 2" {
                for arguments in
                    [
                        [ "train"; "1"; "2d"; "0"; "--use_compressed" ]
                        [ "predict"; "-i"; "x"; "-m"; "y" ]
                        [ "frobnicate" ]
                        [ "train"; "1"; "2d"; "0"; "--epochs"; "many" ]
                    ] do
                    let outcome = Commands.run arguments
                    Expect.equal outcome.Code 2 $"%A{arguments}"
                    Expect.equal (outcome.Error.TrimEnd().Split('\n').Length) 1 outcome.Error
            }

            test "an unknown flag is named, also where a value is wanted; a negative number is a value" {
                for arguments in
                    [
                        [ "train"; "--wrong" ]
                        [ "evaluate"; "truth"; "--wrong" ]
                        [ "verify"; "1"; "--wrong" ]
                        [ "weigh"; "--wrong"; "--seed"; "1" ]
                    ] do
                    let outcome = Commands.run arguments
                    Expect.equal outcome.Code 2 $"%A{arguments}"
                    Expect.stringContains outcome.Error "unrecognized argument: '--wrong'" $"%A{arguments}"

                let request = trained [ "1"; "2d"; "0"; "-p"; "MyPlans"; "--seed"; "-1" ]
                Expect.equal request.Train.Seed -1 "seed"
            }

            test "help of convert says where the paper's data are and under which terms" {
                let help = (Commands.run [ "convert"; "--help" ]).Output.ReplaceLineEndings " "
                let words = help.Split(' ', System.StringSplitOptions.RemoveEmptyEntries)

                for part in
                    [
                        "zenodo.org/records/8215100"
                        "drive.grand-challenge.org,"
                        "balraj98/massachusetts-roads-dataset"
                        "topcow24.grand-challenge.org,"
                        "ditto.ing.unimore.it/toothfairy,"
                        "(terms:"
                    ] do
                    Expect.contains words part "help"
            }

            test "help of each command states the defaults" {
                for command in [ "demo"; "train"; "predict"; "evaluate"; "skeletonize" ] do
                    let outcome = Commands.run [ command; "--help" ]
                    Expect.equal outcome.Code 0 command
                    Expect.stringContains outcome.Output "default" command
            }
        ]
