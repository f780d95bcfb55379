namespace SkeletonRecall.CSharp;

/// <summary>A loss of all heads of a network with deep supervision, finest first.</summary>
public sealed class HeadLoss
{
    private readonly Func<IEnumerable<Tensor>, IEnumerable<Target>, Tensor> evaluate;

    private HeadLoss(Func<IEnumerable<Tensor>, IEnumerable<Target>, Tensor> evaluate) => this.evaluate = evaluate;

    /// <summary>
    /// nnU-Net's weights of a number of heads, finest first: 1/2^i, the coarsest 0, normalized to the sum 1; a single head
    /// counts 1.
    /// </summary>
    /// <exception cref="ArgumentException">The count is below 1.</exception>
    public static IReadOnlyList<double> HeadWeights(int count) => Interop.FromList(LossModule.headWeights(count));

    /// <summary>
    /// A loss on each head, finest first, times the head's weight, summed. A head of weight 0 is not evaluated.
    /// </summary>
    public static HeadLoss DeepSupervision(params IReadOnlyList<(double Weight, Loss Loss)> heads)
    {
        ArgumentNullException.ThrowIfNull(heads);
        var core = Interop.ToPairs(heads.Select(head => (head.Weight, head.Loss.ToFunction())));
        return new(
            (logits, targets) =>
                LossModule.deepSupervision(core, Interop.ToList(logits), Interop.ToList(targets, target => target.Core))
        );
    }

    internal static HeadLoss Of(Core.Objective objective, IEnumerable<double> weights)
    {
        var core = Interop.ToList(weights);
        return new(
            (logits, targets) =>
                ObjectiveModule.loss(
                    objective,
                    core,
                    Interop.ToList(logits),
                    Interop.ToList(targets, target => target.Core)
                )
        );
    }

    /// <summary>
    /// The loss of every head's logits against its target, finest first: a scalar whose <c>backward()</c> reaches the logits.
    /// </summary>
    /// <exception cref="ArgumentException">The numbers of losses, logits and targets differ, or a pair does not fit.</exception>
    public Tensor Evaluate(IReadOnlyList<Tensor> logits, IReadOnlyList<Target> targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        LibTorch.Ensure();
        return evaluate(logits, targets);
    }
}
