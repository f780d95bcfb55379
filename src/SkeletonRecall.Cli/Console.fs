namespace SkeletonRecall.Cli

open System
open System.Diagnostics
open System.IO
open Spectre.Console
open SkeletonRecall.Training

/// The two streams a command writes to, and whether a person watches.
type Terminal =
    {
        /// Results and progress.
        Output: TextWriter
        /// Errors: one line each.
        Error: TextWriter
        /// Whether bars can be drawn; plain lines otherwise.
        Interactive: bool
        /// Set when the user asks to stop.
        Stop: Threading.CancellationToken
    }

/// How a command tells how far it is: share done in [0, 1] and a few words.
type ProgressReport = float -> string -> unit

/// Printing and progress.
[<RequireQualifiedAccess>]
module Terminal =

    /// A number and what is counted: 1 case, 2 cases.
    let counted (number: int) (one: string) : string =
        if number = 1 then $"1 %s{one}" else $"%d{number} %s{one}s"

    /// A line of output.
    let line (terminal: Terminal) (text: string) : unit =
        terminal.Output.WriteLine text
        terminal.Output.Flush()

    /// A line on the error stream; exit code 1.
    let fail (terminal: Terminal) (message: string) : int =
        terminal.Error.WriteLine $"%s{Arguments.programName}: %s{message}"
        terminal.Error.Flush()
        1

    /// The exit code of a result; the problem goes to the error stream.
    let exitCode (terminal: Terminal) (result: Result<unit, Problem>) : int =
        match result with
        | Ok() -> 0
        | Error problem -> fail terminal (Problem.message problem)

    let private duration (seconds: float) : string =
        let whole = int (Math.Round seconds)

        if whole >= 3600 then
            $"%d{whole / 3600} h %02d{whole / 60 % 60} min"
        elif whole >= 60 then
            $"%d{whole / 60} min %02d{whole % 60} s"
        else
            $"%d{whole} s"

    // A line when something new is to be said, but not more often than this.
    let private quietSeconds = 5.0

    let private plain (terminal: Terminal) (title: string) (work: ProgressReport -> 'T) : 'T =
        let clock = Stopwatch.StartNew()
        let mutable last = Double.NegativeInfinity

        let report (share: float) (text: string) =
            let now = clock.Elapsed.TotalSeconds

            if now - last >= quietSeconds || share >= 1.0 then
                last <- now

                let left =
                    if share > 0.0 && share < 1.0 then
                        $", %s{duration (now / share * (1.0 - share))} left"
                    else
                        ""

                let told = $"%s{title}: %.0f{100.0 * share} %% (%s{duration now}%s{left}) %s{text}"

                line terminal (told.TrimEnd())

        work report

    let private bar (title: string) (work: ProgressReport -> 'T) : 'T =
        AnsiConsole
            .Progress()
            .AutoClear(false)
            .HideCompleted(false)
            .Columns(
                TaskDescriptionColumn(),
                ProgressBarColumn(),
                PercentageColumn(),
                ElapsedTimeColumn(),
                RemainingTimeColumn()
            )
            .Start(fun context ->
                let task = context.AddTask(Markup.Escape title, maxValue = 1.0)

                work (fun share text ->
                    task.Value <- share
                    task.Description <- Markup.Escape $"%s{title} %s{text}"))

    /// Runs long work and shows how far it is: a bar with the time left on a terminal, plain lines otherwise.
    let progress (terminal: Terminal) (title: string) (work: ProgressReport -> 'T) : 'T =
        if terminal.Interactive then
            bar title work
        else
            plain terminal title work

    /// Says that work is through which tells of each part when it begins.
    let through (report: ProgressReport) (result: 'T) : 'T =
        report 1.0 ""
        result

    /// Columns padded to their widest cell: the first to the left, the others to the right.
    let table (terminal: Terminal) (header: string list) (rows: string list list) : unit =
        let all = header :: rows

        let widths =
            [
                for column in 0 .. header.Length - 1 -> all |> List.map (fun row -> row[column].Length) |> List.max
            ]

        let print (row: string list) =
            List.map2 (fun (cell: string) (width: int) -> cell, width) row widths
            |> List.mapi (fun column (cell, width) ->
                if column = 0 then
                    cell.PadRight width
                else
                    cell.PadLeft width)
            |> String.concat "  "
            |> fun text -> line terminal (text.TrimEnd())

        print header
        print (widths |> List.map (fun width -> String('-', width)))
        List.iter print rows
