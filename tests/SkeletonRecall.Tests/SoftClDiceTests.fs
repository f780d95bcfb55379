module SkeletonRecall.Tests.SoftClDiceTests

open TorchSharp
open Expecto
open SkeletonRecall

let private array (record: Parity.Record) (group: string list) (key: string) : NumpyArray =
    let parent =
        (record.Json, group) ||> List.fold (fun json name -> json.GetProperty name)

    Golden.numpy (Golden.sharedPath $"parity/%s{string (parent.GetProperty key)}")

/// The values of an array of floats of either precision.
let private floats (array: NumpyArray) : float[] =
    try
        Golden.values<float> array
    with _ ->
        Golden.values<float32> array |> Array.map float

let private tensor (kind: torch.ScalarType) (array: NumpyArray) : Tensor =
    let values =
        try
            floats array
        with _ ->
            Golden.integers array |> Array.map float

    (Tensors.ofDoubles (List.map int64 array.Shape) values).``to`` kind

let private records (kind: string) (check: Parity.Record -> torch.ScalarType -> unit) : Test =
    let records =
        Parity.losses
        |> List.filter (fun record -> string (record.Json.GetProperty "kind") = kind)

    Parity.tests $"records %s{kind}" records (fun record ->
        LibTorch.ensure ()

        for precision in [ torch.float64; torch.float32 ] do
            use _scope = Tensors.scope ()
            check record precision)

let private largestDifference (left: float[]) (right: float[]) : float =
    Array.map2 (fun got wanted -> abs (got - wanted)) left right |> Array.max

let private doubles (tensor: Tensor) : float[] =
    Tensors.toArray<float>(tensor.``to`` torch.float64)

let private skeleton (record: Parity.Record) (kind: torch.ScalarType) : unit =
    let iterations = int (LossRecords.number "iter" record)
    let prediction = tensor kind (array record [ "inputs" ] "pred")
    let got = doubles (SoftSkeleton.ofProbabilities iterations prediction)
    let wanted = floats (array record [ "expected"; "f64" ] "skel")
    let tolerance = if kind = torch.float64 then 1e-12 else 1e-6
    Expect.isLessThanOrEqual (largestDifference got wanted) tolerance $"%O{kind}"

let private clDice (record: Parity.Record) (kind: torch.ScalarType) : unit =
    let parameters = record.Json.GetProperty "params"

    let options: SoftClDiceOptions =
        {
            Iterations = int (LossRecords.number "iter" record)
            Smooth = LossRecords.number "smooth" record
            Background = true
            DiceShare =
                match parameters.TryGetProperty "alpha" with
                | true, alpha -> 1.0 - alpha.GetDouble()
                | _ -> 0.0
        }

    let first =
        if LossRecords.flag "exclude_background" record then
            1L
        else
            0L

    let foreground (channels: Tensor) =
        channels.narrow (1L, first, channels.shape[1] - first)

    let prediction =
        (tensor kind (array record [ "inputs" ] "pred")).detach().requires_grad_ true

    let truth = tensor kind (array record [ "inputs" ] "true")

    let value =
        SoftClDice.ofProbabilities options (foreground prediction) (foreground truth)

    value.backward ()
    let expected = record.Json.GetProperty("expected").GetProperty "f64"
    let wanted = expected.GetProperty("loss").GetDouble()
    let isDouble = kind = torch.float64

    Expect.isLessThanOrEqual
        (abs (Tensors.item value - wanted))
        (if isDouble then 1e-10 else 1e-5 * wanted)
        $"loss in %O{kind}"

    let gradient =
        match prediction.grad with
        | null -> failtest "no gradient"
        | gradient -> doubles gradient

    let wanted = floats (array record [ "expected"; "f64" ] "grad_pred")
    let largest = wanted |> Array.map abs |> Array.max

    Expect.isLessThanOrEqual
        (largestDifference gradient wanted)
        (if isDouble then 1e-10 else 1e-6 * largest)
        $"gradient in %O{kind}"

let private three: SoftClDiceOptions =
    { SoftClDice.standard with
        Iterations = 3
    }

[<Tests>]
let tests =
    testList
        "SoftClDice"
        [
            records "soft_skeleton" skeleton
            records "soft_cldice" clDice
            records "soft_dice_cldice" clDice

            testCase "a line is its own soft skeleton, a bar's is its middle" (fun () ->
                use _scope = Tensors.scope ()

                let row (value: float) = Array.create 7 value
                let line = Array.concat [ row 0.0; row 0.0; row 1.0; row 0.0; row 0.0 ]
                let bar = Array.concat [ row 0.0; row 1.0; row 1.0; row 1.0; row 0.0 ]

                let thin (image: float[]) =
                    Tensors.ofDoubles [ 1L; 1L; 5L; 7L ] image
                    |> SoftSkeleton.ofProbabilities 2
                    |> Tensors.toArray<float>

                Expect.equal (thin line) line "line"
                Expect.equal (thin bar) line "bar")

            testCase "a perfect prediction costs nothing" (fun () ->
                use _scope = Tensors.scope ()
                let target = LossSamples.target ()

                match target.Truth with
                | Classes ids ->
                    let logits = (Tensors.oneHot 3L torch.float64 ids) * Scalar.op_Implicit 200.0
                    let value = SoftClDice.loss three logits target
                    Expect.floatClose Accuracy.high (Tensors.item value) 0.0 "value"
                | Regions _ -> failtest "classes are wanted")

            testCase "of logits: the foreground's probabilities" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()

                for background in [ false; true ] do
                    let options =
                        { three with
                            Background = background
                            DiceShare = 0.25
                        }

                    let first = if background then 0L else 1L
                    let foreground (channels: Tensor) = channels.narrow (1L, first, 3L - first)
                    let prediction = logits.softmax 1L
                    let truth = Target.truthChannels prediction target

                    let wanted =
                        SoftClDice.ofProbabilities options (foreground prediction) (foreground truth)

                    let value = SoftClDice.loss options logits target
                    Expect.floatClose Accuracy.veryHigh (Tensors.item value) (Tensors.item wanted) "value")

            testCase "options out of range" (fun () ->
                use _scope = Tensors.scope ()

                for options in
                    [
                        { three with Iterations = -1 }
                        { three with Smooth = nan }
                        { three with DiceShare = 1.5 }
                    ] do
                    LossSamples.throwsNaming "options" [ "got" ] (fun () ->
                        SoftClDice.loss options (LossSamples.logits ()) (LossSamples.target ())))

            testCase "one spatial axis" (fun () ->
                use _scope = Tensors.scope ()

                LossSamples.throwsNaming "probabilities" [ "(1, 1, 4)" ] (fun () ->
                    SoftSkeleton.ofProbabilities 3 (torch.zeros (1L, 1L, 4L))))

            LossSamples.lawsWith LossSamples.distinctLogits (SoftClDice.loss three)
            LossSamples.regionLaws (SoftClDice.loss { three with DiceShare = 0.5 })
        ]
