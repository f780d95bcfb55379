namespace SkeletonRecall.Benchmarks

open SkeletonRecall

/// The members of the family of losses, each alone, for their cost beside upstream's Dice + CE.
[<RequireQualifiedAccess>]
module FamilyCases =

    /// What each is called, and what it is. All at their standard options.
    let members: (string * Loss) list =
        [
            "recall", SoftRecall.loss SoftRecall.standard
            "tversky", Tversky.loss Tversky.standard
            "focal", Focal.loss Focal.standard
            "topk", TopKCrossEntropy.loss TopKCrossEntropy.standard
            "boundary", Boundary.loss
            "guard", PrecisionGuard.loss PrecisionGuard.standard
            "scnp(dice+ce)", Scnp.loss Scnp.standard (Objective.headLoss Objective.nnunet)
            "cbdice", CbDice.loss CbDice.standard
            "clce", CentrelineCrossEntropy.loss CentrelineCrossEntropy.standard
            "cldice", SoftClDice.loss SoftClDice.standard
        ]
