// dotnet build -c Release && dotnet fsi scripts/photographs.fsx FOLDER [KIND] [MINUTES] [SIZE] [OUTPUT] [OBJECTIVE ...]
#load "loop.fsx"

// # Vessels and cracks in photographs: CHASE_DB1 and CrackForest
//
// KIND `chase`: FOLDER holds images/Image_01L.jpg ..., 1stHO/Image_01L_1stHO.png ... and, if there, 2ndHO/ with a second observer's
// vessels; patients 06 and 07 (both eyes) are held out. Fraz et al., "An ensemble classification-based approach applied to retinal
// blood vessel segmentation", IEEE Transactions on Biomedical Engineering, 2012.
// KIND `cfd`: FOLDER holds images/001.jpg ... and masks/001.png ...; images from 060 on are held out. Shi et al., "Automatic road
// crack detection using random structured forests", IEEE Transactions on Intelligent Transportation Systems, 2016; for research that
// is not commercial.
//
// Both are planned for 1 GB, and each objective trains for at most MINUTES. Two cores take seconds for a step of the network that is
// planned for that memory (2 patches of 448 x 448 and 32 to 512 features for CHASE_DB1), too few of which go into an hour. So 2 patches of
// SIZE x SIZE pixels (256) and 16 to 128 features are asked of the planner, which take less than a tenth of the time; SIZE 0 leaves all to it.

open System
open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

let source = required "photographs.fsx" "the folder of CHASE_DB1 or CrackForest"
let kind = argument 1 "chase"

let minutes = real 2 "60"

let size = int (argument 3 "256")

let roots = Store.rootsIn (argument 4 (Path.Combine("skeleton-recall", kind)))

let texts =
    match fsi.CommandLineArgs |> Array.skip 1 |> List.ofArray with
    | several when several.Length > 5 -> List.skip 5 several
    | _ -> [ "dice + ce"; "dice + ce + 1.0*skeleton-recall" ]

let name, masks, isHeldOut =
    match kind with
    | "chase" ->
        "Dataset020_CHASE", "1stHO/*_1stHO.png", (fun (case: string) -> case.Contains "_06" || case.Contains "_07")
    | "cfd" -> "Dataset021_CrackForest", "masks/*.png", (fun case -> String.CompareOrdinal(case, "060") >= 0)
    | other ->
        eprintfn "photographs.fsx: chase or cfd is wanted; got '%s'" other
        exit 2

let job: Job =
    {
        Roots = roots
        Dataset = name
        Configuration = "2d"
        Options =
            { TrainOptions.standard with
                Iterations = 50
                ValidationIterations = 0
                Seed = 1
            }
        Name = ""
        Fold = "all"
    }

convert
    { Conversion.standard with
        Training =
            [
                {
                    Images = "images/*.jpg"
                    Masks = Some masks
                }
            ]
        IsHeldOut = isHeldOut
        Channels = [ "R"; "G"; "B" ]
        Labels = [ "foreground" ]
        Rule = MaskRule.Fixed [ 0, 0; 1, 1; 255, 1 ]
    }
    source
    job

prepare 1.0 (small 2 size 2) job |> ignore

let jobs =
    [
        for number, text in List.indexed texts ->
            text,
            { job with
                Name = $"objective%d{number}"
                Options =
                    { job.Options with
                        Objective = objective text
                    }
            }
    ]

// As many epochs for each as the dearest has time for.
let epochs = jobs |> List.map (snd >> epochsIn minutes) |> List.min

let results =
    [
        for text, job in jobs do
            let trained =
                train
                    false
                    { job with
                        Options = { job.Options with Epochs = epochs }
                    }

            let predictions = predict (Store.testImages (raw job)) job [ trained.Folder ]

            note
                $"%s{text}: %d{epochs} epochs in %.1f{trained.Minutes} minutes, %.0f{1000.0 * trained.SecondsPerStep} ms a step"

            text, evaluate job (Store.testLabels (raw job)) predictions
    ]

// How a second observer does, where there is one.
let second =
    [
        for path in Directory.GetFiles(Store.testLabels (raw job)) do
            let case = LabelFolder.case path
            let other = Path.Combine(source, "2ndHO", $"%s{case}_2ndHO.png")

            if File.Exists other then
                let read (path: string) =
                    Reader.mask path |> Problem.orThrow |> fst

                yield! Evaluation.score Evaluation.standard (dataset job) case (read other) (read path)
    ]

table (
    results
    @ (if second.IsEmpty then
           []
       else
           [ ("second observer", second) ])
)

note ""
differences (results |> List.map (fun (text, scores) -> text, [ scores ]))
