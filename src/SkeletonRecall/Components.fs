namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics

/// Connected components.
[<RequireQualifiedAccess>]
module Components =

    // A row is a list of runs of voxels; runs that touch those of the rows before are joined. `Starts` and `Stops` (one
    // past the end) hold the columns of all runs, `Rows` the first run of each row, `Parents` the forest of joined runs,
    // in which a root is the first run of its tree. The arrays are borrowed: new ones would be paid for page by page.
    [<Sealed>]
    type private Runs(rows: int, count: int) =
        let pool = ArrayPool<int>.Shared
        let starts = pool.Rent count
        let stops = pool.Rent count
        let parents = pool.Rent count
        let rows = pool.Rent(rows + 1)
        member _.Starts: int[] = starts
        member _.Stops: int[] = stops
        member _.Parents: int[] = parents
        member _.Rows: int[] = rows
        member val Count: int = 0 with get, set

        interface IDisposable with
            member _.Dispose() : unit =
                pool.Return starts
                pool.Return stops
                pool.Return parents
                pool.Return rows

    let private root (parents: int[]) (run: int) : int =
        let mutable at = run

        while parents[at] <> at do
            parents[at] <- parents[parents[at]]
            at <- parents[at]

        at

    // Joins two trees; 1 when they were apart, 0 when they were one.
    let private join (parents: int[]) (left: int) (right: int) : int =
        let left = root parents left
        let right = root parents right

        if left < right then
            parents[right] <- left
        else
            parents[left] <- right

        if left = right then 0 else 1

    // A word of a row of the mask, or of what the mask lacks.
    let inline private bitsOf (extent: Extent) (words: uint64[]) (inverted: bool) (first: int) (word: int) : uint64 =
        if inverted then
            ~~~words[first + word] &&& Layout.voxelBits extent word
        else
            words[first + word]

    // How many runs all rows have: growing arrays would take twice the memory.
    let private countRuns (extent: Extent) (words: uint64[]) (inverted: bool) : int =
        let mutable count = 0

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let first = Layout.row extent slice row
                let mutable before = 0UL

                for word in 0 .. Layout.stride extent - 1 do
                    let here = bitsOf extent words inverted first word
                    count <- count + BitOperations.PopCount(here &&& ~~~((here <<< 1) ||| before))
                    before <- here >>> 63

        count

    // Appends the runs of one row: of the mask, or of what the mask lacks.
    let private addRow (extent: Extent) (words: uint64[]) (inverted: bool) (first: int) (runs: Runs) : unit =
        let stride = Layout.stride extent
        let starts = runs.Starts
        let stops = runs.Stops
        let parents = runs.Parents
        let mutable opened = runs.Count
        let mutable closed = runs.Count
        let mutable before = 0UL

        let inline bits (word: int) = bitsOf extent words inverted first word

        let mutable here = bits 0

        for word in 0 .. stride - 1 do
            let next = if word + 1 < stride then bits (word + 1) else 0UL
            let mutable rising = here &&& ~~~((here <<< 1) ||| before)
            let mutable falling = here &&& ~~~((here >>> 1) ||| (next <<< 63))

            while rising <> 0UL do
                starts[opened] <- 64 * word + BitOperations.TrailingZeroCount rising - 1
                parents[opened] <- opened
                opened <- opened + 1
                rising <- rising &&& (rising - 1UL)

            while falling <> 0UL do
                stops[closed] <- 64 * word + BitOperations.TrailingZeroCount falling
                closed <- closed + 1
                falling <- falling &&& (falling - 1UL)

            before <- here >>> 63
            here <- next

        runs.Count <- opened

    // Joins the runs from `first` to before `end'` with those of an earlier row that lie within `reach` columns.
    let private link (runs: Runs) (first: int) (end': int) (row: int) (reach: int) : int =
        let starts = runs.Starts
        let stops = runs.Stops
        let parents = runs.Parents
        let stop = runs.Rows[row + 1]
        let mutable joined = 0
        let mutable other = runs.Rows[row]
        let mutable run = first

        while run < end' && other < stop do
            if stops[run] + reach <= starts[other] then
                run <- run + 1
            elif stops[other] + reach <= starts[run] then
                other <- other + 1
            else
                joined <- joined + join parents run other

                if stops[run] < stops[other] then
                    run <- run + 1
                else
                    other <- other + 1

        joined

    // All runs, joined, which the caller disposes; and the number of trees.
    let private collect (connectivity: Connectivity) (inverted: bool) (mask: Mask) : struct (Runs * int) =
        let extent = mask.Extent
        Connectivity.requireRank connectivity extent

        let runs =
            new Runs(extent.Depth * extent.Height, countRuns extent mask.Words inverted)

        let order = Connectivity.order connectivity
        let mutable joined = 0

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let index = slice * extent.Height + row
                let first = runs.Count
                runs.Rows[index] <- first
                addRow extent mask.Words inverted (Layout.row extent slice row) runs
                runs.Rows[index + 1] <- runs.Count

                if runs.Count > first then
                    if row > 0 then
                        joined <- joined + link runs first runs.Count (index - 1) (min 1 (order - 1))

                    if slice > 0 then
                        let above = index - extent.Height
                        joined <- joined + link runs first runs.Count above (min 1 (order - 1))

                        if order > 1 then
                            if row > 0 then
                                joined <- joined + link runs first runs.Count (above - 1) (order - 2)

                            if row + 1 < extent.Height then
                                joined <- joined + link runs first runs.Count (above + 1) (order - 2)

        struct (runs, runs.Count - joined)

    /// Each voxel's component, numbered from 1 in the order in which a raster scan meets them, 0 outside the mask; and
    /// the number of components. Throws ArgumentException when the connectivity is not one of the mask's rank.
    let label (connectivity: Connectivity) (mask: Mask) : struct (Volume<int32> * int) =
        let struct (runs, count) = collect connectivity false mask
        use _ = runs
        let extent = mask.Extent
        let labels = Array.zeroCreate<int> extent.Count
        let names = Array.zeroCreate<int> runs.Count
        let mutable found = 0

        for row in 0 .. extent.Depth * extent.Height - 1 do
            for run in runs.Rows[row] .. runs.Rows[row + 1] - 1 do
                let first = root runs.Parents run

                if first = run then
                    found <- found + 1
                    names[run] <- found
                else
                    names[run] <- names[first]

                let start = row * extent.Width + runs.Starts[run]
                Array.Fill(labels, names[run], start, runs.Stops[run] - runs.Starts[run])

        struct (Volume<int32>(extent, mask.Spacing, labels), count)

    /// The number of components. Throws ArgumentException when the connectivity is not one of the mask's rank.
    let count (connectivity: Connectivity) (mask: Mask) : int =
        let struct (runs, count) = collect connectivity false mask
        use _ = runs
        count

    // Joins all components at the border, as the outside does; the number of the others that `count` trees leave.
    let private joinOutside (extent: Extent) (runs: Runs) (count: int) : int =
        let parents = runs.Parents
        let mutable outside = -1
        let mutable left = count

        let inline open' (run: int) =
            if outside < 0 then
                outside <- run
                left <- left - 1
            else
                left <- left - join parents outside run

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let index = slice * extent.Height + row
                let first = runs.Rows[index]
                let last = runs.Rows[index + 1] - 1

                if first <= last then
                    if
                        row = 0
                        || row = extent.Height - 1
                        || (extent.Rank = 3 && (slice = 0 || slice = extent.Depth - 1))
                    then
                        for run in first..last do
                            open' run
                    else
                        if runs.Starts[first] = 0 then
                            open' first

                        if runs.Stops[last] = extent.Width then
                            open' last

        left

    /// The number of components of the background that do not reach the border, by the background's connectivity: holes
    /// of a plane, cavities of a volume. What lies at the border is joined by the outside.
    /// Throws ArgumentException when the connectivity is not one of the mask's rank.
    let countEnclosed (connectivity: Connectivity) (mask: Mask) : int =
        let struct (runs, count) = collect connectivity true mask
        use _ = runs
        joinOutside mask.Extent runs count

    // Joins, in a forest of runs that touch by faces, those that touch by edges and corners; how many it joined.
    let private joinCorners (extent: Extent) (runs: Runs) : int =
        let mutable joined = 0

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let index = slice * extent.Height + row
                let first = runs.Rows[index]
                let end' = runs.Rows[index + 1]

                if end' > first then
                    if row > 0 then
                        joined <- joined + link runs first end' (index - 1) 1

                    if slice > 0 then
                        let above = index - extent.Height
                        joined <- joined + link runs first end' above 1

                        if row > 0 then
                            joined <- joined + link runs first end' (above - 1) 1

                        if row + 1 < extent.Height then
                            joined <- joined + link runs first end' (above + 1) 1

        joined

    let private byFaces (extent: Extent) : Connectivity =
        if extent.Rank = 2 then
            Connectivity.Four
        else
            Connectivity.Six

    /// The numbers of components by faces (4 or 6 neighbours) and by corners (8 or 26), at less than the cost of two calls.
    let internal countBoth (mask: Mask) : struct (int * int) =
        let struct (runs, count) = collect (byFaces mask.Extent) false mask
        use _ = runs
        struct (count, count - joinCorners mask.Extent runs)

    /// What `countEnclosed` gives for the background by faces and by corners.
    let internal countEnclosedBoth (mask: Mask) : struct (int * int) =
        let struct (runs, count) = collect (byFaces mask.Extent) true mask
        use _ = runs
        let enclosed = joinOutside mask.Extent runs count
        struct (enclosed, enclosed - joinCorners mask.Extent runs)

    /// The components dealt out to at most `parts` masks of like size: the largest first, each to the mask that has the
    /// fewest voxels so far. Masks hold whole components, no two have a voxel in common, and together they are the mask;
    /// none is empty unless the mask is. Throws ArgumentException for fewer parts than 1 and when the connectivity is not
    /// one of the mask's rank.
    let split (connectivity: Connectivity) (parts: int) (mask: Mask) : Mask[] =
        if parts < 1 then
            invalidArg (nameof parts) $"A mask is split into 1 part or more; got %d{parts}."

        let struct (runs, count) = collect connectivity false mask
        use _ = runs

        if parts = 1 || count < 2 then
            [| mask |]
        else
            let sizes = Array.zeroCreate<int> runs.Count

            for run in 0 .. runs.Count - 1 do
                let first = root runs.Parents run
                sizes[first] <- sizes[first] + runs.Stops[run] - runs.Starts[run]

            let totals = Array.zeroCreate<int>(min parts count)
            let owners = Array.zeroCreate<int> runs.Count

            let roots =
                Array.init runs.Count id
                |> Array.filter (fun run -> runs.Parents[run] = run)
                |> Array.sortBy (fun run -> struct (-sizes[run], run))

            for first in roots do
                let owner = Array.IndexOf(totals, Array.min totals)
                owners[first] <- owner
                totals[owner] <- totals[owner] + sizes[first]

            let extent = mask.Extent

            let words =
                totals |> Array.map (fun _ -> Array.zeroCreate<uint64> mask.Words.Length)

            for row in 0 .. extent.Depth * extent.Height - 1 do
                let start = Layout.row extent (row / extent.Height) (row % extent.Height)

                for run in runs.Rows[row] .. runs.Rows[row + 1] - 1 do
                    let target = words[owners[root runs.Parents run]]
                    let low = runs.Starts[run] + 1
                    let high = runs.Stops[run]

                    for word in low >>> 6 .. high >>> 6 do
                        let from = if word = (low >>> 6) then low &&& 63 else 0
                        let last = if word = (high >>> 6) then high &&& 63 else 63
                        let bits = (UInt64.MaxValue >>> (63 - last + from)) <<< from
                        target[start + word] <- target[start + word] ||| bits

            words |> Array.map (fun words -> Mask(extent, mask.Spacing, words))
