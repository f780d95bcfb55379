namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// Tiles of one size, cut from an image: (count, channels, spatial...), row-major.
type Tiles =
    {
        Count: int
        Channels: int
        Extent: Extent
        Data: float32[]
    }

/// An engine: tiles to logits (count, classes, spatial...), row-major. It knows nothing of images, and prediction
/// knows nothing of it. It may give the same array again at the next call.
type Predict = Tiles -> float32[]

/// Engines made of engines.
[<RequireQualifiedAccess>]
module Engine =

    // An array that serves one call after the other: a fresh one for each tile would be paid for page by page.
    [<Sealed>]
    type private Kept() =
        let mutable values: float32[] = [||]

        // Of exactly so many values, which hold anything.
        member _.Of(length: int) : float32[] =
            if values.Length <> length then
                values <- GC.AllocateUninitializedArray<float32> length

            values

    // Every tile turned along the given axes of the patch (0 = slowest).
    let private mirror (kept: Kept) (axes: int list) (planes: int) (patch: Extent) (data: float32[]) : float32[] =
        if axes.IsEmpty then
            data
        else
            let flips (axis: int) =
                List.contains (axis - (3 - patch.Rank)) axes

            let flipSlices, flipRows, flipColumns = flips 0, flips 1, flips 2
            let result = kept.Of data.Length

            for plane in 0 .. planes - 1 do
                for slice in 0 .. patch.Depth - 1 do
                    for row in 0 .. patch.Height - 1 do
                        let fromSlice = if flipSlices then patch.Depth - 1 - slice else slice
                        let fromRow = if flipRows then patch.Height - 1 - row else row
                        let target = plane * patch.Count + Extent.index patch slice row 0

                        Array.Copy(
                            data,
                            plane * patch.Count + Extent.index patch fromSlice fromRow 0,
                            result,
                            target,
                            patch.Width
                        )

                        if flipColumns then
                            Array.Reverse(result, target, patch.Width)

            result

    let private subsets (axes: int list) : int list list =
        List.fold (fun chosen axis -> chosen @ List.map (fun subset -> subset @ [ axis ]) chosen) [ [] ] axes

    let private requireLogits (classes: int) (tiles: Tiles) (logits: float32[]) : unit =
        if logits.Length <> tiles.Count * classes * tiles.Extent.Count then
            invalidArg
                "predict"
                $"It gave %d{logits.Length} logits for %d{tiles.Count} tiles of %O{tiles.Extent} and %d{classes} classes."

    // The mean of what each version says, added up in their order.
    let private mean (kept: Kept) (versions: 'Version list) (answer: 'Version -> float32[]) : float32[] =
        match versions with
        | [ only ] -> answer only
        | _ ->
            let first = answer versions.Head
            let sum = kept.Of first.Length
            Array.Copy(first, sum, sum.Length)

            for version in versions.Tail do
                let logits = answer version

                if logits.Length <> sum.Length then
                    invalidArg
                        "predict"
                        $"Engines differ: %d{sum.Length} and %d{logits.Length} logits for the same tiles."

                Values.add (ReadOnlySpan<float32> logits) (Span<float32> sum)

            Values.multiply (1.0f / float32 versions.Length) (Span<float32> sum)
            sum

    /// An engine that says the mean of the logits over all combinations of the given axes (0 = slowest of the patch) along
    /// which it shows the tiles mirrored, each answer turned back. What it gives holds until the next call; for one thread.
    /// Throws ArgumentException when the engine gives another number of logits than asked for.
    let mirrored (mirrorAxes: int list) (classes: int) (predict: Predict) : Predict =
        let versions = subsets mirrorAxes
        let turned, turnedBack, sum = Kept(), Kept(), Kept()

        fun tiles ->
            mean sum versions (fun axes ->
                let logits =
                    predict
                        { tiles with
                            Data = mirror turned axes (tiles.Count * tiles.Channels) tiles.Extent tiles.Data
                        }

                requireLogits classes tiles logits
                mirror turnedBack axes (tiles.Count * classes) tiles.Extent logits)

    /// An engine that says the mean of what several say: folds of one model. What it gives holds until the next call; for one
    /// thread. Throws ArgumentException for none, and when one gives another number of logits than the first.
    let average (engines: Predict list) : Predict =
        let sum = Kept()

        fun tiles ->
            if engines.IsEmpty then
                invalidArg (nameof engines) "An average needs at least one engine; got none."

            mean sum engines (fun predict -> predict tiles)
