namespace SkeletonRecall

open System.Numerics

/// The voxels of a skeleton by number, in raster order, and which of them follow one another.
///
/// All voxels that touch are neighbours, yet an edge to each would make a ring of every corner of a staircase. So two
/// touching voxels are linked only where no other voxel of the skeleton lies in the box that the two span: steps along
/// one axis before diagonal ones. Links keep components and, but for the places below, rings.
/// A place is thick where links close a ring among voxels that all touch each other, as in a square of four.
[<Sealed>]
type internal Strands(extent: Extent, positions: int[], addresses: int64[], before: int[], words: uint64[]) =
    // A neighbourhood is a word of 27 bits: slice * 9 + row * 3 + column, each offset from 0 to 2, the centre bit 13.
    static let offset (direction: int) : struct (int * int * int) =
        struct (direction / 9 - 1, direction / 3 % 3 - 1, direction % 3 - 1)

    // Per direction: the other places of the box that it spans with the centre.
    static let boxes: uint32[] =
        Array.init 27 (fun direction ->
            let struct (z, y, x) = offset direction
            let mutable box = 0u

            for place in 0..26 do
                let struct (c, b, a) = offset place
                let inside = (c = 0 || c = z) && (b = 0 || b = y) && (a = 0 || a = x)

                if inside && place <> 13 && place <> direction then
                    box <- box ||| (1u <<< place)

            box)

    static let linked (code: uint32) : uint32 =
        let mutable rest = code &&& ~~~(1u <<< 13)
        let mutable links = 0u

        while rest <> 0u do
            let direction = BitOperations.TrailingZeroCount rest

            if code &&& boxes[direction] = 0u then
                links <- links ||| (1u <<< direction)

            rest <- rest &&& (rest - 1u)

        links

    // The eight windows of 2 x 2 x 2 that hold the centre.
    static let windows: uint32[] =
        Array.init 8 (fun window ->
            let mutable places = 0u

            for corner in 0..7 do
                let place =
                    ((window >>> 2) + (corner >>> 2)) * 9
                    + ((window >>> 1 &&& 1) + (corner >>> 1 &&& 1)) * 3
                    + (window &&& 1)
                    + (corner &&& 1)

                places <- places ||| (1u <<< place)

            places)

    // Whether the links among the voxels of a window close a ring. The voxels of a window hang together by links, so
    // that they do where there are as many links as voxels.
    static let ringed (places: uint32) : bool =
        let mutable rest = places
        let mutable ends = 0

        while rest <> 0u do
            let at = BitOperations.TrailingZeroCount rest
            let struct (z, y, x) = offset at
            let mutable others = places &&& ~~~(1u <<< at)

            while others <> 0u do
                let other = BitOperations.TrailingZeroCount others
                let struct (c, b, a) = offset other
                let mutable blocked = false

                for place in 0..26 do
                    let struct (k, j, i) = offset place
                    let inside = (k = z || k = c) && (j = y || j = b) && (i = x || i = a)

                    if inside && place <> at && place <> other && places >>> place &&& 1u = 1u then
                        blocked <- true

                if not blocked then
                    ends <- ends + 1

                others <- others &&& (others - 1u)

            rest <- rest &&& (rest - 1u)

        ends / 2 >= BitOperations.PopCount places

    // By which of a window's eight places are taken; the window is the last, whose places are 13, 14, 16, 17, 22, ...
    static let rings: bool[] =
        Array.init 256 (fun taken ->
            let mutable places = 0u
            let mutable window = windows[7]

            for corner in 0..7 do
                let place = BitOperations.TrailingZeroCount window

                if taken >>> corner &&& 1 = 1 then
                    places <- places ||| (1u <<< place)

                window <- window &&& (window - 1u)

            taken <> 0 && ringed places)

    static let isThick (code: uint32) : bool =
        let code = code ||| (1u <<< 13)
        let mutable thick = false

        for window in windows do
            if BitOperations.PopCount(code &&& window) > 2 then
                let mutable rest = window
                let mutable taken = 0

                for corner in 0..7 do
                    let place = BitOperations.TrailingZeroCount rest
                    taken <- taken ||| (int (code >>> place &&& 1u) <<< corner)
                    rest <- rest &&& (rest - 1u)

                thick <- thick || rings[taken]

        thick

    let row = int64 (64 * Layout.stride extent)
    let slab = int64 (64 * Layout.slab extent)
    let touching = Array.zeroCreate<uint32> positions.Length
    let links = Array.zeroCreate<uint32> positions.Length

    let three (address: int64) : uint32 =
        let word = int (address >>> 6)
        let bit = int (address &&& 63L)
        let low = words[word] >>> bit

        uint32 (
            if bit > 61 then
                low ||| (words[word + 1] <<< (64 - bit))
            else
                low
        )
        &&& 7u

    do
        for number in 0 .. positions.Length - 1 do
            let at = addresses[number] - 1L

            let mutable code =
                three (at - row) <<< 9 ||| (three at <<< 12) ||| (three (at + row) <<< 15)

            if extent.Rank = 3 then
                code <-
                    code
                    ||| three (at - slab - row)
                    ||| (three (at - slab) <<< 3)
                    ||| (three (at - slab + row) <<< 6)
                    ||| (three (at + slab - row) <<< 18)
                    ||| (three (at + slab) <<< 21)
                    ||| (three (at + slab + row) <<< 24)

            touching[number] <- code &&& ~~~(1u <<< 13)
            links[number] <- linked code

    /// The voxels of a mask.
    static member Of(mask: Mask) : Strands =
        let extent = mask.Extent
        let words = mask.Words
        let before = Array.zeroCreate<int>(words.Length + 1)

        for word in 0 .. words.Length - 1 do
            before[word + 1] <- before[word] + BitOperations.PopCount words[word]

        let positions = Array.zeroCreate<int> before[words.Length]
        let addresses = Array.zeroCreate<int64> positions.Length
        let stride = Layout.stride extent

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let first = Layout.row extent slice row
                let start = Extent.index extent slice row 0 - 1

                for word in 0 .. stride - 1 do
                    let mutable bits = words[first + word]
                    let mutable number = before[first + word]

                    while bits <> 0UL do
                        let bit = BitOperations.TrailingZeroCount bits
                        positions[number] <- start + 64 * word + bit
                        addresses[number] <- 64L * int64 (first + word) + int64 bit
                        number <- number + 1
                        bits <- bits &&& (bits - 1UL)

        Strands(extent, positions, addresses, before, words)

    /// Row-major positions of the voxels, ascending.
    member _.Positions: int[] = positions
    /// Per voxel, the directions (bits of 27) of all that touch it.
    member _.Touching: uint32[] = touching
    /// Per voxel, the directions of those that it is linked with.
    member _.Links: uint32[] = links
    /// Whether a voxel lies in a thick place.
    member _.IsThick(number: int) : bool = isThick touching[number]

    /// The number of the voxel that lies in a direction of another.
    member _.Neighbour(number: int, direction: int) : int =
        let struct (z, y, x) = offset direction

        let address = addresses[number] + int64 z * slab + int64 y * row + int64 x

        let word = int (address >>> 6)
        let below = (1UL <<< int (address &&& 63L)) - 1UL
        before[word] + BitOperations.PopCount(words[word] &&& below)
