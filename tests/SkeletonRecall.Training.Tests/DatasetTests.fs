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
                    { Dataset.create
                          "Dataset007_Roads"
                          [ "T1"; "T2" ]
                          [ "background", 0; "road", 1; "rail", 2 ]
                          ".png"
                          3 with
                        Ignore = Some 3
                    }

                let text = json "{\"rail\": 2, \"background\": 0, \"ignore\": 3, \"road\": 1}"

                Expect.equal (Dataset.parse path text) (Ok expected) "read"
                Expect.equal (Dataset.classes expected, Dataset.outputs expected) (3, 3) "classes, outputs of a network"
                Expect.equal (Dataset.entries expected) 4 "entries, ignore among them"
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

                mentions
                    [ "regions_class_order"; "missing"; "2 regions" ]
                    (json "{\"background\": 0, \"a\": 1, \"b\": [1, 2]}")

                mentions [ "labels.b"; "empty" ] (json "{\"background\": 0, \"a\": 1, \"b\": []}")
                mentions [ "labels.b" ] (json "{\"background\": 0, \"a\": 1, \"b\": [2, \"x\"]}")
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
                mentions [ "\"dataset\""; "object" ] (good.Replace("licence", "dataset"))
                mentions [ "JSON"; "line 1" ] "{"
                mentions [ "JSON" ] ""
                mentions [ "object" ] "[]"
            }

            test "regions are read, with what is painted for each, and written again" {
                let text (labels: string) (order: string) : string =
                    (json labels).Replace("\"licence\": \"any\"", $"\"regions_class_order\": %s{order}")

                let labels =
                    "{\"background\": 0, \"whole\": [1, 2, 3], \"core\": [3, 2], \"tip\": 3, \"ignore\": 4}"

                match Dataset.parse path (text labels "[1, 2, 3]") with
                | Error problem -> failtest (Problem.message problem)
                | Ok dataset ->
                    let region (name: string) (labels: int list) (paint: int) : Region =
                        {
                            Name = name
                            Labels = labels
                            Paint = paint
                        }

                    Expect.equal
                        dataset.Regions
                        [ region "whole" [ 1; 2; 3 ] 1; region "core" [ 2; 3 ] 2; region "tip" [ 3 ] 3 ]
                        "regions, in the file's order"

                    Expect.equal
                        dataset.Labels
                        [ "background", 0; "label 1", 1; "label 2", 2; "tip", 3 ]
                        "the labels in them"

                    Expect.equal dataset.Ignore (Some 4) "ignore"
                    Expect.equal (Dataset.classes dataset, Dataset.outputs dataset) (4, 3) "labels, outputs"
                    Expect.equal (Dataset.entries dataset) 5 "entries"
                    Expect.equal (Dataset.parse path (Dataset.print dataset)) (Ok dataset) "written and read"

                mentions [ "regions_class_order"; "3 entries"; "it has 2" ] (text labels "[1, 2]")
                mentions [ "regions_class_order"; "7"; "no label" ] (text labels "[1, 2, 7]")
                mentions [ "regions_class_order"; "list" ] (text labels "\"1\"")
                mentions [ "labels"; "0, 1, 3" ] (text "{\"background\": 0, \"a\": [1, 3]}" "[1]")
                mentions [ "labels.ignore"; "3" ] (text "{\"background\": 0, \"a\": [1, 2], \"ignore\": [3, 4]}" "[1]")
            }

            test "files that are listed case by case are read and written again" {
                let text (cases: string) =
                    (json "{\"background\": 0, \"a\": 1}").Replace("\"licence\": \"any\"", $"\"dataset\": %s{cases}")

                let good =
                    "{\"b\": {\"images\": [\"x/b0.png\", \"x/b1.png\"], \"label\": \"$HOME/b.png\"}, \"a\": {\"images\": [\"a.png\"], \"label\": \"/a.png\"}}"

                match Dataset.parse path (text good) with
                | Error problem -> failtest (Problem.message problem)
                | Ok dataset ->
                    let files (case: string) (images: string list) (labels: string) : CaseFiles =
                        {
                            Case = CaseId.ofString case
                            Images = images
                            Labels = labels
                        }

                    Expect.equal
                        dataset.Files
                        (Some
                            [
                                files "b" [ "x/b0.png"; "x/b1.png" ] "$HOME/b.png"
                                files "a" [ "a.png" ] "/a.png"
                            ])
                        "files"

                    Expect.equal (Dataset.parse path (Dataset.print dataset)) (Ok dataset) "written and read"

                mentions [ "dataset.b"; "label"; "missing" ] (text "{\"b\": {\"images\": [\"a.png\"]}}")
                mentions [ "dataset.b.images"; "list" ] (text "{\"b\": {\"images\": \"a.png\", \"label\": \"b\"}}")
                mentions [ "dataset.b.label"; "text" ] (text "{\"b\": {\"images\": [\"a.png\"], \"label\": 7}}")
                mentions [ "dataset.b"; "object" ] (text "{\"b\": 7}")
                mentions [ "dataset.a/b"; "rename" ] (text "{\"a/b\": {\"images\": [\"a.png\"], \"label\": \"b\"}}")

                mentions
                    [ "case b"; "2 times" ]
                    (text
                        "{\"b\": {\"images\": [\"a\"], \"label\": \"b\"}, \"b\": {\"images\": [\"c\"], \"label\": \"d\"}}")
            }

            test "the reader is nnU-Net's, by name" {
                let text (value: string) =
                    (json "{\"background\": 0, \"a\": 1}")
                        .Replace("\"licence\": \"any\"", $"\"overwrite_image_reader_writer\": %s{value}")

                let reader (value: string) =
                    Dataset.parse path (text value)
                    |> Result.map (fun dataset -> dataset.ImageReader, Dataset.isReoriented dataset)

                Expect.equal (reader "\"SimpleITKIO\"") (Ok(Some "SimpleITKIO", false)) "SimpleITK"
                Expect.equal (reader "\"NibabelIOWithReorient\"") (Ok(Some "NibabelIOWithReorient", true)) "turned"
                Expect.equal (reader "\"None\"") (Ok(None, false)) "none"
                Expect.equal (reader "null") (Ok(None, false)) "null"
                mentions [ "overwrite_image_reader_writer"; "MyIO"; "SimpleITKIO" ] (text "\"MyIO\"")
                mentions [ "overwrite_image_reader_writer"; "text" ] (text "7")
            }

            test "2000 mutations end in a data set or in one line that names the file" {
                let good =
                    (json "{\"background\": 0, \"a\": [1, 2], \"b\": 2, \"ignore\": 3}")
                        .Replace(
                            "\"licence\": \"any\"",
                            "\"regions_class_order\": [1, 2], \"overwrite_image_reader_writer\": \"SimpleITKIO\", \"dataset\": {\"c\": {\"images\": [\"c.png\"], \"label\": \"d.png\"}}"
                        )

                Expect.isOk (Dataset.parse path good) "the good file"
                let random = System.Random 11

                let values =
                    [
                        "null"
                        "true"
                        "7"
                        "-1"
                        "1e99"
                        "0.5"
                        "[]"
                        "{}"
                        "[[1]]"
                        "{\"a\": 1}"
                        "\"\""
                        "\"\\ud800\""
                        "99999999999999999999"
                    ]

                // A value in the place of another, or a few characters changed.
                let mutate () : string =
                    if random.Next 2 = 0 then
                        let places =
                            System.Text.RegularExpressions.Regex.Matches(
                                good,
                                "(?<=: )(\"[^\"]*\"|[0-9]+|\\[[^\\]]*\\]|\\{[^{}]*\\})|(?<=\\[|, )[0-9]"
                            )

                        let place = places[random.Next places.Count]
                        good.Remove(place.Index, place.Length).Insert(place.Index, values[random.Next values.Length])
                    else
                        let letters = good.ToCharArray()

                        for _ in 0 .. random.Next 4 do
                            letters[random.Next letters.Length] <- "{}[]\":,0x\\u"[random.Next 11]

                        System.String letters

                let mutable refused = 0

                for _ in 1..2000 do
                    match Dataset.parse path (mutate ()) with
                    | Ok _ -> ()
                    | Error problem ->
                        refused <- refused + 1
                        let message = Problem.message problem
                        Expect.stringStarts message path "the file"
                        Expect.isFalse (message.Contains '\n') message

                Expect.isGreaterThan refused 1000 "refused"
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
