module SkeletonRecall.Tests.ChannelMapsTests

open TorchSharp
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "ChannelMaps"
        [
            testCase "each channel is a mask of its own" (fun () ->
                use _scope = Tensors.scope ()

                let channels =
                    Tensors.ofBytes [ 2L; 2L; 1L; 3L ] [| 1uy; 0uy; 0uy; 0uy; 1uy; 0uy; 0uy; 0uy; 0uy; 1uy; 1uy; 1uy |]

                let like = torch.zeros ([| 2L; 2L; 1L; 3L |], dtype = torch.float32)

                let count (mask: Mask) =
                    Array.create mask.Extent.Count (float (Mask.count mask))

                let maps = ChannelMaps.map count like channels
                Expect.equal maps.dtype torch.float32 "type"

                Expect.equal
                    (Tensors.toArray<float32> maps)
                    [| 1f; 1f; 1f; 1f; 1f; 1f; 0f; 0f; 0f; 3f; 3f; 3f |]
                    "values")

            testCase "lines are refused" (fun () ->
                use _scope = Tensors.scope ()
                let channels = Tensors.ofBytes [ 1L; 1L; 2L ] [| 1uy; 0uy |]

                LossSamples.throwsNaming "logits" [ "(1, 1, 2)" ] (fun () ->
                    ChannelMaps.map (fun _ -> [||]) channels channels))
        ]
