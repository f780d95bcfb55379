namespace SkeletonRecall

/// A loss and its options.
[<RequireQualifiedAccess>]
type Component =
    /// `ce`; binary cross-entropy against regions.
    | CrossEntropy of CrossEntropyOptions
    /// `dice`
    | SoftDice of SoftDiceOptions
    /// `skeleton-recall`
    | SkeletonRecall of SoftRecallOptions
    /// `tversky`
    | Tversky of TverskyOptions
    /// `focal`
    | Focal of FocalOptions
    /// `topk`
    | TopK of TopKCrossEntropyOptions
    /// `cldice`
    | ClDice of SoftClDiceOptions
    /// `clce`
    | ClCe of CentrelineCrossEntropyOptions
    /// `cbdice`
    | CbDice of CbDiceOptions
    /// `boundary`
    | Boundary
    /// `precision-guard`
    | PrecisionGuard of PrecisionGuardOptions
    /// `scnp(...)`: the sum of terms, of logits that their neighbourhood penalizes; at least one term.
    | Scnp of options: ScnpOptions * terms: Term list

/// A loss and its weight.
and Term =
    {
        /// Finite, at least 0. A term of weight 0 is not evaluated.
        Weight: float
        /// How the weight moves over the epochs; see `Objective.at`.
        Schedule: WeightSchedule
        /// What is weighted.
        Component: Component
    }
