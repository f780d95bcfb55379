module SkeletonRecall.Cli.Program

open System
open System.Globalization
open System.Reflection
open System.Threading
open Argu
open SkeletonRecall.Training

let private dispatch (terminal: Terminal) (command: Arguments) : int =
    match command with
    | Demo arguments -> Demo.run terminal arguments
    | Arguments.Sample arguments -> MakeSample.run terminal arguments
    | Convert arguments -> Convert.run terminal arguments
    | Verify arguments -> Verify.run terminal arguments
    | Fingerprint arguments -> PrepareJob.fingerprint arguments |> Prepare.run terminal
    | Plan arguments -> PrepareJob.plan arguments |> Prepare.run terminal
    | Preprocess arguments -> PrepareJob.preprocess arguments |> Prepare.run terminal
    | Plan_And_Preprocess arguments -> PrepareJob.planAndPreprocess arguments |> Prepare.run terminal
    | Weigh arguments -> Weigh.run terminal arguments
    | Train arguments -> Train.run terminal arguments
    | Predict arguments -> Predict.run terminal arguments
    | Import arguments -> Exchange.import terminal arguments
    | Export arguments -> Exchange.export terminal arguments
    | Ensemble arguments -> Combine.ensemble terminal arguments
    | Find_Best_Configuration arguments -> Combine.findBest terminal arguments
    | Postprocess arguments -> Combine.postprocess terminal arguments
    | Evaluate arguments -> Evaluate.run terminal arguments
    | Compare arguments -> Compare.run terminal arguments
    | Report arguments -> Report.run terminal arguments
    | Skeletonize arguments -> Skeletonize.run terminal arguments
    | Version ->
        let version =
            Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()

        Terminal.line
            terminal
            (version
             |> Option.ofObj
             |> Option.map _.InformationalVersion
             |> Option.defaultValue "?")

        0

let private misused (terminal: Terminal) (message: string) : int =
    terminal.Error.WriteLine $"%s{Arguments.programName}: %s{message}; --help lists what is known"
    2

/// Runs one command line; the exit code is 0 for success, 1 for a problem with files or data, 2 for a wrong command
/// line and 3 where some cases failed and the others were served. Every failure is one line on the error stream.
let run (terminal: Terminal) (arguments: string[]) : int =
    match Arguments.parse arguments with
    | Parsed.Help text ->
        Terminal.line terminal text
        0
    | Parsed.Wrong message -> misused terminal message
    | Parsed.Command results ->
        try
            results.GetAllResults() |> List.head |> dispatch terminal
        with
        // Argu looks for mandatory arguments only when they are asked for.
        | :? ArguParseException as error -> misused terminal (Arguments.firstLine error)
        | :? DllNotFoundException as error -> Terminal.fail terminal error.Message
        | ProblemException problem -> Terminal.fail terminal (Problem.message problem)
        | :? OperationCanceledException -> Terminal.fail terminal "stopped"
        | error ->
            // No stack trace for a person; what is left here is a defect or the machine's (memory, disk).
            let message = error.Message.ReplaceLineEndings " "
            Terminal.fail terminal $"%s{error.GetType().Name}: %s{message}"

[<EntryPoint>]
let main (arguments: string[]) : int =
    CultureInfo.DefaultThreadCurrentCulture <- CultureInfo.InvariantCulture
    CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture
    use stop = new CancellationTokenSource()

    // The first Ctrl-C asks for a checkpoint and an orderly end; the second ends at once.
    Console.CancelKeyPress.Add(fun press ->
        if not stop.IsCancellationRequested then
            press.Cancel <- true
            stop.Cancel())

    run
        {
            Output = Console.Out
            Error = Console.Error
            Interactive = not Console.IsOutputRedirected
            Stop = stop.Token
        }
        arguments
