module SkeletonRecall.Tests.LossDeviceTests

open Expecto
open SkeletonRecall

let private logits () : Tensor =
    Array.init (3 * 24 * 24) (fun index -> 3.0 * sin (12.9898 * float index))
    |> Tensors.ofDoubles [ 1L; 3L; 24L; 24L ]

// Value and gradient at logits, as arrays.
let private evaluated (loss: Loss) (logits: Tensor) (target: Target) : float * float[] =
    let logits = logits.detach().requires_grad_ true
    use value = loss logits target
    value.backward ()
    Tensors.item value, Tensors.toArray<float>(nonNull logits.grad)

[<Tests>]
let tests =
    testList
        "Losses on another device"
        (EveryLoss.all
         |> List.map (fun loss ->
             testCase loss.Name (fun () ->
                 match LazyDevice.tryDevice () with
                 | None -> skiptest "This libtorch has no second device."
                 | Some device ->
                     use _scope = Tensors.scope ()
                     let target = LeakTests.target loss.Regions
                     let value, gradient = evaluated loss.Loss (logits ()) target

                     let there, thereGradient =
                         evaluated loss.Loss ((logits ()).``to`` device) (Target.toDevice device target)

                     Expect.floatClose Accuracy.high there value "value"

                     for index in 0 .. gradient.Length - 1 do
                         if abs (gradient[index] - thereGradient[index]) > 1e-9 then
                             failtest $"gradient %d{index}: %g{thereGradient[index]}, not %g{gradient[index]}")))
