namespace SkeletonRecall

open System.Runtime.CompilerServices
open System.Runtime.Intrinsics

/// Voxels that a pass of thinning may take out all at once, 64 to a word and 8 words at a time. Call a voxel open that has
/// no neighbour ahead, at one face. An open voxel goes for certain, whatever other open voxels go before it, if
///
///     it has a neighbour behind, at the face across;
///     none of the eight voxels beside it, in the plane between, is missing below one ahead (an overhang);
///     one of the four at its faces there is not missing, nor what is behind that one.
///
/// For then the neighbour behind, which is not open itself, touches all neighbours behind and beside; and what is beside
/// under a neighbour ahead is not open either, so that it stays and holds that one on: all neighbours are one component,
/// now and after. An empty face beside is empty ahead of it, too, and so joined to the empty face ahead: the voxel is a
/// simple point of 26/6 (and so Euler-invariant). What is behind a neighbour beside is not open, so that the voxel never
/// is the end of a curve. Such voxels are P-simple for the set of open ones (G. Bertrand, "On P-simple points", 1995).
/// The rule finds most of those in anything thicker than three voxels.
[<RequireQualifiedAccess>]
module internal PSimple =

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Chunk.load words at

    let inline private left (words: Vector512<uint64>) : Vector512<uint64> = Vector512.ShiftLeft(words, 1)

    let inline private right (words: Vector512<uint64>) : Vector512<uint64> = Vector512.ShiftRightLogical(words, 1)

    // All bits but those whose neighbours lie in other words, too, which would take twice the time to look at.
    let inline private inside () : Vector512<uint64> = Vector512.Create 0x7FFFFFFFFFFFFFFEUL

    /// Where the rule holds, of voxels of eight words that are open `ahead`, an offset of one row or slice; `beside` is that
    /// of a slice or row. Elsewhere the result means nothing.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let acrossRows (words: uint64[]) (at: int) (ahead: int) (beside: int) : Vector512<uint64> =
        let inline overhang (row: int) =
            Vector512.AndNot(load words (at + row + ahead), load words (at + row))

        let here = load words at
        let over = overhang -beside ||| overhang beside ||| overhang 0

        let behind = load words (at - ahead)
        let both = here &&& behind

        let faces =
            (load words (at - beside) &&& load words (at - beside - ahead))
            ||| (load words (at + beside) &&& load words (at + beside - ahead))
            ||| left both
            ||| right both

        Vector512.AndNot(behind &&& faces &&& inside (), over ||| left over ||| right over)

    // The same where they are open along their row: `ahead` moves to each bit what lies ahead of it, and `behind` what
    // lies behind; `stride` and `slab` are the offsets of a row and a slice.
    let inline private alongRows
        ([<InlineIfLambda>] ahead: Vector512<uint64> -> Vector512<uint64>)
        ([<InlineIfLambda>] behind: Vector512<uint64> -> Vector512<uint64>)
        (words: uint64[])
        (at: int)
        (stride: int)
        (slab: int)
        : Vector512<uint64> =
        let above = load words (at - stride)
        let below = load words (at + stride)
        let before = load words (at - slab)
        let after = load words (at + slab)

        let inline overhang (row: Vector512<uint64>) = Vector512.AndNot(ahead row, row)

        let over =
            overhang above
            ||| overhang below
            ||| overhang before
            ||| overhang after
            ||| overhang (load words (at - slab - stride))
            ||| overhang (load words (at - slab + stride))
            ||| overhang (load words (at + slab - stride))
            ||| overhang (load words (at + slab + stride))

        let inline both (row: Vector512<uint64>) = row &&& behind row
        let faces = both above ||| both below ||| both before ||| both after
        Vector512.AndNot(behind (load words at) &&& faces &&& inside (), over)

    /// Where the rule holds for voxels of eight words that are open towards the next column; elsewhere it means nothing.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let toNext (words: uint64[]) (at: int) (stride: int) (slab: int) : Vector512<uint64> =
        alongRows (fun row -> right row) (fun row -> left row) words at stride slab

    /// The same for those open towards the column before.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let toLast (words: uint64[]) (at: int) (stride: int) (slab: int) : Vector512<uint64> =
        alongRows (fun row -> left row) (fun row -> right row) words at stride slab
