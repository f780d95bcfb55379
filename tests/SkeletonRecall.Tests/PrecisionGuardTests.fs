module SkeletonRecall.Tests.PrecisionGuardTests

open TorchSharp
open Expecto
open SkeletonRecall

let private row (values: int16[]) : Target =
    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 1L; int64 values.Length ] values)

/// Probability 3/4 of foreground everywhere.
let private threeQuarters (count: int) : Tensor =
    Tensors.ofDoubles
        [ 1L; 2L; 1L; int64 count ]
        (Array.init (2 * count) (fun at -> if at < count then 0.0 else log 3.0))

let private value (margin: float) (target: Target) : float =
    Tensors.item (PrecisionGuard.loss { Margin = margin; Smooth = 0.0 } (threeQuarters 6) target)

[<Tests>]
let tests =
    testList
        "PrecisionGuard"
        [
            testCase "a row by hand" (fun () ->
                use _scope = Tensors.scope ()
                let target = row [| 1s; 1s; 0s; 0s; 0s; 0s |]

                for margin, far in [ 0.0, 4.0; 1.0, 3.0; 1.5, 3.0; 2.0, 2.0; 3.0, 1.0; 4.0, 0.0 ] do
                    Expect.floatClose Accuracy.veryHigh (value margin target) (far / 6.0) $"margin %g{margin}")

            testCase "the wrong class is not extra, an empty patch is all extra" (fun () ->
                use _scope = Tensors.scope ()
                Expect.equal (value 0.0 (row (Array.create 6 1s))) 0.0 "labelled everywhere"
                Expect.floatClose Accuracy.veryHigh (value 100.0 (row (Array.create 6 0s))) 1.0 "empty"

                let logits = Tensors.ofDoubles [ 1L; 3L; 1L; 1L ] [| 0.0; -9.0; 9.0 |]
                let guard = PrecisionGuard.loss PrecisionGuard.standard logits (row [| 1s |])
                Expect.equal (Tensors.item guard) 0.0 "class 2 in place of 1")

            testCase "smooth keeps an empty prediction cheap" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 2L; 1L; 1L ] [| log 3.0; 0.0 |]
                let guard = PrecisionGuard.loss PrecisionGuard.standard logits (row [| 0s |])
                Expect.floatClose Accuracy.veryHigh (Tensors.item guard) (0.25 / 1.25) "value")

            testCase "options out of range" (fun () ->
                use _scope = Tensors.scope ()

                for options, part in
                    [
                        { PrecisionGuard.standard with
                            Margin = -1.0
                        },
                        "Margin"
                        { PrecisionGuard.standard with
                            Smooth = nan
                        },
                        "Smooth"
                    ] do
                    LossSamples.throwsNaming "options" [ part ] (fun () ->
                        PrecisionGuard.loss options (LossSamples.logits ()) (LossSamples.target ())))

            LossSamples.lawsOf (PrecisionGuard.loss { Margin = 1.0; Smooth = 1.0 })
            LossSamples.regionLaws (PrecisionGuard.loss { Margin = 1.0; Smooth = 1.0 })
        ]
