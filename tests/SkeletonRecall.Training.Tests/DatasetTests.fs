module SkeletonRecall.Tests.DatasetTests

open System.IO
open Expecto
open SkeletonRecall.Training

let private path = "/data/Dataset007_Roads/dataset.json"

let private json (labels: string) : string =
    $"{{\"channel_names\": {{\"1\": \"T2\", \"0\": \"T1\"}}, \"labels\": %s{labels}, \"numTraining\": 3, \"file_ending\": \".png\", \"licence\": \"any\"}}"

let private reason (text: string) : string =
    match Dataset.parse path text with
    | Error problem -> Problem.message problem
    | Ok dataset -> failtest $"%A{dataset}"

let private mentions (parts: string list) (text: string) : unit =
    let message = reason text
    Expect.isFalse (message.Contains '\n') "one line"
    Expect.stringStarts message path "the file"

    for part in parts do
        Expect.stringContains message part text

[<Tests>]
let tests =
    testList
        "Dataset"
        [
            test "a dataset.json is read" {
                let expected =
                    {
                        Name = "Dataset007_Roads"
                        ChannelNames = [ "T1"; "T2" ]
                        Labels = [ "background", 0; "road", 1; "rail", 2 ]
                        Ignore = Some 3
                        FileEnding = ".png"
                        TrainingCount = 3
                    }

                let text = json "{\"rail\": 2, \"background\": 0, \"ignore\": 3, \"road\": 1}"

                Expect.equal (Dataset.parse path text) (Ok expected) "read"
                Expect.equal (Dataset.classes expected) 3 "outputs of a network"
                Expect.equal (Dataset.parse path (Dataset.print expected)) (Ok expected) "written and read"
            }

            test "the legacy key and lists of one label are taken" {
                let text =
                    (json "{\"background\": 0, \"road\": [1]}").Replace("channel_names", "modality")

                match Dataset.parse path text with
                | Ok dataset -> Expect.equal dataset.Labels [ "background", 0; "road", 1 ] "labels"
                | Error problem -> failtest (Problem.message problem)
            }

            test "the name is the folder's, or the file's where the folder is another" {
                let text =
                    (json "{\"background\": 0, \"a\": 1}").Replace("\"licence\": \"any\"", "\"name\": \"Roads\"")

                let nameAt (path: string) =
                    Dataset.parse path text |> Result.map (fun dataset -> dataset.Name)

                Expect.equal (nameAt path) (Ok "Dataset007_Roads") "folder"
                Expect.equal (nameAt "/results/Trainer__Plans__2d/dataset.json") (Ok "Roads") "file"
            }

            test "messages name the file and the key" {
                let good = json "{\"background\": 0, \"a\": 1}"

                for key in [ "labels"; "channel_names"; "numTraining"; "file_ending" ] do
                    mentions [ key; "missing" ] (good.Replace($"\"%s{key}\"", "\"other\""))

                mentions [ "labels.b"; "region" ] (json "{\"background\": 0, \"a\": 1, \"b\": [1, 2]}")
                mentions [ "labels.0"; "name: number" ] (json "{\"0\": \"background\"}")
                mentions [ "labels.a" ] (json "{\"background\": 0, \"a\": 1.5}")
                mentions [ "background" ] (json "{\"nothing\": 0, \"a\": 1}")
                mentions [ "background" ] (json "{\"background\": 1, \"a\": 0}")
                mentions [ "labels"; "0, 2" ] (json "{\"background\": 0, \"a\": 2}")
                mentions [ "labels"; "0, 1, 1" ] (json "{\"background\": 0, \"a\": 1, \"b\": 1}")
                mentions [ "labels"; "background" ] (json "{\"background\": 0}")
                mentions [ "labels.ignore"; "2"; "5" ] (json "{\"background\": 0, \"a\": 1, \"ignore\": 5}")
                mentions [ "labels" ] (json "[0, 1]")
                mentions [ "numTraining" ] (good.Replace(": 3", ": \"3\""))
                mentions [ "numTraining" ] (good.Replace(": 3", ": -3"))
                mentions [ "file_ending"; "png" ] (good.Replace(".png", "png"))
                mentions [ "channel_names"; "0, 2" ] (good.Replace("\"1\": \"T2\"", "\"2\": \"T2\""))
                mentions [ "channel_names.1" ] (good.Replace("\"T2\"", "7"))
                mentions [ "channel_names" ] (good.Replace("\"1\": \"T2\", \"0\": \"T1\"", ""))
                mentions [ "\"dataset\"" ] (good.Replace("licence", "dataset"))
                mentions [ "JSON"; "line 1" ] "{"
                mentions [ "JSON" ] ""
                mentions [ "object" ] "[]"
            }

            test "real files are read, or refused by name" {
                let folder = Golden.sharedPath [ "data"; "nnunet-json" ]
                let files = Directory.GetFiles(folder, "dataset*.json", SearchOption.AllDirectories)

                let files = files |> Array.filter (fun file -> not (file.Contains "fingerprint"))

                Expect.isNonEmpty files "files"

                let read =
                    files
                    |> Array.filter (fun file ->
                        match Dataset.parse file (File.ReadAllText file) with
                        | Ok dataset -> Dataset.classes dataset > 1
                        | Error problem ->
                            let message = Problem.message problem

                            let isKnown =
                                [ "region"; "missing"; "name: number"; "\"dataset\""; "0, 1, 2 and so on" ]
                                |> List.exists message.Contains

                            Expect.isTrue isKnown message
                            false)

                Expect.isGreaterThan read.Length (files.Length / 2) $"%d{read.Length} of %d{files.Length} are read"
            }
        ]
