module SkeletonRecall.Tests.RunReportTests

open System
open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Charts

let private inFolder (work: string -> 'T) : 'T =
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-").FullName

    try
        work folder
    finally
        Directory.Delete(folder, true)

// What training leaves, by the functions that training calls.
let private run (folder: string) (seed: int) (cases: string list) : unit =
    let options =
        { TrainOptions.standard with
            Epochs = 30
            Seed = seed
        }

    Directory.CreateDirectory folder |> ignore

    RunFolder.record folder options (Samples.history seed 30 [ "dice"; "ce" ])
    |> Problem.orThrow

    let scores =
        cases
        |> List.mapi (fun index name ->
            let case = Samples.vessels 64 (100 + index)
            let truth = Option.get case.Labels
            let found = Samples.predict (4 + index) 3 (seed + index) truth

            ValidatedCase.write folder (ValidatedCase.create name case.Image truth found)
            |> Problem.orThrow

            Evaluation.score Evaluation.standard Samples.dataset name found truth)
        |> List.concat

    if not cases.IsEmpty then
        ValidatedCase.writeScores folder scores |> Problem.orThrow

// A checkpoint without weights: its heading is what counts.
let private checkpoint (folder: string) : unit =
    let plans =
        Planner.plan2d
            { Planner.standard with
                PatchSize = Some [ 96; 128 ]
                BatchSize = Some 3
            }
            Samples.dataset
            [ Extent.plane 200 200 ]
        |> Problem.orThrow

    Checkpoint.save
        (Path.Combine(folder, RunFolder.latest))
        {
            Path = ""
            Weights = []
            Momentum = []
            ConfigurationName = "2d"
            Configuration = plans.Configurations["2d"]
            Transpose = plans.Transpose
            Dataset = Samples.dataset
            Options = TrainOptions.standard
            Epoch = 30
            Iteration = 0
            LossSum = 0.0
            History = []
            MirrorAxes = [ 0; 1 ]
            Threads = 1
            MemoryFormat = Network.memoryFormat
        }
    |> Problem.orThrow

let private holds (part: string) (page: string) : unit =
    Expect.isTrue (page.Contains(part, StringComparison.Ordinal)) $"the page holds %s{part}"

[<Tests>]
let tests: Test =
    testList
        "RunReport"
        [
            test "the page of a run shows its curves, scores and validation cases" {
                inFolder (fun root ->
                    let folder = Path.Combine(root, "nnUNetTrainer__nnUNetPlans__2d", "fold_0")
                    run folder 1 [ "a"; "b" ]
                    let path = Path.Combine(folder, RunReport.file)
                    RunReport.write path [ folder ] |> Problem.orThrow
                    let page = File.ReadAllText path
                    holds "nnUNetTrainer, 2d, fold 0" page
                    holds "30 of 30 epochs" page
                    holds "<h3>a</h3>" page
                    holds "<h3>b</h3>" page
                    holds "id=\"curves\"" page
                    holds "table class=\"sortable\"" page)
            }

            test "the page says what was trained, as far as a checkpoint tells" {
                inFolder (fun root ->
                    run root 1 []

                    let told () =
                        RunReport.page [ root ] |> Problem.orThrow

                    Expect.isFalse ((told ()).Contains "Dataset001_Vessels") "no checkpoint, no word"
                    checkpoint root
                    let page = told ()
                    holds "Dataset001_Vessels" page
                    holds "96 x 128" page
                    holds ">3<" page
                    holds "32, 64, 128, 256" page)
            }

            test "the page of two runs compares them" {
                inFolder (fun root ->
                    let first, second = Path.Combine(root, "one"), Path.Combine(root, "two")
                    run first 1 [ "a"; "b" ]
                    run second 2 [ "a"; "b" ]
                    let page = RunReport.page [ first; second ] |> Problem.orThrow
                    holds "A difference is a run minus one" page
                    holds "seed, two" page
                    holds "aria-label=\"Enlarge a, one\"" page
                    holds "aria-label=\"Enlarge a, two\"" page)
            }

            test "a run without validation on whole cases has its curves alone" {
                inFolder (fun root ->
                    run (Path.Combine(root, "bare")) 1 []
                    let page = RunReport.page [ Path.Combine(root, "bare") ] |> Problem.orThrow
                    holds "no validation on whole cases" page
                    Expect.isFalse (page.Contains "id=\"pictures\"") "no pictures")
            }

            test "a folder without a run is a problem that names it" {
                inFolder (fun root ->
                    match RunReport.page [ root ] with
                    | Ok _ -> failtest "accepted"
                    | Error problem -> Expect.stringContains (Problem.message problem) "run.json" "the file")
            }
        ]
