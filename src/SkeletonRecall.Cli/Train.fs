namespace SkeletonRecall.Cli

open System
open System.Globalization
open Argu
open SkeletonRecall
open SkeletonRecall.Charts
open SkeletonRecall.Training

/// `train DATASET CONFIGURATION FOLD`.
[<RequireQualifiedAccess>]
module Train =

    let private parseSupervision (text: string option) : Result<Supervision option, Problem> =
        match text with
        | None -> Ok None
        | Some text ->
            Supervision.parse text
            |> Result.map Some
            |> Result.mapError (fun _ ->
                Mismatch(
                    "--supervision",
                    $"'%s{text}'",
                    "recall-at-full, full-resolution, all-heads or all-heads-nearest"
                ))

    // Flags edit the recall term; without one they mean nothing and are refused.
    let private edited
        (weight: float option)
        (radius: int option)
        (supervision: Supervision option)
        (objective: Objective)
        : Result<Objective, Problem> =
        let recall = Objective.needsSkeleton objective

        match weight, radius with
        | Some weight, _ when not recall ->
            Flags.wrong "--recall-weight" $"%g{weight}" "an objective with skeleton-recall; this one has no such term"
        | _, Some radius when not recall ->
            Flags.wrong "--tube-radius" $"%d{radius}" "an objective with skeleton-recall; this one has no such term"
        | Some weight, _ when not (Double.IsFinite weight && weight >= 0.0) ->
            Flags.wrong "--recall-weight" $"%g{weight}" "0 or more"
        | _, Some radius when (TubeOptions.radiusProblem (TubeRadius.Steps radius)).IsSome ->
            Flags.wrong "--tube-radius" $"%d{radius}" $"0 to %d{TubeOptions.MostSteps} steps"
        | _ ->
            let apply change value objective =
                value
                |> Option.map (fun value -> change value objective)
                |> Option.defaultValue objective

            objective
            |> apply Objective.withTubeRadius radius
            |> apply Objective.withSupervision supervision
            |> apply Objective.withRecallWeight weight
            |> Ok

    // Whether training mirrors, and along which axes where not along all. A configuration of planes has the axes 0 and 1.
    let private mirror
        (text: string option)
        (decoded: TrainerFlags option)
        (configuration: string)
        : Result<bool * int list option, Problem> =
        let isPlane = configuration.StartsWith("2d", StringComparison.Ordinal)

        let number (part: string) =
            Int32.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture)

        match text, decoded with
        | None, Some flags when flags.OnlyMirror01 -> Ok(flags.Mirror, Some(if isPlane then [ 0 ] else [ 0; 1 ]))
        | None, Some flags -> Ok(flags.Mirror, None)
        | None, None
        | Some "all", _ -> Ok(true, None)
        | Some "none", _ -> Ok(false, None)
        | Some text, _ ->
            let parts = text.Split ',' |> Array.map number |> List.ofArray
            let most = if isPlane then 1 else 2

            if parts |> List.forall (fun (isNumber, axis) -> isNumber && axis <= most) then
                Ok(true, Some(parts |> List.map snd |> List.distinct |> List.sort))
            else
                Flags.wrong "--mirror" $"'%s{text}'" $"all, none, or axes from 0 to %d{most} as 0,1"

    let private skeletons (text: string option) (objective: Objective) : Result<SkeletonSource, Problem> =
        match text with
        | None -> Ok TrainOptions.standard.Skeletons
        | Some name when not (Objective.needsSkeleton objective) ->
            Flags.wrong "--skeletons" $"'%s{name}'" "an objective with skeleton-recall; this one has no such term"
        | Some name ->
            match SkeletonSource.tryParse name with
            | Some source -> Ok source
            | None -> Flags.wrong "--skeletons" $"'%s{name}'" "patch or cached"

    /// Validations on whole cases: how often, of what, and whether one decides on the best checkpoint.
    let private wholeCases
        (arguments: ParseResults<TrainArguments>)
        (options: TrainOptions)
        : Result<TrainOptions, Problem> =
        Problem.attempt {
            do! Flags.atLeast "--validate-every" 0 (arguments.TryGetResult TrainArguments.Validate_Every)

            let! measures =
                match arguments.TryGetResult TrainArguments.Measures with
                | None -> Ok options.Measures
                | Some names -> Flags.measures "--measures" names

            let! bestBy =
                match arguments.TryGetResult TrainArguments.Best_By with
                | None -> Ok None
                | Some name ->
                    Flags.measures "--best-by" name
                    |> Result.bind (fun found ->
                        match found with
                        | [ measure ] when Measure.better measure <> Better.Neither -> Ok(Some measure)
                        | _ -> Flags.wrong "--best-by" $"'%s{name}'" "one measure that is better when higher or lower")

            let asked =
                arguments.Contains TrainArguments.Measures
                || arguments.Contains TrainArguments.Best_By

            let every =
                arguments.GetResult(TrainArguments.Validate_Every, (if asked then 10 else Int32.MaxValue))

            if bestBy.IsSome && every = 0 then
                return!
                    Flags.wrong "--best-by" "--validate-every 0" "validations on whole cases, every epoch or less often"
            else
                return
                    { options with
                        ValidateEvery = every
                        Measures = measures
                        BestBy = bestBy
                    }
        }

    let private requireOneGpu (count: int option) : Result<unit, Problem> =
        match count with
        | None
        | Some 1 -> Ok()
        | Some count -> Flags.wrong "-num_gpus" $"%d{count}" "1: training on several processors at once is not served"

    let private pretrained (arguments: ParseResults<TrainArguments>) : Result<(string * bool) option, Problem> =
        let withHeads = arguments.Contains TrainArguments.Pretrained_Heads

        match arguments.TryGetResult TrainArguments.Pretrained_Weights with
        | Some _ when arguments.Contains TrainArguments.Continue ->
            Flags.wrong "-pretrained_weights" "--c beside it" "one of them: a run that goes on has its weights"
        | Some path -> Ok(Some(path, withHeads))
        | None when withHeads ->
            Flags.wrong "--pretrained-heads" "no weights" "-pretrained_weights CHECKPOINT beside it"
        | None -> Ok None

    /// The request of a command line, or what is wrong with it.
    let request (arguments: ParseResults<TrainArguments>) : Result<TrainRequest, Problem> =
        Problem.attempt {
            let dataset, configuration, fold = arguments.GetResult TrainArguments.Target
            let! device = Flags.device (arguments.TryGetResult TrainArguments.Device)

            let! precision =
                Flags.precision device (arguments.TryGetResult TrainArguments.Precision)

            do! requireOneGpu (arguments.TryGetResult TrainArguments.Num_Gpus)

            let! decoded =
                match arguments.TryGetResult TrainArguments.Trainer with
                | None -> Ok None
                | Some name -> TrainerName.decode name |> Result.map Some

            let! loss = Flags.objective "--loss" (arguments.TryGetResult TrainArguments.Loss)

            let! supervision =
                parseSupervision (arguments.TryGetResult TrainArguments.Supervision)

            let! objective =
                match loss, decoded with
                | Some loss, _ -> Ok loss
                | None, Some flags -> Ok flags.Objective
                | None, None -> Ok Objective.skeletonRecall

            let! objective =
                edited
                    (arguments.TryGetResult TrainArguments.Recall_Weight)
                    (arguments.TryGetResult TrainArguments.Tube_Radius)
                    supervision
                    objective

            let! skeletons =
                skeletons (arguments.TryGetResult TrainArguments.Skeletons) objective

            let! mirrored, axes =
                mirror (arguments.TryGetResult TrainArguments.Mirror) decoded configuration

            let! pretrained = pretrained arguments
            let standard = TrainOptions.standard
            let epochs = decoded |> Option.bind _.Epochs |> Option.defaultValue standard.Epochs

            do! Flags.atLeast "--epochs" 1 (arguments.TryGetResult TrainArguments.Epochs)
            do! Flags.atLeast "--iterations" 1 (arguments.TryGetResult TrainArguments.Iterations)
            do! Flags.atLeast "--validation-iterations" 0 (arguments.TryGetResult TrainArguments.Validation_Iterations)
            do! Flags.atLeast "--batch-size" 1 (arguments.TryGetResult TrainArguments.Batch_Size)
            do! Flags.atLeast "--base-features" 1 (arguments.TryGetResult TrainArguments.Base_Features)
            do! Flags.atLeast "--max-features" 1 (arguments.TryGetResult TrainArguments.Max_Features)
            do! Flags.atLeast "--save-every" 1 (arguments.TryGetResult TrainArguments.Save_Every)
            do! Flags.atLeast "--workers" 0 (arguments.TryGetResult TrainArguments.Workers)
            do! Flags.atLeast "--threads" 1 (arguments.TryGetResult TrainArguments.Threads)
            let! measured = wholeCases arguments standard
            let rate = arguments.GetResult(TrainArguments.Learning_Rate, standard.LearningRate)

            if not (Double.IsFinite rate && rate > 0.0) then
                return! Flags.wrong "--learning-rate" $"%g{rate}" "a number above 0"
            else
                return
                    {
                        Roots = Flags.roots (arguments.TryGetResult TrainArguments.Root)
                        Dataset = dataset
                        Configuration = configuration
                        Fold = fold
                        Trainer = arguments.GetResult(TrainArguments.Trainer, TrainerName.standard objective)
                        PlansName = arguments.GetResult(TrainArguments.Plans, "nnUNetPlans")
                        Plan =
                            { Planner.standard with
                                BaseFeatures =
                                    arguments.GetResult(TrainArguments.Base_Features, Planner.standard.BaseFeatures)
                                MaxFeatures =
                                    arguments.GetResult(TrainArguments.Max_Features, Planner.standard.MaxFeatures)
                                PatchSize =
                                    arguments.TryGetResult TrainArguments.Patch_Size
                                    |> Option.map (fun (height, width) -> [ height; width ])
                                BatchSize = arguments.TryGetResult TrainArguments.Batch_Size
                            }
                        Train =
                            { measured with
                                Objective = objective
                                Skeletons = skeletons
                                Epochs = arguments.GetResult(TrainArguments.Epochs, epochs)
                                Iterations = arguments.GetResult(TrainArguments.Iterations, standard.Iterations)
                                ValidationIterations =
                                    arguments.GetResult(
                                        TrainArguments.Validation_Iterations,
                                        standard.ValidationIterations
                                    )
                                LearningRate = rate
                                Mirror = mirrored
                                Seed = arguments.GetResult(TrainArguments.Seed, standard.Seed)
                                Workers = arguments.GetResult(TrainArguments.Workers, standard.Workers)
                                SaveEvery = arguments.GetResult(TrainArguments.Save_Every, standard.SaveEvery)
                                Device = device
                                Precision = precision
                            }
                        MirrorAxes = axes
                        Pretrained = pretrained
                        Continue = arguments.Contains TrainArguments.Continue
                        Validate = not (arguments.Contains TrainArguments.No_Validation)
                        SaveProbabilities = arguments.Contains TrainArguments.Npz
                    }
        }

    // What the epoch came to on whole cases, where it was measured.
    let private measured (report: EpochReport) : string =
        report.Measures
        |> List.map (fun (measure, value) -> sprintf ", %s %.4g" (Measure.print measure) value)
        |> String.concat ""

    /// Trains with a bar or lines of progress, and a line at the end of each epoch where lines are printed.
    let withProgress
        (terminal: Terminal)
        (title: string)
        (request: TrainRequest)
        (note: string -> unit)
        : Result<string, Problem> =
        Terminal.progress terminal title (fun report ->
            let total = float (request.Train.Epochs * request.Train.Iterations)

            let progress (event: Progress) =
                match event with
                | Step(epoch, iteration, loss) ->
                    let steps = float (epoch * request.Train.Iterations + iteration + 1)
                    // The last report is the epoch's, once validation is through.
                    report (min 0.999 (steps / total)) $"epoch %d{epoch}, loss %.4f{loss}"
                | Epoch summary ->
                    report
                        (float (summary.Epoch + 1) / float request.Train.Epochs)
                        (EpochReport.print summary + measured summary)

            Pipeline.train request terminal.Stop note progress)

    let private mirroring (request: TrainRequest) : string =
        match request.Train.Mirror, request.MirrorAxes with
        | false, _ -> "no mirroring"
        | true, None -> "mirroring along all axes"
        | true, Some axes ->
            let numbers = axes |> List.map string |> String.concat ", "
            $"mirroring along axes %s{numbers}"

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<TrainArguments>) : int =
        Problem.attempt {
            let! request = request arguments
            Option.iter Flags.setThreads (arguments.TryGetResult TrainArguments.Threads)

            let epochs = Terminal.counted request.Train.Epochs "epoch"
            let iterations = Terminal.counted request.Train.Iterations "iteration"

            Terminal.line
                terminal
                $"trainer %s{request.Trainer}: %s{epochs} of %s{iterations}, %s{mirroring request}, seed %d{request.Train.Seed}"

            let! folder = withProgress terminal "training" request (Terminal.line terminal)
            Terminal.line terminal $"written to %s{folder}"
            let page = Store.file folder RunReport.file
            do! RunReport.write page [ folder ]
            return Terminal.line terminal $"report %s{page}"
        }
        |> Terminal.exitCode terminal
