namespace SkeletonRecall.CSharp;

/// <summary>Options of <see cref="Loss.CrossEntropy"/>.</summary>
public sealed record CrossEntropyOptions
{
    /// <summary>The share of each voxel's truth that is spread evenly over all classes, 0 (the default) to 1.</summary>
    public double LabelSmoothing { get; init; }

    internal Core.CrossEntropyOptions ToCore() => new(LabelSmoothing);
}

/// <summary>Options of <see cref="Loss.SoftDice"/>.</summary>
public sealed record SoftDiceOptions
{
    /// <summary>
    /// Whether sums are taken over the batch before the ratio (true), or each sample has its own ratio and the mean is taken
    /// (false, the default).
    /// </summary>
    public bool BatchDice { get; init; }

    /// <summary>Whether the background counts as a class; false by default.</summary>
    public bool Background { get; init; }

    /// <summary>Added to numerator and denominator; at least 0, 1e-5 by default.</summary>
    public double Smooth { get; init; } = 1e-5;

    /// <summary>
    /// Whether sums are taken of true positives, false positives and false negatives, as nnU-Net's SoftDiceLoss does, or of
    /// less (false, the default), as its MemoryEfficientSoftDiceLoss does. The results are the same up to rounding.
    /// </summary>
    public bool Plain { get; init; }

    /// <summary>Whether a class that the labels do not hold is left out of the mean; false by default.</summary>
    public bool PresentOnly { get; init; }

    internal Core.SoftDiceOptions ToCore() => new(BatchDice, Background, Smooth, Plain, PresentOnly);
}

/// <summary>Options of <see cref="Loss.SkeletonRecall"/>.</summary>
public sealed record SkeletonRecallOptions
{
    /// <summary>
    /// Whether sums are taken over the batch before the ratio (true), or each sample has its own ratio and the mean is taken
    /// (false, the default).
    /// </summary>
    public bool BatchDice { get; init; }

    /// <summary>Added to numerator and denominator; at least 0, 1e-5 by default.</summary>
    public double Smooth { get; init; } = 1e-5;

    /// <summary>
    /// Whether a class without skeleton is left out of the mean; false by default, where it counts as recalled.
    /// </summary>
    public bool PresentOnly { get; init; }

    internal Core.SoftRecallOptions ToCore() => new(BatchDice, Smooth, PresentOnly);
}

/// <summary>Options of <see cref="Loss.BinaryCrossEntropy"/>.</summary>
public sealed record BinaryCrossEntropyOptions
{
    /// <summary>The share of each truth that is spread evenly over yes and no, 0 (the default) to 1.</summary>
    public double LabelSmoothing { get; init; }

    internal Core.BinaryCrossEntropyOptions ToCore() => new(LabelSmoothing);
}

/// <summary>Options of <see cref="Loss.TopKCrossEntropy"/>.</summary>
public sealed record TopKCrossEntropyOptions
{
    /// <summary>The share of voxels, in percent, that count: the hardest ones. Above 0, at most 100; 10 by default.</summary>
    public double Percent { get; init; } = 10;

    /// <summary>The share of each voxel's truth that is spread evenly over all classes, 0 (the default) to 1.</summary>
    public double LabelSmoothing { get; init; }

    internal Core.TopKCrossEntropyOptions ToCore() => new(Percent, LabelSmoothing);
}

/// <summary>Options of <see cref="Loss.SoftClDice"/>.</summary>
public sealed record SoftClDiceOptions
{
    /// <summary>Rounds of erosion, at least 0; 10 by default. It should reach the largest radius in voxels.</summary>
    public int Iterations { get; init; } = 10;

    /// <summary>Added to numerators and denominators; at least 0, 1 by default.</summary>
    public double Smooth { get; init; } = 1;

    /// <summary>Whether the background counts as a class; false by default.</summary>
    public bool Background { get; init; }

    /// <summary>The share of soft Dice in the loss, 0 (the default) to 1.</summary>
    public double DiceShare { get; init; }

    internal Core.SoftClDiceOptions ToCore() => new(Iterations, Smooth, Background, DiceShare);
}

/// <summary>Options of <see cref="Loss.Tversky"/>.</summary>
public sealed record TverskyOptions
{
    /// <summary>Weight of false positives in the denominator; at least 0, 0.3 by default.</summary>
    public double FalsePositives { get; init; } = 0.3;

    /// <summary>Weight of false negatives; at least 0, 0.7 by default: above the other one it favours recall.</summary>
    public double FalseNegatives { get; init; } = 0.7;

    /// <summary>The focal exponent is 1 / gamma; above 0. 1, the default, is the plain loss; 4/3 the published focal one.</summary>
    public double Gamma { get; init; } = 1;

    /// <summary>
    /// Whether sums are taken over the batch before the ratio (true), or each sample has its own ratio and the mean is taken
    /// (false, the default).
    /// </summary>
    public bool BatchDice { get; init; }

    /// <summary>Whether the background counts as a class; false by default.</summary>
    public bool Background { get; init; }

    /// <summary>Added to numerator and denominator; at least 0, 1e-5 by default.</summary>
    public double Smooth { get; init; } = 1e-5;

    internal Core.TverskyOptions ToCore() => new(FalsePositives, FalseNegatives, Gamma, BatchDice, Background, Smooth);
}

/// <summary>Options of <see cref="Loss.Focal"/>.</summary>
public sealed record FocalOptions
{
    /// <summary>How strongly what is right already counts less; at least 0, 2 by default; 0 is cross-entropy.</summary>
    public double Gamma { get; init; } = 2;

    /// <summary>The weight of foreground, 0 to 1, where background has 1 less this; null, the default, for neither.</summary>
    public double? Alpha { get; init; }

    internal Core.FocalOptions ToCore() => new(Gamma, Interop.ToOption(Alpha));
}

/// <summary>Options of <see cref="Loss.PrecisionGuard"/>.</summary>
public sealed record PrecisionGuardOptions
{
    /// <summary>How far from the labels foreground costs nothing, in voxels; at least 0, 3 by default.</summary>
    public double Margin { get; init; } = 3;

    /// <summary>Added to the predicted foreground below the line; at least 0, 1 voxel by default.</summary>
    public double Smooth { get; init; } = 1;

    internal Core.PrecisionGuardOptions ToCore() => new(Margin, Smooth);
}

/// <summary>Options of <see cref="Loss.CentrelineCrossEntropy"/>.</summary>
public sealed record CentrelineCrossEntropyOptions
{
    /// <summary>Rounds of erosion, at least 0; 3 by default. It should reach the largest radius in voxels.</summary>
    public int Iterations { get; init; } = 3;

    internal Core.CentrelineCrossEntropyOptions ToCore() => new(Iterations);
}

/// <summary>Options of <see cref="Loss.CbDice"/>.</summary>
public sealed record CbDiceOptions
{
    /// <summary>Rounds of erosion, at least 0; 10 by default.</summary>
    public int Iterations { get; init; } = 10;

    /// <summary>Added to numerators and denominators; at least 0, 1e-3 by default.</summary>
    public double Smooth { get; init; } = 1e-3;

    internal Core.CbDiceOptions ToCore() => new(Iterations, Smooth);
}

/// <summary>Options of <see cref="Loss.WithNeighbourPenalty"/>.</summary>
public sealed record ScnpOptions
{
    /// <summary>Voxels of the neighbourhood along each axis; odd, at least 3, the default.</summary>
    public int Window { get; init; } = 3;

    internal Core.ScnpOptions ToCore() => new(Window);
}

/// <summary>What <see cref="Loss.Check"/> found.</summary>
/// <param name="Value">The loss of the given logits.</param>
/// <param name="LargestGradient">The largest absolute entry of the gradient by autograd.</param>
/// <param name="LargestDifference">The largest absolute difference between autograd's gradient and central differences.</param>
/// <param name="LeftAlive">Tensors that were alive afterwards and not before; 0 for a loss that frees what it makes.</param>
/// <param name="Passed">
/// Whether the gradient agrees to 1e-5 of its largest entry (1e-8 where it vanishes) and nothing was left alive.
/// </param>
public sealed record LossCheck(
    double Value,
    double LargestGradient,
    double LargestDifference,
    long LeftAlive,
    bool Passed
);
