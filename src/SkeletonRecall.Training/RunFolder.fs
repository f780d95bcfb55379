namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open SkeletonRecall

/// What a run leaves in its fold's folder.
[<RequireQualifiedAccess>]
module RunFolder =

    /// The newest weights of a run that is not done.
    let latest: string = "checkpoint_latest.safetensors"

    /// The weights with the highest moving average of the pseudo-Dice, or the best by a measure on whole cases.
    let best: string = "checkpoint_best.safetensors"

    /// The weights after the last epoch.
    let final: string = "checkpoint_final.safetensors"

    /// What happened, line by line.
    let log: string = "training_log.txt"

    /// Options and history as JSON.
    let run: string = "run.json"

    /// The history as a table.
    let progress: string = "progress.csv"

    /// The history as TensorBoard's curves; see `EventFile`.
    let events: string = "events.out.tfevents.skeleton-recall"

    /// The file that a run holds while it goes on.
    let hold: string = "run.lock"

    /// Holds a fold's folder, which is created, for one run until the result is disposed or the process ends, however it
    /// ends. A problem where another run holds it, and where Python's nnU-Net trained into it, whose log and pictures would be
    /// mixed with this run's. Unfinished files of a killed run are removed.
    let occupy (folder: string) : Result<IDisposable, Problem> =
        let foreign () =
            Directory.GetFiles(folder, "*.pth")
            |> Array.map Path.GetFileName
            |> Array.tryHead

        Problem.attempt {
            do! Files.createFolder folder

            match foreign () with
            | Some name ->
                do!
                    Error(
                        Mismatch(
                            folder,
                            $"%s{name}, a model of Python's nnU-Net",
                            "a folder of its own: plans of another name with -p, or another --root"
                        )
                    )
            | None -> ()

            return!
                try
                    // The file stays: who removes it might remove another run's.
                    let held =
                        new FileStream(
                            Store.file folder hold,
                            FileMode.OpenOrCreate,
                            FileAccess.ReadWrite,
                            FileShare.None
                        )

                    for unfinished in Directory.GetFiles(folder, "*.tmp") do
                        File.Delete unfinished

                    Ok(held :> IDisposable)
                with
                | :? UnauthorizedAccessException -> Error(Unwritable(folder, "there is no permission to write there"))
                | :? IOException -> Error(Unwritable(folder, "another run is training into it"))
        }

    /// The checkpoint in a fold's folder to go on from: final, latest or best, the first that is there; None without any.
    let tryResume (folder: string) : Result<Checkpoint option, Problem> =
        [ final; latest; best ]
        |> List.map (Store.file folder)
        |> List.tryFind File.Exists
        |> Option.map (Checkpoint.load >> Result.map Some)
        |> Option.defaultValue (Ok None)

    /// The names of the models below a data set's results folder, (trainer, plans, configuration), sorted.
    let models (results: string) : (string * string * string) list =
        if Directory.Exists results then
            Directory.GetDirectories results
            |> Array.sort
            |> Array.choose (fun folder ->
                match (Path.GetFileName folder |> string).Split "__" with
                | [| trainer; plans; configuration |] -> Some(trainer, plans, configuration)
                | _ -> None)
            |> List.ofArray
        else
            []

    let internal lastGood (folder: string) : string option =
        [ latest; best ] |> List.map (Store.file folder) |> List.tryFind File.Exists

    let private attempt (path: string) (action: unit -> unit) : Result<unit, Problem> =
        try
            action ()
            Ok()
        with
        | :? UnauthorizedAccessException -> Error(Unwritable(path, "there is no permission to write there"))
        | :? IOException as error -> Error(Unwritable(path, error.Message.TrimEnd '.'))

    let private append (path: string) (lines: string list) : Result<unit, Problem> =
        let stamp =
            DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture)

        attempt path (fun () -> File.AppendAllLines(path, lines |> List.map (fun line -> $"%s{stamp}: %s{line}")))

    let private logLines (bestBy: Measure option) (report: EpochReport) (best: bool) (moving: float) : string list =
        let dice = report.PseudoDice |> List.map (sprintf "%.4f")

        [
            ""
            $"Epoch %d{report.Epoch}"
            sprintf "Current learning rate: %.5f" report.LearningRate
            sprintf "train_loss %.4f" report.TrainLoss
            sprintf "val_loss %.4f" report.ValidationLoss
            yield! report.Terms |> List.map (fun (name, value) -> sprintf "%s %.4f" name value)
            $"""Pseudo dice [%s{String.Join(", ", dice)}]"""
            if not report.Measures.IsEmpty then
                report.Measures
                |> List.map (fun (measure, value) -> sprintf "%s %.4f" (Measure.print measure) value)
                |> String.concat ", "
                |> sprintf "Whole validation cases: %s"
            sprintf "Epoch time: %.2f s" report.Seconds
            match bestBy with
            | Some measure when best -> $"New best %s{Measure.print measure} on whole validation cases"
            | None when best -> sprintf "New best EMA pseudo Dice: %.4f" moving
            | _ -> ()
        ]

    /// Adds the newest epoch to training_log.txt and writes run.json and progress.csv anew and TensorBoard's
    /// file on.
    let record (folder: string) (options: TrainOptions) (history: EpochReport list) : Result<unit, Problem> =
        match List.tryLast history with
        | None -> Ok()
        | Some report ->
            let best = EpochReport.isBestBy options.BestBy history
            let moving = List.last (EpochReport.movingDice history)

            Problem.attempt {
                do! append (Store.file folder log) (logLines options.BestBy report best moving)
                do! Store.writeText (Store.file folder run) (RunRecord.print options history)
                do! Store.writeText (Store.file folder progress) (RunRecord.table history)
                do! EventFile.write (Store.file folder events) history
            }

    /// Deletes the newest weights, which the final ones replace.
    let removeLatest (folder: string) : Result<unit, Problem> =
        let path = Store.file folder latest
        attempt path (fun () -> File.Delete path)
