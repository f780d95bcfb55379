module SkeletonRecall.Tests.FirstStageAugmentTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.space 14 15 16

let private mask (inside: int -> int -> int -> bool) : Mask =
    Array.init extent.Count (fun index -> index / 240, index / 16 % 15, index % 16)
    |> Array.map (fun (slice, row, column) -> if inside slice row column then 1s else 0s)
    |> Volume.create extent
    |> Mask.ofVolume (fun value -> value > 0s)

let private box (first: int) (last: int) : Mask =
    let within (value: int) = value >= first && value <= last
    mask (fun slice row column -> within slice && within row && within column)

let private rng (seed: int) : Rng = Seed.rng (Seed.ofInt seed)

let private always: FirstStageAugmentOptions =
    { FirstStageAugment.standard with
        BinaryOperator = 1.0
        RemoveComponent = 0.0
    }

let private never: FirstStageAugmentOptions = { always with BinaryOperator = 0.0 }

let private isWithin (outer: Mask) (inner: Mask) : bool =
    Mask.isEmpty (Mask.difference inner outer)

[<Tests>]
let tests =
    testList
        "FirstStageAugment"
        [
            test "with probabilities of 0 nothing changes" {
                let masks = [| box 2 5; box 8 11 |]

                for before, after in Array.zip masks (FirstStageAugment.masks never (rng 1) masks) do
                    Expect.isTrue (Mask.equal before after) "as it was"
            }

            test "one label is dilated, eroded, closed or opened by a ball, and all four occur" {
                let before = box 4 9
                let options = { always with Radius = 2.0, 2.0 }
                let ball = Element.Ball 2.0
                let dilated = Morphology.dilate ball 1 before
                let eroded = Morphology.erode ball 1 before

                let wanted =
                    [
                        dilated
                        eroded
                        Morphology.erode ball 1 dilated
                        Morphology.dilate ball 1 eroded
                    ]

                let seen =
                    [ 1..40 ]
                    |> List.map (fun seed ->
                        let after = (FirstStageAugment.masks options (rng seed) [| before |])[0]

                        match wanted |> List.tryFindIndex (Mask.equal after) with
                        | Some number -> number
                        | None -> failtest "none of the four")

                Expect.equal (List.sort (List.distinct seen)) [ 0; 1; 2; 3 ] "all four"
            }

            test "labels that were apart stay apart" {
                let masks = [| box 2 5; box 6 9; box 10 12 |]

                for seed in 1..30 do
                    let after = FirstStageAugment.masks always (rng seed) masks

                    for one in 0..1 do
                        for other in one + 1 .. 2 do
                            Expect.isTrue (Mask.isEmpty (Mask.intersect after[one] after[other])) $"seed %d{seed}"
            }

            test "one whole component goes, of those that are small" {
                // 1, 27 and 8³ = 512 voxels; 15 % of the patch are 504.
                let point = mask (fun slice row column -> (slice, row, column) = (13, 14, 15))
                let small, large = box 10 12, box 0 7
                let all = Mask.union point (Mask.union small large)

                let options =
                    { never with
                        RemoveComponent = 1.0
                        LargestShare = 0.15
                    }

                let left =
                    [ 1..30 ]
                    |> List.map (fun seed -> (FirstStageAugment.masks options (rng seed) [| all |])[0])

                for after in left do
                    Expect.isTrue (isWithin all after) "nothing is added"
                    Expect.isTrue (isWithin after large) "the large one stays"

                let gone =
                    left
                    |> List.map (fun after -> Mask.count all - Mask.count after)
                    |> List.distinct
                    |> List.sort

                Expect.equal gone [ 1; 27 ] "either of the small ones"
                let nothing = (FirstStageAugment.masks options (rng 1) [| large |])[0]
                Expect.isTrue (Mask.equal nothing large) "none is small enough"
            }

            test "a patch keeps everything but its first stage, which depends on the seed alone" {
                let map =
                    (Mask.toVolume (box 3 6))
                    |> Volume.map int16
                    |> Volume.withSpacing (Spacing.ofList [ 5.0; 0.3; 0.3 ])

                let image = Image.create 1 extent (Array.init extent.Count float32)

                let patch =
                    { Patch.create image map with
                        FirstStage = Some map
                    }

                let apply seed =
                    FirstStageAugment.apply always [ 1s ] (rng seed) patch

                Expect.equal (apply 3).FirstStage.Value.Data (apply 3).FirstStage.Value.Data "the same again"
                Expect.equal { apply 3 with FirstStage = None } { patch with FirstStage = None } "all else"
                Expect.equal (apply 3).FirstStage.Value.Spacing map.Spacing "spacing"

                let changed =
                    [ 1..20 ]
                    |> List.filter (fun seed -> (apply seed).FirstStage.Value.Data <> map.Data)

                Expect.isGreaterThan changed.Length 5 "some maps change"
                let plain = { patch with FirstStage = None }
                Expect.equal (FirstStageAugment.apply always [ 1s ] (rng 1) plain) plain "none to change"
            }
        ]
