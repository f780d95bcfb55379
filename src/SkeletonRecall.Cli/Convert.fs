namespace SkeletonRecall.Cli

open System
open System.Globalization
open Argu
open SkeletonRecall.Training

/// `convert KIND SOURCE TARGET`.
[<RequireQualifiedAccess>]
module Convert =

    let private names (text: string option) : string list =
        match text with
        | None -> []
        | Some text ->
            text.Split(',', StringSplitOptions.RemoveEmptyEntries ||| StringSplitOptions.TrimEntries)
            |> List.ofArray

    let private background (text: string option) : Result<int option, Problem> =
        match text with
        | None -> Ok None
        | Some text ->
            let hex, digits = text.StartsWith '#', text.TrimStart '#'
            let style = if hex then NumberStyles.HexNumber else NumberStyles.None

            match Int32.TryParse(digits, style, CultureInfo.InvariantCulture) with
            | true, value -> Ok(Some value)
            | _ -> Flags.wrong "--background" $"'%s{text}'" "a value, or a colour as #rrggbb"

    let private ofImages (arguments: ParseResults<ConvertArguments>) : Result<Recipe, Problem> =
        Problem.attempt {
            let! background = background (arguments.TryGetResult ConvertArguments.Background)
            let labels = names (arguments.TryGetResult ConvertArguments.Labels)

            let! rule =
                match arguments.TryGetResult ConvertArguments.Threshold with
                | None -> Ok(MaskRule.Found(background, labels))
                | Some _ when background.IsSome -> Flags.wrong "--background" "--threshold beside it" "one of the two"
                | Some _ when labels.Length > 1 ->
                    Flags.wrong
                        "--labels"
                        $"%d{labels.Length} classes"
                        "one: a threshold makes background and foreground"
                | Some level -> Ok(MaskRule.Above level)

            return
                { Conversion.standard with
                    Training =
                        [
                            {
                                Images = arguments.GetResult(ConvertArguments.Images, "images/*")
                                Masks = Some(arguments.GetResult(ConvertArguments.Masks, "masks/*"))
                            }
                        ]
                    Test =
                        [
                            match arguments.TryGetResult ConvertArguments.Test_Images with
                            | Some images ->
                                {
                                    Images = images
                                    Masks = arguments.TryGetResult ConvertArguments.Test_Masks
                                }
                            | None -> ()
                        ]
                    Labels = labels
                    Channels = names (arguments.TryGetResult ConvertArguments.Channels)
                    Rule = rule
                }
        }

    // Flags that only the generic kind has.
    let private requireOwn (arguments: ParseResults<ConvertArguments>) (kind: string) : Result<unit, Problem> =
        let strange =
            [
                "--images", arguments.Contains ConvertArguments.Images
                "--masks", arguments.Contains ConvertArguments.Masks
                "--test-images", arguments.Contains ConvertArguments.Test_Images
                "--test-masks", arguments.Contains ConvertArguments.Test_Masks
                "--labels", arguments.Contains ConvertArguments.Labels
                "--channels", arguments.Contains ConvertArguments.Channels
                "--background", arguments.Contains ConvertArguments.Background
                "--threshold", arguments.Contains ConvertArguments.Threshold
            ]
            |> List.tryFind snd

        match strange with
        | Some(flag, _) when kind <> "images" ->
            Flags.wrong flag $"the kind %s{kind}" "the kind images, which alone takes this flag"
        | _ when
            kind <> "topcow"
            && (arguments.Contains ConvertArguments.Modality
                || arguments.Contains ConvertArguments.Binary)
            ->
            Flags.wrong "--modality and --binary" $"the kind %s{kind}" "the kind topcow"
        | _ -> Ok()

    let private recipe
        (arguments: ParseResults<ConvertArguments>)
        (kind: string)
        (source: string)
        : Result<Recipe, Problem> =
        match kind with
        | "images" -> ofImages arguments
        | "roads" -> Ok PublicDatasets.roads
        | "drive" -> Ok PublicDatasets.drive
        | "cracks" -> Ok PublicDatasets.cracks
        | "toothfairy" -> PublicDatasets.toothFairy source
        | "topcow" ->
            match arguments.GetResult(ConvertArguments.Modality, "mr") with
            | "ct"
            | "mr"
            | "both" as modality -> Ok(PublicDatasets.topCow (arguments.Contains ConvertArguments.Binary) modality)
            | other -> Flags.wrong "--modality" $"'%s{other}'" "ct, mr or both"
        | other -> Flags.wrong "the kind" $"'%s{other}'" "images, roads, drive, cracks, toothfairy or topcow"

    /// Runs the command; the exit code.
    let run (terminal: Terminal) (arguments: ParseResults<ConvertArguments>) : int =
        let asJson = arguments.Contains ConvertArguments.Json

        let workers =
            arguments.GetResult(ConvertArguments.Workers, min 8 Environment.ProcessorCount)

        Problem.attempt {
            let kind, source, target = arguments.GetResult ConvertArguments.Places
            let! recipe = recipe arguments kind source
            do! requireOwn arguments kind

            let! folder =
                MadeDataset.folder (arguments.TryGetResult ConvertArguments.Root) target

            if workers < 1 then
                do! Flags.wrong "--workers" $"%d{workers}" "at least 1"

            let! ending =
                match arguments.TryGetResult ConvertArguments.Ending with
                | None -> Ok None
                | Some ending when List.contains ending Reader.labelEndings -> Ok(Some ending)
                | Some ending ->
                    let known = String.concat ", " Reader.labelEndings
                    Flags.wrong "--ending" $"'%s{ending}'" $"one of %s{known}"

            let recipe =
                { recipe with
                    Ending = ending
                    ToRas = arguments.Contains ConvertArguments.Ras
                    SkipUnpaired = recipe.SkipUnpaired || arguments.Contains ConvertArguments.Skip_Unpaired
                }

            let! made =
                MadeDataset.progress terminal asJson "converting" (fun report ->
                    Conversion.run recipe workers terminal.Stop report source folder)

            return MadeDataset.report terminal asJson folder made.Dataset made.Held made.Notes
        }
        |> Terminal.exitCode terminal
