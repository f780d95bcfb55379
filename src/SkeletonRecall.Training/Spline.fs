namespace SkeletonRecall.Training

open System
open System.Runtime.Intrinsics

/// One axis of an array by splines of order 0, 1 or 3: the worker behind `Resample`.
[<RequireQualifiedAccess>]
module internal Spline =

    // 16 lines of an axis are worked on side by side.
    let private lanes = 16

    // How the samples of one axis come about: output `o` is the sum of `Taps` weighted samples from `First[o]` on of the
    // input, padded by `Padding` copies of its ends.
    type Kernel =
        {
            Padding: int
            Taps: int
            First: int[]
            Weights: float[]
            // Whether the input becomes spline coefficients first.
            IsFiltered: bool
        }

    // Where output `o` lies among the inputs: sample centres are at half numbers.
    let place (input: int) (output: int) (o: int) : float =
        (float o + 0.5) * (float input / float output) - 0.5

    let kernel (order: int) (input: int) (output: int) : Kernel =
        let places = Array.init output (place input output)

        match order with
        | 0 ->
            {
                Padding = 0
                Taps = 1
                First =
                    places
                    |> Array.map (fun place -> int (floor (place + 0.5)) |> max 0 |> min (input - 1))
                Weights = Array.create output 1.0
                IsFiltered = false
            }
        | 1 ->
            {
                Padding = 1
                Taps = 2
                First = places |> Array.map (fun place -> int (floor place) + 1)
                Weights =
                    places
                    |> Array.collect (fun place ->
                        let part = place - floor place
                        [| 1.0 - part; part |])
                IsFiltered = false
            }
        | _ ->
            // scipy pads by 12 before it filters, for modes whose spline has no closed form at the ends.
            let padding = 12

            {
                Padding = padding
                Taps = 4
                First = places |> Array.map (fun place -> int (floor place) - 1 + padding)
                Weights =
                    places
                    |> Array.collect (fun place ->
                        let t = place - floor place
                        let s = 1.0 - t

                        [|
                            s * s * s / 6.0
                            (4.0 + 3.0 * t * t * (t - 2.0)) / 6.0
                            (4.0 + 3.0 * s * s * (s - 2.0)) / 6.0
                            t * t * t / 6.0
                        |])
                IsFiltered = true
            }

    // Cubic B-spline coefficients of `count` samples in each lane, in place; the ends are mirrored at half a sample
    // (M. Unser, "Splines: a perfect fit for signal and image processing", 1999).
    let private filter (count: int) (buffer: float[]) : unit =
        let pole = sqrt 3.0 - 2.0
        let poles = Vector512.Create pole
        let gain = Vector512.Create 6.0

        for part in 0..8 .. lanes - 1 do
            let at (sample: int) = sample * lanes + part
            let first = Vector512.LoadUnsafe &buffer[at 0] * gain
            let mutable sum = Vector512<float>.Zero
            let mutable power = 1.0

            // pole ** 32 is below the last bit.
            for sample in 0 .. min (count - 1) 31 do
                power <- power * pole
                sum <- sum + Vector512.LoadUnsafe &buffer[at sample] * gain * Vector512.Create power

            let mutable previous = first + sum
            Vector512.StoreUnsafe(previous, &buffer[at 0])

            for sample in 1 .. count - 1 do
                previous <- Vector512.LoadUnsafe &buffer[at sample] * gain + poles * previous
                Vector512.StoreUnsafe(previous, &buffer[at sample])

            previous <- previous * Vector512.Create(pole / (pole - 1.0))
            Vector512.StoreUnsafe(previous, &buffer[at (count - 1)])

            for sample in count - 2 .. -1 .. 0 do
                previous <- poles * (previous - Vector512.LoadUnsafe &buffer[at sample])
                Vector512.StoreUnsafe(previous, &buffer[at sample])

    let private evaluate (kernel: Kernel) (buffer: float[]) (result: float[]) : unit =
        for o in 0 .. kernel.First.Length - 1 do
            for part in 0..8 .. lanes - 1 do
                let mutable sum = Vector512<float>.Zero

                for tap in 0 .. kernel.Taps - 1 do
                    let value = Vector512.LoadUnsafe &buffer[(kernel.First[o] + tap) * lanes + part]
                    sum <- sum + value * Vector512.Create kernel.Weights[o * kernel.Taps + tap]

                Vector512.StoreUnsafe(sum, &result[o * lanes + part])

    /// One axis of an array (outer, input, inner) to (outer, output, inner).
    let axis (order: int) (outer: int) (input: int) (inner: int) (output: int) (source: float32[]) : float32[] =
        let kernel = kernel order input output
        let padding = kernel.Padding
        let padded = input + 2 * padding
        let buffer = Array.zeroCreate<float>(padded * lanes)
        let evaluated = Array.zeroCreate<float>(output * lanes)
        let result = GC.AllocateUninitializedArray<float32>(outer * output * inner)
        let lines = outer * inner
        let mutable line = 0

        while line < lines do
            // Lines that follow each other within one outer index lie side by side in memory.
            let count =
                if inner = 1 then
                    min lanes (lines - line)
                else
                    min lanes (inner - line % inner)

            // From lane to lane, and from sample to sample.
            let step (length: int) : struct (int * int) =
                if inner = 1 then struct (length, 1) else struct (1, inner)

            let start (length: int) : int =
                (line / inner) * length * inner + line % inner

            let struct (acrossLanes, along) = step input
            let first = start input

            for sample in 0 .. input - 1 do
                let from = first + sample * along
                let target = (padding + sample) * lanes

                for lane in 0 .. count - 1 do
                    buffer[target + lane] <- float source[from + lane * acrossLanes]

            for copy in 0 .. padding - 1 do
                Array.Copy(buffer, padding * lanes, buffer, copy * lanes, lanes)
                Array.Copy(buffer, (padding + input - 1) * lanes, buffer, (padding + input + copy) * lanes, lanes)

            if kernel.IsFiltered then
                filter padded buffer

            evaluate kernel buffer evaluated
            let struct (acrossLanes, along) = step output
            let first = start output

            for o in 0 .. output - 1 do
                let target = first + o * along

                for lane in 0 .. count - 1 do
                    result[target + lane * acrossLanes] <- float32 evaluated[o * lanes + lane]

            line <- line + count

        result
