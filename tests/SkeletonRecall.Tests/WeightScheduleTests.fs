module SkeletonRecall.Tests.WeightScheduleTests

open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "WeightSchedule"
        [
            testCase "shares of the weight" (fun () ->
                let shares (schedule: WeightSchedule) =
                    [ 0; 1; 2; 3; 4; 100 ]
                    |> List.map (fun epoch -> WeightSchedule.factor epoch schedule)

                Expect.equal (shares WeightSchedule.Constant) [ 1.0; 1.0; 1.0; 1.0; 1.0; 1.0 ] "constant"
                Expect.equal (shares (WeightSchedule.WarmUp 4)) [ 0.0; 0.25; 0.5; 0.75; 1.0; 1.0 ] "warm-up"
                Expect.equal (shares (WeightSchedule.After 3)) [ 0.0; 0.0; 0.0; 1.0; 1.0; 1.0 ] "after"
                Expect.equal (shares (WeightSchedule.After 0)) [ 1.0; 1.0; 1.0; 1.0; 1.0; 1.0 ] "at once")

            testCase "what is out of range" (fun () ->
                Expect.isSome (WeightSchedule.problem (WeightSchedule.WarmUp 0)) "warm-up"
                Expect.isSome (WeightSchedule.problem (WeightSchedule.After -1)) "after"
                Expect.isNone (WeightSchedule.problem (WeightSchedule.After 0)) "good")
        ]
