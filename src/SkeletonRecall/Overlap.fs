namespace SkeletonRecall

open System.Numerics

/// Voxels of two masks, counted by where they lie.
type Overlap =
    {
        /// Voxels of both masks.
        TruePositives: int64
        /// Voxels of the prediction that the truth lacks.
        FalsePositives: int64
        /// Voxels of the truth that the prediction lacks.
        FalseNegatives: int64
        /// Voxels of neither.
        TrueNegatives: int64
    }

/// Measures of overlap. Each is NaN where it would divide 0 by 0.
[<RequireQualifiedAccess>]
module Overlap =

    /// Counts the voxels of the words of two masks of an extent, which may be in arrays that are longer.
    let internal ofWords (extent: Extent) (ours: uint64[]) (theirs: uint64[]) : Overlap =
        let mutable both = 0L
        let mutable predicted = 0L
        let mutable wanted = 0L

        for index in 0 .. Layout.length extent - 1 do
            both <- both + int64 (BitOperations.PopCount(ours[index] &&& theirs[index]))
            predicted <- predicted + int64 (BitOperations.PopCount ours[index])
            wanted <- wanted + int64 (BitOperations.PopCount theirs[index])

        {
            TruePositives = both
            FalsePositives = predicted - both
            FalseNegatives = wanted - both
            TrueNegatives = int64 extent.Count - predicted - wanted + both
        }

    /// Counts the voxels of a prediction and of the truth. Throws ArgumentException when the extents differ.
    let measure (prediction: Mask) (truth: Mask) : Overlap =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent
        ofWords prediction.Extent prediction.Words truth.Words

    let private share (part: int64) (whole: int64) : float = float part / float whole

    /// Twice the common voxels, divided by the voxels of either mask added up; 0 to 1, NaN when both masks are empty.
    let dice (overlap: Overlap) : float =
        share
            (2L * overlap.TruePositives)
            (2L * overlap.TruePositives + overlap.FalsePositives + overlap.FalseNegatives)

    /// The share of the prediction that is true; 0 to 1, NaN when the prediction is empty.
    let precision (overlap: Overlap) : float =
        share overlap.TruePositives (overlap.TruePositives + overlap.FalsePositives)

    /// The share of the truth that is predicted; 0 to 1, NaN when the truth is empty.
    let recall (overlap: Overlap) : float =
        share overlap.TruePositives (overlap.TruePositives + overlap.FalseNegatives)

    /// The common voxels divided by those of the union (Jaccard's index); 0 to 1, NaN when both masks are empty.
    let iou (overlap: Overlap) : float =
        share overlap.TruePositives (overlap.TruePositives + overlap.FalsePositives + overlap.FalseNegatives)

    /// How much the volume of the prediction differs from the truth's, without sign and divided by the truth's; 0 or
    /// more, NaN when both masks are empty and infinite when the truth alone is.
    let volumeDifference (overlap: Overlap) : float =
        share (abs (overlap.FalsePositives - overlap.FalseNegatives)) (overlap.TruePositives + overlap.FalseNegatives)
