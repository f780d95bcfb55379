namespace SkeletonRecall.Training

open System
open System.Buffers
open System.Numerics
open SkeletonRecall

/// Bringing images and label maps to another size, as nnU-Net does (default_resampling.py): equal to scipy's `zoom` with
/// `mode="nearest"` and `grid_mode=True`, clipped to the input's range, without a low-pass filter.
[<RequireQualifiedAccess>]
module Resample =

    // Places for what lies between two axes, borrowed for all channels.
    [<Sealed>]
    type private Scratch() =
        let mutable first: float32[] = [||]
        let mutable second: float32[] = [||]
        let mutable slices: float32[] = [||]

        let giveBack (held: float32[]) : unit =
            if held.Length > 0 then
                ArrayPool<float32>.Shared.Return held

        let atLeast (count: int) (held: float32[]) : float32[] =
            if held.Length >= count then
                held
            else
                giveBack held
                ArrayPool<float32>.Shared.Rent count

        // One of at least so many values that is not the given array.
        member _.Other(taken: float32[], count: int) : float32[] =
            if obj.ReferenceEquals(taken, first) then
                second <- atLeast count second
                second
            else
                first <- atLeast count first
                first

        // A third one, of at least so many values.
        member _.Slices(count: int) : float32[] =
            slices <- atLeast count slices
            slices

        interface IDisposable with
            member _.Dispose() : unit =
                giveBack first
                giveBack second
                giveBack slices

    let private split (sizes: int[]) (axis: int) : struct (int * int) =
        struct (Array.fold (*) 1 sizes[.. axis - 1], Array.fold (*) 1 sizes[axis + 1 ..])

    /// The given axes of one channel (depth, height, width), which begins at `from` of the source, to the sizes of `after`,
    /// whose other entries are the channel's own; into the target from `into` on. Axes that shrink go first, which keeps
    /// what lies between small.
    let private axes
        (scratch: Scratch)
        (order: int)
        (numbers: int list)
        (before: int[])
        (after: int[])
        (source: float32[])
        (from: int)
        (target: float32[])
        (into: int)
        : unit =
        let sizes = Array.copy before

        let rec work (numbers: int list) (source: float32[]) (from: int) =
            match numbers with
            | [] -> Array.Copy(source, from, target, into, Array.fold (*) 1 sizes)
            | number :: rest ->
                let struct (outer, inner) = split sizes number
                let length = sizes[number]
                sizes[number] <- after[number]

                if rest.IsEmpty then
                    Spline.axis order outer length inner after[number] source from target into
                else
                    let next = scratch.Other(source, outer * after[number] * inner)
                    Spline.axis order outer length inner after[number] source from next 0
                    work rest next 0

        work
            (numbers
             |> List.filter (fun axis -> before[axis] <> after[axis])
             |> List.sortBy (fun axis -> float after[axis] / float before[axis]))
            source
            from

    // Each slice across the separate axis within its own range: scipy resamples them one by one.
    let private clipSlices
        (axis: int)
        (before: int[])
        (after: int[])
        (source: float32[])
        (from: int)
        (values: float32[])
        : unit =
        let struct (outerBefore, innerBefore) = split before axis
        let struct (outer, inner) = split after axis

        for number in 0 .. before[axis] - 1 do
            let mutable low = Single.PositiveInfinity
            let mutable high = Single.NegativeInfinity

            for o in 0 .. outerBefore - 1 do
                let start = from + (o * before[axis] + number) * innerBefore

                let struct (least, greatest) =
                    Values.range (ReadOnlySpan<float32>(source, start, innerBefore))

                low <- min low least
                high <- max high greatest

            for o in 0 .. outer - 1 do
                Values.clip low high (Span<float32>(values, (o * after[axis] + number) * inner, inner))

    /// One channel to another size; the separate axis, if any, by its own order after the others.
    let private channel
        (scratch: Scratch)
        (order: int)
        (separate: (int * int) option)
        (extent: Extent)
        (size: Extent)
        (source: float32[])
        (from: int)
        (target: float32[])
        (into: int)
        : unit =
        let before = [| extent.Depth; extent.Height; extent.Width |]
        let after = [| size.Depth; size.Height; size.Width |]

        match separate with
        | None ->
            axes scratch order [ 0; 1; 2 ] before after source from target into

            let struct (low, high) =
                Values.range (ReadOnlySpan<float32>(source, from, extent.Count))

            Values.clip low high (Span<float32>(target, into, size.Count))
        | Some(number, orderAlong) ->
            let between = Array.copy after
            between[number] <- before[number]
            let slices = scratch.Slices(Array.fold (*) 1 between)
            axes scratch order (List.except [ number ] [ 0; 1; 2 ]) before between source from slices 0
            clipSlices number before between source from slices
            axes scratch orderAlong [ number ] between after slices 0 target into

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
            use scratch = new Scratch()

            for number in 0 .. image.Channels - 1 do
                channel
                    scratch
                    order
                    separate
                    image.Extent
                    size
                    image.Data
                    (number * image.Extent.Count)
                    data
                    (number * size.Count)

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

    // The two inputs of an output along one axis and the weight of the second, exactly as scipy finds them: beyond the ends
    // the last input counts twice, with both weights. One input alone along an axis that is not interpolated.
    let private linear (order: int) (input: int) (output: int) : struct (int[] * int[] * float[]) =
        if order = 0 || input = output then
            let only = (Spline.kernel 0 input output).First
            struct (only, only, Array.zeroCreate output)
        else
            let places = Array.init output (Spline.place input output)

            let within (step: int) (place: float) : int =
                int (floor place) + step |> max 0 |> min (input - 1)

            struct (Array.map (within 0) places,
                    Array.map (within 1) places,
                    places |> Array.map (fun place -> place - floor place))

    // No label: of neighbours that differ.
    let private mixed = Int16.MinValue

    /// What four lines of labels agree on, `mixed` where they do not; whether they agree on the first.
    let private agree (source: int16[]) (first: int) (second: int) (third: int) (fourth: int) (agreed: int16[]) : bool =
        let lanes = Vector<int16>.Count
        let width = agreed.Length
        let all = Vector<int16> mixed
        let mutable column = 0

        while column <= width - lanes do
            let a = Vector<int16>(source, first + column)

            let same =
                Vector.Equals(a, Vector<int16>(source, second + column))
                &&& Vector.Equals(a, Vector<int16>(source, third + column))
                &&& Vector.Equals(a, Vector<int16>(source, fourth + column))

            Vector.ConditionalSelect(same, a, all).CopyTo(agreed, column)
            column <- column + lanes

        while column < width do
            let label = source[first + column]

            agreed[column] <-
                if
                    label = source[second + column]
                    && label = source[third + column]
                    && label = source[fourth + column]
                then
                    label
                else
                    mixed

            column <- column + 1

        agreed[0] <> mixed

    let private isUniform (labels: int16[]) : bool =
        labels.AsSpan().IndexOfAnyExcept labels[0] < 0

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

            let struct (slices, nextSlices, sliceWeights) =
                linear (order 0) extent.Depth size.Depth

            let struct (rows, nextRows, rowWeights) = linear (order 1) extent.Height size.Height

            let struct (columns, nextColumns, columnWeights) =
                linear (order 2) extent.Width size.Width

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

            // What the four lines around a line of the result agree on, column by column; `mixed` where they do not.
            let agreed = Array.zeroCreate<int16> extent.Width

            for slice in 0 .. size.Depth - 1 do
                let z = sliceWeights[slice]
                let nextSlice = nextSlices[slice]

                for row in 0 .. size.Height - 1 do
                    let y = rowWeights[row]

                    let nextRow = nextRows[row]
                    let first = Extent.index extent slices[slice] rows[row] 0
                    let second = Extent.index extent slices[slice] nextRow 0
                    let third = Extent.index extent nextSlice rows[row] 0
                    let fourth = Extent.index extent nextSlice nextRow 0
                    let target = Extent.index size slice row 0

                    if agree source first second third fourth agreed && isUniform agreed then
                        Array.Fill(result, agreed[0], target, size.Width)
                    else
                        for column in 0 .. size.Width - 1 do
                            let left = columns[column]
                            let x = columnWeights[column]
                            let right = nextColumns[column]
                            let label = agreed[left]

                            if label = agreed[right] && label <> mixed then
                                result[target + column] <- label
                            else
                                near[0] <- source[first + left]
                                near[1] <- source[first + right]
                                near[2] <- source[second + left]
                                near[3] <- source[second + right]
                                near[4] <- source[third + left]
                                near[5] <- source[third + right]
                                near[6] <- source[fourth + left]
                                near[7] <- source[fourth + right]
                                // scipy takes the second weight as what the first leaves of 1.
                                let z, y, x = 1.0 - z, 1.0 - y, 1.0 - x
                                weights[0] <- z * y * x
                                weights[1] <- z * y * (1.0 - x)
                                weights[2] <- z * (1.0 - y) * x
                                weights[3] <- z * (1.0 - y) * (1.0 - x)
                                weights[4] <- (1.0 - z) * y * x
                                weights[5] <- (1.0 - z) * y * (1.0 - x)
                                weights[6] <- (1.0 - z) * (1.0 - y) * x
                                weights[7] <- (1.0 - z) * (1.0 - y) * (1.0 - x)
                                result[target + column] <- choose ()

            Volume.create size result |> Volume.withSpacing spacing
