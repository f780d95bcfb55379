namespace SkeletonRecall.CSharp;

/// <summary>Of what a skeleton is made.</summary>
public enum SkeletonOf
{
    /// <summary>Of all classes merged, as upstream.</summary>
    MergedForeground,

    /// <summary>Of each class alone; of each region alone where there are regions.</summary>
    EachClass,
}

/// <summary>Options of <see cref="LabelMap.ToTube"/>. The defaults are upstream's, bit for bit.</summary>
public sealed record TubeOptions
{
    /// <summary>By how many steps of the cross the skeleton grows, in voxels; 0 to 16, 2 by default.</summary>
    public int Radius { get; init; } = 2;

    /// <summary>
    /// The radius in mm of a Euclidean ball by which the skeleton grows, in place of <see cref="Radius"/>; null by default.
    /// </summary>
    public double? BallRadius { get; init; }

    /// <summary>Of what skeletons are made; of the merged foreground by default.</summary>
    public SkeletonOf SkeletonOf { get; init; }

    /// <summary>A label that is neither skeletonized nor painted; null by default.</summary>
    public short? Ignore { get; init; }

    /// <summary>
    /// Whether skeletons keep components, tunnels and cavities of what they are made of; false by default, for
    /// scikit-image's thinning erases some structures whole.
    /// </summary>
    public bool Guard { get; init; }

    /// <summary>Spurs of the skeleton shorter than this length in mm are pruned; 0, by default, prunes none.</summary>
    public double Prune { get; init; }

    /// <summary>The method of thinning; null, by default, stands for Zhang's in planes and Lee's in volumes.</summary>
    public Thinning? Thinning { get; init; }

    internal Core.TubeOptions ToCore() =>
        new(
            BallRadius is { } millimetres ? Core.TubeRadius.NewBall(millimetres) : Core.TubeRadius.NewSteps(Radius),
            SkeletonOf switch
            {
                SkeletonOf.MergedForeground => Core.SkeletonOf.MergedForeground,
                SkeletonOf.EachClass => Core.SkeletonOf.EachClass,
                _ => throw new ArgumentException(
                    $"{SkeletonOf} is no SkeletonOf; one of {string.Join(", ", Enum.GetNames<SkeletonOf>())} is wanted."
                ),
            },
            Interop.ToOption(Ignore),
            Guard,
            Prune,
            Interop.ToOption(Thinning?.ToCore())
        );

    internal static TubeOptions FromCore(Core.TubeOptions core) =>
        new()
        {
            Radius = core.Radius is Core.TubeRadius.Steps steps ? steps.steps : 0,
            BallRadius = core.Radius is Core.TubeRadius.Ball ball ? ball.millimetres : null,
            SkeletonOf = core.SkeletonOf.IsEachClass ? SkeletonOf.EachClass : SkeletonOf.MergedForeground,
            Ignore = Interop.ToNullable(core.Ignore),
            Guard = core.Guard,
            Prune = core.Prune,
            Thinning =
                core.Thinning is null ? null
                : core.Thinning.Value.IsZhang ? CSharp.Thinning.Zhang
                : CSharp.Thinning.Lee,
        };
}
