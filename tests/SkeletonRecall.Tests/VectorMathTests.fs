module SkeletonRecall.Tests.VectorMathTests

open System
open System.Runtime.Intrinsics
open Expecto
open SkeletonRecall

let private single: IVectorMath<float32> = SingleMath()

let private exponential (x: float32) : float32 =
    single.Exp(Vector256.Create x).ToScalar()

[<Tests>]
let tests =
    testList
        "VectorMath"
        [
            testCase "the exponential to 2 units in the last place" (fun () ->
                let errors =
                    Array.init 200001 (fun step ->
                        let x = -87.0f * float32 step / 200000.0f
                        let exact = Math.Exp(float x)
                        abs (float (exponential x) - exact) / exact)

                Expect.isLessThan (Array.max errors) 2.4e-7 "largest relative error")

            testCase "the exponential's ends" (fun () ->
                Expect.equal (exponential 0.0f) 1.0f "0"
                Expect.isLessThan (exponential -1000.0f) 2e-38f "far below"
                Expect.isLessThan (exponential Single.NegativeInfinity) 2e-38f "minus infinity"
                Expect.isTrue (Single.IsNaN(exponential nanf)) "NaN")

            testCase "widening integers" (fun () ->
                for length in [ 0; 1; 7; 8; 9; 40 ] do
                    let source = Array.init length (fun index -> int16 (index * 701 - 3000))
                    let target = Array.create (length + 1) 99.5f
                    single.Widen(ReadOnlySpan source, Span(target, 0, length))
                    Expect.sequenceEqual target[.. length - 1] (Array.map float32 source) "values"
                    Expect.equal target[length] 99.5f "nothing beyond")
        ]
