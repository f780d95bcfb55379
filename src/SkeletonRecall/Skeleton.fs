namespace SkeletonRecall

open System
open System.Buffers

/// A way of thinning a mask to its skeleton; both give what scikit-image's `skeletonize` of the same method gives.
[<RequireQualifiedAccess>]
type Thinning =
    /// Zhang and Suen's, with scikit-image's table: planes only.
    | Zhang
    /// Lee, Kashyap and Chu's: volumes, and planes taken as volumes of one slice.
    /// It may erase a component whole, as boxes of even width (scikit-image's issue 3757).
    | Lee

/// Skeletons: curves one voxel wide that run through the middle of a structure and keep its topology.
[<RequireQualifiedAccess>]
module Skeleton =

    /// The skeleton by a given method; a subset of the mask, empty where the mask is. Of a plane, by Zhang's and by Lee's:
    ///
    ///     # # # # # # # # #       . . . . . . . # .       . . . . . . . . .
    ///     # # # # # # # # #       # # # # # # # . .       # # # # . # # # #
    ///     # # # # # # # # #       . . . . # . . . .       . . . . # . . . .
    ///     . . . # # # . . .   →   . . . . # . . . .       . . . . # . . . .
    ///     . . . # # # . . .       . . . . # . . . .       . . . . # . . . .
    ///     . . . # # # . . .       . . . . . . . . .       . . . . # . . . .
    ///     . . . # # # . . .       . . . . . . . . .       . . . . . . . . .
    ///
    /// Both depend on direction: the skeleton of a mirrored mask need not be the mirrored skeleton.
    /// Throws ArgumentException for Zhang's method on a volume.
    let thinBy (thinning: Thinning) (mask: Mask) : Mask =
        match thinning with
        | Thinning.Lee -> ThinVolume.thin false mask
        | Thinning.Zhang when mask.Extent.Rank = 2 -> ThinPlane.thin mask
        | Thinning.Zhang ->
            invalidArg
                (nameof thinning)
                $"Zhang's method thins planes; the mask is a volume of %O{mask.Extent}, for which Lee's is wanted."

    /// The method that upstream thins an extent by: Zhang's for a plane, Lee's for a volume.
    let standard (extent: Extent) : Thinning =
        if extent.Rank = 2 then Thinning.Zhang else Thinning.Lee

    /// The skeleton as upstream makes it: Zhang's of a plane, Lee's of a volume.
    let thin (mask: Mask) : Mask = thinBy (standard mask.Extent) mask

    /// What a function reads from the words of the skeleton (see `thin`), which are borrowed and must not be kept: without
    /// a mask of its own, whose memory would be paid for page by page.
    let internal read (reader: uint64[] -> 'Result) (mask: Mask) : 'Result =
        let extent = mask.Extent
        let length = Layout.length extent
        let words = ArrayPool<uint64>.Shared.Rent length
        let other = ArrayPool<uint64>.Shared.Rent length

        try
            Array.Copy(mask.Words, words, length)

            match standard extent with
            | Thinning.Zhang -> ThinPlane.thinInPlace extent words
            | Thinning.Lee -> ThinVolume.thinInPlace false extent words other

            reader words
        finally
            ArrayPool<uint64>.Shared.Return words
            ArrayPool<uint64>.Shared.Return other

    /// The skeleton by a given method with the guard: it has the components, the tunnels and the cavities of the mask
    /// (26/6 in volumes, 8/4 in planes), so that no component is left without a skeleton. A solid box of 2 x 2 x 2 voxels,
    /// which Lee's method as the reference has it erases, slice by slice:
    ///
    ///     # #   # #             . .   . .                 . .   . .
    ///     # #   # #   without   . .   . .   and with it   # #   . .
    ///
    /// The rule for Lee's method: a voxel chosen by a pass is tested again in full when its turn to go comes. It goes only
    /// if it still has two neighbours or more, all of its neighbours are one 26-component, and the Euler characteristic
    /// of its surroundings stays. Such a voxel is a simple point, and removing simple points one at a time changes no
    /// topology; the reference asks for the second of the three only, so that a row of voxels is eaten up from its end,
    /// and takes a voxel without neighbours for removable. Turns come by the parities of slice, row and column (eight
    /// fields, as in the parallel thinning of G. Bertrand and Z. Aktouf, 1994), not in raster order, so that bars of even
    /// width keep their length. Where voxels stay that the reference would erase, curves may end in more and longer spurs.
    /// Zhang's method needs no rule: its table satisfies Ronse's conditions (C. Ronse, "Minimal test patterns for
    /// connectivity preservation in parallel thinning algorithms for binary digital images", 1988), so that the two are
    /// the same. Throws ArgumentException for Zhang's method on a volume.
    let thinGuarded (thinning: Thinning) (mask: Mask) : Mask =
        match thinning with
        | Thinning.Lee -> ThinVolume.thin true mask
        | Thinning.Zhang -> thinBy thinning mask

    /// The skeletons of several masks, on so many threads; each is what `thin` gives, whatever the number of threads is.
    /// Throws ArgumentException for fewer threads than 1.
    let thinMany (threads: int) (masks: Mask[]) : Mask[] = Workers.map threads thin masks

    /// The skeleton of one mask on several threads: its components (26 neighbours, or 8) are dealt out to as many masks
    /// of like size, which are thinned apart. That is exact, for whether a voxel goes depends on its neighbours alone, which
    /// are of its own component, and a component that is done stays as it is in every later pass. Dealing out costs one
    /// labelling, so that it pays for large or thick masks of several components; one component is thinned by one thread.
    /// The result is that of `thin`, whatever the number of threads is. Throws ArgumentException for fewer threads than 1.
    let thinOn (threads: int) (mask: Mask) : Mask =
        Workers.require threads

        if threads = 1 then
            thin mask
        else
            let foreground = (ConnectivityPair.standard mask.Extent.Rank).Foreground

            Components.split foreground threads mask
            |> Workers.map threads thin
            |> Array.reduce Mask.union

    /// The skeleton without its spurs: branches from a junction to an end that are shorter than `least` mm. The shortest
    /// goes first; where a junction is left with two branches, these become one branch before the next is looked at, so
    /// that of a fork's two tips the longer one goes on as part of the main curve, and no curve is eaten from its end.
    /// This is done until no spur is left: pruning twice is pruning once. A component never goes: curves without a
    /// junction, rings and single voxels stay whatever their length, and Betti numbers stay (8 neighbours, or 26).
    /// The mask should be a skeleton; of other masks only what looks like a spur is removed.
    /// Throws ArgumentException for a length that is negative or NaN.
    let prune (least: float) (skeleton: Mask) : Mask =
        if not (least >= 0.0) then
            invalidArg (nameof least) $"The length of a spur is 0 mm or more; got %g{least}."

        Spurs.prune least skeleton

    /// The skeleton of a mask (see `thin`) as curves: ends and junctions, and the branches between them with length,
    /// tortuosity and, from the mask's exact distance transform, radius. See `SkeletonGraph`, and `TubeGraph` for label maps.
    let graph (mask: Mask) : SkeletonGraph =
        thin mask
        |> SkeletonGraph.ofMask
        |> SkeletonGraph.withRadii (Distance.toBackground mask)
