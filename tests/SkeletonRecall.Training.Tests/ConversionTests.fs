module SkeletonRecall.Tests.ConversionTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Tests.Photographs

let private labelsOf (target: string) (case: string) : LabelMap =
    Reader.mask (at [ target; "labelsTr"; case ]) |> Problem.orThrow |> fst

let private note (made: Converted) : string = made.Notes.Head

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
