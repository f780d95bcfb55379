module SkeletonRecall.Tests.PreparationTests

open System
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private dataset: Dataset =
    Dataset.create "Dataset007_Rods" [ "CT"; "T1" ] [ "background", 0; "rod", 1; "sheath", 2 ] ".nii.gz" 5

// A rod with a sheath in noise, in a frame of zeros.
let private caseOf (number: int) : Case =
    let extent = Extent.space (14 + number) 24 26
    let rng = Seed.rng (Seed.ofInt number)
    let spacing = Spacing.ofList [ 1.5 + 0.1 * float number; 0.8; 0.8 ]

    let apart (i: int) =
        let row = i / extent.Width % extent.Height
        let column = i % extent.Width
        abs (row - 12) + abs (column - 13 - number % 3)

    let isFrame (i: int) =
        i % extent.Width < 2 || i / extent.Width % extent.Height < 3

    let labels =
        Array.init extent.Count (fun i ->
            if apart i < 2 then 1s
            elif apart i < 4 then 2s
            else 0s)

    let values =
        Array.init (2 * extent.Count) (fun n ->
            let i = n % extent.Count

            if isFrame i then
                0.0f
            else
                float32 (10.0 * rng.NextDouble() + 40.0 * float labels[i] + 1.0))

    Case.create
        (CaseId.ofString $"rod_%d{number}")
        { Image.create 2 extent values with
            Spacing = spacing
        }
        (Some(Volume.create extent labels |> Volume.withSpacing spacing))

let private silent (_: string) : unit = ()
let private still (_: float) (_: string) : unit = ()

let private requestIn (folder: string) : PrepareRequest =
    {
        Roots = Store.rootsIn folder
        Dataset = "7"
        Workers = 2
        Memory = Preparation.standardMemory
        Clean = false
    }

let private measured (request: PrepareRequest) : Fingerprint =
    Preparation.fingerprint request CancellationToken.None silent still
    |> Problem.orThrow

// A data set that has been measured, which takes a while, to be copied by each test.
let private template: Lazy<string> =
    lazy
        (let folder = Directory.CreateTempSubdirectory("skeleton-recall-template-").FullName
         AppDomain.CurrentDomain.ProcessExit.Add(fun _ -> Directory.Delete(folder, true))
         let request = requestIn folder
         let raw = Store.file request.Roots.Raw dataset.Name
         Store.writeDataset raw dataset |> Problem.orThrow

         for number in 0..4 do
             Store.writeCase raw true (caseOf number) |> Problem.orThrow

         measured request |> ignore
         folder)

let private inFolder (work: string -> PrepareRequest -> 'T) : 'T =
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-prepare-").FullName

    try
        for path in Directory.GetFiles(template.Value, "*", SearchOption.AllDirectories) do
            let copy = Path.Combine(folder, Path.GetRelativePath(template.Value, path))

            Path.GetDirectoryName copy
            |> Option.ofObj
            |> Option.iter (Directory.CreateDirectory >> ignore)

            // With its time.
            File.Copy(path, copy)

        work folder (requestIn folder)
    finally
        Directory.Delete(folder, true)

let private planned (request: PrepareRequest) : Plans =
    measured request |> ignore
    Preparation.plan request Planner.standard |> Problem.orThrow

let private tryPreprocess (request: PrepareRequest) (name: string) (configurations: string list) =
    Preparation.preprocess request name configurations CancellationToken.None silent still

let private preprocessed (request: PrepareRequest) (configurations: string list) : PreparedFolder list =
    tryPreprocess request "nnUNetPlans" configurations |> Problem.orThrow

let private counts (folders: PreparedFolder list) : (int * int) list =
    folders |> List.map (fun folder -> folder.Made, folder.Kept)

let private target (request: PrepareRequest) : string =
    Store.preprocessedFolder request.Roots dataset.Name

let private message (result: Result<'T, Problem>) : string =
    match result with
    | Ok _ -> failtest "it was not refused"
    | Error problem -> Problem.message problem

let private files (folder: string) : string list =
    Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
    |> Array.map (fun path -> Path.GetRelativePath(folder, path).Replace('\\', '/'))
    |> Array.sortWith (fun left right -> String.CompareOrdinal(left, right))
    |> List.ofArray

// As Python's json.dumps prints it, near enough: other white space and other spellings of numbers.
let private reformatted (json: string) : string =
    json.Replace("\n", "\r\n").Replace("    ", "  ")

[<Tests>]
let tests =
    testList
        "Preparation"
        [
            test "fingerprint, plans, folds, truth and cases are those of their own functions" {
                inFolder (fun _ request ->
                    let fingerprint = measured request

                    let wanted =
                        List.init 5 caseOf
                        |> List.map (Fingerprint.ofCase 5)
                        |> Fingerprint.ofMeasures dataset.Name
                        |> Problem.orThrow

                    Expect.equal fingerprint.Shapes wanted.Shapes "shapes"
                    Expect.equal fingerprint.Intensities wanted.Intensities "intensities"
                    let plans = planned request

                    Expect.equal
                        (Plans.print plans)
                        (Plans.print (Planner.ofFingerprint Planner.standard dataset fingerprint |> Problem.orThrow))
                        "plans"

                    Expect.equal
                        (counts (preprocessed request [ "2d"; "3d_fullres"; "3d_lowres" ]))
                        [ 5, 0; 5, 0 ]
                        "cases"

                    let names = [ for number in 0..4 -> $"rod_%d{number}" ]

                    Expect.equal
                        (files (target request))
                        ([ "dataset.json"; "dataset_fingerprint.json" ]
                         @ [ for name in names -> $"gt_segmentations/%s{name}.nii.gz" ]
                         @ [ "nnUNetPlans.json" ]
                         @ [ for name in names -> $"nnUNetPlans_2d/%s{name}.safetensors" ]
                         @ [ for name in names -> $"nnUNetPlans_3d_fullres/%s{name}.safetensors" ]
                         @ [ "skeleton-recall.json"; "splits_final.json" ])
                        "files, none of which Python's nnU-Net lists as a case"

                    for configuration in [ "2d"; "3d_fullres" ] do
                        let configuration = plans.Configurations[configuration]

                        for number in 0..4 do
                            // As it was read: the file holds its spacing in 32 bits.
                            let case, _ =
                                Store.readTrainingCase
                                    (Store.file request.Roots.Raw dataset.Name)
                                    dataset
                                    (CaseId.ofString $"rod_%d{number}")
                                |> Problem.orThrow

                            let wanted =
                                Preprocess.case plans.Transpose configuration dataset case |> Problem.orThrow

                            let found =
                                Store.file (target request) configuration.DataIdentifier
                                |> fun folder -> Store.labelFile folder PreprocessedStore.ending case.Id
                                |> PreprocessedStore.openCase
                                |> Result.bind PreprocessedStore.load
                                |> Problem.orThrow

                            Expect.equal found.Image wanted.Image "image"
                            Expect.equal (Option.get found.Labels).Data (Option.get wanted.Labels).Data "labels"
                            Expect.equal found.Properties wanted.Properties "properties"
                            Expect.equal found.Locations wanted.Locations "locations"

                    let folds =
                        File.ReadAllText(Store.file (target request) "splits_final.json")
                        |> Splits.parse "splits"
                        |> Problem.orThrow

                    Expect.equal folds (Splits.fiveFold (List.map CaseId.ofString names)) "folds")
            }

            test "a case is complete or absent: a second run makes what is missing, damaged or of a changed file" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 5, 0 ] "all"
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 0, 5 ] "none"
                    let folder = Store.file (target request) "nnUNetPlans_3d_fullres"

                    let path (number: int) =
                        Store.file folder $"rod_%d{number}.safetensors"

                    let whole = File.ReadAllBytes(path 0)
                    File.Delete(path 1)
                    File.WriteAllBytes(path 2, File.ReadAllBytes(path 2)[..1000])
                    let raw = Store.file request.Roots.Raw dataset.Name
                    File.SetLastWriteTimeUtc(Path.Combine(raw, "labelsTr", "rod_3.nii.gz"), DateTime(2020, 1, 1))
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 3, 2 ] "three"
                    Expect.equal (File.ReadAllBytes(path 0)) whole "the others are as they were"

                    Expect.equal
                        (counts (preprocessed { request with Clean = true } [ "3d_fullres" ]))
                        [ 5, 0 ]
                        "all anew"

                    Expect.equal (File.ReadAllBytes(path 0)) whole "and the same")
            }

            test "other plans make other cases" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    preprocessed request [ "3d_fullres" ] |> ignore

                    let coarse =
                        { Planner.standard with
                            TargetSpacing = Some [ 2.0; 1.0; 1.0 ]
                        }

                    // Written here and not changed since, so that it may be replaced.
                    Preparation.plan request coarse |> Problem.orThrow |> ignore
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 5, 0 ] "all")
            }

            test "a cancelled run leaves whole cases, and the next goes on" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    use stop = new CancellationTokenSource()
                    let request = { request with Workers = 1 }

                    Expect.throwsT<OperationCanceledException>
                        (fun () ->
                            Preparation.preprocess
                                request
                                "nnUNetPlans"
                                [ "3d_fullres" ]
                                stop.Token
                                silent
                                (fun _ case ->
                                    if case = "rod_1" then
                                        stop.Cancel())
                            |> ignore)
                        "cancelled"

                    let folder = Store.file (target request) "nnUNetPlans_3d_fullres"
                    let there = files folder
                    Expect.isLessThan there.Length 5 "some"

                    for name in there do
                        Expect.isOk (PreprocessedStore.openCase (Store.file folder name)) "whole"

                    Expect.equal
                        (counts (preprocessed request [ "3d_fullres" ]))
                        [ 5 - there.Length, there.Length ]
                        "the rest")
            }

            test "plans of another program are left alone: the same ones are used, others are refused with the cure" {
                inFolder (fun _ request ->
                    let plans = planned request
                    let path = Store.file (target request) "nnUNetPlans.json"
                    let text = reformatted (File.ReadAllText path)
                    File.WriteAllText(path, text)
                    planned request |> ignore
                    Expect.equal (File.ReadAllText path) text "the same, written otherwise"

                    let own =
                        { plans with
                            Configurations =
                                plans.Configurations
                                |> Map.add
                                    "3d_small"
                                    { plans.Configurations["3d_fullres"] with
                                        BatchSize = 3
                                    }
                        }

                    File.WriteAllText(path, Plans.print own)
                    let kept = planned request

                    Expect.isTrue
                        (kept.Configurations.ContainsKey "3d_small")
                        "a configuration of a user's own is kept"

                    Expect.equal (File.ReadAllText path) (Plans.print own) "untouched"

                    let other =
                        { plans with
                            Configurations =
                                plans.Configurations
                                |> Map.add
                                    "3d_fullres"
                                    { plans.Configurations["3d_fullres"] with
                                        BatchSize = 7
                                    }
                        }

                    File.WriteAllText(path, Plans.print other)

                    Expect.stringContains
                        (message (Preparation.plan request Planner.standard))
                        "another name: -overwrite_plans_name when planning and -p from then on; or another --root"
                        "refused"

                    Expect.equal (File.ReadAllText path) (Plans.print other) "untouched again"

                    // The cure.
                    let named =
                        { Planner.standard with
                            PlansName = Some "ourPlans"
                        }

                    let ours = Preparation.plan request named |> Problem.orThrow
                    Expect.equal ours.Configurations["2d"].DataIdentifier "ourPlans_2d" "its own folder")
            }

            test "plans cannot lead out of the data set's folder" {
                inFolder (fun _ request ->
                    let plans = planned request
                    let path = Store.file (target request) "nnUNetPlans.json"

                    for identifier in [ "../elsewhere"; "/tmp/elsewhere"; "CON"; "a:b"; "" ] do
                        { plans with
                            Configurations =
                                plans.Configurations
                                |> Map.map (fun _ configuration ->
                                    { configuration with
                                        DataIdentifier = identifier
                                    })
                        }
                        |> Plans.print
                        |> fun text -> File.WriteAllText(path, text)

                        Expect.stringContains
                            (message (tryPreprocess request "nnUNetPlans" [ "2d" ]))
                            "wanted a name that every system takes for a file or folder"
                            identifier)
            }

            test "a folder that another program preprocessed is refused with the cure, and stays as it is" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    let folder = Store.file (target request) "nnUNetPlans_3d_fullres"

                    for name in [ "rod_0.npz"; "rod_0.pkl"; "rod_0.b2nd"; "rod_0.npy" ] do
                        Directory.CreateDirectory folder |> ignore
                        File.WriteAllText(Store.file folder name, "theirs")

                        Expect.stringContains
                            (message (tryPreprocess request "nnUNetPlans" [ "3d_fullres" ]))
                            $"got files of another program, such as %s{name}; wanted a folder of its own: plan under another name with -overwrite_plans_name and preprocess with -p, or take another --root"
                            name

                        Expect.equal (files folder) [ name ] "untouched"
                        File.Delete(Store.file folder name))
            }

            test "a fold that another program trained is refused with the cure" {
                inFolder (fun folder _ ->
                    let fold = Path.Combine(folder, "fold_0")
                    Directory.CreateDirectory fold |> ignore
                    let checkpoint = Path.Combine(fold, "checkpoint_final.pth")
                    File.WriteAllText(checkpoint, "theirs")

                    Expect.stringContains
                        (message (RunFolder.occupy fold))
                        "got checkpoint_final.pth, a model of Python's nnU-Net; wanted a folder of its own: plans of another name with -p, or another --root"
                        "refused"

                    Expect.equal (files fold) [ "checkpoint_final.pth" ] "untouched"
                    File.Delete checkpoint
                    use _free = RunFolder.occupy fold |> Problem.orThrow
                    Expect.equal (files fold) [ RunFolder.hold ] "held")
            }

            test "a fingerprint is used again, measured again on demand, and another program's is kept" {
                inFolder (fun _ request ->
                    let first = measured request
                    let path = Store.file (target request) "dataset_fingerprint.json"
                    let written = File.GetLastWriteTimeUtc path
                    Expect.equal (measured request).Shapes first.Shapes "again"
                    Expect.equal (File.GetLastWriteTimeUtc path) written "not written again"

                    let fewer =
                        { first with
                            Spacings = first.Spacings.Tail
                            Shapes = first.Shapes.Tail
                        }

                    File.WriteAllText(path, Fingerprint.print fewer)

                    Expect.stringContains
                        (message (Preparation.fingerprint request CancellationToken.None silent still))
                        "got the measures of 4 cases; wanted those of the data set's 5: measure them again with --clean"
                        "of other cases"

                    Expect.stringContains
                        (message (
                            Preparation.fingerprint { request with Clean = true } CancellationToken.None silent still
                        ))
                        "another --root"
                        "not written over")
            }

            test "what stands in the way of a plan is named with its cure" {
                inFolder (fun _ request ->
                    File.Delete(Store.file (target request) "dataset_fingerprint.json")

                    Expect.stringContains
                        (message (Preparation.plan request Planner.standard))
                        "run fingerprint"
                        "no fingerprint"

                    Expect.stringContains
                        (message (tryPreprocess request "nnUNetPlans" [ "2d" ]))
                        "run plan, or name others than nnUNetPlans with -p"
                        "no plans"

                    Expect.stringContains
                        (message (tryPreprocess request "../nnUNetPlans" [ "2d" ]))
                        "-p: got '../nnUNetPlans'; wanted a name that every system takes for a file or folder"
                        "a path for a name"

                    let raw = Store.file request.Roots.Raw dataset.Name
                    File.Delete(Path.Combine(raw, "imagesTr", "rod_2_0001.nii.gz"))

                    Expect.stringContains
                        (message (Preparation.fingerprint request CancellationToken.None silent still))
                        "rod_2"
                        "a channel is missing")
            }

            test "a data set can be named by number, name or folder" {
                inFolder (fun _ request ->
                    for name in [ "7"; "007"; dataset.Name; Store.file request.Roots.Raw dataset.Name ] do
                        let _, found =
                            Preparation.dataset { request with Dataset = name } |> Problem.orThrow

                        Expect.equal found.Name dataset.Name name)
            }

            test "cases are found for training, and stale ones are refused" {
                inFolder (fun _ request ->
                    let plans = planned request
                    let raw = Store.file request.Roots.Raw dataset.Name
                    let ids = [ for number in [ 3; 1 ] -> CaseId.ofString $"rod_%d{number}" ]

                    let tryCases () =
                        PreparedFolder.tryCases request.Roots raw dataset plans plans.Configurations["3d_fullres"] ids

                    Expect.equal (tryCases ()) (Ok None) "none yet"
                    preprocessed request [ "3d_fullres" ] |> ignore

                    match tryCases () with
                    | Ok(Some found) -> Expect.equal (found |> List.map _.Id) ids "in the order asked for"
                    | other -> failtest $"%A{other}"

                    File.SetLastWriteTimeUtc(Path.Combine(raw, "imagesTr", "rod_1_0000.nii.gz"), DateTime(2020, 1, 1))
                    Expect.stringContains (message (tryCases ())) "run preprocess again" "changed"
                    File.Delete(Path.Combine(target request, "nnUNetPlans_3d_fullres", "rod_3.safetensors"))
                    Expect.stringContains (message (tryCases ())) "run preprocess" "missing")
            }

            test "nothing is open on files while they are replaced" {
                if not (Directory.Exists "/proc/self/fd") then
                    skiptest "there is no /proc here"

                inFolder (fun folder request ->
                    planned request |> ignore
                    preprocessed request [ "3d_fullres" ] |> ignore

                    let path =
                        Path.Combine(target request, "nnUNetPlans_3d_fullres", "rod_0.safetensors")

                    let stored = PreprocessedStore.openCase path |> Problem.orThrow
                    let prepared = PreprocessedStore.prepare stored |> Problem.orThrow
                    prepared.Cut (Extent.space 4 4 4) [ 0; 0; 0 ] |> ignore
                    let held = ResizeArray<string>()

                    // Looked at whenever a case has just been replaced.
                    Preparation.preprocess
                        { request with
                            Clean = true
                            Workers = 1
                        }
                        "nnUNetPlans"
                        [ "3d_fullres" ]
                        CancellationToken.None
                        silent
                        (fun _ _ ->
                            for line in File.ReadAllLines "/proc/self/maps" do
                                if line.Contains(folder, StringComparison.Ordinal) then
                                    held.Add line

                            for link in Directory.GetFiles "/proc/self/fd" do
                                let target =
                                    try
                                        File.ResolveLinkTarget(link, false) |> Option.ofObj
                                    with :? IOException ->
                                        None

                                match target with
                                | Some target when
                                    target.FullName.StartsWith(folder, StringComparison.Ordinal)
                                    && target.FullName.EndsWith(".safetensors", StringComparison.Ordinal)
                                    ->
                                    held.Add target.FullName
                                | _ -> ())
                    |> Problem.orThrow
                    |> ignore

                    Expect.isEmpty held "open or mapped"

                    Expect.throwsT<ProblemException>
                        (fun () -> prepared.Cut (Extent.space 4 4 4) [ 0; 0; 0 ] |> ignore)
                        "replaced")
            }

            test "fewer than five cases have no folds, and a note says so" {
                inFolder (fun _ request ->
                    let raw = Store.file request.Roots.Raw dataset.Name

                    for number in 2..4 do
                        for channel in 0..1 do
                            File.Delete(Path.Combine(raw, "imagesTr", $"rod_%d{number}_%04d{channel}.nii.gz"))

                    Store.writeDataset raw { dataset with TrainingCount = 2 } |> Problem.orThrow
                    Directory.Delete(target request, true)
                    planned request |> ignore
                    let notes = ResizeArray<string>()

                    Preparation.preprocess request "nnUNetPlans" [ "2d" ] CancellationToken.None notes.Add still
                    |> Problem.orThrow
                    |> ignore

                    Expect.contains notes "2 cases are too few for five folds: train fold all" "note"
                    Expect.isFalse (File.Exists(Store.file (target request) "splits_final.json")) "no folds")
            }
        ]
