module SkeletonRecall.Tests.CaseTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private refuses (text: string) (make: unit -> 'T) : unit =
    Expect.throwsT<System.ArgumentException> (fun () -> make () |> ignore) text

[<Tests>]
let tests =
    testList
        "Case"
        [
            test "case names are names that every system takes for a file" {
                for good in [ "a"; "case_001"; "BraTS-7 b"; "x.y"; "Fuß"; "console"; "com10" ] do
                    Expect.equal (CaseId.value (CaseId.ofString good)) good good

                let bad =
                    [
                        ""
                        " "
                        "a/b"
                        "a\\b"
                        "a:b"
                        "a*"
                        "a?"
                        "\"a"
                        "<a"
                        "a>"
                        "a|b"
                        "a\tb"
                        "a "
                        " a"
                        "a."
                    ]
                    @ [ ".."; "CON"; "nul"; "aux.1"; "Com1"; "LPT9"; "prn " ]

                for name in bad do
                    Expect.isNone (CaseId.tryOfString name) name
                    refuses name (fun () -> CaseId.ofString name)
            }

            test "images have as many values as they need" {
                refuses "too few" (fun () -> Image.create 2 (Extent.plane 2 3) (Array.zeroCreate 6))
                refuses "no channel" (fun () -> Image.create 0 (Extent.plane 2 3) [||])
                let image = Image.create 2 (Extent.plane 2 3) (Array.init 12 float32)
                Expect.equal ((Image.channel 1 image).ToArray()) [| 6.0f .. 11.0f |] "second channel"
                Expect.equal image.Spacing (Spacing.unit 2) "spacing"
            }

            test "image and labels of a case have one size" {
                let image = Image.create 1 (Extent.plane 2 3) (Array.zeroCreate 6)
                let labels = Volume.create (Extent.plane 3 2) (Array.zeroCreate<int16> 6)
                refuses "turned" (fun () -> Case.create (CaseId.ofString "a") image (Some labels))
                let one = Case.create (CaseId.ofString "a") image None
                Expect.isNone one.Labels "no labels"
            }
        ]
