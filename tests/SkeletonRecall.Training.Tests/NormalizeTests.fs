module SkeletonRecall.Tests.NormalizeTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.plane 2 2

[<Tests>]
let tests =
    testList
        "Normalize"
        [
            test "each channel by its scheme, by hand" {
                let image =
                    Image.create
                        4
                        extent
                        [|
                            // Mean 3, deviation sqrt 2 (of all values, not of a sample).
                            1f
                            3f
                            3f
                            5f
                            10f
                            20f
                            30f
                            50f
                            0f
                            51f
                            102f
                            255f
                            7f
                            8f
                            9f
                            10f
                        |]

                let normalized =
                    Normalize.image [ ZScore; RescaleTo01; RgbTo01; NoNormalization ] image

                let root = float32 (sqrt 2.0)

                let wanted =
                    [|
                        -root
                        0f
                        0f
                        root
                        0f
                        0.25f
                        0.5f
                        1f
                        0f
                        0.2f
                        0.4f
                        1f
                        7f
                        8f
                        9f
                        10f
                    |]

                Array.iter2
                    (fun (got: float32) (wanted: float32) ->
                        Expect.floatClose Accuracy.medium (float got) (float wanted) "value")
                    normalized.Data
                    wanted

                Expect.equal image.Data[0] 1f "the image that came in stays as it was"
            }

            test "CT is clipped to the percentiles before the fingerprint's mean and deviation" {
                let properties: IntensityProperties =
                    {
                        Maximum = 2000.0
                        Mean = 100.0
                        Median = 90.0
                        Minimum = -1000.0
                        Low = 0.0
                        High = 300.0
                        Deviation = 50.0
                    }

                let image = Image.create 1 extent [| -500f; 100f; 150f; 1000f |]
                Expect.equal (Normalize.image [ Ct properties ] image).Data [| -2f; 0f; 1f; 4f |] "values"
            }

            test "inside the mask, what is outside neither counts nor changes" {
                // 1, 3, 3 and 5 inside: mean 3, deviation sqrt 2.
                let wide = Extent.plane 2 3

                let image = Image.create 2 wide [| 1f; 3f; 0f; 3f; 5f; 0f; 0f; 0f; 0f; 0f; 0f; 0f |]

                let root = float32 (sqrt 2.0)
                let normalized = Normalize.image [ ZScoreInside; NoNormalization ] image

                Array.iter2
                    (fun (got: float32) (wanted: float32) ->
                        Expect.floatClose Accuracy.medium (float got) (float wanted) "value")
                    normalized.Data
                    [| -root; 0f; 0f; 0f; root; 0f; 0f; 0f; 0f; 0f; 0f; 0f |]

                let blank = Image.create 1 extent (Array.zeroCreate 4)
                Expect.equal (Normalize.image [ ZScoreInside ] blank).Data (Array.zeroCreate 4) "nothing inside"
            }

            test "constant channels become 0" {
                let image = Image.create 2 extent (Array.create 8 5f)
                Expect.equal (Normalize.image [ ZScore; RescaleTo01 ] image).Data (Array.zeroCreate 8) "values"
            }

            test "normalizing twice is normalizing once" {
                let case = Toy.vessels 32 1
                let once = Normalize.image [ ZScore ] case.Image
                let twice = Normalize.image [ ZScore ] once

                Array.iter2 (fun (a: float32) b -> Expect.isLessThan (abs (a - b)) 1e-5f "value") once.Data twice.Data
            }

            test "there is one scheme per channel" {
                let image = Image.create 2 extent (Array.create 8 5f)

                Expect.throwsT<System.ArgumentException>
                    (fun () -> Normalize.image [ ZScore ] image |> ignore)
                    "refused"
            }
        ]
