module SkeletonRecall.Tests.AugmentTests

open Expecto
open Expecto.Flip
open SkeletonRecall
open SkeletonRecall.Training

let private patchOf (size: int list) (seed: int) : Patch =
    let extent = Extent.ofShape size
    let rng = Seed.rng (Seed.ofInt seed)
    let image = Array.init (2 * extent.Count) (fun _ -> float32 (rng.Gaussian()))
    // Label 2 is left out, so that a label which was not there would show.
    let labels = Array.init extent.Count (fun _ -> [| -1s; 0s; 1s; 3s |][rng.NextInt 4])
    Patch.create (Image.create 2 extent image) (Volume.create extent labels)

let private certain: AugmentOptions =
    { Augment.options with
        Rotation = 1.0
        Scaling = 1.0
        Noise = 1.0
        Blur = 1.0
        Brightness = 1.0
        Contrast = 1.0
        LowResolution = 1.0
        InvertedGamma = 1.0
        Gamma = 1.0
    }

let private rng (seed: int) : Rng = Seed.rng (Seed.ofInt seed)

[<Tests>]
let tests =
    testList
        "Augment"
        [
            // Recorded from nnU-Net's own computation.
            for final, initial in
                [
                    [ 128; 128; 128 ], [ 205; 205; 205 ]
                    [ 112; 160; 128 ], [ 208; 238; 196 ]
                    [ 64; 192; 160 ], [ 178; 289; 200 ]
                    [ 16; 256; 256 ], [ 16; 301; 301 ]
                    [ 56; 192; 160 ], [ 56; 225; 225 ]
                    [ 40; 56; 40 ], [ 73; 80; 64 ]
                    [ 512; 512 ], [ 602; 602 ]
                    [ 640; 640 ], [ 752; 752 ]
                    [ 1280; 1024 ], [ 1505; 1505 ]
                    [ 576; 448 ], [ 677; 677 ]
                    [ 512; 320 ], [ 679; 376 ]
                    [ 56; 40 ], [ 65; 65 ]
                ] do
                test $"the initial patch of %A{final} is nnU-Net's" {
                    Augment.initialSize Augment.options final |> Expect.equal "size" initial
                    Augment.initialSize Augment.still final |> Expect.equal "no room needed" final
                }

            test "without any chance of a change a patch is only cropped" {
                let patch = patchOf [ 9; 10 ] 1
                let still = Augment.standard Augment.still [ 6; 5 ] (rng 1) patch

                let cropped = patch |> Patch.centreCrop (Extent.plane 6 5) |> Augment.removeOutside

                still.Image.Data |> Expect.equal "image" cropped.Image.Data
                still.Labels.Data |> Expect.equal "labels" cropped.Labels.Data
                let none = Augment.none [ 6; 5 ] (rng 2) patch
                none.Image.Data |> Expect.equal "none: image" cropped.Image.Data
            }

            for initial, final in
                [
                    [ 15; 16 ], [ 10; 9 ]
                    [ 9; 10; 11 ], [ 6; 7; 8 ]
                    [ 3; 16; 16 ], [ 3; 12; 11 ]
                ] do
                test $"every change at once keeps size, labels and finite values (%A{final})" {
                    for seed in 1..5 do
                        let changed = Augment.standard certain final (rng seed) (patchOf initial seed)
                        changed.Image.Extent |> Expect.equal "image" (Extent.ofShape final)
                        changed.Labels.Extent |> Expect.equal "labels" (Extent.ofShape final)

                        changed.Labels.Data
                        |> Array.forall (fun label -> label = 0s || label = 1s || label = 3s)
                        |> Expect.isTrue "labels that were there, and no -1"

                        changed.Image.Data
                        |> Array.forall System.Single.IsFinite
                        |> Expect.isTrue "finite"
                }

            test "the same seed gives the same patch, another seed another one" {
                let patch = patchOf [ 20; 20 ] 3

                let make (seed: int) =
                    Augment.standard certain [ 12; 12 ] (rng seed) patch

                (make 4).Image.Data |> Expect.equal "same" (make 4).Image.Data
                (make 5).Image.Data |> Expect.notEqual "other" (make 4).Image.Data
            }

            test "a patch is left as it was by augmentation" {
                let patch = patchOf [ 12; 12 ] 6
                let before = Array.copy patch.Image.Data, Array.copy patch.Labels.Data
                Augment.standard certain [ 12; 12 ] (rng 1) patch |> ignore
                (patch.Image.Data, patch.Labels.Data) |> Expect.equal "untouched" before
            }

            test "slices of a flat volume keep their places when it is rotated and scaled" {
                let extent = Extent.space 3 16 16
                let labels = Array.init extent.Count (fun i -> int16 (i / 256))
                let image = Image.create 1 extent (Array.map float32 labels)

                let options =
                    { Augment.still with
                        Rotation = 1.0
                        Scaling = 1.0
                        ScalingRange = 0.7, 0.8
                    }

                let turned =
                    Augment.spatial options [ 3; 10; 10 ] (rng 7) (Patch.create image (Volume.create extent labels))

                turned.Labels.Data
                |> Expect.equal "labels" (Array.init 300 (fun i -> int16 (i / 100)))
            }

            test "mirroring reaches each axis about every other time" {
                let extent = Extent.plane 1 2

                let patch =
                    Patch.create (Image.create 1 extent [| 1f; 2f |]) (Volume.create extent [| 1s; 2s |])

                let stream = rng 8

                List.init 400 (fun _ -> (Augment.mirror Augment.options stream patch).Labels.Data[0])
                |> List.sumBy (fun first -> if first = 2s then 1 else 0)
                |> fun count -> count > 150 && count < 250
                |> Expect.isTrue "about 200 of 400"
            }
        ]
