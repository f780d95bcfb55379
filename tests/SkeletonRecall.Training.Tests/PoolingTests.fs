module SkeletonRecall.Tests.PoolingTests

open Expecto
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "Pooling"
        [
            // Plans of nnU-Net's own planner.
            test "a plane of 640 x 640" {
                let pooling = Pooling.topology [ 1.0; 1.0 ] [ 640; 640 ]
                Expect.equal pooling.PatchSize [ 640; 640 ] "patch"
                Expect.equal pooling.Strides ([ 1; 1 ] :: List.replicate 7 [ 2; 2 ]) "strides"
                Expect.equal pooling.KernelSizes (List.replicate 8 [ 3; 3 ]) "kernels"
            }

            test "an anisotropic volume begins in the plane" {
                let pooling = Pooling.topology [ 0.6; 0.297; 0.297 ] [ 64; 192; 160 ]

                Expect.equal pooling.Strides ([ 1; 1; 1 ] :: [ 1; 2; 2 ] :: List.replicate 4 [ 2; 2; 2 ]) "strides"
                Expect.equal pooling.KernelSizes ([ 1; 3; 3 ] :: List.replicate 5 [ 3; 3; 3 ]) "kernels"
            }

            test "a volume of thick slices ends in the plane" {
                let pooling = Pooling.topology [ 5.0; 1.48; 1.48 ] [ 16; 256; 256 ]

                Expect.equal
                    pooling.Strides
                    [
                        [ 1; 1; 1 ]
                        [ 1; 2; 2 ]
                        [ 2; 2; 2 ]
                        [ 2; 2; 2 ]
                        [ 1; 2; 2 ]
                        [ 1; 2; 2 ]
                        [ 1; 2; 2 ]
                    ]
                    "strides"
            }

            test "an axis that is spent drops out" {
                let pooling = Pooling.topology [ 0.3; 0.3; 0.3 ] [ 112; 160; 128 ]
                Expect.equal pooling.Strides.Length 6 "stages"
                Expect.equal (List.last pooling.Strides) [ 1; 2; 2 ] "the last stride"
            }

            test "a patch is padded up to what can be halved" {
                let pooling = Pooling.topology [ 1.0; 1.0; 1.0 ] [ 36; 50; 35 ]
                Expect.equal pooling.PatchSize [ 40; 56; 40 ] "patch"
                Expect.equal pooling.Divisor [ 8; 8; 8 ] "divisor"
                Expect.equal (Pooling.topology [ 1.0; 1.0 ] [ 584; 565 ]).PatchSize [ 640; 640 ] "DRIVE"
            }

            test "one axis alone is halved only from 12 voxels on" {
                Expect.equal (Pooling.topology [ 1.0; 1.0 ] [ 11; 7 ]).Strides [ [ 1; 1 ] ] "11"
                Expect.equal (Pooling.topology [ 1.0; 1.0 ] [ 12; 7 ]).Strides [ [ 1; 1 ]; [ 2; 1 ] ] "12"
            }

            test "tiny patches have a single stage" {
                let pooling = Pooling.topology [ 1.0; 1.0 ] [ 7; 7 ]
                Expect.equal pooling.Strides [ [ 1; 1 ] ] "strides"
                Expect.equal pooling.KernelSizes [ [ 3; 3 ] ] "kernels"
            }

            test "padding does not change the topology" {
                for height in 8..5..200 do
                    for width in 8..7..200 do
                        let pooling = Pooling.topology [ 1.0; 1.0 ] [ height; width ]
                        let again = Pooling.topology [ 1.0; 1.0 ] pooling.PatchSize
                        Expect.all (List.map2 (%) pooling.PatchSize pooling.Divisor) ((=) 0) "divisible"
                        Expect.isGreaterThanOrEqual again.Strides.Length pooling.Strides.Length "stages"
            }

            test "sizes and spacings that do not fit are refused" {
                for spacing, size in [ [ 1.0 ], [ 8; 8 ]; [ 1.0; 0.0 ], [ 8; 8 ]; [ 1.0; 1.0 ], [ 8; 0 ] ] do
                    Expect.throwsT<System.ArgumentException>
                        (fun () -> Pooling.topology spacing size |> ignore)
                        "refused"
            }
        ]
