module SkeletonRecall.Tests.VolumeTests

open System
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Volume"
        [
            testCase "the array fits the extent"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Volume.create (Extent.plane 2 3) [| 1; 2 |] |> ignore)
                    "2 values for 6 pixels"

            testCase "map keeps extent and spacing"
            <| fun () ->
                let spacing = Spacing.ofList [ 0.5; 2.0 ]

                let volume =
                    Volume.create (Extent.plane 2 2) [| 1; 2; 3; 4 |] |> Volume.withSpacing spacing

                let doubled = Volume.map (fun value -> 2.0 * float value) volume
                Expect.equal doubled.Spacing spacing "spacing"
                Expect.equal doubled.Data [| 2.0; 4.0; 6.0; 8.0 |] "values"

            testCase "a spacing fits the rank"
            <| fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Volume.create (Extent.plane 1 1) [| 1 |]
                        |> Volume.withSpacing (Spacing.unit 3)
                        |> ignore)
                    "three spacings for a plane"
        ]
