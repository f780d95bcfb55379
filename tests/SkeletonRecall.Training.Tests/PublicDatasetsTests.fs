module SkeletonRecall.Tests.PublicDatasetsTests

open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private at (parts: string list) : string = Path.Combine(Array.ofList parts)

let private place (path: string) : string =
    Directory.CreateDirectory(Path.GetDirectoryName path |> string) |> ignore
    path

let private made (recipe: Recipe) (source: string) (target: string) : Converted =
    Conversion.run recipe 2 CancellationToken.None (fun _ _ -> ()) source target
    |> Problem.orThrow

let private passes (target: string) : unit =
    let verified =
        Verification.run 1 CancellationToken.None (fun _ _ -> ()) target
        |> Problem.orThrow

    Expect.isTrue (Verification.passed verified) $"%A{verified.Findings}"

let private labels (parts: string list) : LabelMap =
    Reader.mask (at parts) |> Problem.orThrow |> fst

let private files (folder: string) : string list =
    Directory.GetFiles folder
    |> Array.map (Path.GetFileName >> string)
    |> Array.sort
    |> List.ofArray

/// A photograph of three channels, as TIFF.
let private photo (path: string) : Image =
    let extent = Extent.plane 24 32

    let image =
        Image.create 3 extent (Array.init (3 * extent.Count) (fun at -> float32 (at % 200)))

    Reader.writeImage (place path) image |> Problem.orThrow
    image

let private mask (path: string) (label: int -> int) : unit =
    Volume.create (Extent.plane 24 32) (Array.init 768 (fun at -> int16 (label at)))
    |> Reader.writeLabels (place path)
    |> Problem.orThrow

let private white (at: int) : int = if at % 9 = 0 then 255 else 0

/// The layouts of Massachusetts Roads: images and masks of training, then of what is held out.
let private roadLayouts =
    [
        "Kaggle's balraj98", ("tiff/train", ".tiff", "tiff/train_labels"), ("tiff/test", "tiff/test_labels")
        "Kaggle's insaff", ("training/input", ".png", "training/output"), ("testing/input", "testing/output")
        "Mnih's own", ("train/sat", ".tiff", "train/map"), ("test/sat", "test/map")
    ]

[<Tests>]
let tests =
    testList
        "PublicDatasets"
        [
            for name, (images, ending, masks), (testImages, testMasks) in roadLayouts do
                test $"roads as in %s{name}" {
                    Toy.inFolder (fun root ->
                        let file (folder: string) (name: string) = at [ root; folder; name ]
                        let maskEnding = if ending = ".png" then ".png" else ".tif"

                        for id in [ "10228675_15"; "10228690_15" ] do
                            photo (file images (id + ending)) |> ignore
                            mask (file masks (id + maskEnding)) white

                        // Some images of the training part have no mask.
                        photo (file images ("10228705_15" + ending)) |> ignore
                        photo (file testImages ("20278690_15" + ending)) |> ignore
                        mask (file testMasks ("20278690_15" + maskEnding)) white
                        let target = at [ root; "Dataset120_Roads" ]
                        let result = made PublicDatasets.roads root target
                        Expect.equal (result.Dataset.TrainingCount, result.Held) (2, 1) "cases"
                        Expect.equal result.Dataset.ChannelNames [ "R"; "G"; "B" ] "channels"
                        Expect.equal result.Dataset.Labels [ "background", 0; "road", 1 ] "labels"
                        Expect.equal (files (at [ target; "imagesTs" ])) [ "20278690_15_0000.png" ] "held out"
                        Expect.equal (files (at [ target; "labelsTs" ])) [ "20278690_15.png" ] "held out"
                        Expect.equal (labels [ target; "labelsTr"; "10228675_15.png" ]).Data[9] 1s "255 is 1"
                        Expect.stringContains (String.concat ";" result.Notes) "1 of 3" "without a mask"
                        passes target)
                }

            test "roads on blank parts of the image are removed, as nnU-Net does" {
                let extent = Extent.plane 12 20

                let isBlank (at: int) : bool =
                    // A ring of white with a hole, 8 x 8, and a spot of white that is too small to count.
                    let row, column = at / 20, at % 20
                    let inRing = row >= 2 && row < 10 && column >= 2 && column < 10
                    let inHole = row >= 5 && row < 7 && column >= 5 && column < 7
                    (inRing && not inHole) || (row = 1 && column > 15)

                let image =
                    Image.create 3 extent (Array.init 720 (fun at -> if isBlank (at % 240) then 255.0f else 80.0f))

                let cleared =
                    PublicDatasets.clearBlank image (Volume.create extent (Array.create 240 1s))

                for index in 0..239 do
                    let row, column = index / 20, index % 20
                    let inRing = row >= 2 && row < 10 && column >= 2 && column < 10
                    Expect.equal cleared.Data[index] (if inRing then 0s else 1s) $"%d{row}, %d{column}"
            }

            test "DRIVE, its masks GIF" {
                Toy.inFolder (fun root ->
                    // The writer of this project's tests has a GIF of 2 x 2 pixels.
                    for part, images in [ "training", [ "21"; "22" ]; "test", [ "01" ] ] do
                        for number in images do
                            let extent = Extent.plane 2 2
                            let image = Image.create 3 extent (Array.init 12 float32)

                            Reader.writeImage (place (at [ root; part; "images"; $"%s{number}_%s{part}.tif" ])) image
                            |> Problem.orThrow

                            File.WriteAllBytes(
                                place (at [ root; part; "1st_manual"; number + "_manual1.gif" ]),
                                BmpTests.gif
                            )

                            // The masks of the field of view are left alone.
                            File.WriteAllBytes(
                                place (at [ root; part; "mask"; $"%s{number}_%s{part}_mask.gif" ]),
                                BmpTests.gif
                            )

                    let target = at [ root; "Dataset200_Drive" ]
                    let result = made PublicDatasets.drive root target
                    Expect.equal (result.Dataset.TrainingCount, result.Held) (2, 1) "cases"

                    Expect.equal
                        (files (at [ target; "imagesTr" ]))
                        [ "drive_21_0000.png"; "drive_22_0000.png" ]
                        "images"

                    Expect.equal (labels [ target; "labelsTr"; "drive_21.png" ]).Data [| 1s; 0s; 0s; 1s |] "labels"
                    Expect.equal (files (at [ target; "labelsTs" ])) [ "drive_01.png" ] "held out"
                    passes target

                    // Today's download has no manual labels of the test images.
                    Directory.Delete(at [ root; "test"; "1st_manual" ], true)
                    let again = at [ root; "Dataset201_Drive" ]
                    let result = made PublicDatasets.drive root again
                    Expect.equal result.Held 1 "held out"
                    Expect.isFalse (Directory.Exists(at [ again; "labelsTs" ])) "no labels")
            }

            for folder in [ "Dataset_for_semantic_segmentation/"; "" ] do
                for kind in [ "_cracked"; "" ] do
                    test $"cracks in %s{folder}Images%s{kind}" {
                        Toy.inFolder (fun root ->
                            for number in [ "1"; "20" ] do
                                photo (at [ root; $"%s{folder}Images%s{kind}"; $"image_%s{number}.tif" ])
                                |> ignore

                                mask (at [ root; $"%s{folder}Masks%s{kind}"; $"mask_%s{number}.png" ]) white

                            let target = at [ root; "Dataset202_Cracks" ]
                            let result = made PublicDatasets.cracks root target
                            Expect.equal result.Dataset.TrainingCount 2 "cases"
                            Expect.equal (files (at [ target; "labelsTr" ])) [ "crack_1.png"; "crack_20.png" ] "labels"
                            passes target)
                    }

            test "ToothFairy: numpy's files, sparse patients left out, test patients held out" {
                Toy.inFolder (fun root ->
                    let array (values: NpyValues) : byte[] =
                        Npy.encode { Shape = [ 3; 5; 4 ]; Values = values }

                    for patient in [ "P1"; "P2"; "P3"; "P40" ] do
                        let file (name: string) =
                            place (at [ root; "Dataset"; patient; name ])

                        File.WriteAllBytes(
                            file "data.npy",
                            array (Int16s(Array.init 60 (fun at -> int16 (at * 30 - 500))))
                        )

                        File.WriteAllBytes(file "gt_sparse.npy", array (UInt8s(Array.zeroCreate 60)))

                        if patient <> "P40" then
                            File.WriteAllBytes(
                                file "gt_alpha.npy",
                                array (UInt8s(Array.init 60 (fun at -> byte (at % 2))))
                            )

                    File.WriteAllText(
                        at [ root; "splits.json" ],
                        "{\"train\": [\"P1\"], \"val\": [\"P3\"], \"test\": [\"P2\"], \"synthetic\": [\"P40\"]}"
                    )

                    let target = at [ root; "Dataset203_Tooth" ]
                    let result = made (PublicDatasets.toothFairy root |> Problem.orThrow) root target
                    Expect.equal (result.Dataset.TrainingCount, result.Held) (2, 1) "cases"
                    Expect.equal (files (at [ target; "imagesTr" ])) [ "P1_0000.nii.gz"; "P3_0000.nii.gz" ] "training"
                    Expect.equal (files (at [ target; "imagesTs" ])) [ "P2_0000.nii.gz" ] "held out"

                    let image =
                        Reader.image [ at [ target; "imagesTr"; "P1_0000.nii.gz" ] ] |> Problem.orThrow

                    Expect.equal image.Extent (Extent.space 3 5 4) "axes"

                    Expect.isTrue
                        (image.Spacing.Values |> List.forall (fun value -> abs (value - 0.3) < 1e-6))
                        "0.3 mm"

                    Expect.equal image.Data[1] -470.0f "values"
                    passes target

                    File.WriteAllText(at [ root; "splits.json" ], "[1, 2]")

                    match PublicDatasets.toothFairy root with
                    | Error problem -> Expect.stringContains (Problem.message problem) "splits.json" "message"
                    | Ok _ -> failtest "it was read")
            }

            test "TopCoW: ct or mr, 15 becomes 13, or all arteries one" {
                Toy.inFolder (fun root ->
                    let extent = Extent.space 4 4 4

                    for modality, numbers in [ "mr", [ "001"; "002" ]; "ct", [ "001" ] ] do
                        for number in numbers do
                            let image =
                                { Image.create 1 extent (Array.init 64 (fun at -> float32 (at * 7))) with
                                    Spacing = Spacing.ofList [ 0.6; 0.3; 0.3 ]
                                }

                            Reader.writeImage
                                (place (at [ root; "imagesTr"; $"topcow_%s{modality}_%s{number}_0000.nii.gz" ]))
                                image
                            |> Problem.orThrow

                            Volume.create
                                extent
                                (Array.init 64 (fun at -> int16 (if at % 16 = 13 || at % 16 = 14 then 0 else at % 16)))
                            |> Volume.withSpacing image.Spacing
                            |> Reader.writeLabels (
                                place (at [ root; "cow_seg_labelsTr"; $"topcow_%s{modality}_%s{number}.nii.gz" ])
                            )
                            |> Problem.orThrow

                    for binary, modality, count in [ false, "mr", 2; true, "ct", 1; false, "both", 3 ] do
                        let target = at [ root; $"Dataset204_%s{modality}" ]
                        let result = made (PublicDatasets.topCow binary modality) root target
                        Expect.equal result.Dataset.TrainingCount count "cases"
                        let name = if modality = "ct" then "topcow_ct_001" else "topcow_mr_001"
                        let map = labels [ target; "labelsTr"; name + ".nii.gz" ]
                        Expect.equal map.Data[15] (if binary then 1s else 13s) "15"
                        Expect.equal map.Data[7] (if binary then 1s else 7s) "7"
                        Expect.equal (Dataset.classes result.Dataset) (if binary then 2 else 14) "classes"

                        // Images are copied as they are.
                        Expect.equal
                            (File.ReadAllBytes(at [ target; "imagesTr"; name + "_0000.nii.gz" ]))
                            (File.ReadAllBytes(at [ root; "imagesTr"; name + "_0000.nii.gz" ]))
                            "image"

                        passes target)
            }

            test "TopCoW's published labels are read" {
                Toy.inFolder (fun root ->
                    let shared = Golden.sharedPath [ "data"; "vol3d"; "topcow_roi" ]

                    let source =
                        Directory.GetFiles(shared, "*.nii.gz", SearchOption.AllDirectories)
                        |> Array.filter (fun path -> not (path.Contains "flipped"))
                        |> Array.sort
                        |> Array.head

                    let map, geometry, _ = Reader.maskInPlace source |> Problem.orThrow
                    Expect.isTrue (Array.contains 15s map.Data || Array.max map.Data <= 12s) "labels up to 12, and 15"
                    File.Copy(source, place (at [ root; "cow_seg_labelsTr"; "topcow_mr_003.nii.gz" ]))

                    { Image.create 1 map.Extent (Array.zeroCreate map.Extent.Count) with
                        Spacing = map.Spacing
                        Geometry = geometry
                    }
                    |> Reader.writeImage (place (at [ root; "imagesTr"; "topcow_mr_003_0000.nii.gz" ]))
                    |> Problem.orThrow

                    let target = at [ root; "Dataset204_TopCow" ]
                    made (PublicDatasets.topCow false "mr") root target |> ignore
                    let found = labels [ target; "labelsTr"; "topcow_mr_003.nii.gz" ]

                    Expect.equal
                        found.Data
                        (map.Data |> Array.map (fun label -> if label = 15s then 13s else label))
                        "labels"

                    passes target)
            }
        ]
