namespace SkeletonRecall.Tests

open TorchSharp
open Expecto
open SkeletonRecall

/// Small logits and targets that the tests of all losses share, and what every loss must pass.
[<RequireQualifiedAccess>]
module LossSamples =

    let private every (batch: int) (height: int) (width: int) (value: int -> int -> int -> 'T) : 'T[] =
        [|
            for sample in 0 .. batch - 1 do
                for row in 0 .. height - 1 do
                    for column in 0 .. width - 1 do
                        value sample row column
        |]

    /// Logits (2, 3, 4, 4): (((7b + 5c + 3h + 2w) mod 11) - 5) * 0.3, in double precision.
    let logits () : Tensor =
        [|
            for sample in 0..1 do
                for channel in 0..2 do
                    for row in 0..3 do
                        for column in 0..3 do
                            float ((7 * sample + 5 * channel + 3 * row + 2 * column) % 11 - 5) * 0.3
        |]
        |> Tensors.ofDoubles [ 2L; 3L; 4L; 4L ]

    let private label (sample: int) (row: int) (column: int) : int16 = int16 ((sample + row * column) % 3)

    /// Labels (b + h w) mod 3, and as skeleton the labels where h + w + b is even. Every voxel counts.
    let target () : Target =
        let shape = [ 2L; 1L; 4L; 4L ]

        let skeleton =
            every 2 4 4 (fun sample row column ->
                if (row + column + sample) % 2 = 0 then
                    label sample row column
                else
                    0s)

        Target.ofClasses (Tensors.ofInt16 shape (every 2 4 4 label))
        |> Target.withSkeleton (Tensors.ofInt16 shape skeleton)

    /// The same target, of which every third voxel does not count.
    let masked () : Target =
        let counts =
            every 2 4 4 (fun sample row column -> if (sample + row + 2 * column) % 3 = 0 then 0uy else 1uy)

        target () |> Target.withValid (Tensors.ofBytes [ 2L; 1L; 4L; 4L ] counts)

    /// The same target, of which no voxel counts.
    let allIgnored () : Target =
        target ()
        |> Target.withValid (Tensors.ofBytes [ 2L; 1L; 4L; 4L ] (Array.zeroCreate 32))

    /// Logits (2, 3, 4, 4) without two of the same value: sin(12.9898 (i + 1)) * 3, in double precision. For losses with
    /// maxima and minima, whose gradient jumps where values are equal.
    let distinctLogits () : Tensor =
        Array.init 96 (fun index -> 3.0 * sin (12.9898 * float (index + 1)))
        |> Tensors.ofDoubles [ 2L; 3L; 4L; 4L ]

    let private channelsOf (value: int -> int -> int -> int -> bool) : Tensor =
        [|
            for sample in 0..1 do
                for channel in 0..2 do
                    for row in 0..3 do
                        for column in 0..3 do
                            if value sample channel row column then 1uy else 0uy
        |]
        |> Tensors.ofBytes [ 2L; 3L; 4L; 4L ]

    /// Three regions that overlap, for the same logits, and their skeletons. Every voxel counts.
    let regions () : Target =
        let isInside (sample: int) (channel: int) (row: int) (column: int) : bool =
            (sample + row * column + channel * row) % (channel + 2) = 0

        Target.ofRegions (channelsOf isInside)
        |> Target.withSkeleton (
            channelsOf (fun sample channel row column -> isInside sample channel row column && (row + column) % 2 = 0)
        )

    /// The same regions, of which every third voxel does not count.
    let maskedRegions () : Target =
        let valid = (masked ()).Valid.Value
        regions () |> Target.withValid valid

    /// Fails unless `act` throws an ArgumentException that names the parameter and says all the parts.
    let throwsNaming (parameter: string) (parts: string list) (act: unit -> Tensor) : unit =
        let thrown =
            try
                use result = act ()
                Error $"the value %g{Tensors.item result}"
            with
            | :? System.ArgumentException as error -> Ok error
            | error -> Error(string error)

        match thrown with
        | Error other -> failtest $"An ArgumentException for %s{parameter} is wanted, not %s{other}."
        | Ok error ->
            Expect.equal error.ParamName parameter "the parameter's name"

            for part in parts do
                Expect.stringContains error.Message part "the message"

    /// Random logits of both signs up to `scale`, (batch, classes, shape), labels, and a tube that holds one labelled voxel of
    /// `rarity` (none for 0); one voxel in three is ignored where `masked`. The same seed gives the same numbers.
    let random
        (seed: int)
        (scale: float)
        (rarity: int)
        (masked: bool)
        (batch: int)
        (classes: int)
        (shape: int list)
        : Tensor * Target =
        let random = System.Random seed
        let voxels = batch * List.fold (*) 1 shape

        let axes (channels: int) =
            int64 batch :: int64 channels :: List.map int64 shape

        let logits =
            Array.init (classes * voxels) (fun _ -> scale * (random.NextDouble() * 2.0 - 1.0))
            |> Tensors.ofDoubles (axes classes)

        let labels = Array.init voxels (fun _ -> int16 (random.Next classes))

        let tube =
            labels
            |> Array.map (fun label -> if rarity > 0 && random.Next rarity = 0 then label else 0s)

        let target =
            Target.ofClasses (Tensors.ofInt16 (axes 1) labels)
            |> Target.withSkeleton (Tensors.ofInt16 (axes 1) tube)

        let counts = Array.init voxels (fun _ -> if random.Next 3 = 0 then 0uy else 1uy)

        logits,
        (if masked then
             target |> Target.withValid (Tensors.ofBytes (axes 1) counts)
         else
             target)

    /// Value and gradient of a loss.
    let differentiate (loss: Loss) (logits: Tensor) (target: Target) : float * float[] =
        Tensors.measured (fun () ->
            let variable = logits.detach().clone().requires_grad_ true
            let value = loss variable target
            value.backward ()

            match variable.grad with
            | null -> failtest "no gradient reaches the logits"
            | gradient -> Tensors.item value, Tensors.toArray<float>(gradient.``to`` torch.float64))

    /// Fails unless a fast loss agrees with the plain one that it stands for on `inputs`, of either precision: values to
    /// 1e-12 (double) and 1e-5 (single), gradients to 1e-12 and 1e-6 of the largest entry.
    let agree (what: string) (fast: Loss) (plain: Loss) (inputs: torch.ScalarType -> Tensor * Target) : unit =
        for kind, valueTolerance, gradientTolerance in [ torch.float64, 1e-12, 1e-12; torch.float32, 1e-5, 1e-6 ] do
            let logits, target = inputs kind
            let value, gradient = differentiate fast logits target
            let exact, exactGradient = differentiate plain logits target

            Expect.isLessThanOrEqual (abs (value - exact)) (valueTolerance * max 1.0 (abs exact)) $"value, %s{what}"
            let size (entries: float[]) = entries |> Array.map abs |> Array.max

            // Where the softmax is saturated the gradient is what is left of terms of the size that it has at equal
            // probabilities, so both ways carry the rounding of those.
            let _, unsaturated = differentiate plain (torch.zeros_like logits) target
            let unit = if kind = torch.float64 then 2.2e-16 else 1.2e-7
            let allowed = gradientTolerance * size exactGradient + 4.0 * unit * size unsaturated
            Expect.isLessThanOrEqual (size (Array.map2 (-) gradient exactGradient)) allowed $"gradient, %s{what}"

    /// Fails unless differentiating the gradient of the value by the variable is refused with a sentence that names the
    /// loss, by both of torch's functions.
    let refusesTwice (loss: string) (value: Tensor) (variable: Tensor) : unit =
        let gradient =
            (torch.autograd.grad ([| value |], [| variable |], retain_graph = true, create_graph = true))[0]

        let twice (differentiate: Tensor -> unit) : unit =
            let message =
                try
                    differentiate ((gradient * gradient).sum())
                    "nothing thrown"
                with :? System.Runtime.InteropServices.ExternalException as error ->
                    error.Message

            Expect.stringContains message loss "the loss"
            Expect.stringContains message "second derivatives are not offered" "what is refused"

        twice (fun sum -> torch.autograd.grad ([| sum |], [| variable |], retain_graph = true) |> ignore)

        twice _.backward()

    let private checkPasses (logits: unit -> Tensor) (loss: Loss) (target: unit -> Target) () : unit =
        use _scope = Tensors.scope ()
        let report = Loss.check loss (logits ()) (target ())
        Expect.isTrue report.Passed $"%A{report}"

    let private leavesNothing (masked: unit -> Target) (loss: Loss) () : unit =
        use _scope = Tensors.scope ()
        let logits = (logits ()).requires_grad_ true
        let target = masked ()

        let pass () =
            use value = loss logits target
            value.backward ()

        pass ()
        let before = Tensors.liveCount ()

        for _ in 1..300 do
            pass ()

        Expect.equal (Tensors.liveCount ()) before "tensors alive"

    let private allIgnoredIsFlat (loss: Loss) () : unit =
        LibTorch.ensure ()
        use _scope = Tensors.scope ()

        for kind in [ torch.float64; torch.float32 ] do
            let value, gradient = differentiate loss ((logits ()).``to`` kind) (allIgnored ())
            Expect.isTrue (System.Double.IsFinite value) "a number"
            Expect.all gradient (fun slope -> slope = 0.0) "zero gradient"

    let private halfIsSingle (kind: torch.ScalarType) (loss: Loss) () : unit =
        use _scope = Tensors.scope ()
        let half = (logits ()).``to`` kind
        let value = loss half (masked ())
        Expect.equal value.dtype torch.float32 "half precision is computed in float32"
        let single = loss (half.``to`` torch.float32) (masked ())
        Expect.equal (Tensors.item value) (Tensors.item single) "value"
        let _, gradient = differentiate loss half (masked ())
        let _, wanted = differentiate loss (half.``to`` torch.float32) (masked ())

        for got, wanted in Array.zip gradient wanted do
            Expect.floatClose { absolute = 1e-4; relative = 1e-2 } got wanted "gradient"

    let private stridesDoNotMatter (loss: Loss) () : unit =
        use _scope = Tensors.scope ()
        let plain = logits ()
        let strided = plain.permute(0L, 2L, 3L, 1L).contiguous().permute(0L, 3L, 1L, 2L)
        Expect.isFalse (strided.is_contiguous ()) "strided"
        let value, gradient = differentiate loss strided (masked ())
        let wanted, wantedGradient = differentiate loss plain (masked ())
        Expect.floatClose Accuracy.veryHigh value wanted "value"

        for got, wanted in Array.zip gradient wantedGradient do
            Expect.isLessThan (abs (got - wanted)) 1e-12 "gradient"

    let private inputsStay (loss: Loss) () : unit =
        use _scope = Tensors.scope ()
        let given, target = logits (), masked ()

        let snapshot () =
            given :: Target.tensors target
            |> List.map (fun tensor -> tensor.bytes.ToArray())

        let before = snapshot ()
        use value = loss given target
        Expect.isFalse value.IsInvalid "a value"
        Expect.equal (snapshot ()) before "inputs"

    let private badInput (loss: Loss) : Test list =
        let refuses (name: string) (parameter: string) (parts: string list) (input: unit -> Tensor * Target) =
            testCase name (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = input ()
                throwsNaming parameter parts (fun () -> loss logits target))

        [
            refuses "integer logits" "logits" [ "floating-point"; "Int32" ] (fun () ->
                (logits ()).``to`` torch.int32, target ())
            refuses "logits without spatial axes" "logits" [ "(2, 3)" ] (fun () ->
                Tensors.ofArray [ 2L; 3L ] (Array.zeroCreate 6), target ())
            refuses "one class" "logits" [ "(2, 1, 4, 4)" ] (fun () -> (logits ()).narrow(1L, 0L, 1L), target ())
            refuses "a mask of another shape" "target.Valid" [ "(1, 1, 4, 4)"; "(2, 1, 4, 4)" ] (fun () ->
                logits (),
                target ()
                |> Target.withValid (Tensors.ofBytes [ 1L; 1L; 4L; 4L ] (Array.zeroCreate 16)))
            refuses "NaN logits" "logits" [ "NaN" ] (fun () -> (logits ()).mul(Scalar.op_Implicit nan), target ())
        ]

    /// What every loss must pass, with the logits for finite differences: finite differences with and without mask, no
    /// leak, no NaN where all is ignored, half precision, strides, inputs left alone, bad input.
    let lawsWith (logits: unit -> Tensor) (loss: Loss) : Test =
        testList
            "laws of every loss"
            ([
                testCase "finite differences" (checkPasses logits loss target)
                testCase "finite differences with a mask" (checkPasses logits loss masked)
                testCase "300 passes leave no tensor" (leavesNothing masked loss)
                testCase "all ignored: a number and a zero gradient" (allIgnoredIsFlat loss)
                testCase "float16 is computed in float32" (halfIsSingle torch.ScalarType.Float16 loss)
                testCase "bfloat16 is computed in float32" (halfIsSingle torch.ScalarType.BFloat16 loss)
                testCase "strided logits" (stridesDoNotMatter loss)
                testCase "inputs are left alone" (inputsStay loss)
             ]
             @ badInput loss)

    /// What every loss must pass; see `lawsWith`. A loss with maxima or minima takes `lawsWith distinctLogits`.
    let lawsOf (loss: Loss) : Test = lawsWith logits loss

    /// What every loss that knows regions must pass: finite differences with and without mask, no leak, a number and a
    /// zero gradient where all is ignored, bad input.
    let regionLaws (loss: Loss) : Test =
        testList
            "regions"
            [
                testCase "finite differences" (checkPasses distinctLogits loss regions)
                testCase "finite differences with a mask" (checkPasses distinctLogits loss maskedRegions)
                testCase "300 passes leave no tensor" (leavesNothing maskedRegions loss)

                testCase "all ignored: a number and a zero gradient" (fun () ->
                    use _scope = Tensors.scope ()
                    let target = regions () |> Target.withValid (allIgnored ()).Valid.Value
                    let value, gradient = differentiate loss (logits ()) target
                    Expect.isTrue (System.Double.IsFinite value) "a number"
                    Expect.all gradient (fun slope -> slope = 0.0) "zero gradient")
            ]
