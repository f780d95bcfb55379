using System.Diagnostics.CodeAnalysis;

namespace SkeletonRecall.CSharp;

/// <summary>
/// A whole convention: connectivity, surfaces, what measures are for empty masks and which classes count in means.
/// </summary>
public sealed class Profile
{
    internal Profile(Core.Profile core) => Core = core;

    internal Core.Profile Core { get; }

    /// <summary>
    /// The paper's and nnU-Net's: 8/4 and 26/6 on the whole image; what neither mask holds is left out of means.
    /// </summary>
    public static Profile Paper { get; } = new(ProfileModule.paper);

    /// <summary>TopCoW 2024's.</summary>
    public static Profile TopCow { get; } = new(ProfileModule.topcow);

    /// <summary>TopBrain 2025's.</summary>
    public static Profile TopBrain { get; } = new(ProfileModule.topbrain);

    /// <summary>ToothFairy's.</summary>
    public static Profile ToothFairy { get; } = new(ProfileModule.toothfairy);

    /// <summary>MetricsReloaded's.</summary>
    public static Profile MetricsReloaded { get; } = new(ProfileModule.metricsReloaded);

    /// <summary>The name, as in "paper".</summary>
    public string Name => Core.Name;

    /// <summary>
    /// Side of the square or cubic windows over which Betti and Euler errors and Betti matching are averaged; null for the
    /// whole image.
    /// </summary>
    public int? Window => Interop.ToNullable(Core.Window);

    /// <summary>How far, in mm, surfaces may lie apart for the normalized surface Dice.</summary>
    public double SurfaceTolerance => Core.Surface.Tolerance;

    /// <summary>
    /// The same under another pair of connectivities, in planes or volumes as the pair is: "8/4", "4/8", "26/6", "6/26",
    /// "18/6" or "6/18", foreground first.
    /// </summary>
    /// <exception cref="ArgumentException">The text is no such pair.</exception>
    public Profile WithConnectivity(string pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        return Interop.TryValue(ConnectivityPairModule.parse(pair), out var known, out var reason)
            ? new(ProfileModule.withPair(known, Core))
            : throw new ArgumentException(reason, nameof(pair));
    }

    /// <summary>The same over windows of a side in voxels, or over the whole image.</summary>
    /// <exception cref="ArgumentException">The side is below 1.</exception>
    public Profile WithWindow(int? side)
    {
        if (side is < 1)
        {
            throw new ArgumentException($"A window is at least 1 voxel wide; got {side}.", nameof(side));
        }
        return new(ProfileModule.withWindow(Interop.ToOption(side), Core));
    }

    /// <summary>The same with another tolerance, in mm, of the normalized surface Dice.</summary>
    /// <exception cref="ArgumentException">The tolerance is below 0 or not finite.</exception>
    public Profile WithSurfaceTolerance(double tolerance) => new(ProfileModule.withTolerance(tolerance, Core));

    /// <summary>Reads a profile's name.</summary>
    /// <param name="name">paper, topcow, topbrain, toothfairy or metrics-reloaded.</param>
    /// <param name="profile">The profile of that name.</param>
    /// <param name="reason">Why there is none, with the names that are known.</param>
    public static bool TryParse(
        string name,
        [NotNullWhen(true)] out Profile? profile,
        [NotNullWhen(false)] out string? reason
    )
    {
        ArgumentNullException.ThrowIfNull(name);
        profile = Interop.TryValue(ProfileModule.parse(name), out var core, out reason) ? new(core) : null;
        return profile is not null;
    }
}

/// <summary>The measures of a pair of label maps.</summary>
/// <param name="Classes">Each class with its values.</param>
/// <param name="Mean">Means over the classes that the profile counts, NaN left out.</param>
/// <param name="Merged">The values of all classes merged into one.</param>
public sealed record LabelMeasures(
    IReadOnlyDictionary<int, IReadOnlyDictionary<Measure, double>> Classes,
    IReadOnlyDictionary<Measure, double> Mean,
    IReadOnlyDictionary<Measure, double> Merged
);

/// <summary>All measures behind one function.</summary>
public static class Measures
{
    /// <summary>
    /// The measures of a prediction, by a profile's convention; distances are in mm by the truth's spacing.
    /// </summary>
    /// <param name="profile">The convention.</param>
    /// <param name="measures">What is measured.</param>
    /// <param name="prediction">The predicted mask.</param>
    /// <param name="truth">The true one.</param>
    /// <param name="valid">The voxels that count; all by default.</param>
    /// <exception cref="ArgumentException">Extents differ, or the profile's connectivity does not serve.</exception>
    public static IReadOnlyDictionary<Measure, double> OfPair(
        Profile profile,
        IEnumerable<Measure> measures,
        Mask prediction,
        Mask truth,
        Mask? valid = null
    )
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(measures);
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        return Core
            .Measures.ofPair(
                profile.Core,
                Interop.ToList(measures.Distinct(), measure => measure.ToCore()),
                Interop.ToOption(valid?.Core),
                prediction.Core,
                truth.Core
            )
            .FromCore();
    }

    /// <summary>
    /// The measures of each class, their means over the classes that the profile counts, and those of all classes merged.
    /// </summary>
    /// <param name="profile">The convention.</param>
    /// <param name="measures">What is measured.</param>
    /// <param name="classes">The ids of the classes.</param>
    /// <param name="prediction">The predicted label map.</param>
    /// <param name="truth">The true one.</param>
    /// <param name="valid">The voxels that count; all by default.</param>
    /// <exception cref="ArgumentException">Extents differ, or the profile's connectivity does not serve.</exception>
    public static LabelMeasures OfLabels(
        Profile profile,
        IEnumerable<Measure> measures,
        IEnumerable<int> classes,
        LabelMap prediction,
        LabelMap truth,
        Mask? valid = null
    )
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(measures);
        ArgumentNullException.ThrowIfNull(classes);
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        var core = Core.Measures.ofLabels(
            profile.Core,
            Interop.ToList(measures.Distinct(), measure => measure.ToCore()),
            Interop.ToList(classes.Distinct()),
            Interop.ToOption(valid?.Core),
            prediction.Core,
            truth.Core
        );
        return new(
            core.Classes.ToDictionary(pair => pair.Item1, pair => pair.Item2.FromCore()),
            core.Mean.FromCore(),
            core.Merged.FromCore()
        );
    }
}
