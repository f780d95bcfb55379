module SkeletonRecall.Tests.ScnpTests

open TorchSharp
open Expecto
open SkeletonRecall

let private penalized: Loss =
    Scnp.loss Scnp.standard (Loss.sum [ SoftDice.loss SoftDice.standard; CrossEntropy.loss CrossEntropy.standard ])

let private row (values: int16 list) : Target =
    Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 1L; int64 values.Length ] (List.toArray values))

let private values (tensor: Tensor) : float list =
    List.ofArray (Tensors.toArray<float> tensor)

let private threeVoxels () : Tensor =
    Tensors.ofDoubles [ 1L; 2L; 1L; 3L ] [| 0.0; 1.0; 3.0; 2.0; -1.0; 0.5 |]

[<Tests>]
let tests =
    testList
        "Scnp"
        [
            testCase "a row by hand" (fun () ->
                use _scope = Tensors.scope ()
                let worst = Scnp.penalize Scnp.standard (threeVoxels ()) (row [ 1s; 1s; 0s ])
                // Where a voxel is of the class, the smallest of the class; elsewhere the largest of the others.
                Expect.equal (values worst) [ 1.0; 1.0; 3.0; -1.0; -1.0; 0.5 ] "penalized")

            testCase "a voxel that does not count keeps its logits and penalizes none" (fun () ->
                use _scope = Tensors.scope ()

                let target =
                    row [ 1s; 1s; 0s ]
                    |> Target.withValid (Tensors.ofBytes [ 1L; 1L; 1L; 3L ] [| 1uy; 0uy; 1uy |])

                let worst = Scnp.penalize Scnp.standard (threeVoxels ()) target
                Expect.equal (values worst) [ 0.0; 1.0; 3.0; 2.0; -1.0; 0.5 ] "penalized")

            testCase "a wider window reaches farther" (fun () ->
                use _scope = Tensors.scope ()
                let logits = Tensors.ofDoubles [ 1L; 1L; 1L; 4L ] [| 4.0; 3.0; 2.0; 1.0 |]
                let region = Target.ofRegions (torch.ones (1L, 1L, 1L, 4L))

                let worst (window: int) =
                    values (Scnp.penalize { Window = window } logits region)

                Expect.equal (worst 3) [ 3.0; 2.0; 1.0; 1.0 ] "3"
                Expect.equal (worst 5) [ 2.0; 1.0; 1.0; 1.0 ] "5"
                Expect.equal (worst 7) [ 1.0; 1.0; 1.0; 1.0 ] "7")

            testCase "a volume of equal slices is as its slice, but for the slices beyond" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.distinctLogits (), LossSamples.target ()

                let deep (tensor: Tensor) =
                    tensor.unsqueeze(2L).expand(-1L, -1L, 3L, -1L, -1L)

                let truth =
                    match target.Truth with
                    | Classes ids -> Target.ofClasses (deep ids)
                    | Regions _ -> failtest "classes are wanted"

                let volume = Scnp.penalize Scnp.standard (deep logits) truth
                let plane = Scnp.penalize Scnp.standard logits target
                Expect.equal (values (volume.select (2L, 1L))) (values plane) "slice")

            testCase "nothing is better than before" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.distinctLogits (), LossSamples.regions ()
                let worst = values (Scnp.penalize Scnp.standard logits target)

                let inside =
                    match target.Truth with
                    | Regions channels -> Tensors.toArray<byte> channels
                    | Classes _ -> failtest "regions are wanted"

                List.zip3 worst (values logits) (List.ofArray inside)
                |> List.iter (fun (worst, raw, inside) ->
                    if inside = 1uy then
                        Expect.isLessThanOrEqual worst raw "inside"
                    else
                        Expect.isGreaterThanOrEqual worst raw "outside"))

            testCase "the numbers of the authors' code" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.distinctLogits (), LossSamples.target ()
                let sums = FamilyGolden.values "scnp"
                let worst = values (Scnp.penalize Scnp.standard logits target)
                Expect.hasLength worst sums.Length "length"

                for got, wanted in List.zip worst sums do
                    Expect.floatClose Accuracy.veryHigh got wanted "logit")

            testCase "windows that make no sense" (fun () ->
                use _scope = Tensors.scope ()

                for window in [ 1; 2; 4; -3 ] do
                    LossSamples.throwsNaming "options" [ "odd"; string window ] (fun () ->
                        Scnp.penalize { Window = window } (LossSamples.logits ()) (LossSamples.target ())))

            testCase "a line has no neighbourhood" (fun () ->
                use _scope = Tensors.scope ()
                let target = Target.ofClasses (Tensors.ofInt16 [ 1L; 1L; 2L ] [| 0s; 1s |])

                LossSamples.throwsNaming "logits" [ "(1, 2, 2)" ] (fun () ->
                    Scnp.penalize Scnp.standard (Tensors.ofArray [ 1L; 2L; 2L ] (Array.zeroCreate 4)) target))

            LossSamples.lawsWith LossSamples.distinctLogits penalized

            LossSamples.regionLaws (
                Scnp.loss
                    Scnp.standard
                    (Loss.sum [ SoftDice.loss SoftDice.standard; CrossEntropy.loss CrossEntropy.standard ])
            )
        ]
