module SkeletonRecall.Tests.ArchitectureTests

open System
open System.IO
open System.Reflection
open System.Text.RegularExpressions
open System.Xml.Linq
open Expecto
open SkeletonRecall

let private sources = Path.Combine(Golden.root, "src", "SkeletonRecall")
let private assembly = typeof<Mask>.Assembly

// The files that come before the tensors, in compile order.
let private arrayFiles =
    XDocument.Load(Path.Combine(sources, "SkeletonRecall.fsproj")).Descendants(XName.Get "Compile")
    |> Seq.choose (fun item -> item.Attribute(XName.Get "Include") |> Option.ofObj)
    |> Seq.map (fun attribute -> attribute.Value)
    |> Seq.takeWhile (fun name -> name <> "Elf.fs" && name <> "LibTorch.fs")
    |> Seq.filter (fun name -> File.Exists(Path.Combine(sources, name)))
    |> Seq.toList

let private forbidden =
    Regex @"\b(TorchSharp|torch|System\.IO|File|DateTime|Stopwatch|printfn?|eprintfn?|Console|Random|Environment)\b"

let private code (path: string) : string list =
    File.ReadAllLines path
    |> Array.map (fun line -> Regex.Replace(line, "//.*$", ""))
    |> Array.toList

let private documented: Set<string> =
    let file = Path.Combine(AppContext.BaseDirectory, "SkeletonRecall.xml")

    XDocument.Load(file).Descendants(XName.Get "member")
    |> Seq.filter (fun entry -> entry.Value.Trim().Length > 3)
    |> Seq.choose (fun entry -> entry.Attribute(XName.Get "name") |> Option.ofObj)
    |> Seq.map (fun attribute -> attribute.Value.Split('(')[0])
    |> Set.ofSeq

let private name (kind: Type) : string =
    match kind.FullName with
    | null -> kind.Name
    | full -> full.Replace('+', '.')

let private isGenerated (thing: MemberInfo) : bool =
    thing.GetCustomAttributes(typeof<Runtime.CompilerServices.CompilerGeneratedAttribute>, false).Length > 0
    || thing.GetCustomAttributes(typeof<CompilationMappingAttribute>, false)
       |> Array.exists (fun mark ->
           match (mark :?> CompilationMappingAttribute).SourceConstructFlags with
           | SourceConstructFlags.UnionCase -> true
           | _ -> false)

let private own =
    BindingFlags.Public
    ||| BindingFlags.Static
    ||| BindingFlags.Instance
    ||| BindingFlags.DeclaredOnly

// What a type shows to its users: functions of a module, properties of a record or class, cases of a union.
let private shown (kind: Type) : string list =
    let full = name kind

    if Reflection.FSharpType.IsUnion kind then
        [
            for case in Reflection.FSharpType.GetUnionCases kind -> $"T:%s{full}.%s{case.Name}"
        ]
    else
        [
            for property in kind.GetProperties own do
                if not (isGenerated property) then
                    $"P:%s{full}.%s{property.Name}"

            for method in kind.GetMethods own do
                let isOverride = method.GetBaseDefinition() <> method
                let fromInterface = method.IsVirtual && method.IsFinal

                if not (method.IsSpecialName || isOverride || fromInterface || isGenerated method) then
                    let generic =
                        if method.IsGenericMethod then
                            $"``%d{method.GetGenericArguments().Length}"
                        else
                            ""

                    $"M:%s{full}.%s{method.Name}%s{generic}"
        ]

[<Tests>]
let tests =
    testList
        "Architecture"
        [
            testCase "the array files know nothing of tensors, files, clocks, consoles and randomness"
            <| fun () ->
                Expect.isGreaterThan arrayFiles.Length 10 "array files"

                let found =
                    [
                        for file in arrayFiles do
                            for number, line in List.indexed (code (Path.Combine(sources, file))) do
                                if forbidden.IsMatch line then
                                    $"%s{file}:%d{number + 1}: %s{line.Trim()}"
                    ]

                Expect.isEmpty found "lines that array files may not hold"

            testCase "the core stands on F#, TorchSharp and .NET alone"
            <| fun () ->
                let other =
                    assembly.GetReferencedAssemblies()
                    |> Array.map (fun reference -> string reference.Name)
                    |> Array.filter (fun reference ->
                        reference <> "FSharp.Core"
                        && reference <> "TorchSharp"
                        && reference <> "netstandard"
                        && not (reference.StartsWith("System.", StringComparison.Ordinal)))

                Expect.isEmpty other "assemblies"

            testCase "everything public has a doc comment"
            <| fun () ->
                let missing =
                    [
                        for kind in assembly.GetExportedTypes() do
                            let isCase =
                                match kind.DeclaringType with
                                | null -> false
                                | outer -> Reflection.FSharpType.IsUnion outer

                            if not isCase then
                                let described = "T:" + name kind

                                let isModuleOfType = kind.Name.EndsWith("Module", StringComparison.Ordinal)

                                if not (documented.Contains described || isModuleOfType) then
                                    described

                                for thing in shown kind do
                                    if not (documented.Contains thing) then
                                        thing
                    ]

                Expect.equal missing [] "public names without a doc comment"

            testCase "no file is longer than 400 lines"
            <| fun () ->
                for file in Directory.GetFiles(sources, "*.fs") do
                    Expect.isLessThanOrEqual (File.ReadAllLines file).Length 400 file
        ]
