namespace SkeletonRecall.Cli

open System
open Argu
open SkeletonRecall
open SkeletonRecall.Charts
open SkeletonRecall.Training

/// What the demo is to do.
type DemoOptions =
    {
        Output: string
        Seed: int
        Images: int
        Size: int
        Epochs: int
        Iterations: int
    }

/// `demo`: vessels are generated, two networks are trained that differ in their objective alone, both label images that
/// neither has seen, and the scores are compared whichever way they fall.
[<RequireQualifiedAccess>]
module Demo =

    let private datasetName = "Dataset001_Vessels"

    /// The two objectives, the baseline first.
    let private objectives: (string * Objective) list =
        [ "dice + ce", Objective.nnunet; "+ skeleton recall", Objective.skeletonRecall ]

    /// The options of a command line, or what is wrong with it.
    let options (arguments: ParseResults<DemoArguments>) : Result<DemoOptions, Problem> =
        let options =
            {
                Output = arguments.GetResult(DemoArguments.Output, "skeleton-recall/demo")
                Seed = arguments.GetResult(DemoArguments.Seed, 1)
                Images = arguments.GetResult(DemoArguments.Images, 12)
                Size = arguments.GetResult(DemoArguments.Size, 256)
                Epochs = arguments.GetResult(DemoArguments.Epochs, 15)
                Iterations = arguments.GetResult(DemoArguments.Iterations, 50)
            }

        let least =
            [
                "--images", options.Images, 1
                "--size", options.Size, 64
                "--epochs", options.Epochs, 1
                "--iterations", options.Iterations, 1
            ]

        match least |> List.tryFind (fun (_, value, least) -> value < least) with
        | Some(name, value, least) -> Error(Mismatch(name, string value, $"%d{least} or more"))
        | None -> Ok options

    // Small enough for two cores and a few minutes.
    let private request (options: DemoOptions) (objective: Objective) : TrainRequest =
        {
            Roots = Store.rootsIn options.Output
            Dataset = datasetName
            Configuration = "2d"
            Fold = if options.Images < 5 then "all" else "0"
            Trainer = TrainerName.standard objective
            PlansName = "nnUNetPlans"
            Plan =
                { Planner.standard with
                    BaseFeatures = 16
                    MaxFeatures = 64
                    PatchSize = Some [ min 128 options.Size; min 128 options.Size ]
                    BatchSize = Some 4
                }
            Train =
                { TrainOptions.standard with
                    Objective = objective
                    Epochs = options.Epochs
                    Iterations = options.Iterations
                    ValidationIterations = 4
                    Momentum = 0.95
                    SaveEvery = options.Epochs
                    Seed = options.Seed
                }
            MirrorAxes = None
            Pretrained = None
            Continue = false
            Validate = false
            SaveProbabilities = false
        }

    let private trained
        (terminal: Terminal)
        (options: DemoOptions)
        (name: string, objective: Objective)
        : Result<string * Checkpoint * string, Problem> =
        Problem.attempt {
            let request = request options objective

            let! folder =
                Train.withProgress terminal $"training (%s{name})" request (Terminal.line terminal)

            let file = Store.file folder RunFolder.final
            let! checkpoint = Checkpoint.load file
            return name, checkpoint, file
        }

    let private predicted
        (terminal: Terminal)
        (options: DemoOptions)
        (data: string)
        (name: string, checkpoint: Checkpoint, file: string)
        : Result<string * Scores list * CaseOverlay list, Problem> =
        Problem.attempt {
            let output =
                LabelFolder.ofRun options.Output (TrainerName.standard checkpoint.Options.Objective)

            let request = PredictFolder.request [ file ] (Store.testImages data) output

            let! _ =
                Terminal.progress terminal $"predicting (%s{name})" (fun report ->
                    Pipeline.predict request terminal.Stop report)

            let! pairs, _ = LabelFolder.pair (Store.testLabels data) output
            let dataset = checkpoint.Dataset
            let! images = Store.listImages (Store.testImages data) dataset.FileEnding

            let images =
                images |> List.map (fun (id, paths) -> CaseId.value id, paths) |> Map.ofList

            let! cases =
                pairs
                |> Problem.traverse (fun (case, truth, prediction) ->
                    Problem.attempt {
                        let! wanted, _ = Reader.labels dataset truth
                        let! found, _ = Reader.labels dataset prediction
                        let! image = Store.readImage dataset images[case]

                        let scores = Evaluation.score Evaluation.standard dataset case found wanted

                        let overlay =
                            {
                                Case = case
                                Run = name
                                Image = Volume.create image.Extent ((Image.channel 0 image).ToArray())
                                Truth = Tube.binarize wanted
                                Prediction = Tube.binarize found
                            }

                        return scores, overlay
                    })

            let scores = cases |> List.collect fst

            let files =
                pairs
                |> List.map (fun (case, truth, prediction) -> case, (prediction, truth))
                |> Map.ofList

            do! Store.writeText (LabelFolder.summary output) (Summary.json (fun case -> files[case]) scores)
            return name, scores, List.map snd cases
        }

    let private summary (options: DemoOptions) : string =
        $"Two U-Nets with the same seed and budget, one trained on Dice and cross-entropy and one on the same with Skeleton Recall, label %d{options.Images} generated images that neither has seen."

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<DemoArguments>) : int =
        Problem.attempt {
            let! options = options arguments
            let clock = Diagnostics.Stopwatch.StartNew()
            let roots = Store.rootsIn options.Output
            let data = Store.file roots.Raw datasetName
            let extent = Extent.plane options.Size options.Size

            Terminal.line terminal $"%d{options.Images} images to train on and %d{options.Images} held out: %s{data}"

            let! _ =
                Synthetic.writeDataset
                    { Synthetic.standard with
                        Extent = extent
                    }
                    (Seed.ofInt options.Seed)
                    options.Images
                    options.Images
                    data

            let! runs = objectives |> Problem.traverse (trained terminal options)
            let! results = runs |> Problem.traverse (predicted terminal options data)
            let scores = results |> List.map (fun (name, scores, _) -> name, scores)
            let comparison = Comparison.ofScores options.Seed scores

            let page =
                Charts.Report.page
                    {
                        Title = "Skeleton Recall on generated vessels"
                        Summary = summary options
                        Options =
                            [
                                "seed", string options.Seed
                                "images", $"%d{options.Images} to train on, %d{options.Images} held out, %O{extent}"
                                for name, checkpoint, _ in runs do
                                    name, Objective.print checkpoint.Options.Objective
                                "budget", $"%d{options.Epochs} epochs of %d{options.Iterations} steps"
                            ]
                        Runs =
                            runs
                            |> List.map (fun (name, checkpoint, _) ->
                                {
                                    Name = name
                                    Objective = Objective.print checkpoint.Options.Objective
                                    History = checkpoint.History
                                })
                        Scores = scores
                        Seed = options.Seed
                        Overlays = results |> List.collect (fun (_, _, overlays) -> overlays)
                    }

            let report = Store.file options.Output "report.html"
            let json = Store.file options.Output "scores.json"
            do! Store.writeText report page
            do! Store.writeText json (Comparison.json comparison)
            Terminal.line terminal ""

            Terminal.line
                terminal
                $"%d{comparison.Cases} held-out images, seed %d{options.Seed}; difference with its paired 95 %% bootstrap interval"

            ScoreTable.compared terminal comparison
            Terminal.line terminal ""
            Terminal.line terminal $"checkpoints  %s{roots.Results}"
            Terminal.line terminal $"scores       %s{json}"
            Terminal.line terminal $"report       %s{report}"
            return Terminal.line terminal $"%.0f{clock.Elapsed.TotalSeconds} s"
        }
        |> Terminal.exitCode terminal
