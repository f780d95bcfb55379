namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Reflection

/// Memory at the height of some work, measured in a process that does nothing else.
[<RequireQualifiedAccess>]
module PeakMemory =

    /// Whether the system tells (Linux).
    let isKnown: bool = File.Exists "/proc/self/clear_refs"

    /// A line of /proc/self/status in MiB.
    let private statusMiB (key: string) : float =
        let line =
            File.ReadAllLines "/proc/self/status"
            |> Array.find (fun line -> line.StartsWith(key, StringComparison.Ordinal))

        let words = line.Split([| ' '; '\t' |], StringSplitOptions.RemoveEmptyEntries)
        Double.Parse(words[1], CultureInfo.InvariantCulture) / 1024.0

    /// MiB that this process takes at the height of some work, above what it has before. What is loaded and compiled once
    /// must have been so.
    let above (work: unit -> unit) : float =
        GC.Collect()
        GC.WaitForPendingFinalizers()
        GC.Collect()
        let before = statusMiB "VmRSS"
        // Forgets the peak so far.
        File.WriteAllText("/proc/self/clear_refs", "5")
        work ()
        statusMiB "VmHWM" - before

    // This program once more, with these arguments and settings of its environment.
    let private startAgain (arguments: string list) (settings: (string * string) list) (isHeard: bool) : Process =
        let command = Option.ofObj Environment.ProcessPath |> Option.defaultValue "dotnet"

        let all =
            // Run by `dotnet some.dll`, the process is dotnet.
            if Path.GetFileNameWithoutExtension command = "dotnet" then
                Assembly.GetExecutingAssembly().Location :: arguments
            else
                arguments

        let start = ProcessStartInfo(command, all, RedirectStandardOutput = isHeard)

        for name, value in settings do
            start.Environment[name] <- value

        match Process.Start start with
        | null -> invalidOp $"The process of %A{arguments} cannot be started."
        | running -> running

    /// The words that this program prints when it is run again with these arguments and settings of its environment.
    let child (arguments: string list) (settings: (string * string) list) : string[] =
        use running = startAgain arguments settings true
        let output = running.StandardOutput.ReadToEnd()
        running.WaitForExit()

        if running.ExitCode <> 0 then
            invalidOp $"The process of %A{arguments} failed: %s{output}"

        output.Split([| ' '; '\n' |], StringSplitOptions.RemoveEmptyEntries)

    /// Runs this program again with these arguments and settings of its environment, and lets it print.
    let again (arguments: string list) (settings: (string * string) list) : unit =
        Console.Out.Flush()
        use running = startAgain arguments settings false
        running.WaitForExit()

        if running.ExitCode <> 0 then
            invalidOp $"The process of %A{arguments} failed."
