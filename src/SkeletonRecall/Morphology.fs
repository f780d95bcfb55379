namespace SkeletonRecall

open System

/// Growing masks.
[<RequireQualifiedAccess>]
module Morphology =

    // All of these work on whole words of the interior rows of every slice; guard words are read, never written, and
    // the guard columns that a sideways shift may fill are cleared before the next step reads them.

    let inline private sideways (words: uint64[]) (at: int) : uint64 =
        let word = words[at]

        word
        ||| (word <<< 1)
        ||| (words[at - 1] >>> 63)
        ||| (word >>> 1)
        ||| (words[at + 1] <<< 63)

    let inline private sweep (extent: Extent) (target: uint64[]) ([<InlineIfLambda>] value: int -> uint64) : unit =
        let length = extent.Height * Layout.stride extent

        for slice in 0 .. extent.Depth - 1 do
            let start = Layout.row extent slice 0

            for at in start .. start + length - 1 do
                target[at] <- value at

            Layout.clearColumns extent slice target

    let private crossInto (extent: Extent) (source: uint64[]) (target: uint64[]) : unit =
        let stride = Layout.stride extent
        let slab = Layout.slab extent

        if extent.Rank = 2 then
            sweep extent target (fun at -> sideways source at ||| source[at - stride] ||| source[at + stride])
        else
            sweep extent target (fun at ->
                sideways source at
                ||| source[at - stride]
                ||| source[at + stride]
                ||| source[at - slab]
                ||| source[at + slab])

    let private boxInto (extent: Extent) (source: uint64[]) (target: uint64[]) : unit =
        let stride = Layout.stride extent
        let slab = Layout.slab extent
        let other = Array.zeroCreate<uint64> source.Length
        sweep extent target (fun at -> sideways source at)
        sweep extent other (fun at -> target[at] ||| target[at - stride] ||| target[at + stride])

        if extent.Rank = 2 then
            other.CopyTo(target, 0)
        else
            sweep extent target (fun at -> other[at] ||| other[at - slab] ||| other[at + slab])

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
