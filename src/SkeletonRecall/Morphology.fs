namespace SkeletonRecall

open System.Runtime.Intrinsics

/// Growing masks.
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
        let other = Array.zeroCreate<uint64> source.Length
        sweep extent target (fun at -> sideways source at) (fun at -> sidewaysOne source at)
        along extent (Layout.stride extent) target other

        if extent.Rank = 2 then
            other.CopyTo(target, 0)
        else
            along extent (Layout.slab extent) other target

    /// The mask grown by `steps` steps of the element; what would grow over the border is cut off.
    /// No step gives the mask itself. Throws ArgumentException for a negative number of steps.
    let dilate (element: Element) (steps: int) (mask: Mask) : Mask =
        if steps < 0 then
            invalidArg (nameof steps) $"The number of steps is 0 or more; got %d{steps}."

        let into =
            match element with
            | Element.Cross -> crossInto
            | Element.Box -> boxInto

        if steps = 0 then
            mask
        else
            let extent = mask.Extent
            let mutable source = mask.Words
            let mutable target = Array.zeroCreate<uint64> source.Length

            let mutable spare =
                if steps > 1 then
                    Array.zeroCreate<uint64> source.Length
                else
                    [||]

            into extent source target

            for _ in 2..steps do
                source <- target
                target <- spare
                spare <- source
                into extent source target

            Mask(extent, mask.Spacing, target)
