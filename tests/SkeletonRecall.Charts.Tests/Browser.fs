/// Opening a page in headless Chromium, where there is one.
module SkeletonRecall.Tests.Browser

open System
open System.Diagnostics
open System.IO

/// The program, if this machine has it.
let find () : string option =
    let folders =
        match Environment.GetEnvironmentVariable "PATH" with
        | null -> [||]
        | path -> path.Split Path.PathSeparator

    [
        for name in [ "chromium"; "chromium-browser"; "google-chrome"; "chrome.exe" ] do
            for folder in folders -> Path.Combine(folder, name)
    ]
    |> List.tryFind File.Exists

/// The document after its scripts have run, and what the console said.
let openPage (program: string) (page: string) : string * string list =
    let folder = Directory.CreateTempSubdirectory "skeleton-recall-"

    try
        let file = Path.Combine(folder.FullName, "report.html")
        File.WriteAllText(file, page)

        let start =
            ProcessStartInfo(program, RedirectStandardOutput = true, RedirectStandardError = true)

        for argument in
            [
                "--headless"
                "--no-sandbox"
                "--disable-gpu"
                "--disable-quic"
                "--no-first-run"
                "--disable-background-networking"
                "--disable-component-update"
                "--disable-sync"
                "--disable-dev-shm-usage"
                "--enable-logging=stderr"
                "--user-data-dir=" + Path.Combine(folder.FullName, "profile")
                "--virtual-time-budget=10000"
                "--dump-dom"
                Uri(file).AbsoluteUri
            ] do
            start.ArgumentList.Add argument

        match Process.Start start with
        | null -> invalidOp $"%s{program} did not start."
        | browser ->
            use browser = browser
            let output = browser.StandardOutput.ReadToEndAsync()
            let errors = browser.StandardError.ReadToEndAsync()

            if not (browser.WaitForExit(TimeSpan.FromMinutes 2.0)) then
                browser.Kill true
                invalidOp $"%s{program} did not end within 2 minutes."

            let complaints =
                errors.Result.Split '\n'
                |> Array.filter (fun line -> line.Contains ":CONSOLE")
                |> List.ofArray

            output.Result, complaints
    finally
        try
            folder.Delete true
        with :? IOException ->
            // A helper process may still write into its profile; the system clears its folder of temporary files.
            ()
