namespace SkeletonRecall.Cli

open System
open SkeletonRecall.Training

/// `fingerprint`, `plan`, `preprocess` and `plan-and-preprocess`: one job, of which each does a part.
[<RequireQualifiedAccess>]
module Prepare =

    // nnU-Net's numbers, as far as there are cores.
    let private standardWorkers (configuration: string) : int =
        min Environment.ProcessorCount (if configuration = "3d_fullres" then 4 else 8)

    // Ends the job where something is wrong with the data set.
    let private verify (terminal: Terminal) (folder: string) : Result<unit, Problem> =
        Terminal.progress terminal "verifying" (fun report ->
            Verification.run (standardWorkers "2d") terminal.Stop report folder)
        |> Result.bind (fun verified ->
            Verify.print terminal folder verified

            if Verification.passed verified then
                Ok()
            else
                Error(
                    Mismatch(
                        folder,
                        "a data set with what was named above",
                        "one that verify finds nothing wrong with"
                    )
                ))

    // Everything that is to be done with one data set.
    let private prepare (job: PrepareJob) (terminal: Terminal) (name: string) : Result<PrepareOutcome, Problem> =
        let request (workers: int) : PrepareRequest =
            {
                Roots = job.Roots
                Dataset = name
                Workers = workers
                Memory = job.Memory
                Clean = job.Clean
            }

        let note = Terminal.line terminal

        Problem.attempt {
            let! folder, dataset = Preparation.dataset (request 1)
            note $"%s{dataset.Name}"

            if job.Verify then
                do! verify terminal folder

            let! fingerprint =
                if job.Measure then
                    Terminal.progress terminal "measuring" (fun report ->
                        Preparation.fingerprint
                            (request (job.MeasureWorkers |> Option.defaultWith (fun () -> standardWorkers "2d")))
                            terminal.Stop
                            note
                            report)
                    |> Result.map Some
                else
                    Ok None

            let! plans =
                match job.Plan with
                | Some options -> Preparation.plan (request 1) options |> Result.map Some
                | None -> Ok None

            plans |> Option.iter (PrepareSummary.plans terminal)

            let plansName = plans |> Option.map _.PlansName |> Option.defaultValue job.PlansName

            // Each number of workers by itself.
            let groups = job.Preprocess |> List.groupBy snd

            let! folders =
                groups
                |> Problem.traverse (fun (workers, members) ->
                    let names = List.map fst members

                    let workers =
                        workers
                        |> Option.defaultWith (fun () -> names |> List.map standardWorkers |> List.min)

                    Terminal.progress terminal "preprocessing" (fun report ->
                        Preparation.preprocess (request workers) plansName names terminal.Stop note report))

            let folders = List.concat folders

            for folder in folders do
                let made = Terminal.counted folder.Made "case"
                note $"%s{folder.Folder}: %s{made} preprocessed, %d{folder.Kept} kept"

            return
                {
                    Name = dataset.Name
                    Folder = Store.preprocessedFolder job.Roots dataset.Name
                    Fingerprint = fingerprint
                    Plans = plans
                    Folders = folders
                }
        }

    /// Does the job, data set by data set; the exit code.
    let run (terminal: Terminal) (job: Result<PrepareJob, Problem>) : int =
        Problem.attempt {
            let! job = job

            // The summary alone is to be on the output.
            let spoken =
                if job.Json then
                    { terminal with
                        Output = terminal.Error
                        Interactive = false
                    }
                else
                    terminal

            let! outcomes = job.Datasets |> Problem.traverse (prepare job spoken)

            if job.Json then
                Terminal.line terminal (PrepareSummary.json outcomes)

            return ()
        }
        |> Terminal.exitCode terminal
