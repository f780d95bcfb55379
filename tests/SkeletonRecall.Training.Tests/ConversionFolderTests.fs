module SkeletonRecall.Tests.ConversionFolderTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Tests.Photographs

[<Tests>]
let pairing =
    testList
        "Conversion of folders"
        [
            test "files are paired by patterns, other endings are rewritten, nothing is overwritten" {
                Toy.inFolder (fun root ->
                    let source = at [ root; "photos" ]

                    for name in [ "x 1"; "y" ] do
                        let jpeg = Golden.bytes "jpeg/grey.jpg"
                        File.WriteAllBytes(place (at [ source; name + ".jpg" ]), jpeg)
                        let image = Reader.image [ at [ source; name + ".jpg" ] ] |> Problem.orThrow

                        png
                            (at [ source; name + "_mask.png" ])
                            (grey image.Extent.Height image.Extent.Width (fun at -> if isOn at then 255 else 0))

                    let recipe =
                        { Conversion.standard with
                            Training =
                                [
                                    {
                                        Images = "*.jpg"
                                        Masks = Some "*_mask.png"
                                    }
                                ]
                        }

                    let target = at [ root; "Dataset005_Made" ]
                    let made = converted recipe source target |> Problem.orThrow
                    Expect.equal made.Dataset.ChannelNames [ "grey" ] "channels"
                    Expect.equal made.Dataset.TrainingCount 2 "cases"

                    let image =
                        Reader.image [ at [ target; "imagesTr"; "x 1_0000.png" ] ] |> Problem.orThrow

                    let photo = Reader.image [ at [ source; "x 1.jpg" ] ] |> Problem.orThrow
                    Expect.equal image.Data photo.Data "the photograph, without loss"
                    passes target
                    Expect.stringContains (messageOf (converted recipe source target)) "there already" "overwritten")
            }

            test "an image without a mask is a problem, or left out" {
                Toy.inFolder (fun root ->
                    let source = folder root (fun _ -> grey 6 8 (fun at -> at % 2))
                    photo (at [ source; "images"; "c.png" ])
                    let target = at [ root; "Dataset005_Made" ]
                    let message = messageOf (converted Conversion.standard source target)

                    for part in [ "masks/c"; "c.png"; "1 of 3"; "--skip-unpaired" ] do
                        Expect.stringContains message part "message"

                    let made =
                        converted
                            { Conversion.standard with
                                SkipUnpaired = true
                            }
                            source
                            target
                        |> Problem.orThrow

                    Expect.equal made.Dataset.TrainingCount 2 "cases"
                    Expect.stringContains (String.concat "; " made.Notes) "1 of 3" "note")
            }

            test "two masks of one image, patterns without a star and folders without images are problems" {
                Toy.inFolder (fun root ->
                    let source = folder root (fun _ -> grey 6 8 (fun at -> at % 2))
                    let target = at [ root; "Dataset005_Made" ]
                    File.Copy(at [ source; "masks"; "a.png" ], at [ source; "masks"; "a.tif" ])
                    let message = messageOf (converted Conversion.standard source target)
                    Expect.stringContains message "a.tif" "two masks"

                    let withImages (pattern: string) =
                        { Conversion.standard with
                            Training =
                                [
                                    {
                                        Images = pattern
                                        Masks = Some "masks/*"
                                    }
                                ]
                        }

                    for pattern, part in
                        [
                            "images/a.png", "one star"
                            "*/*", "one star"
                            "../*", "inside"
                            "none/*", "images are wanted"
                        ] do
                        Expect.stringContains (messageOf (converted (withImages pattern) source target)) part pattern

                    Expect.stringContains
                        (messageOf (converted Conversion.standard (at [ root; "nowhere" ]) target))
                        "nowhere"
                        "source")
            }

            test "volumes keep their place, or are turned to RAS" {
                Toy.inFolder (fun root ->
                    let source = at [ root; "source" ]
                    let rod = Toy.rod 4 9 7

                    let geometry =
                        Geometry.create [ 5.0; 6.0; 7.0 ] [ 0.0; 1.0; 0.0; 1.0; 0.0; 0.0; 0.0; 0.0; 1.0 ]

                    let image =
                        { Image.create 1 rod.Image.Extent (Array.truncate rod.Image.Extent.Count rod.Image.Data) with
                            Geometry = geometry
                            Spacing = Spacing.ofList [ 2.0; 1.0; 0.5 ]
                        }

                    let labels = rod.Labels.Value |> Volume.withSpacing image.Spacing

                    Reader.writeImage (place (at [ source; "images"; "a.nrrd" ])) image
                    |> Problem.orThrow

                    Reader.writeLabelsInPlace geometry (place (at [ source; "masks"; "a.mha" ])) labels
                    |> Problem.orThrow

                    for ras in [ false; true ] do
                        let target = at [ root; $"Dataset005_%b{ras}" ]

                        converted { Conversion.standard with ToRas = ras } source target
                        |> Problem.orThrow
                        |> ignore

                        let made =
                            Reader.image [ at [ target; "imagesTr"; "a_0000.nii.gz" ] ] |> Problem.orThrow

                        let map, where, _ =
                            Reader.maskInPlace (at [ target; "labelsTr"; "a.nii.gz" ]) |> Problem.orThrow

                        let wanted = if ras then Orientation.toRas image else image
                        Expect.equal made.Data wanted.Data "image"
                        Expect.isTrue (Geometry.near 1e-4 made.Geometry wanted.Geometry) "place"
                        Expect.isTrue (Geometry.near 1e-4 where wanted.Geometry) "place of the labels"

                        Expect.equal
                            map.Data
                            (if ras then
                                 (Orientation.labelsToRas geometry labels).Data
                             else
                                 labels.Data)
                            "labels"

                        passes target)
            }

            test "planes of floats go to TIFF, not to PNG" {
                Toy.inFolder (fun root ->
                    let source = at [ root; "source" ]

                    let image =
                        Image.create 2 (Extent.plane 4 5) (Array.init 40 (fun at -> float32 at / 3.0f))

                    Reader.writeImage (place (at [ source; "images"; "a.tif" ])) image
                    |> Problem.orThrow

                    png (at [ source; "masks"; "a.png" ]) (grey 4 5 (fun at -> at % 2))
                    let target = at [ root; "Dataset005_Made" ]

                    Expect.stringContains
                        (messageOf (converted Conversion.standard source target))
                        "--ending .tif"
                        "PNG"

                    converted
                        { Conversion.standard with
                            Ending = Some ".tif"
                        }
                        source
                        target
                    |> Problem.orThrow
                    |> ignore

                    let made =
                        Reader.image [ at [ target; "imagesTr"; "a_0000.tif" ] ] |> Problem.orThrow

                    Expect.equal made.Data image.Data "values")
            }

            test "several patterns are the channels of each case, and a channel that is missing is named" {
                Toy.inFolder (fun root ->
                    let source = at [ root; "source" ]
                    let rod = Toy.rod 4 9 7
                    let voxels = rod.Image.Extent.Count

                    let image (factor: float32) =
                        Image.create 1 rod.Image.Extent (Array.init voxels (fun at -> factor * float32 (at % 50)))

                    for name in [ "a"; "b" ] do
                        for folder, factor in [ "t1", 1.0f; "t2", 2.0f ] do
                            Reader.writeImage (place (at [ source; folder; name + ".nii.gz" ])) (image factor)
                            |> Problem.orThrow

                        Reader.writeLabels (place (at [ source; "masks"; name + ".nii.gz" ])) rod.Labels.Value
                        |> Problem.orThrow

                    let recipe =
                        { Conversion.standard with
                            Training =
                                [
                                    {
                                        Images = "t1/*.nii.gz, t2/*.nii.gz"
                                        Masks = Some "masks/*"
                                    }
                                ]
                            Channels = [ "T1"; "T2" ]
                        }

                    let target = at [ root; "Dataset005_Made" ]
                    let made = converted recipe source target |> Problem.orThrow
                    Expect.equal made.Dataset.ChannelNames [ "T1"; "T2" ] "channels"

                    for number, factor in [ 0, 1.0f; 1, 2.0f ] do
                        let back =
                            Reader.image [ at [ target; "imagesTr"; $"b_%04d{number}.nii.gz" ] ]
                            |> Problem.orThrow

                        Expect.equal back.Data (image factor).Data "values"

                    passes target
                    let other = at [ root; "Dataset006_Made" ]

                    Expect.stringContains
                        (messageOf (converted { recipe with Channels = [ "T1" ] } source other))
                        "2 channels"
                        "names"

                    File.Delete(at [ source; "t2"; "b.nii.gz" ])
                    let message = messageOf (converted recipe source other)
                    Expect.stringContains message "t2/b.nii.gz" "what is missing"
                    Expect.stringContains message "t1/b.nii.gz" "its case")
            }
        ]
