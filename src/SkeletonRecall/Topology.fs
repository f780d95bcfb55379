namespace SkeletonRecall

open System.Numerics

/// Betti numbers: what a shape has of each kind of hole, of the kind that deformation cannot change.
type Betti =
    {
        /// Components.
        B0: int
        /// Holes of a plane, tunnels of a volume.
        B1: int
        /// Cavities of a volume; 0 for a plane.
        B2: int
    }

/// The Betti numbers of a mask under both pairs of dual connectivities.
type DualBetti =
    {
        /// 8/4 in a plane, 26/6 in a volume: voxels of the mask that share a corner hang together.
        ByCorners: Betti
        /// 4/8 in a plane, 6/26 in a volume: only those that share a face do.
        ByFaces: Betti
    }

/// The topology of masks.
[<RequireQualifiedAccess>]
module Topology =

    // Cells of a cubical complex are counted on bits. With 4 or 6 neighbours voxels are points, and edges, squares and
    // cubes are there where all of their points are: voxels are combined by `and`. With 8 or 26 neighbours voxels are
    // closed cubes, and a face, edge or corner is there where any cube touches it: voxels are combined by `or`. Either
    // way a window of 1 or 2 voxels along each axis stands for one cell, and the sign is that of the cell's dimension.
    // Guard bits, rows and slices let the window stick out over the border.
    let inline private alternating
        ([<InlineIfLambda>] combine: uint64 -> uint64 -> uint64)
        (extent: Extent)
        (words: uint64[])
        : int64 =
        let stride = Layout.stride extent
        let slab = Layout.slab extent
        let count (word: uint64) = int64 (BitOperations.PopCount word)

        // One voxel wide minus two voxels wide.
        let inline along (value: uint64) (next: uint64) =
            count value - count (combine value ((value >>> 1) ||| (next <<< 63)))

        // The same in one row minus in two, for the words of a slice or of two combined.
        let inline across (here: uint64) (next: uint64) (below: uint64) (belowNext: uint64) =
            along here next - along (combine here below) (combine next belowNext)

        let deep = extent.Rank = 3
        let mutable sum = 0L

        for slice in -(Layout.guards extent) .. extent.Depth - 1 do
            let start = Layout.row extent slice -1

            for at in start .. start + (extent.Height + 1) * stride - 1 do
                let here, next = words[at], words[at + 1]
                let below, belowNext = words[at + stride], words[at + stride + 1]

                if not deep then
                    if here ||| below ||| next ||| belowNext <> 0UL then
                        sum <- sum + across here next below belowNext
                else
                    let other, otherNext = words[at + slab], words[at + slab + 1]
                    let last, lastNext = words[at + slab + stride], words[at + slab + stride + 1]

                    if
                        here ||| below ||| other ||| last <> 0UL
                        || next ||| belowNext ||| otherNext ||| lastNext <> 0UL
                    then
                        sum <-
                            sum + across here next below belowNext
                            - across
                                (combine here other)
                                (combine next otherNext)
                                (combine below last)
                                (combine belowNext lastNext)

        sum

    // With 4 or 6 neighbours.
    let private eulerByFaces (mask: Mask) : int =
        int (alternating (fun left right -> left &&& right) mask.Extent mask.Words)

    // With 8 or 26. Closed cubes: the largest cells, voxels themselves, count with the sign of their dimension.
    let private eulerByCorners (mask: Mask) : int =
        let sum = alternating (fun left right -> left ||| right) mask.Extent mask.Words
        int (if mask.Extent.Rank = 2 then sum else -sum)

    /// The Euler number under a pair of connectivities: components minus holes in a plane, components minus tunnels plus
    /// cavities in a volume; 0 for an empty mask. Throws ArgumentException unless the pair is one of `ConnectivityPair.all`
    /// and of the mask's rank.
    let eulerOf (pair: ConnectivityPair) (mask: Mask) : int =
        ConnectivityPair.require pair mask.Extent

        // Under 18 neighbours the point between two opposite corners of a cube, where nothing else meets it, is one of each;
        // under 18 of the background the foreground runs through between them.
        match pair.Foreground, pair.Background with
        | Connectivity.Six, Connectivity.Eighteen -> eulerByFaces mask + Diagonals.ofBackground mask
        | Connectivity.Four, _
        | Connectivity.Six, _ -> eulerByFaces mask
        | Connectivity.Eighteen, _ -> eulerByCorners mask + Diagonals.ofForeground mask
        | _ -> eulerByCorners mask

    /// The Euler number under the foreground's connectivity and its dual: 8/4 or 4/8 in a plane, 26/6, 6/26 or 18/6 in a
    /// volume. Throws ArgumentException for a connectivity of another rank.
    let euler (connectivity: Connectivity) (mask: Mask) : int =
        eulerOf (ConnectivityPair.dual connectivity) mask

    let private numbers (extent: Extent) (components: int) (enclosed: int) (euler: int) : Betti =
        if extent.Rank = 2 then
            {
                B0 = components
                B1 = enclosed
                B2 = 0
            }
        else
            {
                B0 = components
                B1 = components + enclosed - euler
                B2 = enclosed
            }

    /// Components, holes or tunnels, and cavities of a mask. Holes and cavities are components of the background that
    /// do not reach the outside; tunnels follow from the Euler number. What touches the border ends there.
    /// Throws ArgumentException unless the pair is one of `ConnectivityPair.all` and of the mask's rank.
    let betti (pair: ConnectivityPair) (mask: Mask) : Betti =
        ConnectivityPair.require pair mask.Extent
        let components = Components.count pair.Foreground mask
        let enclosed = Components.countEnclosed pair.Background mask

        let euler = if mask.Extent.Rank = 2 then 0 else eulerOf pair mask

        numbers mask.Extent components enclosed euler

    /// What `betti` gives for both pairs of the mask's rank, at less than the cost of two calls: the runs of voxels are
    /// found once, joined by faces, and then joined further by corners.
    let dualBetti (mask: Mask) : DualBetti =
        let extent = mask.Extent
        let struct (byFaces, byCorners) = Components.countBoth mask
        let struct (enclosedByFaces, enclosedByCorners) = Components.countEnclosedBoth mask
        let deep = extent.Rank = 3

        {
            ByCorners = numbers extent byCorners enclosedByFaces (if deep then eulerByCorners mask else 0)
            ByFaces = numbers extent byFaces enclosedByCorners (if deep then eulerByFaces mask else 0)
        }

    /// By how much each Betti number of the prediction differs from the truth's, without sign.
    /// Throws ArgumentException when the extents differ, and as `betti` does.
    let errors (pair: ConnectivityPair) (prediction: Mask) (truth: Mask) : Betti =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent
        let ours = betti pair prediction
        let theirs = betti pair truth

        {
            B0 = abs (ours.B0 - theirs.B0)
            B1 = abs (ours.B1 - theirs.B1)
            B2 = abs (ours.B2 - theirs.B2)
        }
