namespace SkeletonRecall

open System.Numerics

/// What the 26 neighbours of a voxel say about its removal. They are a word of 27 bits: slice * 9 + row * 3 + column, each
/// offset from 0 to 2; bit 13, the voxel itself, is left out.
[<RequireQualifiedAccess>]
module internal SimplePoint =

    /// The reference looks up, for each of the 8 octants, 8 times the Euler characteristic that the voxel adds, and wants
    /// the sum to be 0. The same without a table: what the voxel, as a closed cube, shares with its neighbours has the
    /// Euler characteristic 1 (corners minus edges plus faces that any neighbour touches).
    let inline isEulerInvariant (neighbours: uint) : bool =
        let columns = neighbours ||| (neighbours >>> 1)
        let rows = neighbours ||| (neighbours >>> 3)
        let both = columns ||| (columns >>> 3)
        let corners = (both ||| (both >>> 9)) &&& 0x361Bu
        let faces = neighbours &&& 0x415410u
        let alongColumns = (rows ||| (rows >>> 9)) &&& 0x2412u
        let alongRows = (columns ||| (columns >>> 9)) &&& 0x3018u
        let alongSlices = both &&& 0x3600u

        let even = uint64 corners ||| (uint64 faces <<< 16)

        let odd =
            uint64 alongColumns
            ||| (uint64 alongRows <<< 16)
            ||| (uint64 alongSlices <<< 32)

        BitOperations.PopCount even - BitOperations.PopCount odd = 1

    /// For the 9 bits of one slice: what lies within one voxel of them in the slice, and, in bit 15, whether they are
    /// more than one component.
    let slices: uint16[] =
        let near (one: int) (two: int) =
            abs (one / 3 - two / 3) <= 1 && abs (one % 3 - two % 3) <= 1

        let grow (bits: int) =
            seq { 0..8 }
            |> Seq.filter (fun place ->
                seq { 0..8 }
                |> Seq.exists (fun other -> bits >>> other &&& 1 = 1 && near place other))
            |> Seq.sumBy (fun place -> 1 <<< place)

        let rec flood (bits: int) (reached: int) =
            let more = grow reached &&& bits
            if more = reached then reached else flood bits more

        Array.init 512 (fun bits ->
            let whole = flood bits (bits &&& -bits) = bits
            uint16 (grow bits) ||| (if whole then 0us else 0x8000us))

    /// The neighbours reached from one of them; only needed where a slice falls apart.
    let isOnePiece (neighbours: uint) : bool =
        let mutable reached = 0u
        let mutable more = neighbours &&& (0u - neighbours)

        while more <> reached && more <> neighbours do
            reached <- more

            let columns =
                reached
                ||| ((reached <<< 1) &&& 0x6DB6DB6u)
                ||| ((reached >>> 1) &&& 0x36DB6DBu)

            let rows =
                columns ||| ((columns <<< 3) &&& 0x7E3F1F8u) ||| ((columns >>> 3) &&& 0xFC7E3Fu)

            more <- (rows ||| (rows <<< 9) ||| (rows >>> 9)) &&& neighbours

        more = neighbours

    /// Whether the neighbours are at most one 26-component.
    let inline isSimple (slices: uint16[]) (neighbours: uint) : bool =
        let upper = neighbours &&& 511u
        let middle = (neighbours >>> 9) &&& 511u
        let lower = neighbours >>> 18
        let near = uint slices[int middle]

        if (uint slices[int upper] ||| near ||| uint slices[int lower]) < 0x8000u then
            // 1 for any bits, 0 for none: branches here would be mispredicted.
            let inline one (bits: uint) = int ((0u - bits) >>> 31)

            one upper + one middle + one lower - one (near &&& upper) - one (near &&& lower)
            <= 1
        else
            isOnePiece neighbours

    /// Neither an isolated voxel nor an end of a curve, and nothing changes when it goes.
    let inline isRemovable (slices: uint16[]) (neighbours: uint) : bool =
        neighbours &&& (neighbours - 1u) <> 0u
        && isEulerInvariant neighbours
        && isSimple slices neighbours
