module SkeletonRecall.Tests.PatchTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private numbered (extent: Extent) : Image * LabelMap =
    Image.create 2 extent (Array.init (2 * extent.Count) float32), Volume.create extent (Array.init extent.Count int16)

[<Tests>]
let tests =
    testList
        "Patch"
        [
            test "a box inside the case holds its values" {
                let image, labels = numbered (Extent.plane 3 4)
                let patch = Patch.cut (Extent.plane 2 2) [ 1; 2 ] image labels
                Expect.equal patch.Labels.Data [| 6s; 7s; 10s; 11s |] "labels"
                Expect.equal patch.Image.Data [| 6f; 7f; 10f; 11f; 18f; 19f; 22f; 23f |] "both channels"
            }

            test "outside the case the image is 0 and the labels are -1" {
                let image, labels = numbered (Extent.plane 2 2)
                let patch = Patch.cut (Extent.plane 3 2) [ -1; 1 ] image labels
                Expect.equal patch.Labels.Data [| -1s; -1s; 1s; -1s; 3s; -1s |] "labels"
                Expect.equal patch.Image.Data[..5] [| 0f; 0f; 1f; 0f; 3f; 0f |] "image"
            }

            test "a box that misses the case altogether is empty" {
                let image, labels = numbered (Extent.plane 2 2)
                let patch = Patch.cut (Extent.plane 2 2) [ 7; -9 ] image labels
                Expect.allEqual patch.Labels.Data -1s "labels"
            }

            test "a plane out of a volume is one slice, with the spacing of its axes" {
                let image, labels = numbered (Extent.space 3 2 2)

                let image =
                    { image with
                        Spacing = Spacing.ofList [ 5.0; 1.0; 2.0 ]
                    }

                let patch = Patch.cut (Extent.plane 2 2) [ 2; 0; 0 ] image labels
                Expect.equal patch.Labels.Data [| 8s; 9s; 10s; 11s |] "labels"
                Expect.equal patch.Image.Spacing (Spacing.ofList [ 1.0; 2.0 ]) "spacing"
            }

            test "the middle of a patch starts at floor(length / 2) - floor(size / 2)" {
                let image, labels = numbered (Extent.plane 5 4)
                let patch = Patch.centreCrop (Extent.plane 2 3) (Patch.create image labels)
                Expect.equal patch.Labels.Data[0] (int16 (1 * 4 + 1)) "first corner"
            }

            test "sizes and corners that do not fit are refused" {
                let image, labels = numbered (Extent.plane 2 2)

                let refused (action: unit -> Patch) =
                    Expect.throwsT<System.ArgumentException> (action >> ignore) "refused"

                refused (fun () -> Patch.cut (Extent.plane 2 2) [ 0 ] image labels)
                refused (fun () -> Patch.cut (Extent.space 1 2 2) [ 0; 0 ] image labels)
                refused (fun () -> Patch.create image (snd (numbered (Extent.plane 1 2))))
            }
        ]
