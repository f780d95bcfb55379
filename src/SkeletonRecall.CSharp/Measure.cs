using System.Diagnostics.CodeAnalysis;

namespace SkeletonRecall.CSharp;

/// <summary>
/// A number that tells how a prediction compares with the truth. What each means in detail (connectivity, surface, empty
/// masks) is said by a <see cref="Profile"/>.
/// </summary>
public enum Measure
{
    /// <summary>Twice the common voxels, divided by the voxels of both.</summary>
    Dice,

    /// <summary>The common voxels divided by those of the union.</summary>
    IoU,

    /// <summary>The share of the prediction that is true.</summary>
    Precision,

    /// <summary>The share of the truth that is predicted.</summary>
    Recall,

    /// <summary>The difference of the volumes without sign, divided by the truth's volume.</summary>
    VolumeDifference,

    /// <summary>Voxels of both.</summary>
    TruePositives,

    /// <summary>Voxels of the prediction alone.</summary>
    FalsePositives,

    /// <summary>Voxels of the truth alone.</summary>
    FalseNegatives,

    /// <summary>Voxels of neither.</summary>
    TrueNegatives,

    /// <summary>Centreline Dice: the harmonic mean of topology precision and sensitivity.</summary>
    ClDice,

    /// <summary>The share of the prediction's skeleton inside the truth.</summary>
    TopologyPrecision,

    /// <summary>The share of the truth's skeleton inside the prediction.</summary>
    TopologySensitivity,

    /// <summary>Absolute difference of the numbers of components.</summary>
    B0Error,

    /// <summary>Absolute difference of the numbers of holes (plane) or tunnels (volume).</summary>
    B1Error,

    /// <summary>Absolute difference of the numbers of cavities; 0 for planes.</summary>
    B2Error,

    /// <summary>Absolute difference of the Euler numbers.</summary>
    EulerError,

    /// <summary>Features (components, holes or tunnels, cavities) of either mask without a counterpart in the other.</summary>
    BettiMatching,

    /// <summary>Components of either mask without a counterpart in the other.</summary>
    BettiMatching0,

    /// <summary>Holes (plane) or tunnels (volume) of either mask without a counterpart in the other.</summary>
    BettiMatching1,

    /// <summary>Cavities of either mask without a counterpart in the other; 0 for planes.</summary>
    BettiMatching2,

    /// <summary>The Hausdorff distance: the greatest distance of a piece of one surface to the other.</summary>
    HausdorffDistance,

    /// <summary>The 95th percentile of the distances of pieces of one surface to the other.</summary>
    HausdorffDistance95,

    /// <summary>The mean distance over both surfaces (ASSD).</summary>
    SymmetricSurfaceDistance,

    /// <summary>The mean of the mean distances of either surface to the other (MASD).</summary>
    MeanSurfaceDistance,

    /// <summary>The share of both surfaces that lies within a tolerance of the other (NSD).</summary>
    SurfaceDice,

    /// <summary>The share of the truth's branches of which the prediction holds at least 80 %.</summary>
    BranchesDetected,

    /// <summary>The share of the length of the truth's branches that the prediction holds.</summary>
    TreeLengthDetected,

    /// <summary>Branches of the truth that the prediction holds on both sides of a gap.</summary>
    BrokenBranches,

    /// <summary>Branches of the prediction's skeleton of which the truth holds less than 20 %.</summary>
    FalseBranches,

    /// <summary>The prediction's components.</summary>
    B0Predicted,

    /// <summary>The truth's components.</summary>
    B0True,

    /// <summary>The prediction's tunnels (holes in planes).</summary>
    B1Predicted,

    /// <summary>The truth's tunnels (holes in planes).</summary>
    B1True,

    /// <summary>The prediction's cavities.</summary>
    B2Predicted,

    /// <summary>The truth's cavities.</summary>
    B2True,
}

/// <summary>Which of two values of a measure is the better one.</summary>
public enum Better
{
    /// <summary>More is better, as with Dice.</summary>
    Higher,

    /// <summary>Less is better, as with errors.</summary>
    Lower,

    /// <summary>A count that is neither good nor bad.</summary>
    Neither,
}

/// <summary>Names, units and directions of measures.</summary>
public static class MeasureInfo
{
    /// <summary>The name in files, tables and flags, as in "clDice".</summary>
    public static string Name(this Measure measure) => MeasureModule.print(measure.ToCore());

    /// <summary>"mm", "voxels", "count", or empty for a ratio.</summary>
    public static string Unit(this Measure measure) => MeasureModule.unit(measure.ToCore());

    /// <summary>Whether a higher or a lower value is the better one.</summary>
    public static Better Better(this Measure measure)
    {
        var better = MeasureModule.better(measure.ToCore());
        return better.IsHigher ? CSharp.Better.Higher
            : better.IsLower ? CSharp.Better.Lower
            : CSharp.Better.Neither;
    }

    /// <summary>Reads a name; case, hyphens and underscores do not matter ("cldice", "b0-error").</summary>
    /// <param name="name">The name.</param>
    /// <param name="measure">The measure of that name.</param>
    /// <param name="reason">Why there is none, with the names that are known.</param>
    public static bool TryParse(string name, out Measure measure, [NotNullWhen(false)] out string? reason)
    {
        ArgumentNullException.ThrowIfNull(name);
        var known = Interop.TryValue(MeasureModule.parse(name), out var core, out reason);
        measure = known ? core!.FromCore() : default;
        return known;
    }

    // The core's cases have the same names; each is a single object.
    private static readonly Dictionary<Core.Measure, Measure> ByCore = MeasureModule.all.ToDictionary(
        core => core,
        core => Enum.Parse<Measure>(core.ToString())
    );

    private static readonly Dictionary<Measure, Core.Measure> ToCores = ByCore.ToDictionary(
        pair => pair.Value,
        pair => pair.Key
    );

    internal static Core.Measure ToCore(this Measure measure) =>
        ToCores.TryGetValue(measure, out var core)
            ? core
            : throw new ArgumentException($"{measure} is no Measure.", nameof(measure));

    internal static Measure FromCore(this Core.Measure core) => ByCore[core];

    internal static IReadOnlyDictionary<Measure, double> FromCore(
        this Microsoft.FSharp.Collections.FSharpList<Tuple<Core.Measure, double>> values
    ) => values.ToDictionary(pair => pair.Item1.FromCore(), pair => pair.Item2);
}
