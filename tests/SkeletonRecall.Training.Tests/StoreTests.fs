module SkeletonRecall.Tests.StoreTests

open System.Globalization
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private messageOf (result: Result<'T, Problem>) : string =
    match result with
    | Ok value -> failtest $"it was accepted: %A{value}"
    | Error problem -> Problem.message problem

let private nowhere (_: string) : string option = None

let private rootsIn (folder: string) : Roots = Store.roots nowhere (Some folder)

/// Three toy cases and one test case in nnU-Net's layout; returns the data set's folder.
let private written (root: string) : string =
    let folder = Path.Combine((rootsIn root).Raw, "Dataset900_Toy")

    for number in 0..3 do
        let case = Toy.vessels 24 number
        Store.writeCase folder (number < 3) case |> Problem.orThrow

    Store.writeDataset folder { Toy.dataset with TrainingCount = 3 }
    |> Problem.orThrow

    folder

let private listed =
    testList
        "files by case"
        [
            test "files that dataset.json lists are found, by relative paths and variables" {
                Toy.inFolder (fun root ->
                    let folder = written root
                    let other = Path.Combine(root, "elsewhere")
                    Directory.CreateDirectory other |> ignore
                    let name = CaseId.value (Toy.vessels 24 0).Id

                    File.Copy(Path.Combine(folder, "imagesTr", name + "_0000.png"), Path.Combine(other, "picture.png"))
                    File.Copy(Path.Combine(folder, "labelsTr", name + ".png"), Path.Combine(other, "mask.png"))
                    System.Environment.SetEnvironmentVariable("SKELETON_RECALL_TEST", other)

                    let dataset =
                        { Toy.dataset with
                            TrainingCount = 1
                            Files =
                                Some
                                    [
                                        {
                                            Case = CaseId.ofString "one"
                                            Images = [ "../../elsewhere/picture.png" ]
                                            Labels = "${SKELETON_RECALL_TEST}/mask.png"
                                        }
                                    ]
                        }

                    Store.writeDataset folder dataset |> Problem.orThrow
                    let dataset = Store.readDataset folder |> Problem.orThrow
                    Expect.equal (Store.trainingIds folder dataset) (Ok [ CaseId.ofString "one" ]) "cases"

                    let case, _ =
                        Store.readTrainingCase folder dataset (CaseId.ofString "one") |> Problem.orThrow

                    Expect.equal case.Image.Data (Toy.vessels 24 0).Image.Data "image"

                    File.Delete(Path.Combine(other, "picture.png"))

                    let message = messageOf (Store.trainingIds folder dataset)
                    Expect.stringContains message "picture.png" "file"
                    Expect.stringContains message "the case one" "case")
            }

            test "names that differ in capitals alone are a problem" {
                Toy.inFolder (fun root ->
                    let folder = written root
                    let images = Path.Combine(folder, "imagesTr")
                    let name = CaseId.value (Toy.vessels 24 0).Id + "_0000.png"
                    File.Copy(Path.Combine(images, name), Path.Combine(images, "VESSELS_000_0000.png"), true)

                    if Directory.GetFiles(images).Length < 4 then
                        skiptest "file names here do not tell capitals"

                    Expect.stringContains (messageOf (Store.listImages images ".png")) "capitals" "message")
            }

            test "a reader that reorients turns image and labels, and predictions back" {
                Toy.inFolder (fun root ->
                    let folder = Path.Combine((rootsIn root).Raw, "Dataset900_Toy")
                    let rod = Toy.rod 4 9 7

                    let geometry =
                        Geometry.create [ 5.0; 6.0; 7.0 ] [ 0.0; 1.0; 0.0; 1.0; 0.0; 0.0; 0.0; 0.0; 1.0 ]

                    let image = { rod.Image with Geometry = geometry }

                    Store.writeCase folder true { rod with Image = image } |> Problem.orThrow

                    let dataset =
                        { Dataset.create
                              "Dataset900_Toy"
                              [ "a"; "b" ]
                              [ "background", 0; "rod", 1; "ball", 2 ]
                              ".nii.gz"
                              1 with
                            ImageReader = Some "NibabelIOWithReorient"
                        }

                    let case, _ = Store.readTrainingCase folder dataset rod.Id |> Problem.orThrow
                    Expect.equal case.Image.Extent (Extent.space 4 7 9) "turned"
                    Expect.equal case.Image.Data (Orientation.toRas image).Data "image"

                    let paths =
                        [
                            for channel in 0..1 -> Path.Combine(folder, "imagesTr", $"rod_%04d{channel}.nii.gz")
                        ]

                    let _, place = Store.readImageInPlace dataset paths |> Problem.orThrow
                    let path = Path.Combine(root, "rod.nii.gz")
                    Store.writePrediction dataset place path case.Labels.Value |> Problem.orThrow
                    let back, where, _ = Reader.maskInPlace path |> Problem.orThrow
                    Expect.equal back.Data rod.Labels.Value.Data "labels as they were"
                    Expect.isTrue (Geometry.near 1e-4 where geometry) "place as it was")
            }
        ]

let private folders =
    testList
        "folders"
        [
            test "variables, one root, or the default" {
                let environment (name: string) =
                    if name = "nnUNet_raw" then Some "/data/raw" else None

                let path (parts: string list) = Path.Combine(Array.ofList parts)

                Expect.equal
                    (Store.roots environment None)
                    {
                        Raw = "/data/raw"
                        Preprocessed = path [ "."; "skeleton-recall"; "preprocessed" ]
                        Results = path [ "."; "skeleton-recall"; "results" ]
                    }
                    "variable and default"

                Expect.equal
                    (Store.roots environment (Some "here"))
                    {
                        Raw = path [ "here"; "raw" ]
                        Preprocessed = path [ "here"; "preprocessed" ]
                        Results = path [ "here"; "results" ]
                    }
                    "root"
            }

            test "a fold's folder is nnU-Net's" {
                let folder =
                    Store.foldFolder (rootsIn "r") "Dataset001_A" "Trainer" "Plans" "2d" "all"

                Expect.equal
                    folder
                    (Path.Combine("r", "results", "Dataset001_A", "Trainer__Plans__2d", "fold_all"))
                    "folder"
            }

            test "a data set is found by number and by name" {
                Toy.inFolder (fun root ->
                    let roots = rootsIn root
                    let folder = written root

                    for name in [ "900"; "0900"; "Dataset900_Toy" ] do
                        Expect.equal (Store.datasetFolder roots name) (Ok folder) name

                    for name in [ "901"; "Dataset901_Toy"; "../raw"; "" ] do
                        messageOf (Store.datasetFolder roots name) |> ignore

                    Expect.stringContains (messageOf (Store.datasetFolder roots "901")) "Dataset901_" "message"

                    Directory.CreateDirectory(Path.Combine(roots.Results, "Dataset900_Other"))
                    |> ignore

                    Expect.stringContains (messageOf (Store.datasetFolder roots "900")) "Dataset900_Other" "two names"
                    Expect.equal (Store.name (folder + string Path.DirectorySeparatorChar)) "Dataset900_Toy" "name")
            }
        ]

let private cases =
    testList
        "cases"
        [
            test "what is written is read" {
                Toy.inFolder (fun root ->
                    let folder = written root
                    let dataset = Store.readDataset folder |> Problem.orThrow
                    let ids = Store.trainingIds folder dataset |> Problem.orThrow
                    Expect.equal (List.map CaseId.value ids) [ "vessels_000"; "vessels_001"; "vessels_002" ] "ids"

                    for number, id in List.indexed ids do
                        let case, note = Store.readTrainingCase folder dataset id |> Problem.orThrow
                        let made = Toy.vessels 24 number
                        Expect.equal case.Image made.Image "image"
                        Expect.equal case.Labels.Value.Data made.Labels.Value.Data "labels"
                        Expect.isNone note "no note"

                    let tests =
                        Store.listImages (Path.Combine(folder, "imagesTs")) ".png" |> Problem.orThrow

                    Expect.equal (List.map (fst >> CaseId.value) tests) [ "vessels_003" ] "test images")
            }

            test "other files are left alone, and several channels are in order" {
                Toy.inFolder (fun folder ->
                    for name in
                        [
                            "b_0001.png"
                            "b_0000.png"
                            "a_0000.png"
                            "a_0001.png"
                            "Thumbs.db"
                            "x.json"
                        ] do
                        File.WriteAllText(Path.Combine(folder, name), "")

                    let found = Store.listImages folder ".png" |> Problem.orThrow

                    let expected =
                        [ "a", [ "a_0000.png"; "a_0001.png" ]; "b", [ "b_0000.png"; "b_0001.png" ] ]
                        |> List.map (fun (id, files) ->
                            CaseId.ofString id, files |> List.map (fun file -> Path.Combine(folder, file)))

                    Expect.equal found expected "cases")
            }

            test "JPEG images go with PNG label maps" {
                Toy.inFolder (fun folder ->
                    let images = Path.Combine(folder, "imagesTr")
                    Directory.CreateDirectory images |> ignore
                    File.Copy(Golden.file "jpeg/rgb.jpg", Path.Combine(images, "a_0000.jpg"))

                    let labels = Volume.create (Extent.plane 24 40) (Array.zeroCreate<int16> 960)

                    Reader.writeLabels (Path.Combine(folder, "labelsTr", "a.png")) labels
                    |> Problem.orThrow

                    let dataset =
                        { Toy.dataset with
                            FileEnding = ".jpg"
                            TrainingCount = 1
                            ChannelNames = [ "red"; "green"; "blue" ]
                        }

                    let ids = Store.trainingIds folder dataset |> Problem.orThrow
                    let case, _ = Store.readTrainingCase folder dataset ids.Head |> Problem.orThrow
                    Expect.equal case.Image.Channels 3 "channels")
            }
        ]

let private splits =
    testList
        "splits"
        [
            test "the five folds are written once and then read" {
                Toy.inFolder (fun root ->
                    let roots = rootsIn root
                    let cases = List.init 6 (fun number -> CaseId.ofString $"case_%d{number}")
                    let folds = Store.splits roots Toy.dataset cases
                    Expect.equal folds (Ok(Splits.fiveFold cases)) "made"

                    let path =
                        Path.Combine(Store.preprocessedFolder roots Toy.dataset.Name, "splits_final.json")

                    let own = [ Splits.all cases ]
                    File.WriteAllText(path, Splits.print own)
                    Expect.equal (Store.splits roots Toy.dataset cases) (Ok own) "read"
                    let message = messageOf (Store.splits roots Toy.dataset cases.Tail)
                    Expect.stringContains message path "file"
                    Expect.stringContains message "case_0" "case")
            }

            test "fewer than five cases are a problem with the cure" {
                Toy.inFolder (fun root ->
                    let cases = List.init 4 (fun number -> CaseId.ofString $"case_%d{number}")
                    let message = messageOf (Store.splits (rootsIn root) Toy.dataset cases)
                    Expect.stringContains message "fold all" "cure")
            }
        ]

let private problems =
    testList
        "problems"
        [
            test "each names the path and what was wanted" {
                Toy.inFolder (fun root ->
                    let folder = written root
                    let dataset = Store.readDataset folder |> Problem.orThrow

                    let file (parts: string list) =
                        Path.Combine(Array.ofList (folder :: parts))

                    let id = CaseId.ofString "vessels_001"
                    let labels = file [ "labelsTr"; "vessels_001.png" ]
                    let image = file [ "imagesTr"; "vessels_001_0000.png" ]

                    let ids () =
                        messageOf (Store.trainingIds folder dataset)

                    let case (dataset: Dataset) =
                        messageOf (Store.readTrainingCase folder dataset id)

                    let mentions (parts: string list) (message: string) =
                        Expect.isFalse (message.Contains '\n') "one line"

                        for part in parts do
                            Expect.stringContains message part "message"

                    mentions
                        [ image; "1 channels"; "3"; "a, b, c" ]
                        (case
                            { dataset with
                                ChannelNames = [ "a"; "b"; "c" ]
                            })

                    Toy.vessels 20 1
                    |> fun small -> Reader.writeLabels labels small.Labels.Value |> Problem.orThrow

                    mentions [ labels; "20 x 20"; "24 x 24"; image ] (case dataset)
                    File.Delete labels
                    mentions [ labels; "vessels_001" ] (ids ())
                    mentions [ labels ] (case dataset)
                    File.Delete image
                    mentions [ file [ "dataset.json" ]; "numTraining"; "3"; "2" ] (ids ())
                    mentions [ image ] (case dataset)
                    File.WriteAllText(file [ "imagesTr"; "loose.png" ], "")
                    mentions [ "loose.png"; "loose_0000.png" ] (ids ())
                    File.Delete(file [ "imagesTr"; "loose.png" ])
                    File.WriteAllText(file [ "imagesTr"; "gap_0001.png" ], "")
                    mentions [ file [ "imagesTr"; "gap_0000.png" ]; "channel 0" ] (ids ())
                    Directory.Delete(file [ "imagesTr" ], true)
                    mentions [ file [ "imagesTr" ]; "not found" ] (ids ())
                    Directory.CreateDirectory(file [ "imagesTr" ]) |> ignore
                    mentions [ file [ "imagesTr" ]; "images are wanted" ] (ids ())
                    File.Delete(file [ "dataset.json" ])
                    mentions [ file [ "dataset.json" ]; "channels and labels" ] (messageOf (Store.readDataset folder))

                    Store.writeDataset folder { dataset with FileEnding = ".dcm" }
                    |> Problem.orThrow

                    mentions [ ".dcm"; ".png"; ".nii.gz" ] (messageOf (Store.readDataset folder)))
            }
        ]

[<Tests>]
let tests = testList "Store" [ folders; cases; listed; splits; problems ]

[<Tests>]
let culture =
    testList
        "Store under a decimal comma"
        [
            test "names, numbers and messages are the same" {
                let kept = CultureInfo.CurrentCulture
                let comma = CultureInfo.InvariantCulture.Clone() :?> CultureInfo
                comma.NumberFormat.NumberDecimalSeparator <- ","
                comma.NumberFormat.NumberGroupSeparator <- "."
                comma.NumberFormat.NegativeSign <- "~"

                let before =
                    Dataset.print Toy.dataset, Splits.print [ Splits.all [ CaseId.ofString "a" ] ]

                try
                    Thread.CurrentThread.CurrentCulture <- comma
                    Toy.inFolder (fun root -> written root |> Store.readDataset |> Problem.orThrow |> ignore)
                    Expect.equal (string (Spacing.ofList [ 0.5; 1.0 ])) "0.5 x 1 mm" "spacing"

                    let after =
                        Dataset.print Toy.dataset, Splits.print [ Splits.all [ CaseId.ofString "a" ] ]

                    Expect.equal after before "JSON"

                    match
                        Npy.toLabels
                            {
                                Shape = [ 1; 1 ]
                                Values = Float64s [| 0.5 |]
                            }
                    with
                    | Error reason -> Expect.stringContains reason "0.5" "message"
                    | Ok _ -> failtest "it was accepted"
                finally
                    Thread.CurrentThread.CurrentCulture <- kept
            }
        ]
