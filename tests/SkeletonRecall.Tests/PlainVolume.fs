namespace SkeletonRecall.Tests

open System.Numerics
open SkeletonRecall

/// Thinning of volumes by the reference's tables, one voxel at a time: what `Skeleton` must equal.
[<RequireQualifiedAccess>]
module PlainVolume =

    // A neighbourhood is a word of 27 bits: slice * 9 + row * 3 + column, each offset from 0 to 2, the centre bit 13.

    let private centre = 1u <<< 13

    let private eulerTable: int[] =
        [|
            1
            -1
            -1
            1
            -3
            -1
            -1
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            -3
            -1
            3
            1
            1
            -1
            3
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            -3
            3
            -1
            1
            1
            3
            -1
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            1
            3
            3
            1
            5
            3
            3
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            -7
            -1
            -1
            1
            -3
            -1
            -1
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            -3
            -1
            3
            1
            1
            -1
            3
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            -3
            3
            -1
            1
            1
            3
            -1
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
            1
            3
            3
            1
            5
            3
            3
            1
            -1
            1
            1
            -1
            3
            1
            1
            -1
        |]

    // scikit-image counts 9 * slice + 3 * column + row; bits here count rows before columns.
    let private octants: int[][] =
        [|
            [| 2; 1; 11; 10; 5; 4; 14 |]
            [| 0; 9; 3; 12; 1; 10; 4 |]
            [| 8; 7; 17; 16; 5; 4; 14 |]
            [| 6; 15; 7; 16; 3; 12; 4 |]
            [| 20; 23; 19; 22; 11; 14; 10 |]
            [| 18; 21; 9; 12; 19; 22; 10 |]
            [| 26; 23; 17; 14; 25; 22; 16 |]
            [| 24; 25; 15; 16; 21; 22; 12 |]
        |]
        |> Array.map (Array.map (fun at -> at / 9 * 9 + at % 3 * 3 + at / 3 % 3))

    /// Whether the reference's table lets a voxel go.
    let isEulerInvariant (neighbourhood: uint) : bool =
        let mutable sum = 0

        for octant in octants do
            let mutable code = 0

            for place in 0..6 do
                if neighbourhood >>> octant[place] &&& 1u = 1u then
                    code <- code ||| (1 <<< (6 - place))

            sum <- sum + eulerTable[code]

        sum = 0

    // Per place, the places that touch it, the centre left out.
    let private touching: uint[] =
        Array.init 27 (fun place ->
            let mutable bits = 0u

            for other in 0..26 do
                let near (one: int) (two: int) = abs (one - two) <= 1

                if
                    other <> 13
                    && near (place / 9) (other / 9)
                    && near (place / 3 % 3) (other / 3 % 3)
                    && near (place % 3) (other % 3)
                then
                    bits <- bits ||| (1u <<< other)

            bits)

    /// Whether the neighbours are at most one component.
    let isSimple (neighbourhood: uint) : bool =
        let all = neighbourhood &&& ~~~centre
        let mutable reached = all &&& (0u - all)
        let mutable fresh = reached

        while fresh <> 0u do
            let place = BitOperations.TrailingZeroCount fresh
            fresh <- fresh &&& (fresh - 1u)
            let found = touching[place] &&& all &&& ~~~reached
            reached <- reached ||| found
            fresh <- fresh ||| found

        reached = all

    // More than the voxel and one neighbour, and nothing changes when it goes.
    let private isRemovable (neighbourhood: uint) : bool =
        BitOperations.PopCount neighbourhood <> 2
        && isEulerInvariant neighbourhood
        && isSimple neighbourhood

    // Which of eight fields a voxel is of, by parities: no two of a field are neighbours.
    let private fieldOf (slice: int) (row: int) (column: int) : int =
        4 * (slice % 2) + 2 * (row % 2) + column % 2

    let private thinBy (guarded: bool) (mask: Mask) : Mask =
        let extent = mask.Extent
        let stride = extent.Width + 2
        let slab = stride * (extent.Height + 2)
        let cells = Array.zeroCreate<byte>(slab * (extent.Depth + 2))
        let bytes = (Mask.toVolume mask).Data

        let place (slice: int) (row: int) : int =
            (slice + 1) * slab + (row + 1) * stride + 1

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 do
                    cells[place slice row + column] <- bytes[Extent.index extent slice row column]

        let offsets =
            Array.init 27 (fun at -> (at / 9 - 1) * slab + (at / 3 % 3 - 1) * stride + at % 3 - 1)

        let gather (at: int) : uint =
            let mutable bits = 0u

            for neighbour in 0..26 do
                bits <- bits ||| (uint cells[at + offsets[neighbour]] <<< neighbour)

            bits

        let borders =
            let inPlane = [ -stride; stride; 1; -1 ]

            if extent.Depth = 1 then
                inPlane
            else
                inPlane @ [ slab; -slab ]

        let candidates = ResizeArray<int>()

        let sweep (border: int) : bool =
            candidates.Clear()

            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    let start = place slice row

                    for at in start .. start + extent.Width - 1 do
                        if cells[at] = 1uy && cells[at + border] = 0uy then
                            if isRemovable (gather at) then
                                candidates.Add at

            let mutable changed = false

            let removeIf (may: uint -> bool) (at: int) : unit =
                if may (gather at) then
                    cells[at] <- 0uy
                    changed <- true

            if guarded then
                for field in 0..7 do
                    candidates
                    |> Seq.filter (fun at -> fieldOf (at / slab) (at % slab / stride) (at % stride) = field)
                    |> Seq.iter (removeIf isRemovable)
            else
                Seq.iter (removeIf isSimple) candidates

            changed

        let mutable changing = true

        while changing do
            changing <- borders |> List.fold (fun changed border -> sweep border || changed) false

        let thinned = Array.zeroCreate<byte> extent.Count

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                System.Array.Copy(cells, place slice row, thinned, Extent.index extent slice row 0, extent.Width)

        Volume.create extent thinned
        |> Volume.withSpacing mask.Spacing
        |> Mask.ofVolume (fun cell -> cell = 1uy)

    /// The skeleton of a volume, or of a plane taken as a volume of one slice.
    /// It may erase whole components, as scikit-image's does (its issue 3757).
    let thin (mask: Mask) : Mask = thinBy false mask

    /// The same under the guard: turns come field by field, and what a pass has chosen is tested in full when its turn comes.
    let thinGuarded (mask: Mask) : Mask = thinBy true mask
