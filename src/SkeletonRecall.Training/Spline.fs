namespace SkeletonRecall.Training

open System
open System.Runtime.Intrinsics

/// One axis of an array by splines of order 0, 1 or 3: the worker behind `Resample`.
[<RequireQualifiedAccess>]
module internal Spline =

    // So many lines of an axis are worked on side by side: four vectors of 8, whose recursions hide each other's latency.
    let private lanes = 32

    // The filter's gain, which the weights carry.
    let private gain = 6.0

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
                        |]
                        |> Array.map (fun weight -> gain * weight))
                IsFiltered = true
            }

    let inline private load (buffer: float[]) (at: int) : Vector512<float> = Vector512.LoadUnsafe(&buffer[at])

    let inline private store (buffer: float[]) (at: int) (value: Vector512<float>) : unit =
        Vector512.StoreUnsafe(value, &buffer[at])

    // Cubic B-spline coefficients of `count` samples in each lane, in place and without the gain; the ends are mirrored at
    // half a sample (M. Unser, "Splines: a perfect fit for signal and image processing", 1999).
    let private filter (count: int) (buffer: float[]) : unit =
        let pole = sqrt 3.0 - 2.0
        let poles = Vector512.Create pole
        let mutable a = load buffer 0
        let mutable b = load buffer 8
        let mutable c = load buffer 16
        let mutable d = load buffer 24
        let mutable power = 1.0

        // pole ** 32 is below the last bit.
        for sample in 0 .. min (count - 1) 31 do
            power <- power * pole
            let powers = Vector512.Create power
            let at = sample * lanes
            a <- Vector512.FusedMultiplyAdd(powers, load buffer at, a)
            b <- Vector512.FusedMultiplyAdd(powers, load buffer (at + 8), b)
            c <- Vector512.FusedMultiplyAdd(powers, load buffer (at + 16), c)
            d <- Vector512.FusedMultiplyAdd(powers, load buffer (at + 24), d)

        store buffer 0 a
        store buffer 8 b
        store buffer 16 c
        store buffer 24 d

        for sample in 1 .. count - 1 do
            let at = sample * lanes
            a <- Vector512.FusedMultiplyAdd(poles, a, load buffer at)
            b <- Vector512.FusedMultiplyAdd(poles, b, load buffer (at + 8))
            c <- Vector512.FusedMultiplyAdd(poles, c, load buffer (at + 16))
            d <- Vector512.FusedMultiplyAdd(poles, d, load buffer (at + 24))
            store buffer at a
            store buffer (at + 8) b
            store buffer (at + 16) c
            store buffer (at + 24) d

        let last = Vector512.Create(pole / (pole - 1.0))
        a <- a * last
        b <- b * last
        c <- c * last
        d <- d * last
        let at = (count - 1) * lanes
        store buffer at a
        store buffer (at + 8) b
        store buffer (at + 16) c
        store buffer (at + 24) d

        for sample in count - 2 .. -1 .. 0 do
            let at = sample * lanes
            a <- poles * (a - load buffer at)
            b <- poles * (b - load buffer (at + 8))
            c <- poles * (c - load buffer (at + 16))
            d <- poles * (d - load buffer (at + 24))
            store buffer at a
            store buffer (at + 8) b
            store buffer (at + 16) c
            store buffer (at + 24) d

    // Sample `o` of 16 lanes from `part` on, narrowed.
    let inline private evaluate (kernel: Kernel) (buffer: float[]) (o: int) (part: int) : Vector512<float32> =
        let mutable low = Vector512<float>.Zero
        let mutable high = Vector512<float>.Zero
        let first = kernel.First[o] * lanes + part
        let weights = kernel.Weights

        for tap in 0 .. kernel.Taps - 1 do
            let weight = Vector512.Create weights[o * kernel.Taps + tap]
            let at = first + tap * lanes
            low <- Vector512.FusedMultiplyAdd(weight, load buffer at, low)
            high <- Vector512.FusedMultiplyAdd(weight, load buffer (at + 8), high)

        Vector512.Narrow(low, high)

    // The lines' ends are repeated, and become coefficients where the kernel wants that.
    let private finish (kernel: Kernel) (input: int) (buffer: float[]) : unit =
        let padding = kernel.Padding

        for copy in 0 .. padding - 1 do
            Array.Copy(buffer, padding * lanes, buffer, copy * lanes, lanes)
            Array.Copy(buffer, (padding + input - 1) * lanes, buffer, (padding + input + copy) * lanes, lanes)

        if kernel.IsFiltered then
            filter (input + 2 * padding) buffer

    // `lanes` lines that lie side by side in memory, `inner` values from sample to sample.
    let private beside
        (kernel: Kernel)
        (input: int)
        (inner: int)
        (buffer: float[])
        (source: float32[])
        (from: int)
        (target: float32[])
        (into: int)
        : unit =
        let padding = kernel.Padding

        for sample in 0 .. input - 1 do
            let at = (padding + sample) * lanes
            let place = from + sample * inner

            let struct (a, b) = Vector512.Widen(Vector512.LoadUnsafe(&source[place]))

            let struct (c, d) = Vector512.Widen(Vector512.LoadUnsafe(&source[place + 16]))

            store buffer at a
            store buffer (at + 8) b
            store buffer (at + 16) c
            store buffer (at + 24) d

        finish kernel input buffer

        for o in 0 .. kernel.First.Length - 1 do
            let place = into + o * inner
            Vector512.StoreUnsafe(evaluate kernel buffer o 0, &target[place])
            Vector512.StoreUnsafe(evaluate kernel buffer o 16, &target[place + 16])

    // Up to `lanes` lines, each `acrossLanes` values from the last one and `along` from sample to sample.
    let private gathered
        (kernel: Kernel)
        (input: int)
        (count: int)
        (along: int)
        (struct (acrossSource: int, acrossTarget: int))
        (buffer: float[])
        (evaluated: float32[])
        (source: float32[])
        (from: int)
        (target: float32[])
        (into: int)
        : unit =
        let first = kernel.Padding * lanes

        for lane in 0 .. count - 1 do
            let from = from + lane * acrossSource

            for sample in 0 .. input - 1 do
                buffer[first + sample * lanes + lane] <- float source[from + sample * along]

        finish kernel input buffer
        let output = kernel.First.Length

        for o in 0 .. output - 1 do
            Vector512.StoreUnsafe(evaluate kernel buffer o 0, &evaluated[o * lanes])
            Vector512.StoreUnsafe(evaluate kernel buffer o 16, &evaluated[o * lanes + 16])

        for lane in 0 .. count - 1 do
            let into = into + lane * acrossTarget

            for o in 0 .. output - 1 do
                target[into + o * along] <- evaluated[o * lanes + lane]

    // Whole samples are copied.
    let private nearest
        (kernel: Kernel)
        (outer: int)
        (input: int)
        (inner: int)
        (source: float32[])
        (from: int)
        (target: float32[])
        (into: int)
        : unit =
        let output = kernel.First.Length

        for o in 0 .. outer - 1 do
            for sample in 0 .. output - 1 do
                Array.Copy(
                    source,
                    from + (o * input + kernel.First[sample]) * inner,
                    target,
                    into + (o * output + sample) * inner,
                    inner
                )

    /// One axis of an array (outer, input, inner), which begins at `from` of the source, to (outer, output, inner), from
    /// `into` of the target on.
    let axis
        (order: int)
        (outer: int)
        (input: int)
        (inner: int)
        (output: int)
        (source: float32[])
        (from: int)
        (target: float32[])
        (into: int)
        : unit =
        let kernel = kernel order input output

        if order = 0 then
            nearest kernel outer input inner source from target into
        else
            let buffer = Array.zeroCreate<float>((input + 2 * kernel.Padding) * lanes)

            let evaluated =
                if inner < lanes then
                    Array.zeroCreate<float32>(output * lanes)
                else
                    [||]

            if inner = 1 then
                for line in 0..lanes .. outer - 1 do
                    let count = min lanes (outer - line)
                    let from = from + line * input
                    let into = into + line * output
                    gathered kernel input count 1 (struct (input, output)) buffer evaluated source from target into
            elif inner < lanes then
                for o in 0 .. outer - 1 do
                    let from = from + o * input * inner
                    let into = into + o * output * inner
                    gathered kernel input inner inner (struct (1, 1)) buffer evaluated source from target into
            else
                for o in 0 .. outer - 1 do
                    for line in 0..lanes .. inner - 1 do
                        // The last lines are done again with those before them.
                        let line = min line (inner - lanes)
                        let from = from + o * input * inner + line
                        let into = into + o * output * inner + line
                        beside kernel input inner buffer source from target into
