namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.Intrinsics

/// Thinning of planes as scikit-image's `skeletonize` does it (T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm
/// for thinning digital patterns", 1984, with scikit-image's look-up table, of whose 256 entries 25 differ from the
/// textbook's).
[<RequireQualifiedAccess>]
module internal ThinPlane =

    // 512 pixels at a time: each neighbour is a vector of bits, and the look-up table is a boolean function of the eight.
    // The two functions below are the smallest decision diagrams of the table over all orders of the neighbours (34
    // choices each); the tests hold the table itself and compare.

    let inline private choose (condition: Vector512<uint64>) (yes: Vector512<uint64>) (no: Vector512<uint64>) =
        Vector512.ConditionalSelect(condition, yes, no)

    // Which pixels the first pass removes: those whose neighbourhood, weighing north-west 1, north 2, north-east 4,
    // east 8, south-east 16, south 32, south-west 64 and west 128, is 3, 6, 7, 10-12, 14, 15, 28, 30, 31, 40, 60, 112,
    // 120, 124, 130, 131, 134, 135, 143, 159-161, 193-195, 198, 199, 207, 225, 227, 231, 240, 241 or 243.
    let inline private first
        (northWest: Vector512<uint64>)
        (north: Vector512<uint64>)
        (northEast: Vector512<uint64>)
        (east: Vector512<uint64>)
        (southEast: Vector512<uint64>)
        (south: Vector512<uint64>)
        (southWest: Vector512<uint64>)
        (west: Vector512<uint64>)
        : Vector512<uint64> =
        let s1 = Vector512.AndNot(west, east)
        let s2 = northWest &&& s1
        let s3 = southWest &&& s2
        let s4 = Vector512.AndNot(s3, southEast)
        let s5 = Vector512.OnesComplement(west)
        let s6 = choose east s5 west
        let s7 = choose northWest s1 s6
        let s8 = choose southWest s2 s7
        let s9 = s5 ||| Vector512.OnesComplement(east)
        let s10 = choose northWest s1 s9
        let s11 = southWest &&& s10
        let s12 = choose southEast s11 s8
        let s13 = choose south s12 s4
        let s14 = east &&& s5
        let s15 = Vector512.AndNot(s14, northWest)
        let s16 = Vector512.AndNot(s15, southWest)
        let s17 = southEast &&& s15
        let s18 = choose south s17 s16
        let s19 = choose northEast s18 s13
        let s20 = choose northWest s9 s6
        let s21 = choose southWest s1 s20
        let s22 = Vector512.AndNot(s21, southEast)
        let s23 = choose south s3 s22
        let s24 = northWest ||| s9
        let s25 = choose northWest west s1
        let s26 = choose southWest s25 s24
        let s27 = choose northWest east s14
        let s28 = Vector512.AndNot(s27, southWest)
        let s29 = choose southEast s28 s26
        let s30 = choose south s4 s29
        let s31 = choose northEast s30 s23
        choose north s31 s19

    // Which pixels the second pass removes: neighbourhoods 7, 10, 15, 24, 26, 28, 30, 31, 40, 56, 60, 62, 63, 96, 104,
    // 108, 112, 120, 124, 126, 130, 135, 160, 176, 192, 193, 195, 199, 224, 225, 240, 241, 248, 249 and 252.
    let inline private second
        (northWest: Vector512<uint64>)
        (north: Vector512<uint64>)
        (northEast: Vector512<uint64>)
        (east: Vector512<uint64>)
        (southEast: Vector512<uint64>)
        (south: Vector512<uint64>)
        (southWest: Vector512<uint64>)
        (west: Vector512<uint64>)
        : Vector512<uint64> =
        let s1 = Vector512.OnesComplement(west)
        let s2 = east &&& s1
        let s3 = southEast &&& s2
        let s4 = Vector512.AndNot(s3, northWest)
        let s5 = Vector512.AndNot(west, east)
        let s6 = Vector512.AndNot(s5, southEast)
        let s7 = Vector512.AndNot(s6, northEast)
        let s8 = choose southWest s7 s4
        let s9 = choose east s1 west
        let s10 = choose northEast s3 s9
        let s11 = Vector512.AndNot(s10, northWest)
        let s12 = s1 ||| Vector512.OnesComplement(east)
        let s13 = southEast ||| s12
        let s14 = choose southEast east s2
        let s15 = choose northEast s14 s13
        let s16 = choose southEast west s5
        let s17 = Vector512.AndNot(s16, northEast)
        let s18 = choose northWest s17 s15
        let s19 = choose southWest s18 s11
        let s20 = choose south s19 s8
        let s21 = choose southEast s2 s9
        let s22 = choose northEast s3 s21
        let s23 = choose southEast s2 s12
        let s24 = northEast &&& s23
        let s25 = choose northWest s24 s22
        let s26 = northWest &&& s6
        let s27 = choose southWest s26 s25
        let s28 = northEast &&& s3
        let s29 = Vector512.AndNot(s28, northWest)
        let s30 = choose southWest s29 s28
        let s31 = choose south s30 s27
        choose north s31 s20

    // Where pixels lie meanwhile: column by column of words, so that a vector of 8 words is a tile of 64 x 8 pixels. A
    // border crosses far fewer of them than it would cross pieces of one row, and only tiles near a border have work.
    // `Strip` is the number of words from a column of words to the next; a column begins with its rows and ends with 8
    // zero words or more, one column of zeros stands on either side, and 8 zero words before all.
    [<Struct>]
    type private Tiles =
        {
            Strip: int
            Columns: int
        }

        member this.Length: int = 8 + (this.Columns + 2) * this.Strip
        /// The first word of a column of words.
        member this.Column(column: int) : int = 8 + (column + 1) * this.Strip

    let private tilesOf (extent: Extent) : Tiles =
        // An odd number of vectors, so that columns do not compete for the same lines of the cache.
        let vectors = ((extent.Height + 7) / 8 + 1) ||| 1

        {
            Strip = 8 * vectors
            Columns = Layout.stride extent
        }

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Vector512.LoadUnsafe &words[at]

    // The pixels one column to the west (a lower bit) and to the east, of 8 rows.
    let inline private fromWest (strip: int) (words: uint64[]) (at: int) : Vector512<uint64> =
        Vector512.ShiftLeft(load words at, 1)
        ||| Vector512.ShiftRightLogical(load words (at - strip), 63)

    let inline private fromEast (strip: int) (words: uint64[]) (at: int) : Vector512<uint64> =
        Vector512.ShiftRightLogical(load words at, 1)
        ||| Vector512.ShiftLeft(load words (at + strip), 63)

    // What the passes share: for each tile the number of the last pass that changed something in reach of it, and, for
    // the tiles that a pass changes, which they are and which pixels go, 8 words each.
    [<Struct>]
    type private Work =
        {
            Words: uint64[]
            Active: int[]
            Changed: int[]
            Gone: uint64[]
        }

    // Removes what a pass found, and marks the tiles that see it.
    let private apply (strip: int) (work: Work) (pass: int) (found: int) : unit =
        let across = strip / 8
        let active = work.Active
        let gone = work.Gone

        for index in 0 .. found - 1 do
            let tile = work.Changed[index]
            let at = 8 * tile
            let first = 8 * index
            Vector512.StoreUnsafe(Vector512.Xor(load work.Words at, load gone first), &work.Words[at])

            let any =
                gone[first]
                ||| gone[first + 1]
                ||| gone[first + 2]
                ||| gone[first + 3]
                ||| gone[first + 4]
                ||| gone[first + 5]
                ||| gone[first + 6]
                ||| gone[first + 7]

            let above = if gone[first] <> 0UL then tile - 1 else tile
            let below = if gone[first + 7] <> 0UL then tile + 1 else tile

            for near in above..below do
                active[near] <- pass

            if any &&& 1UL <> 0UL then
                for near in above - across .. below - across do
                    active[near] <- pass

            if any >>> 63 <> 0UL then
                for near in above + across .. below + across do
                    active[near] <- pass

    // One pass. A tile is looked at when it or a neighbour changed in one of the last two passes; otherwise it would only be
    // decided again as it was. What goes waits in `Gone` until the pass has read all.
    let inline private sweep
        ([<InlineIfLambda>] doomed: int -> Vector512<uint64>)
        (strip: int)
        (work: Work)
        (pass: int)
        : int =
        let words = work.Words
        let active = work.Active
        let recent = Vector512.Create(pass - 2)
        let mutable found = 0

        for group in 0 .. active.Length / 16 - 1 do
            let mutable rest =
                Vector512.ExtractMostSignificantBits(
                    Vector512.GreaterThanOrEqual(Vector512.LoadUnsafe &active[16 * group], recent)
                )

            while rest <> 0UL do
                let tile = 16 * group + BitOperations.TrailingZeroCount rest
                rest <- rest &&& (rest - 1UL)
                let at = 8 * tile
                let centre = load words at

                if not (Vector512.EqualsAll(centre, Vector512<uint64>.Zero)) then
                    let gone = doomed at &&& centre

                    if not (Vector512.EqualsAll(gone, Vector512<uint64>.Zero)) then
                        Vector512.StoreUnsafe(gone, &work.Gone[8 * found])
                        work.Changed[found] <- tile
                        found <- found + 1

        apply strip work pass found
        found

    let private firstPass (strip: int) (work: Work) (pass: int) : int =
        let words = work.Words

        sweep
            (fun at ->
                first
                    (fromWest strip words (at - 1))
                    (load words (at - 1))
                    (fromEast strip words (at - 1))
                    (fromEast strip words at)
                    (fromEast strip words (at + 1))
                    (load words (at + 1))
                    (fromWest strip words (at + 1))
                    (fromWest strip words at))
            strip
            work
            pass

    let private secondPass (strip: int) (work: Work) (pass: int) : int =
        let words = work.Words

        sweep
            (fun at ->
                second
                    (fromWest strip words (at - 1))
                    (load words (at - 1))
                    (fromEast strip words (at - 1))
                    (fromEast strip words at)
                    (fromEast strip words (at + 1))
                    (load words (at + 1))
                    (fromWest strip words (at + 1))
                    (fromWest strip words at))
            strip
            work
            pass

    // Each pass decides on what the one before left and removes all its pixels at once; the two passes alternate until
    // neither removes any.
    let private thinTiles (tiles: Tiles) (work: Work) : unit =
        let mutable pass = 1
        let mutable changing = true

        while changing do
            let first = firstPass tiles.Strip work pass
            let second = secondPass tiles.Strip work (pass + 1)
            pass <- pass + 2
            changing <- first + second > 0

    // Tiles with pixels are looked at by the first two passes; the others never have any.
    let private fill (extent: Extent) (tiles: Tiles) (words: uint64[]) (work: Work) : unit =
        Array.Clear(work.Words, 0, tiles.Length)
        Array.Fill(work.Active, Int32.MinValue)

        for row in 0 .. extent.Height - 1 do
            let start = Layout.row extent 0 row

            for column in 0 .. tiles.Columns - 1 do
                let bits = words[start + column]

                if bits <> 0UL then
                    let at = tiles.Column column + row
                    work.Words[at] <- bits
                    work.Active[at >>> 3] <- 0

    /// Thins the words of a plane.
    let thinInPlace (extent: Extent) (words: uint64[]) : unit =
        let tiles = tilesOf extent
        let vectors = tiles.Length / 8

        let work =
            {
                Words = ArrayPool<uint64>.Shared.Rent tiles.Length
                Active = Array.zeroCreate<int>((vectors + 15) / 16 * 16)
                Changed = ArrayPool<int>.Shared.Rent vectors
                Gone = ArrayPool<uint64>.Shared.Rent tiles.Length
            }

        try
            fill extent tiles words work
            thinTiles tiles work

            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent 0 row

                for column in 0 .. tiles.Columns - 1 do
                    words[start + column] <- work.Words[tiles.Column column + row]
        finally
            ArrayPool<uint64>.Shared.Return work.Words
            ArrayPool<int>.Shared.Return work.Changed
            ArrayPool<uint64>.Shared.Return work.Gone

    /// The skeleton of a plane.
    let thin (mask: Mask) : Mask =
        let words = Array.copy mask.Words
        thinInPlace mask.Extent words
        Mask(mask.Extent, mask.Spacing, words)
