module SkeletonRecall.Tests.SignedRankTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "SignedRank"
        [
            test "scipy's statistics and probabilities" {
                use document = JsonDocument.Parse(Golden.bytes "statistics/wilcoxon.json")
                Expect.isGreaterThan (document.RootElement.GetArrayLength()) 15 "cases"

                for case in document.RootElement.EnumerateArray() do
                    let numbers (name: string) =
                        [ for value in case.GetProperty(name).EnumerateArray() -> value.GetDouble() ]

                    let first, second = numbers "first", numbers "second"
                    let tested = SignedRank.test (List.zip first second)
                    let name = $"%d{first.Length} pairs"
                    Expect.equal tested.Statistic (case.GetProperty("statistic").GetDouble()) $"statistic, %s{name}"
                    Expect.equal tested.IsExact (case.GetProperty("exact").GetBoolean()) $"exact, %s{name}"
                    let wanted = case.GetProperty("p").GetDouble()
                    Expect.isLessThan (abs (tested.P / wanted - 1.0)) 1e-10 $"p %g{tested.P} and %g{wanted}, %s{name}"
            }

            test "pairs without a difference or with NaN do not count" {
                let tested = SignedRank.test [ 1.0, 2.0; 3.0, 3.0; nan, 1.0; 1.0, nan; 0.0, -3.0 ]
                Expect.equal (tested.Count, tested.Statistic, tested.IsExact) (2, 1.0, false) "two"
                let none = SignedRank.test [ 1.0, 1.0; nan, 2.0 ]
                Expect.isTrue (none.Count = 0 && Double.IsNaN none.P) "none"
            }

            test "exchanging the sides changes nothing" {
                let pairs = List.init 9 (fun n -> float (n * n % 7) + 0.01 * float n, float (n % 4))
                Expect.equal (SignedRank.test pairs) (SignedRank.test (pairs |> List.map (fun (a, b) -> b, a))) "same"
            }
        ]
