namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Bringing images and label maps to another size, as nnU-Net does (default_resampling.py): equal to scipy's `zoom` with
/// `mode="nearest"` and `grid_mode=True`, clipped to the input's range, without a low-pass filter.
[<RequireQualifiedAccess>]
module Resample =

    /// The given axes of one channel (depth, height, width) to the sizes of `after`, whose other entries are the channel's
    /// own. Axes that shrink go first, which keeps what lies between small.
    let private axes (order: int) (numbers: int list) (before: int[]) (after: int[]) (source: float32[]) : float32[] =
        let sizes = Array.copy before

        numbers
        |> List.filter (fun axis -> before[axis] <> after[axis])
        |> List.sortBy (fun axis -> float after[axis] / float before[axis])
        |> List.fold
            (fun values number ->
                let outer = Array.fold (*) 1 sizes[.. number - 1]
                let inner = Array.fold (*) 1 sizes[number + 1 ..]
                let next = Spline.axis order outer sizes[number] inner after[number] values
                sizes[number] <- after[number]
                next)
            source

    // Each slice across the separate axis within its own range: scipy resamples them one by one.
    let private clipSlices (axis: int) (before: int[]) (after: int[]) (source: float32[]) (values: float32[]) : unit =
        let slice (sizes: int[]) (number: int) (data: float32[]) : float32[] =
            let outer = Array.fold (*) 1 sizes[.. axis - 1]
            let inner = Array.fold (*) 1 sizes[axis + 1 ..]

            Array.concat
                [
                    for o in 0 .. outer - 1 ->
                        let start = (o * sizes[axis] + number) * inner
                        data[start .. start + inner - 1]
                ]

        let inner = Array.fold (*) 1 after[axis + 1 ..]
        let outer = Array.fold (*) 1 after[.. axis - 1]

        for number in 0 .. before[axis] - 1 do
            let struct (low, high) =
                Values.range (ReadOnlySpan<float32>(slice before number source))

            for o in 0 .. outer - 1 do
                Values.clip low high (Span<float32>(values, (o * after[axis] + number) * inner, inner))

    /// One channel to another size; the separate axis, if any, by its own order after the others.
    let private channel
        (order: int)
        (separate: (int * int) option)
        (from: Extent)
        (size: Extent)
        (source: float32[])
        : float32[] =
        let before = [| from.Depth; from.Height; from.Width |]
        let after = [| size.Depth; size.Height; size.Width |]

        match separate with
        | None ->
            let values = axes order [ 0; 1; 2 ] before after source
            let struct (low, high) = Values.range (ReadOnlySpan<float32> source)
            Values.clip low high (Span<float32> values)
            values
        | Some(number, orderAlong) ->
            let between = Array.copy after
            between[number] <- before[number]
            let values = axes order (List.except [ number ] [ 0; 1; 2 ]) before between source
            clipSlices number before between source values
            axes orderAlong [ number ] between after values

    /// The axis that is resampled by itself, for current and target spacings in mm: the coarsest by more than three times
    /// before, else after; none where two axes are equally coarse, or the options forbid it. Planes have none.
    let separateAxis (options: Resampling) (current: Spacing) (target: Spacing) : int option =
        let coarsest (spacing: Spacing) : int option =
            match
                spacing.Values
                |> List.indexed
                |> List.filter (fun (_, mm) -> mm = List.max spacing.Values)
            with
            | [ axis, _ ] -> Some axis
            | _ -> None

        let isAnisotropic (spacing: Spacing) : bool =
            List.max spacing.Values / List.min spacing.Values > 3.0

        match options.SeparateZ with
        | _ when current.Rank = 2 -> None
        | Some false -> None
        | Some true -> coarsest current
        | None when isAnisotropic current -> coarsest current
        | None when isAnisotropic target -> coarsest target
        | None -> None

    /// The size that a grid has at another spacing: each axis times old over new spacing, rounded, halves to even.
    /// Throws ArgumentException for ranks that differ and when an axis would vanish.
    let size (extent: Extent) (current: Spacing) (target: Spacing) : Extent =
        if current.Rank <> extent.Rank || target.Rank <> extent.Rank then
            invalidArg (nameof target) $"A grid of %O{extent} has one spacing per axis; got %O{current} and %O{target}."

        List.map3
            (fun length before after -> int (Math.Round(before / after * float length: float)))
            extent.Shape
            current.Values
            target.Values
        |> Extent.ofShape

    let private requireRank (size: Extent) (spacing: Spacing) (extent: Extent) : unit =
        if size.Rank <> extent.Rank || spacing.Rank <> extent.Rank then
            invalidArg
                (nameof size)
                $"A grid of %O{extent} needs a size and a spacing of as many axes; got %O{size} and %O{spacing}."

    let private resized (order: int) (options: Resampling) (spacing: Spacing) (size: Extent) (image: Image) : Image =
        requireRank size spacing image.Extent

        if size = image.Extent then
            { image with Spacing = spacing }
        else
            let separate =
                separateAxis options image.Spacing spacing
                |> Option.map (fun axis -> axis, options.OrderAlongZ)

            let data = GC.AllocateUninitializedArray<float32>(image.Channels * size.Count)

            for number in 0 .. image.Channels - 1 do
                let source = (Image.channel number image).ToArray()
                let values = channel order separate image.Extent size source
                values.CopyTo(data, number * size.Count)

            { image with
                Extent = size
                Spacing = spacing
                Data = data
            }

    /// An image at a size and spacing (mm), channel by channel, by splines of the options' order within the input's range.
    /// The spacings before and after decide whether the coarsest axis is resampled by itself (`separateAxis`). An
    /// image of the same size keeps its values and array. Throws ArgumentException when the numbers of axes differ.
    let image (options: Resampling) (spacing: Spacing) (size: Extent) (image: Image) : Image =
        resized options.ImageOrder options spacing size image

    /// The same for probabilities or logits, one class per channel.
    let probabilities (options: Resampling) (spacing: Spacing) (size: Extent) (image: Image) : Image =
        resized options.ProbabilityOrder options spacing size image

    // The two inputs of an output along one axis and the weight of the second, exactly as scipy finds them; the same input
    // twice along an axis that is not interpolated.
    let private linear (order: int) (input: int) (output: int) : int[] * float[] =
        let places =
            Array.init output (Spline.place input output)
            |> Array.map (fun place -> place |> max 0.0 |> min (float (input - 1)))

        if order = 0 || input = output then
            (Spline.kernel 0 input output).First, Array.zeroCreate output
        else
            places |> Array.map (fun place -> int (floor place)), places |> Array.map (fun place -> place - floor place)

    /// A label map at a size and spacing (mm): each label's 0/1 map is interpolated linearly, and the largest label that
    /// reaches a half is taken, 0 where none does. Throws ArgumentException when the numbers of axes differ.
    let labels (options: Resampling) (spacing: Spacing) (size: Extent) (labels: LabelMap) : LabelMap =
        let extent = labels.Extent
        requireRank size spacing extent

        if size = extent then
            labels |> Volume.withSpacing spacing
        else
            let separate = separateAxis options labels.Spacing spacing

            let order (axis: int) =
                if separate = Some axis then
                    options.OrderAlongZ
                else
                    options.LabelOrder

            let slices, sliceWeights = linear (order 0) extent.Depth size.Depth
            let rows, rowWeights = linear (order 1) extent.Height size.Height
            let columns, columnWeights = linear (order 2) extent.Width size.Width
            let result = GC.AllocateUninitializedArray<int16> size.Count
            let source = labels.Data
            let near = Array.zeroCreate<int16> 8
            let weights = Array.zeroCreate<float> 8

            // The largest of the eight labels around whose weights add up to a half; added in scipy's order, so that
            // halves are met or missed as there.
            let choose () : int16 =
                let mutable best = Int16.MinValue

                for candidate in near do
                    if candidate > best then
                        let mutable sum = 0.0

                        for corner in 0..7 do
                            if near[corner] = candidate then
                                sum <- sum + weights[corner]

                        if sum >= 0.5 then
                            best <- candidate

                if best = Int16.MinValue then 0s else best

            for slice in 0 .. size.Depth - 1 do
                let nextSlice = min (slices[slice] + 1) (extent.Depth - 1)
                let z = sliceWeights[slice]

                for row in 0 .. size.Height - 1 do
                    let nextRow = min (rows[row] + 1) (extent.Height - 1)
                    let y = rowWeights[row]
                    let first = Extent.index extent slices[slice] rows[row] 0
                    let second = Extent.index extent slices[slice] nextRow 0
                    let third = Extent.index extent nextSlice rows[row] 0
                    let fourth = Extent.index extent nextSlice nextRow 0
                    let target = Extent.index size slice row 0

                    for column in 0 .. size.Width - 1 do
                        let left = columns[column]
                        let right = min (left + 1) (extent.Width - 1)
                        near[0] <- source[first + left]
                        near[1] <- source[first + right]
                        near[2] <- source[second + left]
                        near[3] <- source[second + right]
                        near[4] <- source[third + left]
                        near[5] <- source[third + right]
                        near[6] <- source[fourth + left]
                        near[7] <- source[fourth + right]
                        let mutable same = true

                        for corner in 1..7 do
                            same <- same && near[corner] = near[0]

                        result[target + column] <-
                            if same then
                                near[0]
                            else
                                let x = columnWeights[column]
                                weights[0] <- (1.0 - z) * (1.0 - y) * (1.0 - x)
                                weights[1] <- (1.0 - z) * (1.0 - y) * x
                                weights[2] <- (1.0 - z) * y * (1.0 - x)
                                weights[3] <- (1.0 - z) * y * x
                                weights[4] <- z * (1.0 - y) * (1.0 - x)
                                weights[5] <- z * (1.0 - y) * x
                                weights[6] <- z * y * (1.0 - x)
                                weights[7] <- z * y * x
                                choose ()

            Volume.create size result |> Volume.withSpacing spacing
