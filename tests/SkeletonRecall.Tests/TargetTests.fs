module SkeletonRecall.Tests.TargetTests

open TorchSharp
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Target"
        [
            testCase "its tensors" (fun () ->
                use _scope = Tensors.scope ()
                Expect.equal (Target.tensors (LossSamples.target ())).Length 2 "without mask"
                Expect.equal (Target.tensors (LossSamples.masked ())).Length 3 "with mask")

            testCase "to a device in fresh tensors" (fun () ->
                use _scope = Tensors.scope ()
                let original = LossSamples.masked ()
                let moved = Target.toDevice torch.CPU original

                for left, right in List.zip (Target.tensors original) (Target.tensors moved) do
                    Expect.notEqual left.Handle right.Handle "fresh"
                    Expect.sequenceEqual (right.bytes.ToArray()) (left.bytes.ToArray()) "values")

            testCase "dispose frees all" (fun () ->
                LibTorch.ensure ()
                let before = Tensors.liveCount ()
                let target = LossSamples.masked ()
                Expect.equal (Tensors.liveCount ()) (before + 3L) "alive"
                Target.dispose target
                Expect.equal (Tensors.liveCount ()) before "alive afterwards")

            testCase "ids of every integer type are taken" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()

                let ids =
                    Tensors.ofInt16 [ 2L; 1L; 4L; 4L ] (Array.init 32 (fun index -> int16 (index % 3)))

                for kind in [ torch.uint8; torch.int8; torch.int16; torch.int32; torch.int64 ] do
                    Target.requireIds "ids" logits (ids.``to`` kind))

            testCase "floats are no ids" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()

                LossSamples.throwsNaming "ids" [ "integers"; "Float64" ] (fun () ->
                    Target.requireIds "ids" logits logits
                    logits))

            testCase "one-hot classes become ids" (fun () ->
                use _scope = Tensors.scope ()

                let ids =
                    Tensors.ofInt16 [ 2L; 1L; 4L; 4L ] (Array.init 32 (fun index -> int16 (index % 3)))

                for kind in [ torch.float32; torch.bool; torch.int64 ] do
                    match (Target.ofOneHot ((Tensors.oneHot 3L torch.uint8 ids).``to`` kind)).Truth with
                    | Classes found -> Expect.equal (Tensors.toArray<int16> found) (Tensors.toArray<int16> ids) "ids"
                    | Regions _ -> failtest "classes are wanted"

                for wrong in
                    [
                        torch.zeros (1L, 2L, 3L)
                        torch.ones (1L, 2L, 3L)
                        Tensors.ofArray [ 1L; 2L; 2L ] (Array.create 4 0.5f)
                    ] do
                    LossSamples.throwsNaming "channels" [ "one channel of 1" ] (fun () ->
                        Target.ofOneHot wrong |> ignore
                        wrong))

            testCase "channels of 0 and 1 of any type are taken, others are not" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()
                let channels = logits.gt (Scalar.op_Implicit 0)

                for kind in [ torch.bool; torch.uint8; torch.int16; torch.float32; torch.float64 ] do
                    Target.requireChannels "channels" logits (channels.``to`` kind)

                let doubled = (channels.``to`` torch.int16) * Scalar.op_Implicit 2
                let soft = (channels.``to`` torch.float32) * Scalar.op_Implicit 0.5

                let unknown = (channels.``to`` torch.float32) * Scalar.op_Implicit nan

                for wrong in [ doubled; soft; unknown ] do
                    LossSamples.throwsNaming "channels" [ "0 and 1" ] (fun () ->
                        Target.requireChannels "channels" logits wrong
                        wrong))

            testCase "classes have a background, regions have none" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()
                Expect.equal (Target.firstForeground (LossSamples.target ())) 1L "classes"
                Expect.equal (Target.firstForeground (LossSamples.regions ())) 0L "regions"
                let softmax = Target.probabilities logits (LossSamples.target ())
                let sigmoid = Target.probabilities logits (LossSamples.regions ())
                Expect.equal (Tensors.toArray<float> softmax) (Tensors.toArray<float>(logits.softmax 1L)) "softmax"
                Expect.equal (Tensors.toArray<float> sigmoid) (Tensors.toArray<float>(logits.sigmoid ())) "sigmoid")

            testCase "skeletons of ids and of channels" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()
                Expect.isTrue (Target.hasSkeletonIds target) "ids"
                Expect.isFalse (Target.hasSkeletonIds (LossSamples.regions ())) "regions"
                let wrong = target |> Target.withSkeleton (torch.zeros (2L, 2L, 4L, 4L))

                LossSamples.throwsNaming "target.Skeleton" [ "(2, 2, 4, 4)"; "(2, 3, 4, 4)" ] (fun () ->
                    Target.skeleton logits wrong))

            testCase "a finite loss costs no look at the logits, an infinite one is let through" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()
                Target.requireFinite logits (Tensors.ofArray [] [| infinityf |])
                Target.requireFinite logits (Tensors.ofArray [] [| nanf |]))
        ]
