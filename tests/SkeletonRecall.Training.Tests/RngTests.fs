module SkeletonRecall.Tests.RngTests

open Expecto
open SkeletonRecall.Training

let private bits (count: int) (seed: Seed) : uint64 list =
    let rng = Seed.rng seed
    List.init count (fun _ -> rng.NextBits())

let private sample (count: int) (draw: Rng -> float) : float[] =
    let rng = Seed.rng (Seed.ofInt 11)
    Array.init count (fun _ -> draw rng)

let private spread (values: float[]) : float =
    let mean = Array.average values
    sqrt (values |> Array.averageBy (fun value -> (value - mean) ** 2.0))

let private ours =
    testList
        "Rng and Seed"
        [
            test "the same seed gives the same numbers" {
                Expect.equal (bits 20 (Seed.ofInt 5)) (bits 20 (Seed.ofInt 5)) "5 and 5"
            }

            test "seeds and their children give different numbers" {
                let root = Seed.ofInt 1

                let streams =
                    [
                        root
                        Seed.ofInt 2
                        Seed.ofInt -1
                        yield! List.init 50 (fun number -> Seed.child number root)
                        yield! List.init 50 (fun number -> Seed.child number (Seed.child 3 root))
                    ]
                    |> List.map (bits 2)

                Expect.equal (List.distinct streams).Length streams.Length "all different"
            }

            test "uniform numbers fill their range" {
                let values = sample 20000 (fun rng -> rng.Uniform(-2.0, 6.0))
                Expect.isTrue (Array.forall (fun value -> value >= -2.0 && value < 6.0) values) "in range"
                Expect.floatClose { absolute = 0.1; relative = 0.0 } (Array.average values) 2.0 "mean"

                Expect.floatClose
                    { absolute = 0.1; relative = 0.0 }
                    (spread values)
                    (8.0 / sqrt 12.0)
                    "standard deviation"
            }

            test "normal numbers have mean 0 and standard deviation 1" {
                let values = sample 20000 (fun rng -> rng.Gaussian())
                Expect.floatClose { absolute = 0.03; relative = 0.0 } (Array.average values) 0.0 "mean"
                Expect.floatClose { absolute = 0.03; relative = 0.0 } (spread values) 1.0 "standard deviation"
            }

            test "whole numbers are spread evenly" {
                let counts = Array.zeroCreate<int> 7
                let rng = Seed.rng (Seed.ofInt 3)

                for _ in 1..7000 do
                    let value = rng.NextInt 7
                    counts[value] <- counts[value] + 1

                Expect.isTrue (counts |> Array.forall (fun count -> abs (count - 1000) < 150)) $"%A{counts}"
            }

            test "an empty range is refused" {
                let rng = Seed.rng (Seed.ofInt 3)
                Expect.throwsT<System.ArgumentException> (fun () -> rng.NextInt 0 |> ignore) "0"
            }
        ]

let private numpy =
    testList
        "NumpyRandom"
        [
            // The generator's own check value (C++11 [rand.predef]): the 10000th number of seed 5489.
            test "the Mersenne Twister gives its published 10000th number" {
                let twister = NumpyRandom 5489u

                for _ in 1..9999 do
                    twister.NextBits() |> ignore

                Expect.equal (twister.NextBits()) 4123659995u "10000th"
            }

            // Results of numpy 1.24: numpy.random.RandomState(seed).permutation(10).
            test "permutations are numpy's" {
                Expect.equal (NumpyRandom(42u).Permutation 10) [| 8; 1; 5; 0; 7; 2; 9; 4; 3; 6 |] "seed 42"
                Expect.equal (NumpyRandom(0u).Permutation 10) [| 2; 8; 4; 9; 1; 6; 7; 3; 0; 5 |] "seed 0"
                Expect.equal (NumpyRandom(7u).Permutation 1) [| 0 |] "one"
                Expect.equal (NumpyRandom(7u).Permutation 0) [||] "none"
            }

            // RandomState(3).choice(11, 12).
            test "draws with replacement are numpy's" {
                let random = NumpyRandom 3u
                let drawn = List.init 12 (fun _ -> int (random.NextInclusive 10u))
                Expect.equal drawn [ 10; 8; 9; 3; 8; 8; 0; 5; 3; 10; 9; 9 ] "seed 3"
            }
        ]

[<Tests>]
let tests = testList "Rng" [ ours; numpy ]
