namespace SkeletonRecall.Training

open System

/// What a loss is multiplied by before the backward pass, so that gradients in half precision do not vanish; they are
/// divided by it before the step. As torch's GradScaler (Micikevicius et al. 2018, Mixed Precision Training).
type LossScale =
    {
        /// The factor.
        Factor: float
        /// Steps since it changed last.
        Steps: int
    }

/// The rule by which the factor changes.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module LossScale =

    /// Steps with finite gradients after which the factor is doubled.
    let private patience = 2000

    /// GradScaler's beginning: 65536.
    let start: LossScale = { Factor = 65536.0; Steps = 0 }

    /// The scale of the next step, given whether this one's gradients were finite: half of it where they were not, twice as
    /// much after 2000 steps in a row where they were. It stays a power of two of a single's range, so that scaling loses
    /// no bit.
    let next (finite: bool) (scale: LossScale) : LossScale =
        if not finite then
            {
                Factor = max 1.0 (scale.Factor * 0.5)
                Steps = 0
            }
        elif scale.Steps + 1 >= patience then
            {
                Factor = min (Math.ScaleB(1.0, 100)) (scale.Factor * 2.0)
                Steps = 0
            }
        else
            { scale with Steps = scale.Steps + 1 }

    /// Whether nothing is left to halve: gradients that are not finite now are no matter of the scale.
    let isLeast (scale: LossScale) : bool = scale.Factor <= 1.0
