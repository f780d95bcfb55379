// dotnet build -c Release && dotnet fsi scripts/docs.fsx check|build [OUTPUT]
#load "init.fsx"
#r "Argu.dll"
#r "skeleton-recall.dll"

// # The documentation
//
// `check` runs the code of README.md and of the pages in scripts/tour, each page in a folder of its own: first its commands (sh),
// then its F#, then its C#. `build` makes the site: those pages, the reference of the command line as its parser prints it, and
// the reference of the libraries from their doc comments, by fsdocs.

open System
open System.Diagnostics
open System.IO
open System.Text.RegularExpressions
open SkeletonRecall.Cli

let root = Path.GetFullPath(Path.Combine(__SOURCE_DIRECTORY__, ".."))
let tour = Path.Combine(root, "scripts", "tour")
let program = Path.Combine(root, "src/SkeletonRecall.Cli/bin/Release/net10.0")

/// The pages in the order of the site: file, title.
let pages =
    [
        "for-fsharp.md", "For F#"
        "for-csharp.md", "For C#"
        "for-the-command-line.md", "For the command line"
        "data-sets.md", "Data sets"
        "scores.md", "Scores"
        "coming-from-nnunet.md", "Coming from nnU-Net"
        "choosing-a-loss.md", "Choosing a loss"
        "01-skeletons.fsx", "Tour: skeletons and tubes"
        "02-losses.fsx", "Tour: losses are functions"
        "03-own-loss.fsx", "Tour: a loss of one's own"
    ]

let run (folder: string) (file: string) (arguments: string list) : unit =
    let start = ProcessStartInfo(file, arguments, WorkingDirectory = folder)

    let path = Environment.GetEnvironmentVariable "PATH"
    start.Environment["PATH"] <- $"%s{program}%c{Path.PathSeparator}%s{path}"

    use child =
        match Process.Start start with
        | null -> invalidOp $"%s{file} cannot be started"
        | child -> child

    child.WaitForExit()

    if child.ExitCode <> 0 then
        let line = String.concat " " (file :: arguments)
        eprintfn $"docs.fsx: exit code %d{child.ExitCode} from: %s{line}"
        exit 1

/// The code of a page in one language, joined; None where there is none.
let code (language: string) (page: string) : string option =
    let blocks =
        Regex.Matches(
            page.ReplaceLineEndings "\n",
            $"^```%s{language}\n(.*?)^```$",
            RegexOptions.Multiline ||| RegexOptions.Singleline
        )
        |> Seq.map _.Groups[1].Value
        |> List.ofSeq

    if blocks.IsEmpty then
        None
    else
        Some(String.concat "\n" blocks)

/// The page's code with the path of scripts/init.fsx, so that it runs anywhere.
let withInit (page: string) : string =
    let path = Path.Combine(root, "scripts", "init.fsx")
    Regex.Replace(page, "#load \"(\\.\\./)?init\\.fsx\"", $"#load \"%s{path}\"")

let check (path: string) : unit =
    let page = File.ReadAllText path
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-docs-").FullName

    let write (name: string) (text: string) : string =
        let file = Path.Combine(folder, name)
        File.WriteAllText(file, text)
        file

    let perform (language: string) (program: string) (arguments: string -> string list) =
        code language page
        |> Option.iter (fun text ->
            printfn $"-- %s{Path.GetFileName path}: %s{language}"
            run folder program (arguments text))

    perform "sh" "bash" (fun text -> [ "-eu"; write "page.sh" text ])
    perform "fsharp" "dotnet" (fun text -> [ "fsi"; write "page.fsx" (withInit text) ])

    perform "csharp" "dotnet" (fun text ->
        let header =
            [
                $"#:project %s{root}/src/SkeletonRecall.CSharp/SkeletonRecall.CSharp.csproj"
                "#:property TargetFramework=net10.0"
                "#:property PublishAot=false"
                "#:property InvariantGlobalization=true"
                ""
            ]

        [ "run"; "-c"; "Release"; write "page.cs" (String.concat "\n" header + text) ])

    Directory.Delete(folder, true)

/// What each command's --help prints.
let commandLine () : string =
    let parser = Arguments.parser.Value

    [
        "# Reference of the command line\n\nAs `skeleton-recall COMMAND --help` prints it.\n"
        $"```text\n%s{parser.PrintUsage()}\n```\n"
        for command in parser.GetSubCommandParsers() do
            let name = command.ParentInfo |> Option.map _.Name.Value |> Option.defaultValue ""
            $"## %s{name}\n\n```text\n%s{command.PrintUsage()}\n```\n"
    ]
    |> String.concat "\n"

/// Comments that stand at the margin after an empty line are text to fsdocs.
let literate (script: string) : string =
    Regex.Replace(
        script.ReplaceLineEndings "\n",
        @"(?<=\n\n)((?://[^\n]*\n)+)",
        fun (comment: Match) ->
            let text = Regex.Replace(comment.Value, "^// ?", "", RegexOptions.Multiline)
            $"(**\n%s{text}*)\n"
    )

let build (output: string) : unit =
    let input = Directory.CreateTempSubdirectory("skeleton-recall-docs-").FullName

    // fsdocs turns links to pages into links to theirs, but not those to a heading of one.
    let place (name: string) (text: string) =
        File.WriteAllText(Path.Combine(input, name), Regex.Replace(text, @"\]\(([\w-]+)\.md#", "]($1.html#"))

    let front (title: string) (index: int) =
        $"---\ntitle: %s{title}\ncategory: Guides\ncategoryindex: 1\nindex: %d{index}\n---\n"

    for index, (file, title) in List.indexed pages do
        let text = File.ReadAllText(Path.Combine(tour, file))

        if file.EndsWith ".fsx" then
            place file $"(**\n%s{front title index}*)\n%s{literate (withInit text)}"
        else
            place file (front title index + withInit text)

    place "command-line.md" (front "Reference of the command line" pages.Length + commandLine ())

    place
        "changelog.md"
        (front "Changes" (pages.Length + 1)
         + File.ReadAllText(Path.Combine(root, "CHANGELOG.md")))

    place "index.md" (withInit (File.ReadAllText(Path.Combine(root, "README.md")).Replace("scripts/tour/", "")))
    File.Copy(Path.Combine(tour, "overlay.png"), Path.Combine(input, "overlay.png"))

    let projects =
        [
            "SkeletonRecall"
            "SkeletonRecall.Training"
            "SkeletonRecall.Charts"
            "SkeletonRecall.CSharp"
        ]
        |> List.map (fun name ->
            let language = if name.EndsWith "CSharp" then "csproj" else "fsproj"
            Path.Combine(root, "src", name, $"%s{name}.%s{language}"))

    run
        root
        "dotnet"
        ([
            "fsdocs"
            "build"
            "--clean"
            "--strict"
            "--input"
            input
            "--output"
            output
         ]
         @ [ "--properties"; "Configuration=Release"; "--projects" ]
         @ projects
         @ [
             "--parameters"
             "root"
             "@root@/"
             "fsdocs-collection-name"
             "SkeletonRecall"
         ]
         @ [
             "fsdocs-license-link"
             "@root@/index.html#Licence"
             "fsdocs-release-notes-link"
             "@root@/changelog.html"
         ]
         @ [
             "fsdocs-repository-link"
             "@root@/index.html"
             "fsdocs-logo-src"
             "@root@/overlay.png"
         ]
         @ [ "fsdocs-favicon-src"; "@root@/overlay.png" ])

    // Links that hold wherever the site lies, on a disk too, and no path of this machine.
    for page in Directory.GetFiles(output, "*.*", SearchOption.AllDirectories) do
        if List.contains (Path.GetExtension page) [ ".html"; ".md"; ".json"; ".txt" ] then
            let up = Path.GetRelativePath(Path.GetDirectoryName page |> string, output)
            File.WriteAllText(page, File.ReadAllText(page).Replace("@root@", up).Replace($"%s{root}/", ""))

    File.Delete(Path.Combine(output, "NuGet.config"))

    for folder in [ input; Path.Combine(root, ".fsdocs") ] do
        Directory.Delete(folder, true)

    printfn $"%s{output}"

match fsi.CommandLineArgs |> List.ofArray |> List.tail with
| [ "check" ] ->
    check (Path.Combine(root, "README.md"))

    for file, _ in pages do
        if file.EndsWith ".md" then
            check (Path.Combine(tour, file))
| [ "check"; page ] -> check (Path.GetFullPath page)
| [ "build" ] -> build (Path.Combine(root, "site"))
| [ "build"; output ] -> build (Path.GetFullPath output)
| _ ->
    eprintfn "docs.fsx: check, check PAGE, build or build OUTPUT is wanted"
    exit 2
