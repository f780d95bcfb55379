namespace SkeletonRecall.Cli

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
    }

/// `skeletonize INPUT OUTPUT`: the tubed skeleton of one label map.
[<RequireQualifiedAccess>]
module Skeletonize =

    /// The options of a command line, or what is wrong with it.
    let options (arguments: ParseResults<SkeletonizeArguments>) : Result<SkeletonizeOptions, Problem> =
        let input, output = arguments.GetResult SkeletonizeArguments.Files

        let radius =
            arguments.TryGetResult SkeletonizeArguments.Tube_Radius
            |> Option.map TubeRadius.Steps
            |> Option.defaultValue Tube.standard.Radius

        let thinning =
            match arguments.TryGetResult SkeletonizeArguments.Method with
            | None -> Ok None
            | Some "zhang" -> Ok(Some Thinning.Zhang)
            | Some "lee" -> Ok(Some Thinning.Lee)
            | Some other -> Error(Mismatch("--method", $"'%s{other}'", "zhang or lee"))

        let ending = (Path.GetExtension output |> string).ToLowerInvariant()

        match thinning with
        | Error problem -> Error problem
        | Ok _ when (TubeOptions.radiusProblem radius).IsSome ->
            let steps = arguments.GetResult SkeletonizeArguments.Tube_Radius
            Error(Mismatch("--tube-radius", string steps, $"0 to %d{TubeOptions.MostSteps} steps"))
        | Ok _ when ending <> ".png" && ending <> ".npy" ->
            Error(Mismatch(output, $"the ending '%s{ending}'", ".png or .npy"))
        | Ok thinning ->
            Ok
                {
                    Input = input
                    Output = output
                    Tube =
                        { Tube.standard with
                            Radius = radius
                            Thinning = thinning
                        }
                }

    let private tube (options: SkeletonizeOptions) (labels: LabelMap) : Result<LabelMap, Problem> =
        match options.Tube.Thinning with
        | Some Thinning.Zhang when labels.Extent.Rank = 3 ->
            Error(
                Mismatch(
                    options.Input,
                    $"a volume of %O{labels.Extent}",
                    "a plane for --method zhang; lee thins volumes"
                )
            )
        | _ -> Ok(Tube.ofLabels options.Tube labels)

    let private writable (options: SkeletonizeOptions) (labels: LabelMap) : Result<unit, Problem> =
        if labels.Extent.Rank = 3 && Path.GetExtension options.Output <> ".npy" then
            Error(Mismatch(options.Output, $"a volume of %O{labels.Extent}", "a .npy file; PNG holds planes"))
        else
            Ok()

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<SkeletonizeArguments>) : int =
        Problem.attempt {
            let! options = options arguments
            let! labels, note = Reader.mask options.Input
            Option.iter (Terminal.line terminal) note
            do! writable options labels
            let! result = tube options labels
            do! Reader.writeLabels options.Output result

            let radius =
                match options.Tube.Radius with
                | TubeRadius.Steps steps -> $"%d{steps}"
                | TubeRadius.Ball millimetres -> $"%g{millimetres} mm"

            let count (map: LabelMap) =
                map.Data |> Array.sumBy (fun label -> if label <> 0s then 1 else 0)

            Terminal.line
                terminal
                $"%s{options.Output}: %O{result.Extent}, %d{count result} of %d{count labels} labelled voxels in the tube of radius %s{radius}"
        }
        |> Terminal.exitCode terminal
