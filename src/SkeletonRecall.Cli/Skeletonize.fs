namespace SkeletonRecall.Cli

open System
open System.Globalization
open System.IO
open Argu
open SkeletonRecall
open SkeletonRecall.Training

/// What `skeletonize` is to do.
type SkeletonizeOptions =
    {
        Input: string
        Output: string
        Tube: TubeOptions
        /// In place of the file's.
        Spacing: Spacing option
        /// Whether the skeleton is also written as a graph.
        Graph: bool
    }

/// `skeletonize INPUT OUTPUT`: the tubed skeleton of one label map, and its graph.
[<RequireQualifiedAccess>]
module Skeletonize =

    let private wrong (subject: string) (got: string) (wanted: string) : Result<'T, Problem> =
        Error(Mismatch(subject, got, wanted))

    let private radius (arguments: ParseResults<SkeletonizeArguments>) : Result<TubeRadius, Problem> =
        match
            arguments.TryGetResult SkeletonizeArguments.Tube_Radius,
            arguments.TryGetResult SkeletonizeArguments.Tube_Ball
        with
        | None, None -> Ok Tube.standard.Radius
        | Some steps, Some _ -> wrong "--tube-ball" $"also --tube-radius %d{steps}" "one of the two"
        | Some steps, None when (TubeOptions.radiusProblem (TubeRadius.Steps steps)).IsSome ->
            wrong "--tube-radius" $"%d{steps}" $"0 to %d{TubeOptions.MostSteps} steps"
        | Some steps, None -> Ok(TubeRadius.Steps steps)
        | None, Some ball when (TubeOptions.radiusProblem (TubeRadius.Ball ball)).IsSome ->
            wrong "--tube-ball" $"%g{ball}" "a number of mm above 0"
        | None, Some ball -> Ok(TubeRadius.Ball ball)

    let private thinning (name: string option) : Result<Thinning option, Problem> =
        match name with
        | None -> Ok None
        | Some "zhang" -> Ok(Some Thinning.Zhang)
        | Some "lee" -> Ok(Some Thinning.Lee)
        | Some other -> wrong "--method" $"'%s{other}'" "zhang or lee"

    let private ignored (label: int option) : Result<int16 option, Problem> =
        match label with
        | None -> Ok None
        | Some label when label < 1 || label > int Int16.MaxValue ->
            wrong "--ignore" $"%d{label}" $"a label from 1 to %d{Int16.MaxValue}"
        | Some label -> Ok(Some(int16 label))

    let private prune (length: float) : Result<float, Problem> =
        if Double.IsFinite length && length >= 0.0 then
            Ok length
        else
            wrong "--prune" $"%g{length}" "0 mm or more"

    // "2x0.5x0.5".
    let private spacing (text: string option) : Result<Spacing option, Problem> =
        match text with
        | None -> Ok None
        | Some text ->
            let number (part: string) =
                match Double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture) with
                | true, value when Double.IsFinite value && value > 0.0 -> Some value
                | _ -> None

            let numbers = text.Split 'x' |> List.ofArray |> List.map number

            if List.forall Option.isSome numbers && (numbers.Length = 2 || numbers.Length = 3) then
                Ok(Some(Spacing.ofList (List.choose id numbers)))
            else
                wrong
                    "--spacing"
                    $"'%s{text}'"
                    "two or three numbers of mm above 0 with x between, slowest axis first, as 2x0.5x0.5"

    /// The options of a command line, or what is wrong with it.
    let options (arguments: ParseResults<SkeletonizeArguments>) : Result<SkeletonizeOptions, Problem> =
        Problem.attempt {
            let input, output = arguments.GetResult SkeletonizeArguments.Files
            let! radius = radius arguments
            let! thinning = thinning (arguments.TryGetResult SkeletonizeArguments.Method)
            let! ignored = ignored (arguments.TryGetResult SkeletonizeArguments.Ignore)
            let! prune = prune (arguments.GetResult(SkeletonizeArguments.Prune, 0.0))
            let! spacing = spacing (arguments.TryGetResult SkeletonizeArguments.Spacing)
            let known = Reader.labelEndings

            if
                not (
                    Reader.endingOf output
                    |> Option.exists (fun ending -> List.contains ending known)
                )
            then
                return!
                    wrong
                        output
                        $"the ending '%s{Path.GetExtension output |> string}'"
                        ("one of " + String.concat ", " known)
            else
                return
                    {
                        Input = input
                        Output = output
                        Tube =
                            {
                                Radius = radius
                                SkeletonOf =
                                    if arguments.Contains SkeletonizeArguments.Per_Class then
                                        SkeletonOf.EachClass
                                    else
                                        SkeletonOf.MergedForeground
                                Ignore = ignored
                                Guard = arguments.Contains SkeletonizeArguments.Guard
                                Prune = prune
                                Thinning = thinning
                            }
                        Spacing = spacing
                        Graph = arguments.Contains SkeletonizeArguments.Graph
                    }
        }

    let private withSpacing (options: SkeletonizeOptions) (labels: LabelMap) : Result<LabelMap, Problem> =
        match options.Spacing with
        | None -> Ok labels
        | Some spacing when spacing.Rank <> labels.Extent.Rank ->
            wrong
                "--spacing"
                $"%d{spacing.Rank} numbers"
                $"%d{labels.Extent.Rank} for %s{options.Input}, which is %O{labels.Extent}"
        | Some spacing -> Ok(Volume.withSpacing spacing labels)

    let private fits (options: SkeletonizeOptions) (labels: LabelMap) : Result<unit, Problem> =
        if labels.Extent.Rank = 2 then
            Ok()
        elif options.Tube.Thinning = Some Thinning.Zhang then
            wrong options.Input $"a volume of %O{labels.Extent}" "a plane for --method zhang; lee thins volumes"
        elif Reader.endingOf options.Output = Some ".png" then
            wrong options.Output $"a volume of %O{labels.Extent}" "a .nii.gz or .npy file; PNG holds planes"
        else
            Ok()

    // Two tables and the JSON, beside the output; the names of the files.
    let private writeGraph (options: SkeletonizeOptions) (graph: SkeletonGraph) : Result<string list, Problem> =
        [
            ".nodes.csv", GraphText.nodes
            ".branches.csv", GraphText.branches
            ".graph.json", GraphText.json
        ]
        |> Problem.traverse (fun (ending, print) ->
            let path = string (Path.ChangeExtension(options.Output, ending))
            Store.writeText path (print graph) |> Result.map (fun () -> path))

    let private radiusText (radius: TubeRadius) : string =
        match radius with
        | TubeRadius.Steps steps -> $"%d{steps}"
        | TubeRadius.Ball millimetres -> $"%g{millimetres} mm"

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<SkeletonizeArguments>) : int =
        Problem.attempt {
            let! options = options arguments
            let! labels, geometry, note = Reader.maskInPlace options.Input
            Option.iter (Terminal.line terminal) note
            let! labels = withSpacing options labels
            do! fits options labels
            let result = Tube.ofLabels options.Tube labels
            do! Reader.writeLabelsInPlace geometry options.Output result

            let count (map: LabelMap) =
                map.Data |> Array.sumBy (fun label -> if label <> 0s then 1 else 0)

            Terminal.line
                terminal
                $"%s{options.Output}: %O{result.Extent}, %d{count result} of %d{count labels} labelled voxels in the tube of radius %s{radiusText options.Tube.Radius}"

            if options.Graph then
                let graph = TubeGraph.ofLabels options.Tube labels
                let! files = writeGraph options graph

                let kinds (kind: NodeKind) =
                    graph.Nodes |> Array.filter (fun node -> node.Kind = kind) |> Array.length

                Terminal.line
                    terminal
                    $"graph: %d{graph.Branches.Length} branches of %g{Math.Round(SkeletonGraph.length graph, 3)} mm in all, %d{kinds NodeKind.Junction} junctions, %d{kinds NodeKind.End} ends"

                for file in files do
                    Terminal.line terminal file
        }
        |> Terminal.exitCode terminal
