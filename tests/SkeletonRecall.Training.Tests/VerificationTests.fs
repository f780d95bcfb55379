module SkeletonRecall.Tests.VerificationTests

open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private at (parts: string list) : string = Path.Combine(Array.ofList parts)

let private verified (folder: string) : Verified =
    Verification.run 2 CancellationToken.None (fun _ _ -> ()) folder
    |> Problem.orThrow

/// Volumes of two channels in NIfTI; returns the folder.
let private volumes (root: string) : string =
    let folder = at [ root; "Dataset901_Rods" ]

    for name in [ "a"; "b"; "c" ] do
        let rod = Toy.rod 3 8 7

        let place =
            Geometry.create [ 1.0; 2.0; 3.0 ] [ 1.0; 0.0; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 1.0 ]

        Store.writeCase
            folder
            true
            { rod with
                Id = CaseId.ofString name
                Image =
                    { rod.Image with
                        Geometry = place
                        Spacing = Spacing.ofList [ 2.0; 1.0; 0.5 ]
                    }
                Labels = rod.Labels |> Option.map (Volume.withSpacing (Spacing.ofList [ 2.0; 1.0; 0.5 ]))
            }
        |> Problem.orThrow

    Dataset.create "Dataset901_Rods" [ "T1"; "T2" ] [ "background", 0; "rod", 1; "ball", 2 ] ".nii.gz" 3
    |> Store.writeDataset folder
    |> Problem.orThrow

    folder

let private only (verified: Verified) : Finding =
    match verified.Findings with
    | [ finding ] -> finding
    | findings -> failtest $"one finding is wanted; got %A{findings}"

let private mentions (gravity: Gravity) (case: string option) (parts: string list) (finding: Finding) : unit =
    Expect.equal finding.Gravity gravity finding.Message
    Expect.equal (finding.Case |> Option.map CaseId.value) case finding.Message
    Expect.isFalse (finding.Message.Contains '\n') "one line"

    for part in parts do
        Expect.stringContains finding.Message part "message"

let private write (folder: string) (name: string) (change: Image -> Image) : unit =
    let path = at [ folder; "imagesTr"; name ]
    let image = Reader.image [ path ] |> Problem.orThrow
    Reader.writeImage path (change image) |> Problem.orThrow

/// After a change of the good data set there is one finding.
let private finds
    (name: string)
    (gravity: Gravity)
    (case: string option)
    (parts: string list)
    (spoil: string -> unit)
    : Test =
    test name {
        Toy.inFolder (fun root ->
            let folder = volumes root
            spoil folder
            let verified = verified folder
            only verified |> mentions gravity case parts
            Expect.equal (Verification.passed verified) (gravity = Gravity.Doubtful) "passed")
    }

[<Tests>]
let tests =
    testList
        "Verification"
        [
            test "a good data set has no findings, planes too" {
                Toy.inFolder (fun root ->
                    let verified' = verified (volumes root)
                    Expect.isEmpty verified'.Findings "volumes"
                    Expect.equal verified'.Cases 3 "cases"
                    Expect.isTrue (Verification.passed verified') "passed"

                    let folder = at [ root; "Dataset900_Toy" ]

                    for number in 0..2 do
                        Store.writeCase folder true (Toy.vessels 24 number) |> Problem.orThrow

                    Store.writeDataset folder { Toy.dataset with TrainingCount = 3 }
                    |> Problem.orThrow

                    Expect.isEmpty (verified folder).Findings "planes")
            }

            finds
                "another number of cases"
                Gravity.Wrong
                None
                [ "dataset.json"; "numTraining"; "7"; "3" ]
                (fun folder ->
                    let path = at [ folder; "dataset.json" ]
                    File.WriteAllText(path, File.ReadAllText(path).Replace("\"numTraining\": 3", "\"numTraining\": 7")))

            finds "a missing channel" Gravity.Wrong (Some "b") [ "b_0001.nii.gz"; "T2"; "not found" ] (fun folder ->
                File.Delete(at [ folder; "imagesTr"; "b_0001.nii.gz" ]))

            finds "a missing first channel" Gravity.Wrong None [ "b_0000.nii.gz"; "channel 0"; "case b" ] (fun folder ->
                File.Delete(at [ folder; "imagesTr"; "b_0000.nii.gz" ]))

            finds "a channel too many" Gravity.Wrong (Some "a") [ "a_0000"; "3 channels"; "T1, T2" ] (fun folder ->
                File.Copy(at [ folder; "imagesTr"; "a_0001.nii.gz" ], at [ folder; "imagesTr"; "a_0002.nii.gz" ]))

            finds "a missing label map" Gravity.Wrong (Some "c") [ "labelsTr"; "c.nii.gz"; "not found" ] (fun folder ->
                File.Delete(at [ folder; "labelsTr"; "c.nii.gz" ]))

            finds "a file without a channel number" Gravity.Wrong None [ "d.nii.gz"; "d_0000.nii.gz" ] (fun folder ->
                File.Copy(at [ folder; "imagesTr"; "a_0001.nii.gz" ], at [ folder; "imagesTr"; "d.nii.gz" ]))

            finds
                "channels of different size"
                Gravity.Wrong
                (Some "a")
                [ "a_0001"; "7 x 8 x 2"; "7 x 8 x 3" ]
                (fun folder ->
                    write folder "a_0001.nii.gz" (fun image ->
                        { image with
                            Extent = Extent.space 2 8 7
                            Data = Array.truncate (2 * 8 * 7) image.Data
                        }))

            finds
                "channels of different spacing"
                Gravity.Wrong
                (Some "a")
                [ "a_0001"; "2 x 1 x 0.7"; "resample" ]
                (fun folder ->
                    write folder "a_0001.nii.gz" (fun image ->
                        { image with
                            Spacing = Spacing.ofList [ 2.0; 1.0; 0.75 ]
                        }))

            finds
                "channels in different places"
                Gravity.Doubtful
                (Some "a")
                [ "a_0001"; "another place" ]
                (fun folder ->
                    write folder "a_0001.nii.gz" (fun image ->
                        { image with
                            Geometry = Geometry.create [ 9.0; 2.0; 3.0 ] image.Geometry.Direction
                        }))

            finds
                "a label map of another size"
                Gravity.Wrong
                (Some "b")
                [ "labelsTr"; "8 x 8 x 3"; "7 x 8 x 3" ]
                (fun folder ->
                    let path = at [ folder; "labelsTr"; "b.nii.gz" ]
                    let labels, place, _ = Reader.maskInPlace path |> Problem.orThrow

                    Volume.create (Extent.space 3 8 8) (Array.append labels.Data (Array.zeroCreate 24))
                    |> Volume.withSpacing labels.Spacing
                    |> Reader.writeLabelsInPlace place path
                    |> Problem.orThrow)

            finds
                "a label map of another spacing"
                Gravity.Wrong
                (Some "b")
                [ "labelsTr"; "1 x 1 x 1"; "2 x 1 x 0.5" ]
                (fun folder ->
                    let path = at [ folder; "labelsTr"; "b.nii.gz" ]
                    let labels, place, _ = Reader.maskInPlace path |> Problem.orThrow

                    Volume.withSpacing (Spacing.unit 3) labels
                    |> Reader.writeLabelsInPlace place path
                    |> Problem.orThrow)

            finds
                "a label map in another place"
                Gravity.Doubtful
                (Some "b")
                [ "labelsTr"; "another place" ]
                (fun folder ->
                    let path = at [ folder; "labelsTr"; "b.nii.gz" ]
                    let labels, _, _ = Reader.maskInPlace path |> Problem.orThrow
                    Reader.writeLabels path labels |> Problem.orThrow)

            finds
                "labels that dataset.json does not know"
                Gravity.Wrong
                (Some "c")
                [ "labelsTr"; "5"; "rod = 1" ]
                (fun folder ->
                    let path = at [ folder; "labelsTr"; "c.nii.gz" ]
                    let labels, place, _ = Reader.maskInPlace path |> Problem.orThrow
                    labels.Data[0] <- 5s
                    Reader.writeLabelsInPlace place path labels |> Problem.orThrow)

            finds
                "values that are not finite"
                Gravity.Wrong
                (Some "a")
                [ "a_0000"; "1 of its values"; "NaN" ]
                (fun folder ->
                    write folder "a_0000.nii.gz" (fun image ->
                        image.Data[3] <- nanf
                        image))

            finds
                "a truncated file"
                Gravity.Wrong
                (Some "c")
                [ "c_0001.nii.gz"; "cannot be read"; "download it again" ]
                (fun folder ->
                    let path = at [ folder; "imagesTr"; "c_0001.nii.gz" ]
                    let bytes = File.ReadAllBytes path
                    File.WriteAllBytes(path, Array.truncate (bytes.Length / 2) bytes))

            finds "a label that never occurs" Gravity.Doubtful None [ "ring = 3"; "no label map" ] (fun folder ->
                Dataset.create
                    "Dataset901_Rods"
                    [ "T1"; "T2" ]
                    [ "background", 0; "rod", 1; "ball", 2; "ring", 3 ]
                    ".nii.gz"
                    3
                |> Store.writeDataset folder
                |> Problem.orThrow)

            test "masks of 0 and 255 are doubtful, once for all, since nnU-Net refuses them" {
                Toy.inFolder (fun root ->
                    let folder = at [ root; "Dataset900_Toy" ]

                    for number in 0..2 do
                        let case = Toy.vessels 24 number

                        let white =
                            case.Labels
                            |> Option.map (Volume.map (fun label -> if label > 0s then 255s else 0s))

                        Store.writeCase folder true { case with Labels = white } |> Problem.orThrow

                    Store.writeDataset folder { Toy.dataset with TrainingCount = 3 }
                    |> Problem.orThrow

                    only (verified folder)
                    |> mentions Gravity.Doubtful None [ "255"; "3 label maps"; "convert" ])
            }

            test "volumes of one thick slice are volumes, and pass" {
                Toy.inFolder (fun root ->
                    let folder = at [ root; "Dataset902_Slices" ]
                    let spacing = Spacing.ofList [ 8.0; 0.4; 0.4 ]

                    for name in [ "a"; "b" ] do
                        let plane = Toy.vessels 24 1
                        let extent = Extent.space 1 24 24

                        let image =
                            { Image.create 1 extent plane.Image.Data with
                                Spacing = spacing
                            }

                        let labels =
                            Volume.create extent plane.Labels.Value.Data |> Volume.withSpacing spacing

                        Store.writeCase folder true (Case.create (CaseId.ofString name) image (Some labels))
                        |> Problem.orThrow

                    let dataset =
                        Dataset.create "Dataset902_Slices" [ "MR" ] [ "background", 0; "vessel", 1 ] ".nii.gz" 2

                    Store.writeDataset folder dataset |> Problem.orThrow
                    Expect.isEmpty (verified folder).Findings "findings"

                    let case, _ =
                        Store.readTrainingCase folder dataset (CaseId.ofString "a") |> Problem.orThrow

                    Expect.equal case.Image.Extent (Extent.space 1 24 24) "a volume still"

                    List.iter2
                        (fun one other -> Expect.floatClose Accuracy.medium one other "spacing")
                        case.Image.Spacing.Values
                        spacing.Values)
            }

            test "files that dataset.json lists are looked at where they are" {
                Toy.inFolder (fun root ->
                    let folder = volumes root

                    let files (case: string) : CaseFiles =
                        {
                            Case = CaseId.ofString case
                            Images = [ $"imagesTr/%s{case}_0000.nii.gz"; $"imagesTr/%s{case}_0001.nii.gz" ]
                            Labels = $"labelsTr/%s{case}.nii.gz"
                        }

                    let dataset = Store.readDataset folder |> Problem.orThrow

                    Store.writeDataset
                        folder
                        { dataset with
                            Files = Some [ files "a"; files "b" ]
                            TrainingCount = 2
                        }
                    |> Problem.orThrow

                    Expect.isEmpty (verified folder).Findings "good"
                    File.Delete(at [ folder; "imagesTr"; "b_0001.nii.gz" ])

                    only (verified folder)
                    |> mentions Gravity.Wrong (Some "b") [ "b_0001.nii.gz"; "not found" ])
            }

            test "a data set without images, or without dataset.json" {
                Toy.inFolder (fun root ->
                    let folder = volumes root
                    Directory.Delete(at [ folder; "imagesTr" ], true)

                    only (verified folder)
                    |> mentions Gravity.Wrong None [ "imagesTr"; "not found" ]

                    File.Delete(at [ folder; "dataset.json" ])

                    match Verification.run 1 CancellationToken.None (fun _ _ -> ()) folder with
                    | Error problem -> Expect.stringContains (Problem.message problem) "dataset.json" "message"
                    | Ok _ -> failtest "it was read")
            }
        ]
