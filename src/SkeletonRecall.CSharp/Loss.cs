namespace SkeletonRecall.CSharp;

/// <summary>
/// Logits (B, C, spatial...) and target of one head to a differentiable scalar; smaller is better. Losses are put together
/// from parts: <c>Loss.CrossEntropy() + Loss.SoftDice() + 1.0 * Loss.SkeletonRecall()</c>.
/// </summary>
public sealed class Loss
{
    private readonly Func<Tensor, Core.Target, Tensor> evaluate;

    internal Loss(Func<Tensor, Core.Target, Tensor> evaluate) => this.evaluate = evaluate;

    /// <summary>The loss that is 0 everywhere, with a zero gradient.</summary>
    public static Loss Zero { get; } = new(LossModule.zero);

    /// <summary>Cross-entropy: the mean over the voxels that count; at least 0.</summary>
    public static Loss CrossEntropy(CrossEntropyOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.CrossEntropy.loss(core, logits, target));
    }

    /// <summary>nnU-Net's memory-efficient soft Dice, minus the mean over classes.</summary>
    public static Loss SoftDice(SoftDiceOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.SoftDice.loss(core, logits, target));
    }

    /// <summary>
    /// Soft skeleton recall (Kirchhoff et al., ECCV 2024): minus the share of the tubed skeleton that is found, in [-1, 0].
    /// The target must have a skeleton.
    /// </summary>
    public static Loss SkeletonRecall(SkeletonRecallOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => SoftRecall.loss(core, logits, target));
    }

    /// <summary>Binary cross-entropy against regions, as nnU-Net's; at least 0.</summary>
    public static Loss BinaryCrossEntropy(BinaryCrossEntropyOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.BinaryCrossEntropy.loss(core, logits, target));
    }

    /// <summary>The mean cross-entropy of the hardest voxels, as nnU-Net's TopKLoss; at least 0.</summary>
    public static Loss TopKCrossEntropy(TopKCrossEntropyOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.TopKCrossEntropy.loss(core, logits, target));
    }

    /// <summary>Soft clDice (Shit et al., CVPR 2021), in [0, 1]; slow and large in memory.</summary>
    public static Loss SoftClDice(SoftClDiceOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.SoftClDice.loss(core, logits, target));
    }

    /// <summary>
    /// The Tversky loss (Salehi et al., 2017), focal with a gamma above 1 (Abraham and Khan, 2019): overlap whose false
    /// positives and false negatives weigh differently, in [0, 1].
    /// </summary>
    public static Loss Tversky(TverskyOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.Tversky.loss(core, logits, target));
    }

    /// <summary>The focal loss (Lin et al., ICCV 2017): cross-entropy in which what is right already counts less.</summary>
    public static Loss Focal(FocalOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.Focal.loss(core, logits, target));
    }

    /// <summary>
    /// The boundary loss (Kervadec et al., MIDL 2019): probabilities times signed distances to the boundary. It says little where
    /// nothing is right yet.
    /// </summary>
    public static Loss Boundary() => new((logits, target) => global::SkeletonRecall.Boundary.loss(logits, target));

    /// <summary>
    /// The share of the predicted foreground that lies farther than a margin from the labels, in [0, 1]: a guard against extra
    /// foreground, which skeleton recall never punishes. It is this library's own.
    /// </summary>
    public static Loss PrecisionGuard(PrecisionGuardOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.PrecisionGuard.loss(core, logits, target));
    }

    /// <summary>Centreline cross-entropy, clCE (Acebes et al., MICCAI 2024); slow and large in memory.</summary>
    public static Loss CentrelineCrossEntropy(CentrelineCrossEntropyOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.CentrelineCrossEntropy.loss(core, logits, target));
    }

    /// <summary>Centreline boundary Dice, cbDice (Shi et al., MICCAI 2024); slow and large in memory.</summary>
    public static Loss CbDice(CbDiceOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        return new((logits, target) => global::SkeletonRecall.CbDice.loss(core, logits, target));
    }

    /// <summary>
    /// This loss of logits penalized by their neighbours of the same class (SCNP, Valverde et al., CVPR 2026): a voxel counts as
    /// its worst neighbour does.
    /// </summary>
    public Loss WithNeighbourPenalty(ScnpOptions? options = null)
    {
        var core = (options ?? new()).ToCore();
        var part = ToFunction();
        return new((logits, target) => Scnp.loss(core, part, logits, target));
    }

    /// <summary>
    /// A loss of one's own: a differentiable scalar from logits (B, C, spatial...) and target. It should leave its arguments
    /// alone and free the tensors that it makes; <see cref="Check"/> tells whether gradient and tensors are right.
    /// </summary>
    public static Loss Custom(Func<Tensor, Target, Tensor> loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        return new((logits, target) => loss(logits, new Target(target)));
    }

    /// <summary>The sum of losses; <see cref="Zero"/> for none.</summary>
    public static Loss Sum(params IReadOnlyList<Loss> losses)
    {
        ArgumentNullException.ThrowIfNull(losses);
        var parts = Interop.ToList(losses, loss => loss.ToFunction());
        return new((logits, target) => LossModule.sum(parts, logits, target));
    }

    /// <summary>This loss times a weight of at least 0. At weight 0 it is not evaluated.</summary>
    /// <exception cref="ArgumentException">The weight is negative, infinite or NaN.</exception>
    public Loss Weighted(double weight)
    {
        if (!(double.IsFinite(weight) && weight >= 0))
        {
            var got = weight.ToString(System.Globalization.CultureInfo.InvariantCulture);
            throw new ArgumentException(
                $"A weight is a finite number that is not negative; got {got}.",
                nameof(weight)
            );
        }
        var part = ToFunction();
        return new((logits, target) => LossModule.weighted(weight, part, logits, target));
    }

    /// <summary>
    /// This loss of transformed logits, such as logits penalized by their neighbourhood. The mapping must be differentiable
    /// and return a fresh tensor.
    /// </summary>
    public Loss MapLogits(Func<Tensor, Target, Tensor> mapping)
    {
        ArgumentNullException.ThrowIfNull(mapping);
        var core = Interop.ToFunction((Tensor logits, Core.Target target) => mapping(logits, new Target(target)));
        var part = ToFunction();
        return new((logits, target) => LossModule.mapLogits(core, part, logits, target));
    }

    /// <summary>
    /// The loss of logits (B, C, spatial...) against a target: a scalar whose <c>backward()</c> reaches the logits. The caller
    /// disposes it.
    /// </summary>
    /// <exception cref="ArgumentException">Logits and target do not fit, or the target lacks what the loss needs.</exception>
    public Tensor Evaluate(Tensor logits, Target target)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(target);
        LibTorch.Ensure();
        return evaluate(logits, target.Core);
    }

    /// <summary>
    /// Compares the gradient by autograd with central differences over every logit, in double precision, and counts the
    /// tensors left alive. Meant for small logits: two evaluations per logit.
    /// </summary>
    public LossCheck Check(Tensor logits, Target target)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(target);
        var check = LossModule.check(ToFunction(), logits, target.Core);
        return new(check.Value, check.LargestGradient, check.LargestDifference, check.LeftAlive, check.Passed);
    }

    /// <summary>The sum of two losses.</summary>
    public static Loss operator +(Loss left, Loss right) => Sum(left, right);

    /// <summary>A loss times a weight of at least 0.</summary>
    public static Loss operator *(double weight, Loss loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        return loss.Weighted(weight);
    }

    internal CoreLoss ToFunction() => Interop.ToFunction(evaluate);
}
