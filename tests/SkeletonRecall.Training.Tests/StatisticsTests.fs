module SkeletonRecall.Tests.StatisticsTests

open System
open Expecto
open SkeletonRecall.Training

let private seed = Seed.ofInt 1

[<Tests>]
let tests =
    testList
        "Statistics"
        [
            test "the mean leaves NaN out" {
                Expect.equal (Statistics.mean [ 1.0; nan; 3.0 ]) 2.0 "mean"
                Expect.isTrue (Double.IsNaN(Statistics.mean [ nan ])) "nothing left"
            }

            test "the median leaves NaN out" {
                Expect.equal (Statistics.median [ 9.0; nan; 1.0; 2.0 ]) 2.0 "the one in the middle"
                Expect.equal (Statistics.median [ 4.0; 1.0; 2.0; 9.0 ]) 3.0 "between the two in the middle"
                Expect.isTrue (Double.IsNaN(Statistics.median [ nan ])) "nothing left"
            }

            test "intervals hold the mean and depend on the seed alone" {
                let values = [ 0.1; 0.5; 0.4; nan; 0.9; 0.3 ]
                let interval = Statistics.bootstrap seed values
                Expect.equal interval (Statistics.bootstrap seed values) "same seed"
                Expect.equal interval.Count 5 "NaN does not count"
                Expect.isTrue (interval.Low < interval.Mean && interval.Mean < interval.High) "order"
                Expect.isTrue (interval.Low >= 0.1 && interval.High <= 0.9) "range"
            }

            test "its width is that of the normal approximation" {
                let rng = Seed.rng (Seed.ofInt 9)
                let values = List.init 400 (fun _ -> rng.Gaussian())
                let interval = Statistics.bootstrap seed values
                let mean = List.average values

                let deviation =
                    sqrt (values |> List.averageBy (fun value -> (value - mean) * (value - mean)))

                let wanted = 2.0 * 1.96 * deviation / sqrt 400.0
                Expect.isLessThan (abs ((interval.High - interval.Low) / wanted - 1.0)) 0.1 "width"
            }

            test "edge cases" {
                let none = Statistics.bootstrap seed []
                Expect.equal none.Count 0 "empty"
                Expect.isTrue (Double.IsNaN none.Mean && Double.IsNaN none.Low) "NaN"
                let one = Statistics.bootstrap seed [ 0.25 ]
                Expect.equal (one.Mean, one.Low, one.High) (0.25, 0.25, 0.25) "a single value"
            }

            test "pairs are second minus first, and NaN drops the pair" {
                let interval = Statistics.paired seed [ 1.0, 1.5; nan, 2.0; 2.0, 2.5 ]

                Expect.equal
                    (interval.Mean, interval.Low, interval.High, interval.Count)
                    (0.5, 0.5, 0.5, 2)
                    "difference"
            }
        ]
