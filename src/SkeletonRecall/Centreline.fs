namespace SkeletonRecall

open System

/// How far the skeletons of two masks lie inside the other mask.
type Centreline =
    {
        /// Topology precision: the share of the prediction's skeleton inside the truth; NaN when that skeleton is empty.
        Precision: float
        /// Topology sensitivity: the share of the truth's skeleton inside the prediction; NaN when that skeleton is empty.
        Sensitivity: float
        /// The harmonic mean of both; NaN when either is NaN or both are 0.
        ClDice: float
    }

/// Centreline Dice of two masks (S. Shit et al., "clDice: a novel topology-preserving loss function for tubular structure
/// segmentation", CVPR 2021). Upstream's code has the names of precision and sensitivity swapped; the score is the same.
[<RequireQualifiedAccess>]
module Centreline =

    let private ofShares (precision: float) (sensitivity: float) : Centreline =
        {
            Precision = precision
            Sensitivity = sensitivity
            ClDice = 2.0 * precision * sensitivity / (precision + sensitivity)
        }

    /// The measure from masks whose skeletons are at hand. Throws ArgumentException when extents differ.
    let ofSkeletons (prediction: Mask) (predictionSkeleton: Mask) (truth: Mask) (truthSkeleton: Mask) : Centreline =
        ofShares
            (Overlap.precision (Overlap.measure predictionSkeleton truth))
            (Overlap.precision (Overlap.measure truthSkeleton prediction))

    // The share of one mask's skeleton that lies in another mask of its extent.
    let private shareInside (other: Mask) (mask: Mask) : float =
        mask
        |> Skeleton.read (fun skeleton -> Overlap.ofWords mask.Extent skeleton other.Words |> Overlap.precision)

    /// Precision, sensitivity and clDice of a prediction; skeletons are Zhang's in planes and Lee's in volumes.
    /// Throws ArgumentException when the extents differ.
    let measure (prediction: Mask) (truth: Mask) : Centreline =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent
        ofShares (shareInside truth prediction) (shareInside prediction truth)

    /// The same measure where an empty skeleton's precision or sensitivity has the value `empty` (tools use NaN, 0 and 1),
    /// and where clDice has the value `apart` when precision and sensitivity are both 0.
    let settle (empty: float) (apart: float) (measured: Centreline) : Centreline =
        let filled (value: float) =
            if Double.IsNaN value then empty else value

        let precision = filled measured.Precision
        let sensitivity = filled measured.Sensitivity

        {
            Precision = precision
            Sensitivity = sensitivity
            ClDice =
                if precision = 0.0 && sensitivity = 0.0 then
                    apart
                else
                    2.0 * precision * sensitivity / (precision + sensitivity)
        }
