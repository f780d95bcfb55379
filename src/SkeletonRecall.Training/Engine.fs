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

    // Every tile turned along the given axes of the patch (0 = slowest).
    let private mirror (axes: int list) (planes: int) (patch: Extent) (data: float32[]) : float32[] =
        if axes.IsEmpty then
            data
        else
            let flips (axis: int) =
                List.contains (axis - (3 - patch.Rank)) axes

            let flipSlices, flipRows, flipColumns = flips 0, flips 1, flips 2
            let result = Array.zeroCreate<float32> data.Length

            for plane in 0 .. planes - 1 do
                for slice in 0 .. patch.Depth - 1 do
                    for row in 0 .. patch.Height - 1 do
                        let fromSlice = if flipSlices then patch.Depth - 1 - slice else slice
                        let fromRow = if flipRows then patch.Height - 1 - row else row
                        let target = plane * patch.Count + Extent.index patch slice row 0

                        Array.blit
                            data
                            (plane * patch.Count + Extent.index patch fromSlice fromRow 0)
                            result
                            target
                            patch.Width

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
    let private mean (versions: 'Version list) (answer: 'Version -> float32[]) : float32[] =
        match versions with
        | [ only ] -> answer only
        | _ ->
            let sum = answer versions.Head |> Array.copy

            for version in versions.Tail do
                let logits = answer version

                if logits.Length <> sum.Length then
                    invalidArg
                        "predict"
                        $"Engines differ: %d{sum.Length} and %d{logits.Length} logits for the same tiles."

                for index in 0 .. sum.Length - 1 do
                    sum[index] <- sum[index] + logits[index]

            let share = 1.0f / float32 versions.Length

            for index in 0 .. sum.Length - 1 do
                sum[index] <- sum[index] * share

            sum

    /// An engine that says the mean of the logits over all combinations of the given axes (0 = slowest of the patch) along
    /// which it shows the tiles mirrored, each answer turned back. Throws ArgumentException when the engine gives another
    /// number of logits than asked for.
    let mirrored (mirrorAxes: int list) (classes: int) (predict: Predict) (tiles: Tiles) : float32[] =
        mean (subsets mirrorAxes) (fun axes ->
            let shown =
                { tiles with
                    Data = mirror axes (tiles.Count * tiles.Channels) tiles.Extent tiles.Data
                }

            let logits = predict shown
            requireLogits classes tiles logits
            mirror axes (tiles.Count * classes) tiles.Extent logits)

    /// An engine that says the mean of what several say: folds of one model. Throws ArgumentException for none, and when
    /// one gives another number of logits than the first.
    let average (engines: Predict list) (tiles: Tiles) : float32[] =
        if engines.IsEmpty then
            invalidArg (nameof engines) "An average needs at least one engine; got none."

        mean engines (fun predict -> predict tiles)
