namespace SkeletonRecall.Tests

open SkeletonRecall

/// A loss to be run many times.
type RepeatedLoss =
    {
        Name: string
        Loss: Loss
        /// Whether it is given regions, or else classes.
        Regions: bool
    }

/// Every loss of the library, for what all of them must do. A new one joins by one line.
[<RequireQualifiedAccess>]
module EveryLoss =

    let private classes (name: string) (loss: Loss) : RepeatedLoss =
        {
            Name = name
            Loss = loss
            Regions = false
        }

    let private regions (name: string) (loss: Loss) : RepeatedLoss =
        {
            Name = $"%s{name}, regions"
            Loss = loss
            Regions = true
        }

    let private clDice: Loss =
        SoftClDice.loss
            { SoftClDice.standard with
                Iterations = 1
            }

    /// The losses.
    let all: RepeatedLoss list =
        [
            classes "cross-entropy" (CrossEntropy.loss CrossEntropy.standard)
            regions "cross-entropy" (CrossEntropy.loss CrossEntropy.standard)
            classes "top-k cross-entropy" (TopKCrossEntropy.loss TopKCrossEntropy.standard)
            classes "soft Dice" (SoftDice.loss SoftDice.standard)
            classes "plain soft Dice" (SoftDice.loss SoftDice.plain)
            regions "soft Dice" (SoftDice.loss SoftDice.standard)
            classes "skeleton recall" (SoftRecall.loss SoftRecall.standard)
            regions "skeleton recall" (SoftRecall.loss SoftRecall.standard)
            classes "soft clDice" clDice
            regions "soft clDice" clDice
            classes "Tversky" (Tversky.loss Tversky.focal)
            regions "Tversky" (Tversky.loss Tversky.focal)
            classes "focal" (Focal.loss Focal.standard)
            regions "focal" (Focal.loss Focal.standard)
            classes "clCE" (CentrelineCrossEntropy.loss { Iterations = 1 })
            regions "clCE" (CentrelineCrossEntropy.loss { Iterations = 1 })
            classes "cbDice" (CbDice.loss { CbDice.standard with Iterations = 1 })
            regions "cbDice" (CbDice.loss { CbDice.standard with Iterations = 1 })
            classes "boundary" Boundary.loss
            regions "boundary" Boundary.loss
            classes "precision guard" (PrecisionGuard.loss PrecisionGuard.standard)
            regions "precision guard" (PrecisionGuard.loss PrecisionGuard.standard)
            classes "penalized Dice + CE" (Scnp.loss Scnp.standard (Objective.headLoss Objective.nnunet))
            classes "fused Dice + CE + recall" (Objective.headLoss Objective.skeletonRecall)
        ]
