module SkeletonRecall.Tests.OverlayTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Charts

let private mask (rows: string list) : Mask =
    let text = String.concat "" rows

    Volume.create (Extent.plane rows.Length rows.Head.Length) (text.ToCharArray())
    |> Mask.ofVolume (fun letter -> letter = '#')

let private letters (classes: Volume<PixelClass>) : string list =
    classes.Data
    |> Array.map (function
        | Ground -> '.'
        | PredictedArea -> 'p'
        | FoundCentreline -> 'f'
        | MissedCentreline -> 'm'
        | InventedCentreline -> 'i')
    |> Array.chunkBySize classes.Extent.Width
    |> Array.map System.String
    |> List.ofArray

// A line of the truth whose right part is not predicted (a line of one pixel is its own skeleton), a prediction that is
// thicker at its left end, and a line that is predicted alone.
let private truth = [ "......."; "#######"; "......."; "......."; "......." ]
let private prediction = [ "###...."; "#####.."; "###...."; "......."; "...####" ]

let private random (seed: int) : Mask =
    let rng = Seed.rng (Seed.ofInt seed)
    let share = rng.Uniform(0.1, 0.7)

    Volume.create (Extent.plane 17 70) (Array.init (17 * 70) (fun _ -> rng.Chance share))
    |> Mask.ofVolume id

[<Tests>]
let tests: Test =
    testList
        "Overlay"
        [
            test "classes of a picture of 5 x 7" {
                Expect.equal
                    (letters (Overlay.classify (mask prediction) (mask truth)))
                    [ "ppp...."; "fffffmm"; "ppp...."; "......."; "...iiii" ]
                    "classes"
            }

            test "counts and share of that picture" {
                let counts = Overlay.counts (Overlay.classify (mask prediction) (mask truth))
                Expect.equal counts { Found = 5; Missed = 2; Invented = 4 } "counts"
                Expect.floatClose Accuracy.high (Overlay.wrongShare counts) (6.0 / 11.0) "share"
            }

            test "nothing drawn is nothing wrong" {
                let empty = Mask.empty (Extent.plane 4 4)
                let counts = Overlay.counts (Overlay.classify empty empty)
                Expect.equal (Overlay.wrongShare counts) 0.0 "share"
            }

            testPropertyWithConfig
                { FsCheckConfig.defaultConfig with
                    maxTest = 25
                }
                "counts agree with topology precision and sensitivity"
                (fun (first: int) (second: int) ->
                    let prediction, truth = random first, random second
                    let counts = Overlay.counts (Overlay.classify prediction truth)
                    let skeleton = Skeleton.thin truth
                    let centreline = Centreline.measure prediction truth
                    let invented = float counts.Invented / float (Mask.count (Skeleton.thin prediction))

                    counts.Found + counts.Missed = Mask.count skeleton
                    && abs (float counts.Found / float (Mask.count skeleton) - centreline.Sensitivity) < 1e-12
                    && abs (1.0 - invented - centreline.Precision) < 1e-12)

            test "a prediction equal to the truth misses and invents nothing" {
                let truth = random 7
                let counts = Overlay.counts (Overlay.classify truth truth)
                Expect.equal (counts.Missed, counts.Invented) (0, 0) "wrong pixels"
            }

            test "thick lines cover ground and area, not other centreline" {
                let thick = Overlay.thicken (Overlay.classify (mask prediction) (mask truth))

                Expect.equal (letters thick) [ "ppp.mmm"; "fffffmm"; "ppp.mmm"; "..iiiii"; "..iiiii" ] "classes"
            }

            test "extents that differ are refused" {
                Expect.throwsT<System.ArgumentException>
                    (fun () ->
                        Overlay.classify (Mask.empty (Extent.plane 2 3)) (Mask.empty (Extent.plane 3 2))
                        |> ignore)
                    "refused"
            }

            test "the painted picture holds the classes' colours" {
                let classes = Overlay.classify (mask prediction) (mask truth)
                let raster = Overlay.paint classes
                let struct (red, green, blue, opacity) = Overlay.colour MissedCentreline
                let at = 4 * (1 * 7 + 5)
                Expect.equal (raster.Width, raster.Height, raster.Channels) (7, 5, 4) "shape"

                Expect.equal
                    raster.Samples[at .. at + 3]
                    [| uint16 red; uint16 green; uint16 blue; uint16 opacity |]
                    "missed"

                Expect.equal raster.Samples[3] 80us "area is faint"
                Expect.equal raster.Samples[4 * 6 + 3] 0us "ground is clear"
                Expect.equal (Png.encode raster |> Png.decode |> Result.map _.Samples) (Ok raster.Samples) "as PNG"
            }

            test "grey runs from the lowest values to the highest" {
                let image =
                    Volume.create (Extent.plane 2 3) [| -2.0f; 0.0f; 2.0f; nanf; infinityf; -1.0f |]

                Expect.equal (Overlay.grey image).Samples [| 0us; 128us; 255us; 0us; 0us; 64us |] "levels"

                let flat = Volume.create (Extent.plane 1 2) [| 3.0f; 3.0f |]
                Expect.equal (Overlay.grey flat).Samples [| 128us; 128us |] "an image of one value"
            }

            test "a volume is no picture" {
                Expect.throwsT<System.ArgumentException>
                    (fun () -> Overlay.grey (Volume.create (Extent.space 1 1 1) [| 0.0f |]) |> ignore)
                    "refused"
            }
        ]
