module SkeletonRecall.Tests.TrainMemoryTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "TrainMemory"
        [
            test "the least memory is four bytes for each value of the feature maps" {
                // Two stages of 2 and 4 features on 16 x 16: one convolution each on the way down, two on the way up (one of them
                // transposed), and two outputs.
                let configuration =
                    { Toy.configuration [ 2; 4 ] with
                        PatchSize = [ 16; 16 ]
                        BatchSize = 3
                    }

                let values = 2 * 256 + 4 * 64 + 2 * (2 * 256) + 2 * 256

                Expect.equal (TrainMemory.least configuration Toy.dataset) (float (4 * 3 * values)) "bytes"
            }

            test "a patch larger than the memory is told with both figures, one that fits is taken" {
                let configuration =
                    { Toy.configuration [ 32; 64 ] with
                        PatchSize = [ 16384; 16384 ]
                        BatchSize = 8
                    }

                match TrainMemory.require 16e9 configuration Toy.dataset with
                | Ok() -> failtest "it was taken"
                | Error problem ->
                    let said = Problem.message problem
                    Expect.stringContains said "16384 x 16384, 8 in a batch" "the patch"
                    Expect.stringContains said "16.0 GB" "the machine"

                Expect.isOk (TrainMemory.require 16e9 TinyRun.configuration TinyRun.dataset) "a small one"
            }
        ]
