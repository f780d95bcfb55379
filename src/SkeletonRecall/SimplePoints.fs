namespace SkeletonRecall

open System.Runtime.CompilerServices
open System.Runtime.Intrinsics

/// What `SimplePoint` says, of 16 voxels at a time: a lane of all ones for yes.
[<RequireQualifiedAccess>]
module internal SimplePoints =

    let inline private all (value: uint) : Vector512<uint> = Vector512.Create value

    let inline private left (by: int) (lanes: Vector512<uint>) : Vector512<uint> = Vector512.ShiftLeft(lanes, by)

    let inline private right (by: int) (lanes: Vector512<uint>) : Vector512<uint> =
        Vector512.ShiftRightLogical(lanes, by)

    // How many bits of two words are set, together: of pairs, of fours, of bytes, of all.
    let inline private countBits (one: Vector512<uint>) (other: Vector512<uint>) : Vector512<uint> =
        let inline fours (word: Vector512<uint>) =
            let pairs = word - (right 1 word &&& all 0x55555555u)
            (pairs &&& all 0x33333333u) + (right 2 pairs &&& all 0x33333333u)

        let both = fours one + fours other
        let bytes = (both &&& all 0x0F0F0F0Fu) + (right 4 both &&& all 0x0F0F0F0Fu)
        let halves = bytes + right 16 bytes
        (halves + right 8 halves) &&& all 0xFFu

    // As `SimplePoint.isEulerInvariant`: corners and faces are one more than edges, these counted by what is missing of 32.
    let inline private areEulerInvariant (neighbours: Vector512<uint>) : Vector512<uint> =
        let columns = neighbours ||| right 1 neighbours
        let rows = neighbours ||| right 3 neighbours
        let both = columns ||| right 3 columns
        let corners = (both ||| right 9 both) &&& all 0x361Bu
        let faces = neighbours &&& all 0x415410u
        let alongColumns = (rows ||| right 9 rows) &&& all 0x2412u
        let alongRows = (columns ||| right 9 columns) &&& all 0x3018u
        let alongSlices = both &&& all 0x3600u
        let even = corners ||| left 4 faces
        let odd = alongColumns ||| left 2 alongRows ||| left 16 alongSlices
        Vector512.Equals(countBits even (Vector512.OnesComplement odd), all 33u)

    let inline private grow (neighbours: Vector512<uint>) (reached: Vector512<uint>) : Vector512<uint> =
        let columns =
            reached
            ||| (left 1 reached &&& all 0x6DB6DB6u)
            ||| (right 1 reached &&& all 0x36DB6DBu)

        let rows =
            columns
            ||| (left 3 columns &&& all 0x7E3F1F8u)
            ||| (right 3 columns &&& all 0xFC7E3Fu)

        (rows ||| left 9 rows ||| right 9 rows) &&& neighbours

    /// Whether the neighbours are at most one 26-component.
    [<MethodImpl(MethodImplOptions.NoInlining)>]
    let areSimple (neighbours: Vector512<uint>) : Vector512<uint> =
        // From a neighbour at a face, if there is one: two steps from there reach most.
        let faces = neighbours &&& all 0x415410u

        let some =
            Vector512.ConditionalSelect(Vector512.Equals(faces, Vector512<uint>.Zero), neighbours, faces)

        let start = some &&& (Vector512<uint>.Zero - some)
        let mutable reached = grow neighbours (grow neighbours start)

        if not (Vector512.EqualsAll(reached, neighbours)) then
            let mutable more = grow neighbours reached

            while not (Vector512.EqualsAll(more, reached)) do
                reached <- more
                more <- grow neighbours reached

        Vector512.Equals(reached, neighbours)

    /// Neither an isolated voxel nor an end of a curve, and nothing changes when it goes.
    [<MethodImpl(MethodImplOptions.NoInlining)>]
    let areRemovable (neighbours: Vector512<uint>) : Vector512<uint> =
        let few =
            Vector512.Equals(neighbours &&& (neighbours - all 1u), Vector512<uint>.Zero)

        let invariant = Vector512.AndNot(areEulerInvariant neighbours, few)
        // The others are at once seen to be in one piece.
        areSimple (neighbours &&& invariant) &&& invariant
