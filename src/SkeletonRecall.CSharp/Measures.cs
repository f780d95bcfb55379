namespace SkeletonRecall.CSharp;

/// <summary>Voxels of a prediction and of the truth, counted by where they lie.</summary>
/// <param name="TruePositives">Voxels of both masks.</param>
/// <param name="FalsePositives">Voxels of the prediction that the truth lacks.</param>
/// <param name="FalseNegatives">Voxels of the truth that the prediction lacks.</param>
/// <param name="TrueNegatives">Voxels of neither.</param>
public sealed record Overlap(long TruePositives, long FalsePositives, long FalseNegatives, long TrueNegatives)
{
    /// <summary>Counts the voxels of a prediction and of the truth.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public static Overlap Measure(Mask prediction, Mask truth)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        return From(OverlapModule.measure(prediction.Core, truth.Core));
    }

    /// <summary>Twice the common voxels by the sum of both masks; NaN when both are empty.</summary>
    public double Dice => OverlapModule.dice(ToCore());

    /// <summary>The share of the prediction that is true; NaN when the prediction is empty.</summary>
    public double Precision => OverlapModule.precision(ToCore());

    /// <summary>The share of the truth that is predicted; NaN when the truth is empty.</summary>
    public double Recall => OverlapModule.recall(ToCore());

    /// <summary>The common voxels by those of the union (Jaccard's index); NaN when both masks are empty.</summary>
    public double IoU => OverlapModule.iou(ToCore());

    internal static Overlap From(Core.Overlap core) =>
        new(core.TruePositives, core.FalsePositives, core.FalseNegatives, core.TrueNegatives);

    private Core.Overlap ToCore() => new(TruePositives, FalsePositives, FalseNegatives, TrueNegatives);
}

/// <summary>Betti numbers: what a shape has of each kind of hole.</summary>
/// <param name="B0">Components.</param>
/// <param name="B1">Holes of a plane, tunnels of a volume.</param>
/// <param name="B2">Cavities of a volume; 0 for a plane.</param>
public sealed record Betti(int B0, int B1, int B2)
{
    /// <summary>
    /// The Betti numbers of a mask. The background hangs together by the dual connectivity: 4 where the foreground has 8,
    /// 6 where it has 26 or 18, and the other way round (26 where it has 6). By default 8 in planes and 26 in volumes.
    /// </summary>
    /// <exception cref="ArgumentException">The connectivity is of another rank.</exception>
    public static Betti Measure(Mask mask, Connectivity? foreground = null)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return From(Topology.betti(foreground.ToPair(mask.Core.Extent), mask.Core));
    }

    /// <summary>
    /// The Betti numbers under both dual pairs, at less than the cost of two calls: voxels that share a corner hang together
    /// (8/4, or 26/6 in a volume), and only those that share a face do (4/8, 6/26).
    /// </summary>
    public static (Betti ByCorners, Betti ByFaces) MeasureBoth(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        var both = Topology.dualBetti(mask.Core);
        return (From(both.ByCorners), From(both.ByFaces));
    }

    /// <summary>By how much each Betti number of the prediction differs from the truth's, without sign.</summary>
    /// <exception cref="ArgumentException">The extents differ, and as for <see cref="Measure"/>.</exception>
    public static Betti Errors(Mask prediction, Mask truth, Connectivity? foreground = null)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        var pair = foreground.ToPair(prediction.Core.Extent);
        return From(Topology.errors(pair, prediction.Core, truth.Core));
    }

    internal static Betti From(Core.Betti core) => new(core.B0, core.B1, core.B2);
}

/// <summary>How far the skeletons of two masks lie inside the other mask (Shit et al., CVPR 2021).</summary>
/// <param name="Precision">The share of the prediction's skeleton inside the truth; NaN when that skeleton is empty.</param>
/// <param name="Sensitivity">The share of the truth's skeleton inside the prediction; NaN when that skeleton is empty.</param>
/// <param name="ClDice">The harmonic mean of both; NaN when either is NaN or both are 0.</param>
public sealed record Centreline(double Precision, double Sensitivity, double ClDice)
{
    /// <summary>Precision, sensitivity and clDice of a prediction; skeletons are Zhang's in planes and Lee's in volumes.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public static Centreline Measure(Mask prediction, Mask truth)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        var core = CentrelineModule.measure(prediction.Core, truth.Core);
        return new(core.Precision, core.Sensitivity, core.ClDice);
    }
}
