module SkeletonRecall.Tests.CentrelineCrossEntropyTests

open TorchSharp
open Expecto
open SkeletonRecall

let private clCe (iterations: int) : Loss =
    CentrelineCrossEntropy.loss { Iterations = iterations }

/// The scene's foreground as one class.
let private merged () : Tensor * Target =
    let logits, target = FamilyGolden.scene ()
    let foreground = logits.narrow(1L, 1L, 2L).amax([| 1L |], keepdim = true)

    match target.Truth with
    | Classes ids ->
        torch.cat ([| logits.narrow (1L, 0L, 1L); foreground |], 1L),
        Target.ofClasses ((ids.ne (Scalar.op_Implicit 0)).``to`` torch.int16)
    | Regions _ -> failtest "classes are wanted"

[<Tests>]
let tests =
    testList
        "CentrelineCrossEntropy"
        [
            testCase "the numbers of the authors' code" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = merged ()

                for iterations in [ 3; 10 ] do
                    FamilyGolden.agree 1e-10 $"clce-%d{iterations}" (clCe iterations) logits target)

            testCase "a line of one pixel by hand" (fun () ->
                use _scope = Tensors.scope ()
                // A line of ones is its own skeleton; with equal logits p = 1/2 everywhere, whose skeleton is 0.
                let labels = Array.init 25 (fun at -> if at / 5 = 2 then 1s else 0s)
                let target = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 5L; 5L ] labels)
                let logits = torch.zeros (1L, 2L, 5L, 5L)
                let value = clCe 1 logits target
                Expect.floatClose Accuracy.medium (Tensors.item value) (log 2.0 * 5.0 / 25.0) "value")

            testCase "the mean over the classes" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = FamilyGolden.scene ()

                let alone (keep: int) =
                    match target.Truth with
                    | Classes ids ->
                        let probabilities = logits.softmax 1L
                        let truth = Tensors.oneHot 3L torch.float64 ids
                        let cross = -(probabilities.log () * truth).sum(1L, keepdim = true)

                        let skeleton (channels: Tensor) =
                            SoftSkeleton.ofProbabilities 3 (channels.narrow (1L, int64 keep, 1L))

                        (cross * (skeleton truth + skeleton probabilities)).mean()
                    | Regions _ -> failtest "classes are wanted"

                let wanted = (Tensors.item (alone 1) + Tensors.item (alone 2)) / 2.0
                Expect.floatClose Accuracy.veryHigh (Tensors.item (clCe 3 logits target)) wanted "value")

            testCase "a negative number of iterations" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "iterations" [ "-1" ] (fun () ->
                    clCe -1 (LossSamples.logits ()) (LossSamples.target ())))

            LossSamples.lawsWith LossSamples.distinctLogits (clCe 2)
            LossSamples.regionLaws (clCe 2)
        ]
