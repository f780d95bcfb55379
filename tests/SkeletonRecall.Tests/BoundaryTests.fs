module SkeletonRecall.Tests.BoundaryTests

open TorchSharp
open Expecto
open SkeletonRecall

let private labels: int16[] = [| 0s; 0s; 1s; 1s; 1s; 0s |]

let private row (values: int16[]) : Target =
    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 1L; int64 values.Length ] values)

/// Probability 3/4 of foreground everywhere.
let private threeQuarters (count: int) : Tensor =
    Tensors.ofDoubles
        [ 1L; 2L; 1L; int64 count ]
        (Array.init (2 * count) (fun at -> if at < count then 0.0 else log 3.0))

[<Tests>]
let tests =
    testList
        "Boundary"
        [
            testCase "signed distances of a row by hand" (fun () ->
                let mask =
                    Volume.create (Extent.plane 1 6) labels
                    |> Mask.ofVolume (fun label -> label = 1s)

                Expect.equal (Boundary.signed mask) [| 2.0; 1.0; 0.0; -1.0; 0.0; 1.0 |] "distances")

            testCase "a row by hand" (fun () ->
                use _scope = Tensors.scope ()
                let value = Boundary.loss (threeQuarters 6) (row labels)
                Expect.floatClose Accuracy.veryHigh (Tensors.item value) (0.75 * 3.0 / 6.0) "value"

                let masked =
                    row labels
                    |> Target.withValid (Tensors.ofBytes [ 1L; 1L; 1L; 6L ] [| 0uy; 1uy; 1uy; 1uy; 1uy; 1uy |])

                let value = Boundary.loss (threeQuarters 6) masked
                Expect.floatClose Accuracy.veryHigh (Tensors.item value) (0.75 * 1.0 / 5.0) "masked")

            testCase "the numbers of the authors' code" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = FamilyGolden.scene ()
                FamilyGolden.agree 1e-5 "boundary" Boundary.loss logits target)

            testCase "no boundary, nothing to say" (fun () ->
                use _scope = Tensors.scope ()

                for label in [ 0s; 1s ] do
                    let value = Boundary.loss (threeQuarters 6) (row (Array.create 6 label))
                    Expect.equal (Tensors.item value) 0.0 "value")

            testCase "a volume: the middle of a cube of 3" (fun () ->
                let inside (at: int) =
                    let among (place: int) = place >= 1 && place <= 3
                    among (at / 25) && among (at / 5 % 5) && among (at % 5)

                let mask =
                    Array.init 125 (fun at -> if inside at then 1uy else 0uy)
                    |> Volume.create (Extent.space 5 5 5)
                    |> Mask.ofVolume (fun bit -> bit = 1uy)

                let distances = Boundary.signed mask
                Expect.equal distances[62] -1.0 "middle"
                Expect.floatClose Accuracy.veryHigh distances[0] (sqrt 3.0) "corner")

            LossSamples.lawsOf Boundary.loss
            LossSamples.regionLaws Boundary.loss
        ]
