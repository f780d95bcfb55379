namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.CompilerServices
open System.Runtime.Intrinsics

/// Exact Euclidean distance transforms, in time linear in the number of voxels (P. F. Felzenszwalb and D. P. Huttenlocher,
/// "Distance transforms of sampled functions", 2012).
[<RequireQualifiedAccess>]
module Distance =

    // Squared distances are found axis by axis: along rows from the bits, then along columns, then along slices. The later
    // passes take, at each place of a line, the least of `value at another place + squared distance to it`. Lines lie
    // side by side, 8 to a vector. No place farther away than the best value so far can be better, so that a look at the
    // nearest places settles thin structures; where `Reach` places to both sides do not, those 8 lines are done by the
    // lower envelope of parabolas, whose cost does not grow with the distance.

    [<Literal>]
    let private Reach = 32

    // Columns that are done together: as many as keep the copy of their lines in the cache.
    [<Literal>]
    let private Pitch = 32

    let private ramp = Vector512.Create(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)

    let inline private load (values: float[]) (at: int) : Vector512<float> = Vector512.LoadUnsafe &values[at]

    // The squared distances of the voxels of one run, from column `start` to before `stop`, to the nearer of the voxels
    // before and after it; infinite where there is neither. `at` is the place of the row's first voxel.
    let private fillRun (step: float) (width: int) (start: int) (stop: int) (at: int) (squares: float[]) : unit =
        let up = if start = 0 then infinity else 1.0
        let down = if stop = width then infinity else float (stop - start)
        let mutable column = start

        while column + 8 <= stop do
            let along = Vector512.Create(float (column - start)) + ramp

            let steps =
                Vector512.Min(Vector512.Create up + along, Vector512.Create down - along)

            let distance = steps * Vector512.Create step
            Vector512.StoreUnsafe(distance * distance, &squares[at + column])
            column <- column + 8

        while column < stop do
            let along = float (column - start)
            let distance = step * min (up + along) (down - along)
            squares[at + column] <- distance * distance
            column <- column + 1

    // The first pass: runs of voxels begin and end where bits change.
    let private alongRows (step: float) (mask: Mask) (squares: float[]) : unit =
        let extent = mask.Extent
        let words = mask.Words
        let stride = Layout.stride extent

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let first = Layout.row extent slice row
                let at = Extent.index extent slice row 0
                let mutable before = 0UL
                let mutable start = -1

                // One word more than the row has, so that a run that fills the row's last word ends there.
                for word in 0..stride do
                    let here = if word < stride then words[first + word] else 0UL
                    let mutable changes = here ^^^ ((here <<< 1) ||| before)

                    while changes <> 0UL do
                        let column = 64 * word + BitOperations.TrailingZeroCount changes - 1
                        changes <- changes &&& (changes - 1UL)

                        if start < 0 then
                            start <- column
                        else
                            fillRun step extent.Width start column at squares
                            start <- -1

                    before <- here >>> 63

    // One line by the lower envelope of the parabolas `value + squared distance`: `sites` are the places of those that
    // are lowest somewhere, in order, and `bounds` where each begins to be.
    let private envelope
        (step: float)
        (length: int)
        (tile: float[])
        (lane: int)
        (sites: int[])
        (bounds: float[])
        (line: float[])
        : unit =
        let value (place: int) = tile[(place + Reach) * Pitch + lane]

        let square (distance: int) =
            let distance = float distance * step in distance * distance

        let mutable count = 0

        for place in 0 .. length - 1 do
            if value place < infinity then
                let height = value place + square place
                let mutable bound = -infinity
                let mutable searching = count > 0

                while searching do
                    let site = sites[count - 1]

                    bound <- (height - value site - square site) / (2.0 * step * step * float (place - site))

                    if bound <= bounds[count - 1] then
                        count <- count - 1
                        searching <- count > 0
                        bound <- -infinity
                    else
                        searching <- false

                sites[count] <- place
                bounds[count] <- bound
                count <- count + 1

        if count = 0 then
            Array.Fill(line, infinity, 0, length)
        else
            let mutable at = 0

            for place in 0 .. length - 1 do
                while at + 1 < count && bounds[at + 1] <= float place do
                    at <- at + 1

                line[place] <- value sites[at] + square (place - sites[at])

    // What a pass needs beside the squares: a copy of the lines at hand, with `Reach` rows of infinity at both ends; the
    // squared distances of whole steps; and the envelope of one line.
    [<Sealed>]
    type private Work(step: float, length: int) =
        member _.Step: float = step
        member _.Length: int = length
        member val Tile: float[] = Array.create ((length + 2 * Reach) * Pitch) infinity
        member val Steps: float[] = Array.init (Reach + 2) (fun far -> (float far * step) * (float far * step))
        member val Sites: int[] = Array.zeroCreate length
        member val Bounds: float[] = Array.zeroCreate length
        member val Line: float[] = Array.zeroCreate length
        member val Lanes: float[] = Array.zeroCreate 8

    // Copies lines that begin at `at` and have their places `stride` apart; whether any of their values is not 0.
    let private fetch (squares: float[]) (at: int) (stride: int) (columns: int) (work: Work) : bool =
        let mutable any = false

        for place in 0 .. work.Length - 1 do
            let source = ReadOnlySpan(squares, at + place * stride, columns)
            let target = Span(work.Tile, (place + Reach) * Pitch, Pitch)
            source.CopyTo target
            target.Slice(columns).Clear()
            any <- any || source.ContainsAnyExcept 0.0

        any

    // 8 lines at once, as long as their values are found within reach; false as soon as one is not.
    let private near
        (squares: float[])
        (at: int)
        (stride: int)
        (lanes: int)
        (first: int)
        (work: Work)
        (last: bool)
        : bool =
        let tile = work.Tile
        let steps = work.Steps
        let farthest = min Reach (work.Length - 1)
        let mutable place = 0
        let mutable settled = true

        while settled && place < work.Length do
            let middle = (place + Reach) * Pitch + first
            let mutable best = load tile middle

            if not (Vector512.EqualsAll(best, Vector512<float>.Zero)) then
                let mutable far = 1
                let mutable back = middle - Pitch
                let mutable ahead = middle + Pitch

                while far <= farthest && Vector512.GreaterThanAny(best, Vector512.Create steps[far]) do
                    let other =
                        Vector512.Min(load tile back, load tile ahead) + Vector512.Create steps[far]

                    best <- Vector512.Min(best, other)
                    far <- far + 1
                    back <- back - Pitch
                    ahead <- ahead + Pitch

                settled <-
                    farthest = work.Length - 1
                    || far <= farthest
                    || not (Vector512.GreaterThanAny(best, Vector512.Create steps[Reach + 1]))

                if settled then
                    let result = if last then Vector512.Sqrt best else best
                    let target = at + place * stride

                    if lanes = 8 then
                        Vector512.StoreUnsafe(result, &squares[target])
                    else
                        Vector512.StoreUnsafe(result, &work.Lanes[0])
                        Array.Copy(work.Lanes, 0, squares, target, lanes)

            place <- place + 1

        settled

    let private far
        (squares: float[])
        (at: int)
        (stride: int)
        (lanes: int)
        (first: int)
        (work: Work)
        (last: bool)
        : unit =
        for lane in 0 .. lanes - 1 do
            envelope work.Step work.Length work.Tile (first + lane) work.Sites work.Bounds work.Line

            for place in 0 .. work.Length - 1 do
                let value = work.Line[place]
                squares[at + lane + place * stride] <- if last then sqrt value else value

    // All lines that begin in one row of the grid; the last pass takes the roots.
    let private alongLines (width: int) (at: int) (stride: int) (work: Work) (last: bool) (squares: float[]) : unit =
        for start in 0..Pitch .. width - 1 do
            let columns = min Pitch (width - start)

            if fetch squares (at + start) stride columns work then
                for first in 0..8 .. columns - 1 do
                    let lanes = min 8 (columns - first)
                    let from = at + start + first

                    if not (near squares from stride lanes first work last) then
                        far squares from stride lanes first work last

    // The first two passes over cells that are 0: squared distances within each slice, or the distances of a plane.
    let private inSlices (mask: Mask) (squares: float[]) : unit =
        let extent = mask.Extent
        let steps = mask.Spacing.Values |> Array.ofList |> Array.rev
        alongRows steps[0] mask squares

        let work = Work(steps[1], extent.Height)

        for slice in 0 .. extent.Depth - 1 do
            alongLines extent.Width (Extent.index extent slice 0 0) extent.Width work (extent.Rank = 2) squares

    // The last pass: the distances in a volume.
    let private acrossSlices (mask: Mask) (squares: float[]) : unit =
        let extent = mask.Extent

        if extent.Rank = 3 then
            let work = Work(List.head mask.Spacing.Values, extent.Depth)

            for row in 0 .. extent.Height - 1 do
                alongLines extent.Width (row * extent.Width) (extent.Height * extent.Width) work true squares

    /// The distance in mm of each voxel of the mask to the nearest voxel that is not in it, centre to centre, by the
    /// mask's spacing; 0 outside the mask. What lies outside the grid is not background, as in scipy's
    /// `distance_transform_edt`: a mask that fills the grid has nowhere a background and is infinity everywhere.
    let toBackground (mask: Mask) : Volume<float> =
        let squares = Array.zeroCreate<float> mask.Extent.Count
        inSlices mask squares
        acrossSlices mask squares
        Volume<float>(mask.Extent, mask.Spacing, squares)

    /// The distance in mm of each voxel of the grid to the nearest voxel of the mask, centre to centre, by the mask's
    /// spacing; 0 in the mask, and infinity everywhere where the mask is empty.
    let toMask (mask: Mask) : Volume<float> = toBackground (Mask.complement mask)

    // The least of a column's squared distances within slices and those across them.
    let private nearest (extent: Extent) (step: float) (squares: float[]) (slice: int) (at: int) : float =
        let slab = extent.Height * extent.Width
        let mutable best = squares[at]
        let mutable away = 1
        let mutable square = step * step

        while square < best && away < extent.Depth do
            if slice >= away then
                best <- min best (squares[at - away * slab] + square)

            if slice + away < extent.Depth then
                best <- min best (squares[at + away * slab] + square)

            away <- away + 1
            let further = float away * step
            square <- further * further

        best

    /// The distances of `toMask` at the voxels of another mask of the same extent, in raster order. Where these are few the
    /// last pass looks at their lines alone. The grid of distances is borrowed: a new one costs more than the passes do,
    /// since the system hands out its pages one by one.
    [<MethodImpl(MethodImplOptions.AggressiveOptimization)>]
    let internal toMaskAt (places: Mask) (mask: Mask) : float[] =
        let extent = mask.Extent
        let step = List.head mask.Spacing.Values
        let result = Array.zeroCreate<float>(Mask.count places)
        let sparse = extent.Rank = 3 && 16L * int64 result.Length < int64 extent.Count
        let background = Mask.complement mask
        let squares = ArrayPool<float>.Shared.Rent extent.Count

        try
            Array.Clear(squares, 0, extent.Count)
            inSlices background squares

            if not sparse then
                acrossSlices background squares

            let mutable found = 0

            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    let start = Layout.row extent slice row
                    let first = Extent.index extent slice row 0 - 1

                    for word in 0 .. Layout.stride extent - 1 do
                        let mutable bits = places.Words[start + word]

                        while bits <> 0UL do
                            let at = first + 64 * word + BitOperations.TrailingZeroCount bits
                            bits <- bits &&& (bits - 1UL)

                            result[found] <-
                                if sparse then
                                    sqrt (nearest extent step squares slice at)
                                else
                                    squares[at]

                            found <- found + 1
        finally
            ArrayPool<float>.Shared.Return squares

        result
