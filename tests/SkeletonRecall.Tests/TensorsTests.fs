module SkeletonRecall.Tests.TensorsTests

open TorchSharp
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Tensors"
        [
            testCase "arrays come back" (fun () ->
                use _scope = Tensors.scope ()
                let singles = [| 1.5f; -2.0f; 3.25f; 0.0f; infinityf; 7.0f |]
                Expect.sequenceEqual (Tensors.toArray<float32>(Tensors.ofArray [ 2L; 3L ] singles)) singles "float32"
                let doubles = [| 1.5; -2.0 |]
                Expect.sequenceEqual (Tensors.toArray<float>(Tensors.ofDoubles [ 2L ] doubles)) doubles "float"
                let labels = [| -1s; 0s; 32767s |]
                Expect.sequenceEqual (Tensors.toArray<int16>(Tensors.ofInt16 [ 1L; 3L ] labels)) labels "int16"
                let bytes = [| 0uy; 255uy |]
                Expect.sequenceEqual (Tensors.toArray<byte>(Tensors.ofBytes [ 2L ] bytes)) bytes "byte")

            testCase "the values are copied" (fun () ->
                use _scope = Tensors.scope ()
                let data = [| 1.0f; 2.0f |]
                let tensor = Tensors.ofArray [ 2L ] data
                data[0] <- 9.0f
                Expect.sequenceEqual (Tensors.toArray<float32> tensor) [| 1.0f; 2.0f |] "values")

            testCase "row-major, whatever the strides" (fun () ->
                use _scope = Tensors.scope ()
                let tensor = Tensors.ofArray [ 2L; 3L ] [| 1.0f; 2.0f; 3.0f; 4.0f; 5.0f; 6.0f |]
                let turned = tensor.transpose (0L, 1L)

                Expect.sequenceEqual
                    (Tensors.toArray<float32> turned)
                    [| 1.0f; 4.0f; 2.0f; 5.0f; 3.0f; 6.0f |]
                    "values")

            testCase "a shape that does not fit names both" (fun () ->
                LossSamples.throwsNaming "data" [ "(2, 3)"; "6"; "5" ] (fun () ->
                    Tensors.ofArray [ 2L; 3L ] (Array.zeroCreate 5)))

            testCase "another type than the tensor's" (fun () ->
                use _scope = Tensors.scope ()
                let tensor = Tensors.ofArray [ 1L ] [| 1.0f |]

                LossSamples.throwsNaming "tensor" [ "Float32"; "Int16" ] (fun () ->
                    Tensors.toArray<int16> tensor |> ignore
                    tensor))

            testCase "a label map is a batch of one" (fun () ->
                use _scope = Tensors.scope ()

                let labels: LabelMap =
                    Volume.create (Extent.space 2 1 3) [| 0s; 1s; 2s; 3s; 4s; 5s |]

                Expect.sequenceEqual (Tensors.ofLabels labels).shape [| 1L; 1L; 2L; 1L; 3L |] "shape")

            testCase "one-hot" (fun () ->
                use _scope = Tensors.scope ()
                let ids = Tensors.ofInt16 [ 2L; 1L; 2L ] [| 0s; 2s; 1s; 1s |]
                let channels = Tensors.oneHot 3L torch.float32 ids
                Expect.sequenceEqual channels.shape [| 2L; 3L; 2L |] "shape"

                let wanted =
                    [| 1.0f; 0.0f; 0.0f; 0.0f; 0.0f; 1.0f; 0.0f; 0.0f; 1.0f; 1.0f; 0.0f; 0.0f |]

                Expect.sequenceEqual (Tensors.toArray<float32> channels) wanted "values")

            testCase "scoped frees temporaries and keeps the result" (fun () ->
                use one = Tensors.ofArray [ 1L ] [| 1.0f |]
                let before = Tensors.liveCount ()

                let result =
                    Tensors.scoped (fun () -> (one + Scalar.op_Implicit 1.0f) * Scalar.op_Implicit 3.0f)

                Expect.equal (Tensors.liveCount ()) (before + 1L) "alive"
                Expect.equal (Tensors.item result) 6.0 "value"
                result.Dispose()
                Expect.equal (Tensors.liveCount ()) before "alive afterwards")

            testCase "scoped frees what it made when the computation throws" (fun () ->
                use one = Tensors.ofArray [ 1L ] [| 1.0f |]
                let before = Tensors.liveCount ()

                Expect.throws
                    (fun () -> Tensors.scoped (fun () -> (one + one).reshape 7L) |> ignore)
                    "a shape that does not fit"

                Expect.equal (Tensors.liveCount ()) before "alive")

            testCase "gradients flow through freed temporaries" (fun () ->
                use _scope = Tensors.scope ()
                let variable = (Tensors.ofArray [ 2L ] [| 1.0f; 2.0f |]).requires_grad_ true
                let squared = Tensors.scoped (fun () -> (variable * variable).sum())
                squared.backward ()

                match variable.grad with
                | null -> failtest "no gradient"
                | gradient -> Expect.sequenceEqual (Tensors.toArray<float32> gradient) [| 2.0f; 4.0f |] "gradient")
        ]
