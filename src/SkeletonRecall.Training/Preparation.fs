namespace SkeletonRecall.Training

open System
open System.IO
open System.Threading
open SkeletonRecall

/// From raw data sets to fingerprints, plans and preprocessed cases, in nnU-Net's folders and files. What is worth telling
/// a person goes to `note`; `report` hears the share that is done and the case at hand.
[<RequireQualifiedAccess>]
module Preparation =

    let private anotherPlans =
        "the same, or another name: -overwrite_plans_name when planning and -p from then on; or another --root"

    let private anotherRoot = "the same, or another --root"

    let private fingerprintFile = "dataset_fingerprint.json"
    let private splitsFile = "splits_final.json"

    /// Half of what the machine, or the container, has: what cases at work may take where nothing else is said.
    let standardMemory: int64 = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2L

    /// The raw folder of a data set, by number, name or its own path, and what its dataset.json says.
    let dataset (request: PrepareRequest) : Result<string * Dataset, Problem> =
        Problem.attempt {
            let! folder = Store.rawFolder request.Roots request.Dataset
            let! dataset = Store.readDataset folder
            return folder, dataset
        }

    // nnU-Net keeps a copy of dataset.json, and of the folds of the raw data set, where they lie.
    let private copyDescription (request: PrepareRequest) (folder: string) (dataset: Dataset) : Result<unit, Problem> =
        let copy (name: string) =
            let source = Store.file folder name

            if Files.exists source then
                Files.read source "it is to be copied"
                |> Result.bind (Ledger.write Ledger.sameJson anotherRoot (PrepareRequest.target request dataset) name)
            else
                Ok()

        Problem.attempt {
            do! copy Store.datasetFile
            return! copy splitsFile
        }

    let private readFingerprint (path: string) (cases: CaseId list) : Result<Fingerprint, Problem> =
        Problem.attempt {
            let! text =
                Store.readText path "the data set's fingerprint is wanted: run fingerprint"

            let! fingerprint = Fingerprint.parse path text

            if fingerprint.Spacings.Length <> cases.Length then
                return!
                    Error(
                        Mismatch(
                            path,
                            $"the measures of %d{fingerprint.Spacings.Length} cases",
                            $"those of the data set's %d{cases.Length}: measure them again with --clean"
                        )
                    )
            else
                return fingerprint
        }

    let private percent (number: int) (count: int) : float = float number / float (max 1 count)

    /// Measures a data set and writes dataset_fingerprint.json, as nnU-Net does; the cases are read one by one, `Workers` of
    /// them at once. A fingerprint that is there is used, unless the request is to be clean.
    let fingerprint
        (request: PrepareRequest)
        (stop: CancellationToken)
        (note: string -> unit)
        (report: float -> string -> unit)
        : Result<Fingerprint, Problem> =
        Problem.attempt {
            let! folder, dataset = dataset request
            let! cases = Store.trainingIds folder dataset
            let target = PrepareRequest.target request dataset
            let path = Store.file target fingerprintFile

            if Files.exists path && not request.Clean then
                let! fingerprint = readFingerprint path cases
                note $"%s{path} is there and is used; --clean measures again"
                return fingerprint
            else
                do! copyDescription request folder dataset

                let measure (case: CaseId) =
                    Store.readTrainingCase folder dataset case
                    |> Result.map (fun (case, remark) -> Fingerprint.ofCase cases.Length case, remark)

                let! measured =
                    Workers.run
                        request.Workers
                        Int64.MaxValue
                        stop
                        (fun number case -> report (percent number cases.Length) (CaseId.value case))
                        (fun _ -> 0L)
                        measure
                        cases

                match measured |> List.choose snd with
                | [] -> ()
                | [ remark ] -> note remark
                | first :: rest -> note $"%s{first} (and so in %d{rest.Length} more files)"

                let! fingerprint = Fingerprint.ofMeasures dataset.Name (List.map fst measured)
                do! Ledger.writeJson anotherRoot target fingerprintFile (Fingerprint.print fingerprint)
                return fingerprint
        }

    // Names become those of files and folders.
    let private requireName (what: string) (name: string) : Result<unit, Problem> =
        if (CaseId.tryOfString name).IsSome then
            Ok()
        else
            Error(Mismatch(what, $"'%s{name}'", "a name that every system takes for a file or folder"))

    let private plansPath (request: PrepareRequest) (dataset: Dataset) (name: string) : string =
        Store.file (PrepareRequest.target request dataset) (name + ".json")

    /// The plans of that name of a data set.
    let readPlans (roots: Roots) (datasetName: string) (name: string) : Result<Plans, Problem> =
        let path = Store.file (Store.preprocessedFolder roots datasetName) (name + ".json")

        Problem.attempt {
            do! requireName "-p" name

            let! text =
                Store.readText path $"the plans are wanted: run plan, or name others than %s{name} with -p"

            let! plans = Plans.parse path text

            for configuration in plans.Configurations.Values do
                do! requireName $"\"data_identifier\" in %s{path}" configuration.DataIdentifier

            return plans
        }

    // Configurations of the plans that are there under names of their own are kept, as in nnU-Net.
    let private withOthers (path: string) (plans: Plans) : Result<Plans, Problem> =
        if Files.exists path then
            Problem.attempt {
                let! text = Store.readText path "the plans are to be compared"
                let! there = Plans.parse path text

                let isOther (name: string) _ =
                    not (plans.Configurations.ContainsKey name)

                return
                    { plans with
                        Configurations =
                            Map.foldBack Map.add (Map.filter isOther there.Configurations) plans.Configurations
                        NotServed = Map.filter isOther there.NotServed
                        Other = there.Other
                    }
            }
        else
            Ok plans

    /// Plans a data set by its fingerprint, which must be there, and writes the plans (`nnUNetPlans.json`, or the name that
    /// the options give). Configurations of other names in a plans file are kept; a file of another program that says something
    /// else is a problem.
    let plan (request: PrepareRequest) (options: PlannerOptions) : Result<Plans, Problem> =
        Problem.attempt {
            let! folder, dataset = dataset request
            let! cases = Store.trainingIds folder dataset

            let! fingerprint =
                readFingerprint (Store.file (PrepareRequest.target request dataset) fingerprintFile) cases

            let! plans = Planner.ofFingerprint options dataset fingerprint
            do! requireName "-overwrite_plans_name" plans.PlansName
            let path = plansPath request dataset plans.PlansName
            let! plans = withOthers path plans
            do! copyDescription request folder dataset

            do!
                Ledger.writeJson
                    anotherPlans
                    (PrepareRequest.target request dataset)
                    (plans.PlansName + ".json")
                    (Plans.print plans)

            return plans
        }

    // The label maps as nnU-Net copies them, for its evaluation.
    let private copyTruth (request: PrepareRequest) (folder: string) (dataset: Dataset) : Result<unit, Problem> =
        Problem.attempt {
            let! files = Store.trainingFiles folder dataset

            for case in files do
                let ending = Path.GetFileName case.Labels |> string
                let ending = Reader.endingOf ending |> Option.defaultValue dataset.FileEnding
                let name = Path.Combine("gt_segmentations", CaseId.value case.Case + ending)
                do! Ledger.copy anotherRoot (PrepareRequest.target request dataset) name case.Labels
        }

    // Folds that are there are checked; where there are none, five are made if the cases are enough.
    let private writeSplits (request: PrepareRequest) (dataset: Dataset) (note: string -> unit) (cases: CaseId list) =
        let isThere =
            Files.exists (Store.file (PrepareRequest.target request dataset) splitsFile)

        if cases.Length < 5 && not isThere then
            note $"%d{cases.Length} cases are too few for five folds: train fold all"
            Ok()
        else
            Store.splits request.Roots dataset cases |> Result.map ignore

    /// Preprocesses the cases of a data set for the named configurations of the named plans; those that the plans do not hold
    /// are passed over with a note, as in nnU-Net. Cases that are there, complete and made of the same files by the same
    /// plans, are kept, unless the request is to be clean; each other one is made whole or not at all. Writes
    /// splits_final.json and gt_segmentations as nnU-Net does.
    let preprocess
        (request: PrepareRequest)
        (plansName: string)
        (configurations: string list)
        (stop: CancellationToken)
        (note: string -> unit)
        (report: float -> string -> unit)
        : Result<PreparedFolder list, Problem> =
        Problem.attempt {
            let! folder, dataset = dataset request
            let! plans = readPlans request.Roots dataset.Name plansName
            let! cases = Store.trainingIds folder dataset

            let! fingerprint =
                readFingerprint (Store.file (PrepareRequest.target request dataset) fingerprintFile) cases

            let! files = Store.trainingFiles folder dataset

            for name in configurations do
                match plans.Configurations.TryFind name, plans.NotServed.TryFind name with
                | Some _, _ -> ()
                | None, Some kept -> note $"%s{name} is passed over: %s{kept.Reason}"
                | None, None -> note $"%s{name} is passed over: %s{plansName} has no such configuration"

            let wanted =
                configurations
                |> List.choose (fun name ->
                    plans.Configurations.TryFind name
                    |> Option.map (fun configuration -> name, configuration))
                |> List.groupBy (fun (_, configuration) -> configuration.DataIdentifier)
                |> List.map (fun (_, shared) -> List.map fst shared, snd shared.Head)

            do! copyDescription request folder dataset
            do! copyTruth request folder dataset
            do! writeSplits request dataset note cases
            let total = wanted.Length * cases.Length

            return!
                wanted
                |> List.indexed
                |> Problem.traverse (fun (number, configuration) ->
                    PreparedFolder.make
                        request
                        stop
                        note
                        (fun ready case -> report (percent (number * cases.Length + ready) total) case)
                        (folder, dataset)
                        plans
                        fingerprint
                        files
                        configuration)
        }
