namespace SkeletonRecall

open System
open System.Buffers
open System.Runtime.Intrinsics

/// Growing and shrinking masks.
[<RequireQualifiedAccess>]
module Morphology =

    // All of these work on the words of a slice's rows, 8 at a time, without regard to where rows end. Guard rows and
    // slices are read, never written, and the guard columns that a sideways shift may fill are cleared before the next
    // step reads them.

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Vector512.LoadUnsafe &words[at]

    // Both spellings of one sweep: of 8 words, and of one for what is left over.
    let inline private sweep
        (extent: Extent)
        (target: uint64[])
        ([<InlineIfLambda>] wide: int -> Vector512<uint64>)
        ([<InlineIfLambda>] narrow: int -> uint64)
        : unit =
        let length = extent.Height * Layout.stride extent

        for slice in 0 .. extent.Depth - 1 do
            let start = Layout.row extent slice 0
            let mutable at = start

            while at + 8 <= start + length do
                Vector512.StoreUnsafe(wide at, &target[at])
                at <- at + 8

            while at < start + length do
                target[at] <- narrow at
                at <- at + 1

            Layout.clearColumns extent slice target

    let inline private sideways (words: uint64[]) (at: int) : Vector512<uint64> =
        let word = load words at

        word
        ||| Vector512.ShiftLeft(word, 1)
        ||| Vector512.ShiftRightLogical(load words (at - 1), 63)
        ||| Vector512.ShiftRightLogical(word, 1)
        ||| Vector512.ShiftLeft(load words (at + 1), 63)

    let inline private sidewaysOne (words: uint64[]) (at: int) : uint64 =
        let word = words[at]

        word
        ||| (word <<< 1)
        ||| (words[at - 1] >>> 63)
        ||| (word >>> 1)
        ||| (words[at + 1] <<< 63)

    // Each voxel, and those `step` words before and after it.
    let inline private along (extent: Extent) (step: int) (source: uint64[]) (target: uint64[]) : unit =
        sweep
            extent
            target
            (fun at -> load source at ||| load source (at - step) ||| load source (at + step))
            (fun at -> source[at] ||| source[at - step] ||| source[at + step])

    let private crossInto (extent: Extent) (source: uint64[]) (target: uint64[]) : unit =
        let stride = Layout.stride extent
        let slab = Layout.slab extent

        if extent.Rank = 2 then
            sweep
                extent
                target
                (fun at -> sideways source at ||| load source (at - stride) ||| load source (at + stride))
                (fun at -> sidewaysOne source at ||| source[at - stride] ||| source[at + stride])
        else
            sweep
                extent
                target
                (fun at ->
                    sideways source at
                    ||| load source (at - stride)
                    ||| load source (at + stride)
                    ||| load source (at - slab)
                    ||| load source (at + slab))
                (fun at ->
                    sidewaysOne source at
                    ||| source[at - stride]
                    ||| source[at + stride]
                    ||| source[at - slab]
                    ||| source[at + slab])

    let private boxInto (extent: Extent) (source: uint64[]) (target: uint64[]) : unit =
        let length = Layout.length extent
        let other = ArrayPool<uint64>.Shared.Rent length

        try
            Array.Clear(other, 0, length)
            sweep extent target (fun at -> sideways source at) (fun at -> sidewaysOne source at)
            along extent (Layout.stride extent) target other

            if extent.Rank = 2 then
                Array.Copy(other, target, length)
            else
                along extent (Layout.slab extent) other target
        finally
            ArrayPool<uint64>.Shared.Return other

    // Adds to the target's rows what the source has `down` slices and `along` rows further on.
    let private addShifted (extent: Extent) (down: int) (along: int) (source: uint64[]) (target: uint64[]) : unit =
        let stride = Layout.stride extent
        let shift = down * Layout.slab extent + along * stride
        let count = (extent.Height - abs along) * stride

        for slice in max 0 -down .. min extent.Depth (extent.Depth - down) - 1 do
            let start = Layout.row extent slice (max 0 -along)
            let mutable at = start

            while at + 8 <= start + count do
                Vector512.StoreUnsafe(load target at ||| load source (at + shift), &target[at])
                at <- at + 8

            while at < start + count do
                target[at] <- target[at] ||| source[at + shift]
                at <- at + 1

    // A ball is a stack of rows: in each row of each slice that it reaches, so many columns to both sides of the middle.
    // The mask is widened column by column, and each width is added to all rows that have it.
    let private ballInto
        (spacing: Spacing)
        (millimetres: float)
        (extent: Extent)
        (source: uint64[])
        (target: uint64[])
        =
        let steps = Array.ofList spacing.Values
        let limit = (millimetres * (1.0 + 1e-9)) ** 2.0
        let column = Array.last steps
        let row = steps[steps.Length - 2]
        let slice = if extent.Rank = 3 then steps[0] else 1.0
        let square (value: float) = value * value

        // How far one may go along an axis without leaving the ball or the grid.
        let reach (step: float) (length: int) (taken: float) : int =
            let mutable far = 0

            while far + 1 < length && taken + square (float (far + 1) * step) <= limit do
                far <- far + 1

            far

        let widths =
            [|
                for down in 0 .. reach slice extent.Depth 0.0 do
                    let taken = square (float down * slice)

                    for along in 0 .. reach row extent.Height taken do
                        let width = reach column extent.Width (taken + square (float along * row))
                        struct (width, down, along)
            |]
            |> Array.groupBy (fun struct (width, _, _) -> width)
            |> Array.sortBy fst

        Array.Clear target
        let mutable wide = source
        let mutable spare = Array.zeroCreate<uint64> source.Length
        let mutable width = 0

        for wanted, rows in widths do
            while width < wanted do
                let from = wide
                let into = spare
                sweep extent into (fun at -> sideways from at) (fun at -> sidewaysOne from at)

                spare <-
                    if Object.ReferenceEquals(from, source) then
                        Array.zeroCreate<uint64> source.Length
                    else
                        from

                wide <- into
                width <- width + 1

            for struct (_, down, along) in rows do
                addShifted extent down along wide target

                if down > 0 then
                    addShifted extent -down along wide target

                if along > 0 then
                    addShifted extent down -along wide target

                if down > 0 && along > 0 then
                    addShifted extent -down -along wide target

    /// Steps of the cross, to and fro between two arrays whose guards are zero; the one that holds the result.
    let internal crossInPlace (extent: Extent) (steps: int) (words: uint64[]) (other: uint64[]) : uint64[] =
        let mutable source = words
        let mutable target = other

        for _ in 1..steps do
            crossInto extent source target
            let done' = target
            target <- source
            source <- done'

        source

    /// The mask grown by `steps` steps of the element; what would grow over the border is cut off.
    /// No step gives the mask itself. Throws ArgumentException for a negative number of steps and for a ball whose radius
    /// is not a finite number of mm above 0.
    let dilate (element: Element) (steps: int) (mask: Mask) : Mask =
        if steps < 0 then
            invalidArg (nameof steps) $"The number of steps is 0 or more; got %d{steps}."

        let into =
            match element with
            | Element.Cross -> crossInto
            | Element.Box -> boxInto
            | Element.Ball millimetres when Double.IsFinite millimetres && millimetres > 0.0 ->
                ballInto mask.Spacing millimetres
            | Element.Ball millimetres ->
                invalidArg
                    (nameof element)
                    $"The radius of a ball is a finite number of mm above 0; got %g{millimetres}."

        if steps = 0 then
            mask
        else
            let extent = mask.Extent
            let length = mask.Words.Length
            let result = Array.zeroCreate<uint64> length
            // Steps go to and fro, the last into the result; the other array is borrowed.
            let other =
                if steps > 1 then
                    ArrayPool<uint64>.Shared.Rent length
                else
                    [||]

            try
                Array.Clear(other, 0, min length other.Length)

                let inline into' (step: int) : uint64[] =
                    if (steps - step) &&& 1 = 0 then result else other

                into extent mask.Words (into' 1)

                for step in 2..steps do
                    into extent (into' (step - 1)) (into' step)
            finally
                if steps > 1 then
                    ArrayPool<uint64>.Shared.Return other

            Mask(extent, mask.Spacing, result)

    /// The mask shrunk by `steps` steps of the element: what is left are the voxels around which the element, as far as it
    /// lies inside the grid, fits into the mask. It is the complement of the complement's dilation, and nothing is eaten
    /// from the border of the grid, of whose outside the mask says nothing (scipy's `binary_erosion` with
    /// `border_value=1`; its default 0 would have patches shrink where they were cut out, and a closing, the erosion of a
    /// dilation, lose voxels of the mask). Throws ArgumentException as `dilate` does.
    let erode (element: Element) (steps: int) (mask: Mask) : Mask =
        Mask.complement mask |> dilate element steps |> Mask.complement
