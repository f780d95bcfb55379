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

            testCase "a finite loss costs no look at the logits, an infinite one is let through" (fun () ->
                use _scope = Tensors.scope ()
                let logits = LossSamples.logits ()
                Target.requireFinite logits (Tensors.ofArray [] [| infinityf |])
                Target.requireFinite logits (Tensors.ofArray [] [| nanf |]))
        ]
