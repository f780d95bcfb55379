#load "init.fsx"

// # The loop that the scripts share
//
// Convert, plan, preprocess, train, predict, evaluate: each step is one function, so that a script says what is its own.

open System
open System.IO
open System.Threading
open SkeletonRecall
open SkeletonRecall.Training

let note (text: string) = printfn "%s" text
let private silent (_: float) (_: string) = ()
let private never = CancellationToken.None

/// The arguments behind the script's name; a standard value for those that are missing.
let argument (number: int) (standard: string) : string =
    fsi.CommandLineArgs
    |> Array.tryItem (number + 1)
    |> Option.defaultValue standard

/// The same as a number, whatever the machine's decimal mark.
let real (number: int) (standard: string) : float =
    Double.Parse(argument number standard, Globalization.CultureInfo.InvariantCulture)

/// The first argument, without which the script ends with a sentence.
let required (script: string) (wanted: string) : string =
    if fsi.CommandLineArgs.Length < 2 then
        eprintfn "%s: %s is wanted" script wanted
        exit 2

    fsi.CommandLineArgs[1]

/// An objective by its text form, or the end of the script with a sentence.
let objective (text: string) : Objective =
    match Objective.parse text with
    | Ok objective -> objective
    | Error reason ->
        eprintfn "%s" reason
        exit 2

/// What is trained, on which data.
type Job =
    {
        Roots: Roots
        /// The data set's name.
        Dataset: string
        Configuration: string
        Options: TrainOptions
        /// The folder's name in place of a trainer's, so that runs lie side by side.
        Name: string
        Fold: string
    }

/// A trained fold.
type Trained =
    {
        Folder: string
        Minutes: float
        /// The time between two training steps, in the middle.
        SecondsPerStep: float
        /// The most memory that the process had while it trained, in MiB: what others in it took before is in it.
        PeakMebibytes: float
    }

let raw (job: Job) : string =
    Path.Combine(job.Roots.Raw, job.Dataset)

let dataset (job: Job) : Dataset =
    Store.readDataset (raw job) |> Problem.orThrow

/// The raw data set, made of a folder by a recipe; one that is there is taken as it is.
let convert (recipe: Recipe) (source: string) (job: Job) : unit =
    if Directory.Exists(raw job) then
        note $"%s{raw job} is there and taken as it is"
    else
        let made =
            Conversion.run recipe Environment.ProcessorCount never silent source (raw job)
            |> Problem.orThrow

        List.iter note made.Notes
        note $"%d{made.Dataset.TrainingCount} cases to train on, %d{made.Held} held out"

/// Fingerprint, plans (network and patches for so many GB, or as the change of the options says) and preprocessed cases.
let prepare (memory: float) (change: PlannerOptions -> PlannerOptions) (job: Job) : Plans =
    let request: PrepareRequest =
        {
            Roots = job.Roots
            Dataset = job.Dataset
            Workers = Environment.ProcessorCount
            Memory = Preparation.standardMemory
            Clean = false
        }

    Preparation.fingerprint request never note silent |> Problem.orThrow |> ignore

    let plans =
        { Planner.standard with
            MemoryTarget = Some memory
        }
        |> change
        |> Preparation.plan request
        |> Problem.orThrow

    Preparation.preprocess request plans.PlansName [ job.Configuration ] never note silent
    |> Problem.orThrow
    |> ignore

    let configuration = plans.Configurations[job.Configuration]

    note
        $"%s{job.Dataset}: patch %A{configuration.PatchSize}, batch %d{configuration.BatchSize}, features %A{configuration.Architecture.FeaturesPerStage}"

    plans

/// A plan that two cores can train in minutes: patches of `size` pixels or voxels on each of so many axes, so many to a batch, and 16
/// to 128 features. Size 0 leaves all to the planner.
let small (axes: int) (size: int) (batch: int) (options: PlannerOptions) : PlannerOptions =
    if size = 0 then
        options
    else
        { options with
            BaseFeatures = 16
            MaxFeatures = 128
            PatchSize = Some(List.replicate axes size)
            BatchSize = Some batch
        }

/// Trains a fold and tells of each epoch. Validation cases are predicted whole at the end where asked for.
let train (validate: bool) (job: Job) : Trained =
    let clock = Diagnostics.Stopwatch.StartNew()
    let steps = ResizeArray<float>()
    let mutable peak = 0L

    let report (progress: Progress) =
        match progress with
        | Step _ ->
            steps.Add clock.Elapsed.TotalSeconds
            peak <- max peak Environment.WorkingSet
        | Epoch report ->
            note
                $"%s{job.Name}, fold %s{job.Fold}: %s{EpochReport.print report}; %d{report.Epoch + 1} of %d{job.Options.Epochs}, %.0f{clock.Elapsed.TotalSeconds} s"

    let folder =
        Pipeline.train
            {
                Roots = job.Roots
                Dataset = job.Dataset
                Configuration = job.Configuration
                Fold = job.Fold
                Trainer = job.Name
                PlansName = "nnUNetPlans"
                Plan = Planner.standard
                Train = job.Options
                MirrorAxes = None
                Pretrained = None
                Continue = false
                Validate = validate
                SaveProbabilities = false
            }
            never
            note
            report
        |> Problem.orThrow

    note $"%s{job.Name}: %s{folder}"

    {
        Folder = folder
        Minutes = clock.Elapsed.TotalMinutes
        SecondsPerStep =
            steps
            |> Seq.pairwise
            |> Seq.map (fun (one, next) -> next - one)
            |> List.ofSeq
            |> Statistics.median
        PeakMebibytes = float peak / 1048576.0
    }

/// As many epochs as go into so many minutes, by the step in the middle of a short trial; at least one.
let epochsIn (minutes: float) (job: Job) : int =
    let trial =
        train
            false
            { job with
                Name = "trial"
                Options =
                    { job.Options with
                        Epochs = 2
                        Iterations = min 15 job.Options.Iterations
                        ValidationIterations = 0
                    }
            }

    Directory.Delete(Path.GetDirectoryName trial.Folder |> string, true)
    let perEpoch = trial.SecondsPerStep * float job.Options.Iterations
    let epochs = max 1 (int (60.0 * minutes / perEpoch))

    note
        $"%.0f{1000.0 * trial.SecondsPerStep} ms a step, %.1f{perEpoch} s an epoch: %d{epochs} epochs in %g{minutes} minutes"

    epochs

/// Labels the images of a folder with trained folds into a folder named as the job; that folder.
let predict (images: string) (job: Job) (folders: string list) : string =
    let output = Path.Combine(job.Roots.Results, "predictions", job.Name)

    let checkpoints =
        folders |> List.map (fun folder -> Store.file folder RunFolder.final)

    Pipeline.predict (PredictFolder.request checkpoints images output) never silent
    |> Problem.orThrow
    |> ignore

    output

/// The standard measures of a folder of predictions against the true label maps.
let evaluate (job: Job) (truth: string) (predictions: string) : Scores list =
    FolderEvaluation.run
        {
            Truth = truth
            Prediction = predictions
            Dataset = dataset job
            Evaluation = Evaluation.standard
            AllowMissing = true
            Parallel = Environment.ProcessorCount
        }
        never
        silent
    |> Problem.orThrow
    |> FolderEvaluation.scores

let private interval (value: Interval) : string =
    $"%.4f{value.Mean} [%.4f{value.Low}, %.4f{value.High}]"

/// What the tables show.
let shown: Measure list =
    [
        Measure.Dice
        Measure.Precision
        Measure.ClDice
        Measure.B0Error
        Measure.B1Error
    ]

/// One line per name and measure: the mean over cases (classes averaged) and its 95 % interval.
let table (results: (string * Scores list) list) : unit =
    let width = results |> List.map (fun (name, _) -> name.Length) |> List.max

    for measure in shown do
        note ""
        note (Measure.print measure)

        for name, scores in results do
            let values =
                Evaluation.perCase (fun score -> score.Value measure) scores |> List.map snd

            let mean = Statistics.bootstrap (Seed.ofInt 1) values
            note $"  %s{name.PadRight width} %s{interval mean}, %d{mean.Count} cases"

/// What sets each later name apart from the first, paired by case; of several seeds, cases count once by their mean over seeds.
let differences (results: (string * Scores list list) list) : unit =
    let byCase (measure: Measure) (runs: Scores list list) : Map<string, float> =
        runs
        |> List.collect (Evaluation.perCase (fun score -> score.Value measure))
        |> List.groupBy fst
        |> List.map (fun (case, values) -> case, values |> List.map snd |> Statistics.mean)
        |> Map.ofList

    match results with
    | [] -> ()
    | (baseline, first) :: others ->
        for measure in shown do
            let before = byCase measure first

            for name, runs in others do
                let after = byCase measure runs

                let pairs =
                    [
                        for KeyValue(case, value) in before do
                            match after.TryFind case with
                            | Some other -> value, other
                            | None -> ()
                    ]

                let difference = Statistics.paired (Seed.ofInt 1) pairs

                note
                    $"%-10s{Measure.print measure} %s{name} minus %s{baseline}: %s{interval difference}, %d{difference.Count} cases"
