using System.Diagnostics.CodeAnalysis;

namespace SkeletonRecall.CSharp;

/// <summary>Which heads of a network with deep supervision learn what.</summary>
public enum Supervision
{
    /// <summary>Every head learns all terms but skeleton recall, which stands on the finest head alone; the default.</summary>
    RecallAtFull,

    /// <summary>Only the finest head learns, with its own weight among the heads.</summary>
    FullResolution,

    /// <summary>
    /// Every head learns every term, each with a tubed skeleton of its resolution that hangs together as the finest does.
    /// </summary>
    AllHeads,

    /// <summary>The same with the tube by the nearest voxel, as upstream's DS variant means it; a thin one falls to pieces.</summary>
    AllHeadsNearest,
}

/// <summary>One term of an objective and what it came to, without its weight.</summary>
/// <param name="Name">ce, dice or skeleton-recall.</param>
/// <param name="Value">The unweighted loss.</param>
public sealed record TermValue(string Name, double Value);

/// <summary>
/// What training minimizes, as data with a text form: <c>dice + ce + 1.0*skeleton-recall</c>. Options stand in parentheses
/// behind a loss (<c>skeleton-recall(tube-radius=3, smooth=1e-5)</c>), a supervision other than recall-at-full after
/// <c>on</c>. Numbers have a decimal point in any culture.
/// </summary>
public sealed class Objective : IEquatable<Objective>
{
    internal Objective(Core.Objective core) => Core = core;

    internal Core.Objective Core { get; }

    /// <summary>The paper's: <c>dice + ce + 1.0*skeleton-recall</c>.</summary>
    public static Objective SkeletonRecall { get; } = new(ObjectiveModule.skeletonRecall);

    /// <summary>nnU-Net's: <c>dice + ce</c>.</summary>
    public static Objective NnUNet { get; } = new(ObjectiveModule.nnunet);

    /// <summary>The objective of a text.</summary>
    /// <exception cref="FormatException">The text is wrong; the message points at the character.</exception>
    public static Objective Parse(string text) =>
        TryParse(text, out var objective, out var reason) ? objective : throw new FormatException(reason);

    /// <summary>The objective of a text, or the reason why it has none, which points at the character.</summary>
    public static bool TryParse(
        string text,
        [NotNullWhen(true)] out Objective? objective,
        [NotNullWhen(false)] out string? reason
    )
    {
        ArgumentNullException.ThrowIfNull(text);
        objective = Interop.TryValue(ObjectiveModule.parse(text), out var core, out reason) ? new(core) : null;
        return objective is not null;
    }

    /// <summary>Which heads learn what.</summary>
    public Supervision Supervision =>
        Core.Supervision.IsRecallAtFull ? Supervision.RecallAtFull
        : Core.Supervision.IsFullResolution ? Supervision.FullResolution
        : Core.Supervision.IsAllHeads ? Supervision.AllHeads
        : Supervision.AllHeadsNearest;

    /// <summary>The tube that the recall term wants.</summary>
    public TubeOptions Tube => TubeOptions.FromCore(Core.Tube);

    /// <summary>Whether targets need tubed skeletons: whether a recall term has a weight above 0.</summary>
    public bool NeedsSkeleton => ObjectiveModule.needsSkeleton(Core);

    /// <summary>The same objective with another weight of its recall term.</summary>
    /// <exception cref="ArgumentException">The weight is out of range, or there is no such term.</exception>
    public Objective WithRecallWeight(double weight) => new(ObjectiveModule.withRecallWeight(weight, Core));

    /// <summary>The same objective with another tube.</summary>
    /// <exception cref="ArgumentException">An option is out of range, or there is no recall term.</exception>
    public Objective WithTube(TubeOptions tube)
    {
        ArgumentNullException.ThrowIfNull(tube);
        return new(ObjectiveModule.withTube(tube.ToCore(), Core));
    }

    /// <summary>The same objective with another radius of the tube, in steps of the cross.</summary>
    /// <exception cref="ArgumentException">The radius is not 0 to 16, or there is no recall term.</exception>
    public Objective WithTubeRadius(int radius) => new(ObjectiveModule.withTubeRadius(radius, Core));

    /// <summary>The same objective with batch Dice on or off in all terms that know it.</summary>
    public Objective WithBatchDice(bool batchDice) => new(ObjectiveModule.withBatchDice(batchDice, Core));

    /// <summary>The same objective with another supervision.</summary>
    public Objective WithSupervision(Supervision supervision)
    {
        var core = supervision switch
        {
            Supervision.RecallAtFull => global::SkeletonRecall.Supervision.RecallAtFull,
            Supervision.FullResolution => global::SkeletonRecall.Supervision.FullResolution,
            Supervision.AllHeads => global::SkeletonRecall.Supervision.AllHeads,
            Supervision.AllHeadsNearest => global::SkeletonRecall.Supervision.AllHeadsNearest,
            _ => throw new ArgumentException(
                $"{supervision} is no Supervision; one of {string.Join(", ", Enum.GetNames<Supervision>())} is wanted.",
                nameof(supervision)
            ),
        };
        return new(ObjectiveModule.withSupervision(core, Core));
    }

    /// <summary>The objective as the loss of a single head. A fused form is used where there is one.</summary>
    public Loss ToLoss()
    {
        var core = Core;
        var weights = Interop.ToList([1.0]);
        return new(
            (logits, target) => ObjectiveModule.loss(core, weights, Interop.ToList([logits]), Interop.ToList([target]))
        );
    }

    /// <summary>
    /// The objective as the loss of all heads with the given weights, finest first; see <see cref="HeadLoss.HeadWeights"/>.
    /// </summary>
    public HeadLoss ToHeadLoss(IReadOnlyList<double> headWeights)
    {
        ArgumentNullException.ThrowIfNull(headWeights);
        return HeadLoss.Of(Core, headWeights);
    }

    /// <summary>Each term's name and unweighted value on the finest head, for a log; no gradient.</summary>
    public IReadOnlyList<TermValue> Breakdown(Tensor logits, Target target)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(target);
        return Interop.FromList(
            ObjectiveModule.breakdown(Core, logits, target.Core),
            pair => new TermValue(pair.Item1, pair.Item2)
        );
    }

    /// <summary>The text, which <see cref="Parse"/> reads back.</summary>
    public override string ToString() => ObjectiveModule.print(Core);

    /// <summary>Whether terms, weights, options and supervision are the same.</summary>
    public bool Equals(Objective? other) => other is not null && Core.Equals(other.Core);

    /// <summary>Whether the other is an objective of the same terms, weights, options and supervision.</summary>
    public override bool Equals(object? obj) => Equals(obj as Objective);

    /// <summary>A hash of terms, weights, options and supervision.</summary>
    public override int GetHashCode() => Core.GetHashCode();
}
