namespace SkeletonRecall.CSharp;

/// <summary>The foreground's intensities in one channel over all training cases.</summary>
/// <param name="Minimum">The smallest value.</param>
/// <param name="Low">The percentile 0.5.</param>
/// <param name="Median">The median.</param>
/// <param name="Mean">The mean.</param>
/// <param name="High">The percentile 99.5.</param>
/// <param name="Maximum">The greatest value.</param>
/// <param name="Deviation">The standard deviation (n, not n - 1).</param>
public sealed record IntensityProperties(
    double Minimum,
    double Low,
    double Median,
    double Mean,
    double High,
    double Maximum,
    double Deviation
);

/// <summary>
/// What is measured of a data set before it is planned: nnU-Net's <c>dataset_fingerprint.json</c>. One entry per training
/// case, axes in the order of the files; planes are volumes of one slice, 999 mm thick.
/// </summary>
public sealed class Fingerprint
{
    internal Fingerprint(Pipeline.Fingerprint core) => Core = core;

    internal Pipeline.Fingerprint Core { get; }

    /// <summary>Measures cases with labels, one after the other, so that they may be read as their turn comes.</summary>
    /// <param name="cases">The training cases.</param>
    /// <param name="count">How many they are.</param>
    /// <exception cref="ArgumentException">A case has no labels, or there are none.</exception>
    /// <exception cref="ProblemException">Cases differ in their number of channels.</exception>
    public static Fingerprint Of(IEnumerable<Case> cases, int count)
    {
        ArgumentNullException.ThrowIfNull(cases);
        var measures = Interop.ToList(cases, item => Pipeline.FingerprintModule.ofCase(count, item.Core));
        return new(Interop.OrThrow(Pipeline.FingerprintModule.ofMeasures("the data set", measures)));
    }

    /// <summary>Measures cases with labels.</summary>
    /// <exception cref="ArgumentException">A case has no labels, or there are none.</exception>
    /// <exception cref="ProblemException">Cases differ in their number of channels.</exception>
    public static Fingerprint Of(IReadOnlyList<Case> cases)
    {
        ArgumentNullException.ThrowIfNull(cases);
        return Of(cases, cases.Count);
    }

    /// <summary>A fingerprint from the text of its file; the path serves the messages.</summary>
    /// <exception cref="ProblemException">The text is no fingerprint.</exception>
    public static Fingerprint Parse(string json, string path = "dataset_fingerprint.json")
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(path);
        return new(Interop.OrThrow(Pipeline.FingerprintModule.parse(path, json)));
    }

    /// <summary>Spacing of each case in mm.</summary>
    public IReadOnlyList<IReadOnlyList<double>> Spacings =>
        Interop.FromList(Core.Spacings, spacing => Interop.FromList(spacing));

    /// <summary>Size of each case after cropping to its non-zero part.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Shapes => Interop.FromList(Core.Shapes, shape => Interop.FromList(shape));

    /// <summary>Foreground intensities by the channel's number.</summary>
    public IReadOnlyDictionary<int, IntensityProperties> Intensities =>
        Core.Intensities.ToDictionary(
            pair => pair.Key,
            pair => new IntensityProperties(
                pair.Value.Minimum,
                pair.Value.Low,
                pair.Value.Median,
                pair.Value.Mean,
                pair.Value.High,
                pair.Value.Maximum,
                pair.Value.Deviation
            )
        );

    /// <summary>The median over the cases of the share of voxels that cropping leaves.</summary>
    public double RelativeSize => Core.RelativeSize;

    /// <summary>The text of nnU-Net's file.</summary>
    public string ToJson() => Pipeline.FingerprintModule.print(Core);
}
