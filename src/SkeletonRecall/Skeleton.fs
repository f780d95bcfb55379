namespace SkeletonRecall

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

    /// The skeleton by a given method; a subset of the mask, empty where the mask is.
    /// Throws ArgumentException for Zhang's method on a volume.
    let thinBy (thinning: Thinning) (mask: Mask) : Mask =
        match thinning with
        | Thinning.Lee -> ThinVolume.thin mask
        | Thinning.Zhang when mask.Extent.Rank = 2 -> ThinPlane.thin mask
        | Thinning.Zhang ->
            invalidArg
                (nameof thinning)
                $"Zhang's method thins planes; the mask is a volume of %O{mask.Extent}, for which Lee's is wanted."

    /// The skeleton as upstream makes it: Zhang's of a plane, Lee's of a volume.
    let thin (mask: Mask) : Mask =
        if mask.Extent.Rank = 2 then
            thinBy Thinning.Zhang mask
        else
            thinBy Thinning.Lee mask

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
