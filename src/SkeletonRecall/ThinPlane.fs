namespace SkeletonRecall

open System
open System.Buffers
open System.Numerics
open System.Runtime.InteropServices
open System.Runtime.Intrinsics

/// Thinning of planes as scikit-image's `skeletonize` does it (T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm
/// for thinning digital patterns", 1984, with scikit-image's look-up table, of whose 256 entries 25 differ from the
/// textbook's).
[<RequireQualifiedAccess>]
module internal ThinPlane =

    // Where pixels lie meanwhile: column by column, each 32 pixels wide, so that a vector of 16 words is a tile of 32 x 16
    // pixels. A border crosses far fewer of them than it would cross pieces of one row, and only tiles near a border have
    // work. `Down` is the number of tiles in a column, of which the last row at least is zero; one column of zero tiles
    // stands on either side, and one zero tile before and after all.
    [<Struct>]
    type private Tiles =
        {
            Down: int
            Across: int
        }

        member this.Count: int = (this.Across + 2) * this.Down + 2
        /// The tile of some rows and columns, both counted by tiles.
        member this.At(row: int, column: int) : int = 1 + (column + 1) * this.Down + row
        /// Groups of 64 tiles that are looked through at once.
        member this.Groups: int = (this.Across * this.Down + 63) / 64
        /// Bytes that hold one for each tile, and what vectors reach beyond.
        member this.Bytes: int = this.Count + 128

    let private tilesOf (extent: Extent) : Tiles =
        {
            // An odd number, so that columns do not compete for the same lines of the cache.
            Down = (extent.Height / 16 + 1) ||| 1
            Across = 2 * Layout.stride extent
        }

    // What a pass changed in a tile: anything, and something at each edge.
    [<Literal>]
    let private North = 2uy

    [<Literal>]
    let private South = 4uy

    [<Literal>]
    let private West = 8uy

    [<Literal>]
    let private East = 16uy

    // What the passes share. A pass reads the pixels of one array and writes the tiles that it looks at to the other: those
    // that a change of the last two passes can be seen from, for any other would only be decided again as it was. So what a
    // pass changes the next one brings to the other array, and tiles that are not looked at are the same in both.
    // `Changed` holds the changes of the last pass and of this one by tiles, `Seen` the tiles that see those of the pass
    // before, a bit each. `Filled` is odd where a tile had pixels when it was last looked at, and 0 where it never had any.
    [<Struct>]
    type private Work =
        {
            Pixels: struct (uint32[] * uint32[])
            Changed: struct (byte[] * byte[])
            Seen: uint64[]
            Filled: byte[]
        }

    let inline private load (words: byref<uint32>) (at: unativeint) : Vector512<uint32> =
        Vector512.LoadUnsafe(&words, at)

    // The pixels one column to the west (a lower bit) and to the east, of 16 rows.
    let inline private fromWest (column: unativeint) (words: byref<uint32>) (at: unativeint) : Vector512<uint32> =
        Vector512.ShiftLeft(load &words at, 1)
        ||| Vector512.ShiftRightLogical(load &words (at - column), 31)

    let inline private fromEast (column: unativeint) (words: byref<uint32>) (at: unativeint) : Vector512<uint32> =
        Vector512.ShiftRightLogical(load &words at, 1)
        ||| Vector512.ShiftLeft(load &words (at + column), 31)

    // Which of 16 or 64 lanes are not zero.
    let inline private some (lanes: Vector512<'Lane>) : uint64 =
        Vector512.ExtractMostSignificantBits(Vector512.OnesComplement(Vector512.Equals(lanes, Vector512<'Lane>.Zero)))

    // Which of 64 tiles see a change: in themselves, or at the edge or corner of a neighbour that they touch.
    let private seeing (down: int) (changed: byte[]) (first: int) : uint64 =
        let changed = &MemoryMarshal.GetArrayDataReference changed
        let at = unativeint first
        let down = unativeint down
        let here = Vector512.LoadUnsafe(&changed, at)
        let above = Vector512.LoadUnsafe(&changed, at - 1un) &&& Vector512.Create South
        let below = Vector512.LoadUnsafe(&changed, at + 1un) &&& Vector512.Create North
        let west = Vector512.LoadUnsafe(&changed, at - down) &&& Vector512.Create East
        let east = Vector512.LoadUnsafe(&changed, at + down) &&& Vector512.Create West

        let corner (edges: byte) (tiles: Vector512<byte>) =
            let both = Vector512.Create edges
            Vector512.Equals(tiles &&& both, both)

        let northWest =
            corner (South ||| East) (Vector512.LoadUnsafe(&changed, at - down - 1un))

        let southWest =
            corner (North ||| East) (Vector512.LoadUnsafe(&changed, at - down + 1un))

        let northEast =
            corner (South ||| West) (Vector512.LoadUnsafe(&changed, at + down - 1un))

        let southEast =
            corner (North ||| West) (Vector512.LoadUnsafe(&changed, at + down + 1un))

        some (
            here
            ||| above
            ||| below
            ||| west
            ||| east
            ||| northWest
            ||| southWest
            ||| northEast
            ||| southEast
        )

    // One pass from one array to the other; whether anything went.
    let inline private sweep
        ([<InlineIfLambda>] goes:
            Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>
                -> Vector512<uint32>)
        (tiles: Tiles)
        (seen: uint64[])
        (filled: byte[])
        (source: uint32[])
        (target: uint32[])
        (before: byte[])
        (after: byte[])
        : bool =
        Array.Clear(after, 0, tiles.Bytes)
        let words = &MemoryMarshal.GetArrayDataReference source
        let results = &MemoryMarshal.GetArrayDataReference target
        let column = unativeint (16 * tiles.Down)
        let mutable all = 0

        for group in 0 .. tiles.Groups - 1 do
            let first = tiles.At(0, 0) + 64 * group
            let sees = seeing tiles.Down before first
            let odd = Vector512.LoadUnsafe &filled[first] &&& Vector512.Create 1uy
            let mutable rest = (sees ||| seen[group]) &&& some odd
            seen[group] <- sees

            while rest <> 0UL do
                let tile = first + BitOperations.TrailingZeroCount rest
                rest <- rest &&& (rest - 1UL)
                let at = unativeint (16 * tile)
                let centre = load &words at

                let gone =
                    goes
                        (fromWest column &words (at - 1un))
                        (load &words (at - 1un))
                        (fromEast column &words (at - 1un))
                        (fromEast column &words at)
                        (fromEast column &words (at + 1un))
                        (load &words (at + 1un))
                        (fromWest column &words (at + 1un))
                        (fromWest column &words at)
                    &&& centre

                Vector512.StoreUnsafe(centre ^^^ gone, &results, at)
                // Without branches, which would be mispredicted.
                let inline one (bits: uint) = int ((0u - bits) >>> 31)
                let rows = uint (some gone)

                let west =
                    uint (Vector512.ExtractMostSignificantBits(Vector512.ShiftLeft(gone, 31)))

                let east = uint (Vector512.ExtractMostSignificantBits gone)

                let changes =
                    one rows
                    ||| (int (rows &&& 1u) * int North)
                    ||| (int (rows >>> 15) * int South)
                    ||| (one west * int West)
                    ||| (one east * int East)

                after[tile] <- byte changes
                filled[tile] <- byte (2 ||| one (uint (some centre)))
                all <- all ||| changes

        all <> 0

    let private firstPass (tiles: Tiles) (work: Work) : bool =
        let struct (pixels, others) = work.Pixels
        let struct (before, after) = work.Changed

        sweep
            (fun northWest north northEast east southEast south southWest west ->
                ZhangTable.first northWest north northEast east southEast south southWest west)
            tiles
            work.Seen
            work.Filled
            pixels
            others
            before
            after

    let private secondPass (tiles: Tiles) (work: Work) : bool =
        let struct (others, pixels) = work.Pixels
        let struct (after, before) = work.Changed

        sweep
            (fun northWest north northEast east southEast south southWest west ->
                ZhangTable.second northWest north northEast east southEast south southWest west)
            tiles
            work.Seen
            work.Filled
            pixels
            others
            before
            after

    // Each pass decides on what the one before left and removes all its pixels at once; the two passes alternate until
    // neither removes any.
    let private thinTiles (tiles: Tiles) (work: Work) : unit =
        let mutable changing = true

        while changing do
            let first = firstPass tiles work
            let second = secondPass tiles work
            changing <- first || second

    // The words of 8 rows, a row each; of rows from `end'` on zeros.
    let inline private eight (words: uint64[]) (stride: int) (at: int) (end': int) : Vector512<uint64> =
        if at + 7 * stride < end' then
            Vector512.Create(
                words[at],
                words[at + stride],
                words[at + 2 * stride],
                words[at + 3 * stride],
                words[at + 4 * stride],
                words[at + 5 * stride],
                words[at + 6 * stride],
                words[at + 7 * stride]
            )
        else
            let inline word (row: int) =
                if at + row * stride < end' then
                    words[at + row * stride]
                else
                    0UL

            Vector512.Create(word 0, word 1, word 2, word 3, word 4, word 5, word 6, 0UL)

    // All tiles are written, to both arrays. All are to be looked at by the first two passes.
    let private fill (extent: Extent) (tiles: Tiles) (words: uint64[]) (work: Work) : unit =
        let struct (pixels, others) = work.Pixels
        let stride = Layout.stride extent
        let start = Layout.row extent 0 0
        let end' = start + extent.Height * stride

        for array in [| pixels; others |] do
            Array.Clear(array, 0, 16 * tiles.At(0, 0))
            Array.Clear(array, 16 * tiles.At(0, tiles.Across), 16 * (tiles.Down + 1))

        let struct (before, _) = work.Changed
        Array.Fill(before, 1uy, 0, tiles.Bytes)
        Array.Fill(work.Seen, UInt64.MaxValue, 0, tiles.Groups)
        Array.Clear(work.Filled, 0, tiles.Bytes)

        let inline put (tile: int) (value: Vector512<uint32>) =
            Vector512.StoreUnsafe(value, &pixels[16 * tile])
            Vector512.StoreUnsafe(value, &others[16 * tile])

            if some value <> 0UL then
                work.Filled[tile] <- 1uy

        for row in 0 .. tiles.Down - 1 do
            for word in 0 .. stride - 1 do
                let at = start + 16 * row * stride + word
                let upper = eight words stride at end'
                let lower = eight words stride (at + 8 * stride) end'
                put (tiles.At(row, 2 * word)) (Vector512.Narrow(upper, lower))

                put
                    (tiles.At(row, 2 * word + 1))
                    (Vector512.Narrow(Vector512.ShiftRightLogical(upper, 32), Vector512.ShiftRightLogical(lower, 32)))

    // Back from tiles to rows, where there ever were pixels.
    let private restore (extent: Extent) (tiles: Tiles) (work: Work) (words: uint64[]) : unit =
        let struct (pixels, _) = work.Pixels
        let stride = Layout.stride extent
        let start = Layout.row extent 0 0

        for row in 0 .. tiles.Down - 1 do
            for word in 0 .. stride - 1 do
                let west = tiles.At(row, 2 * word)
                let east = tiles.At(row, 2 * word + 1)

                if work.Filled[west] ||| work.Filled[east] <> 0uy then
                    for line in 0 .. min 15 (extent.Height - 1 - 16 * row) do
                        words[start + (16 * row + line) * stride + word] <-
                            uint64 pixels[16 * west + line] ||| (uint64 pixels[16 * east + line] <<< 32)

    /// Thins the words of a plane.
    let thinInPlace (extent: Extent) (words: uint64[]) : unit =
        let tiles = tilesOf extent
        let words32 = ArrayPool<uint32>.Shared
        let bytes = ArrayPool<byte>.Shared

        let work =
            {
                Pixels = struct (words32.Rent(16 * tiles.Count), words32.Rent(16 * tiles.Count))
                Changed = struct (bytes.Rent tiles.Bytes, bytes.Rent tiles.Bytes)
                Seen = ArrayPool<uint64>.Shared.Rent tiles.Groups
                Filled = bytes.Rent tiles.Bytes
            }

        try
            fill extent tiles words work
            thinTiles tiles work
            restore extent tiles work words
        finally
            let struct (pixels, others) = work.Pixels
            let struct (before, after) = work.Changed
            words32.Return pixels
            words32.Return others
            bytes.Return before
            bytes.Return after
            bytes.Return work.Filled
            ArrayPool<uint64>.Shared.Return work.Seen

    /// The skeleton of a plane.
    let thin (mask: Mask) : Mask =
        let words = Array.copy mask.Words
        thinInPlace mask.Extent words
        Mask(mask.Extent, mask.Spacing, words)
