namespace SkeletonRecall.Cli

open System
open System.Globalization
open Argu

/// The commands, in the order in which a new user needs them.
type Arguments =
    | [<CliPrefix(CliPrefix.None)>] Demo of ParseResults<DemoArguments>
    | [<CliPrefix(CliPrefix.None)>] Sample of ParseResults<SampleArguments>
    | [<CliPrefix(CliPrefix.None)>] Convert of ParseResults<ConvertArguments>
    | [<CliPrefix(CliPrefix.None)>] Verify of ParseResults<VerifyArguments>
    | [<CliPrefix(CliPrefix.None)>] Fingerprint of ParseResults<FingerprintArguments>
    | [<CliPrefix(CliPrefix.None)>] Plan of ParseResults<PlanArguments>
    | [<CliPrefix(CliPrefix.None)>] Preprocess of ParseResults<PreprocessArguments>
    | [<CliPrefix(CliPrefix.None)>] Plan_And_Preprocess of ParseResults<PlanAndPreprocessArguments>
    | [<CliPrefix(CliPrefix.None)>] Weigh of ParseResults<WeighArguments>
    | [<CliPrefix(CliPrefix.None)>] Train of ParseResults<TrainArguments>
    | [<CliPrefix(CliPrefix.None)>] Predict of ParseResults<PredictArguments>
    | [<CliPrefix(CliPrefix.None)>] Import of ParseResults<ImportArguments>
    | [<CliPrefix(CliPrefix.None)>] Export of ParseResults<ExportArguments>
    | [<CliPrefix(CliPrefix.None)>] Ensemble of ParseResults<EnsembleArguments>
    | [<CliPrefix(CliPrefix.None)>] Find_Best_Configuration of ParseResults<FindBestArguments>
    | [<CliPrefix(CliPrefix.None)>] Postprocess of ParseResults<PostprocessArguments>
    | [<CliPrefix(CliPrefix.None)>] Evaluate of ParseResults<EvaluateArguments>
    | [<CliPrefix(CliPrefix.None)>] Compare of ParseResults<CompareArguments>
    | [<CliPrefix(CliPrefix.None)>] Report of ParseResults<ReportArguments>
    | [<CliPrefix(CliPrefix.None)>] Skeletonize of ParseResults<SkeletonizeArguments>
    | Version

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Demo _ -> "generate vessels, train with and without skeleton recall, predict, compare, report."
            | Sample _ -> "make a data set with known labels: sample KIND TARGET."
            | Convert _ -> "make a data set from images and masks: convert KIND SOURCE TARGET."
            | Verify _ -> "look for what is wrong with a data set: verify DATASET."
            | Fingerprint _ -> "measure a data set's images: fingerprint -d DATASET."
            | Plan _ -> "plan patches and networks by the fingerprint: plan -d DATASET."
            | Preprocess _ -> "crop, normalize and resample the cases by the plans: preprocess -d DATASET."
            | Plan_And_Preprocess _ -> "fingerprint, plan and preprocess: plan-and-preprocess -d DATASET."
            | Weigh _ -> "how hard each term of an objective pulls, and which weight it needs: weigh DATASET."
            | Train _ -> "train a network: train DATASET CONFIGURATION FOLD."
            | Predict _ -> "predict label maps: predict -i IMAGES -o LABELS -m MODEL."
            | Import _ -> "take over a model of Python's nnU-Net: import MODEL."
            | Export _ -> "write weights and plans for other programs: export MODEL FOLDER."
            | Ensemble _ -> "average predictions of several models: ensemble -i FOLDERS -o LABELS."
            | Find_Best_Configuration _ ->
                "compare trained models and their ensembles by their validation cases: find-best-configuration DATASET."
            | Postprocess _ -> "keep the largest components where that helps: postprocess -i LABELS -ref TRUTH."
            | Evaluate _ -> "score label maps against true ones: evaluate TRUTH PREDICTION."
            | Compare _ -> "compare two folders of label maps: compare TRUTH FIRST SECOND."
            | Report _ -> "one page of a training run, or of two: report RUN [RUN]."
            | Skeletonize _ -> "tubed skeleton of a label map: skeletonize INPUT OUTPUT."
            | Version -> "print the version."

/// What came of reading a command line.
[<RequireQualifiedAccess>]
type Parsed =
    /// A command to run.
    | Command of ParseResults<Arguments>
    /// Help was asked for.
    | Help of text: string
    /// The command line is wrong: one line, and the usage that it should have followed.
    | Wrong of message: string

/// Reading command lines.
[<RequireQualifiedAccess>]
module Arguments =

    /// The name that users type.
    let programName: string = "skeleton-recall"

    let parser: Lazy<ArgumentParser<Arguments>> =
        lazy ArgumentParser.Create<Arguments>(programName = programName, checkStructure = false)

    /// What is wrong, from Argu's "ERROR: what is wrong" and the usage behind it.
    let firstLine (error: ArguParseException) : string =
        error.Message.Split('\n')[0]
        |> fun line -> line.Trim().Replace("ERROR: ", "").TrimEnd '.'

    // A flag that the command does not have. Argu takes it for a value where values are wanted, and misses another thing.
    let private tryUnknownFlag (arguments: string[]) : string option =
        let isFlag (word: string) =
            word.StartsWith("--", StringComparison.Ordinal)
            || word.Length > 1 && word[0] = '-' && Char.IsAsciiLetter word[1]

        let isNamed (command: ArgumentParser) =
            match command.ParentInfo with
            | Some info -> List.contains arguments[0] info.CommandLineNames.Value
            | None -> false

        if arguments.Length < 2 then
            None
        else
            parser.Value.GetSubCommandParsers()
            |> List.tryFind isNamed
            |> Option.bind (fun command ->
                let known =
                    command.HelpFlags
                    @ (command.GetArgumentCases() |> List.collect _.CommandLineNames.Value)

                arguments[1..]
                |> Array.tryFind (fun word -> isFlag word && not (List.contains word known)))

    /// Reads a command line. Numbers are read in the invariant culture, whatever the machine's: under a decimal comma
    /// 0.5 would otherwise become 5.
    let parse (arguments: string[]) : Parsed =
        let culture = CultureInfo.CurrentCulture
        CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture

        try
            try
                match tryUnknownFlag arguments with
                | Some flag -> Parsed.Wrong $"unrecognized argument: '%s{flag}'"
                | None ->
                    let results = parser.Value.ParseCommandLine(arguments, raiseOnUsage = true)

                    if results.GetAllResults().IsEmpty then
                        Parsed.Help(parser.Value.PrintUsage())
                    else
                        Parsed.Command results
            with :? ArguParseException as error ->
                if error.ErrorCode = ErrorCode.HelpText then
                    Parsed.Help error.Message
                else
                    Parsed.Wrong(firstLine error)
        finally
            CultureInfo.CurrentCulture <- culture
