module SkeletonRecall.Tests.ConversionTests

open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private at (parts: string list) : string = Path.Combine(Array.ofList parts)

let private place (path: string) : string =
    Directory.CreateDirectory(Path.GetDirectoryName path |> string) |> ignore
    path

let private converted (recipe: Recipe) (source: string) (target: string) : Result<Converted, Problem> =
    Conversion.run recipe 2 CancellationToken.None (fun _ _ -> ()) source target

let private messageOf (result: Result<Converted, Problem>) : string =
    match result with
    | Error problem -> Problem.message problem
    | Ok made -> failtest $"it was converted: %A{made.Notes}"

let private grey (height: int) (width: int) (value: int -> int) : Raster =
    {
        Width = width
        Height = height
        Channels = 1
        BitDepth = 8
        Samples = Array.init (width * height) (fun at -> uint16 (value at))
        Palette = None
    }

let private colours (height: int) (width: int) (value: int -> int list) : Raster =
    {
        Width = width
        Height = height
        Channels = 3
        BitDepth = 8
        Samples =
            [|
                for at in 0 .. width * height - 1 do
                    for part in value at -> uint16 part
            |]
        Palette = None
    }

let private png (path: string) (raster: Raster) : unit =
    File.WriteAllBytes(place path, Png.encode raster)

let private photo (path: string) : unit =
    png path (colours 6 8 (fun at -> [ at; at % 7; 40 ]))

/// Images a and b with masks made by the function.
let private folder (root: string) (mask: int -> Raster) : string =
    let source = at [ root; "source" ]

    for number, name in List.indexed [ "a"; "b" ] do
        photo (at [ source; "images"; name + ".png" ])
        png (at [ source; "masks"; name + ".png" ]) (mask number)

    source

let private labelsOf (target: string) (case: string) : LabelMap =
    Reader.mask (at [ target; "labelsTr"; case ]) |> Problem.orThrow |> fst

let private note (made: Converted) : string = made.Notes.Head

let private passes (target: string) : unit =
    let verified =
        Verification.run 1 CancellationToken.None (fun _ _ -> ()) target
        |> Problem.orThrow

    Expect.isEmpty verified.Findings "verify"

/// The masks as they are become these labels, and the line says these parts.
let private becomes
    (name: string)
    (recipe: Recipe)
    (mask: int -> Raster)
    (label: int -> int)
    (parts: string list)
    : Test =
    test name {
        Toy.inFolder (fun root ->
            let target = at [ root; "Dataset005_Made" ]
            let made = converted recipe (folder root mask) target |> Problem.orThrow
            Expect.equal (labelsOf target "b.png").Data (Array.init 48 (fun at -> int16 (label at))) "labels"

            for part in parts do
                Expect.stringContains (note made) part "line"

            passes target)
    }

let private refused (name: string) (recipe: Recipe) (mask: int -> Raster) (parts: string list) : Test =
    test name {
        Toy.inFolder (fun root ->
            let target = at [ root; "Dataset005_Made" ]
            let message = messageOf (converted recipe (folder root mask) target)
            Expect.isFalse (message.Contains '\n') "one line"

            for part in parts do
                Expect.stringContains message part "message"

            Expect.equal (Directory.GetDirectories root).Length 1 "nothing is left")
    }

let private naming (names: string list) : Recipe =
    { Conversion.standard with
        Labels = names
        Rule = MaskRule.Found(None, names)
    }

let private isOn (at: int) : bool = at % 5 = 0

[<Tests>]
let masks =
    testList
        "Conversion of masks"
        [
            becomes
                "0 and 255 become 0 and 1"
                Conversion.standard
                (fun _ -> grey 6 8 (fun at -> if isOn at then 255 else 0))
                (fun at -> if isOn at then 1 else 0)
                [ "0 -> 0 background (76 times, 79.2 %)"; "255 -> 1 foreground (20 times" ]

            becomes
                "0, 1, 2 stay"
                (naming [ "artery"; "vein" ])
                (fun _ -> grey 6 8 (fun at -> at % 3))
                (fun at -> at % 3)
                [ "1 -> 1 artery"; "2 -> 2 vein" ]

            becomes
                "grey levels become 0, 1, 2 in order"
                Conversion.standard
                (fun _ -> grey 6 8 (fun at -> [| 0; 100; 200 |][at % 3]))
                (fun at -> at % 3)
                [ "100 -> 1 class 1"; "200 -> 2 class 2" ]

            becomes
                "values between become classes where these are named"
                (naming [ "half"; "full" ])
                (fun _ -> grey 6 8 (fun at -> [| 0; 128; 255 |][at % 3]))
                (fun at -> at % 3)
                [ "128 -> 1 half"; "255 -> 2 full" ]

            becomes
                "colours become labels, black the background, and a black mask may be grey"
                Conversion.standard
                (fun number ->
                    if number = 0 then
                        grey 6 8 (fun _ -> 0)
                    else
                        colours 6 8 (fun at -> [ [ 0; 0; 0 ]; [ 0; 0; 255 ]; [ 255; 0; 0 ] ][at % 3]))
                (fun at -> at % 3)
                [ "#000000 -> 0"; "#0000ff -> 1"; "#ff0000 -> 2"; "colours" ]

            becomes
                "indices of a palette become labels"
                Conversion.standard
                (fun _ ->
                    { grey 6 8 (fun at -> [| 0; 3; 7 |][at % 3]) with
                        Palette = Some(Array.init 8 (fun at -> struct (byte (at * 30), 0uy, 9uy)))
                    })
                (fun at -> at % 3)
                [ "palette indices"; "3 -> 1"; "7 -> 2" ]

            becomes
                "a threshold makes one class of anything"
                { Conversion.standard with
                    Rule = MaskRule.Above 127.0
                }
                (fun _ -> grey 6 8 (fun at -> at * 5))
                (fun at -> if at * 5 > 127 then 1 else 0)
                [ "1 -> 1 foreground" ]

            becomes
                "the background can be named: white paper, dark lines"
                { Conversion.standard with
                    Rule = MaskRule.Found(Some 255, [])
                }
                (fun _ -> grey 6 8 (fun at -> if isOn at then 0 else 255))
                (fun at -> if isOn at then 1 else 0)
                [ "255 -> 0 background"; "0 -> 1 foreground" ]

            becomes
                "without a 0 the background is what is most"
                Conversion.standard
                (fun _ -> grey 6 8 (fun at -> if isOn at then 3 else 9))
                (fun at -> if isOn at then 1 else 0)
                [ "9 -> 0 background"; "3 -> 1" ]

            refused
                "values between are refused with the cure"
                Conversion.standard
                (fun _ -> grey 6 8 (fun at -> [| 0; 3; 252; 255 |][at % 4]))
                [ "masks"; "3, 252"; "50 % of the pixels"; "--threshold 127"; "--labels" ]

            refused
                "too many values are refused"
                Conversion.standard
                (fun number -> grey 6 8 (fun at -> at + 48 * number))
                [ "96 different values"; "--threshold" ]

            refused
                "names and values must agree in number"
                (naming [ "a"; "b"; "c" ])
                (fun _ -> grey 6 8 (fun at -> at % 3))
                [ "3 values"; "3 named classes" ]

            refused "empty masks are refused" Conversion.standard (fun _ -> grey 6 8 (fun _ -> 0)) [ "nothing but 0" ]

            refused
                "a mask of another size is refused"
                Conversion.standard
                (fun _ -> grey 6 7 (fun at -> at % 2))
                [ "a.png"; "7 x 6 pixels"; "8 x 6 pixels" ]
        ]

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
        ]
