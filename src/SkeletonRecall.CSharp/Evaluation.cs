using Measure = SkeletonRecall.Measure;

namespace SkeletonRecall.CSharp;

/// <summary>
/// How well one class of one case was found. When neither prediction nor truth holds the class, every ratio is NaN and means
/// leave the case out; when only one of them does, every ratio is 0.
/// </summary>
public sealed record Scores
{
    internal Scores(Pipeline.Scores core)
    {
        Core = core;
        Overlap = Overlap.From(core.Overlap);
        Truth = new(Count(Measure.B0True), Count(Measure.B1True), Count(Measure.B2True));
        Prediction = new(Count(Measure.B0Predicted), Count(Measure.B1Predicted), Count(Measure.B2Predicted));
    }

    internal Pipeline.Scores Core { get; }

    /// <summary>The case's name.</summary>
    public string Case => Core.Case;

    /// <summary>The class id, from 1.</summary>
    public int Label => Core.Label;

    /// <summary>Voxels of prediction and truth; those with the ignore label count nowhere.</summary>
    public Overlap Overlap { get; }

    /// <summary>Twice the common voxels by the sum of both masks.</summary>
    public double Dice => Core.Dice;

    /// <summary>The share of the prediction that is true.</summary>
    public double Precision => Core.Precision;

    /// <summary>The share of the truth that is predicted.</summary>
    public double Recall => Core.Recall;

    /// <summary>The common voxels by those of the union.</summary>
    public double IoU => Core.IoU;

    /// <summary>Centreline Dice; also NaN when thinning leaves nothing of a mask that is not empty.</summary>
    public double ClDice => Core.ClDice;

    /// <summary>Components, tunnels (holes of a plane) and cavities of the truth.</summary>
    public Betti Truth { get; }

    /// <summary>The same of the prediction.</summary>
    public Betti Prediction { get; }

    /// <summary>Absolute differences of the numbers of components, tunnels and cavities.</summary>
    public Betti BettiErrors => new(Count(Measure.B0Error), Count(Measure.B1Error), Count(Measure.B2Error));

    private int Count(Measure measure) => (int)Core.Value(measure);
}

/// <summary>A mean and the 95 % interval around it.</summary>
/// <param name="Mean">The mean of the values that are not NaN.</param>
/// <param name="Low">The lower end; the mean itself for a single value.</param>
/// <param name="High">The upper end.</param>
/// <param name="Count">How many values went in; NaN does not count.</param>
public sealed record Interval(double Mean, double Low, double High, int Count)
{
    internal static Interval From(Pipeline.Interval core) => new(core.Mean, core.Low, core.High, core.Count);
}

/// <summary>Comparing predicted label maps with the truth.</summary>
public static class Evaluation
{
    /// <summary>
    /// The scores of every foreground class of the data set, in the order of their ids. By default 8 neighbours hang
    /// together in planes and 26 in volumes.
    /// </summary>
    /// <exception cref="ArgumentException">The extents differ, or the connectivity is of another rank.</exception>
    public static IReadOnlyList<Scores> Score(
        Dataset dataset,
        string caseName,
        LabelMap prediction,
        LabelMap truth,
        Connectivity? foreground = null
    )
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(caseName);
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        var pair = foreground.ToPair(truth.Core.Extent);
        return Interop.FromList(
            Pipeline.Evaluation.score(
                Pipeline.Evaluation.withPair(pair),
                dataset.Core,
                caseName,
                prediction.Core,
                truth.Core
            ),
            core => new Scores(core)
        );
    }

    /// <summary>
    /// nnU-Net's summary.json, with precision, recall, clDice and Betti errors beside nnU-Net's own measures.
    /// </summary>
    /// <param name="scores">The scores of all cases.</param>
    /// <param name="files">The prediction's and the reference's file of a case, for the record.</param>
    public static string SummaryJson(
        IEnumerable<Scores> scores,
        Func<string, (string Prediction, string Reference)> files
    )
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(files);
        return Pipeline.Summary.json(
            Interop.ToFunction((string name) => files(name).ToTuple()),
            Interop.ToList(scores, score => score.Core)
        );
    }

    /// <summary>The mean of values and its 95 % percentile interval from 2000 resamples; NaN is left out.</summary>
    public static Interval Bootstrap(IEnumerable<double> values, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Interval.From(Pipeline.Statistics.bootstrap(Pipeline.SeedModule.ofInt(seed), Interop.ToList(values)));
    }

    /// <summary>
    /// The mean of the differences (second - first) of pairs, one per case, with its interval; a pair with NaN is left out.
    /// </summary>
    public static Interval Paired(IEnumerable<(double First, double Second)> pairs, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Interval.From(Pipeline.Statistics.paired(Pipeline.SeedModule.ofInt(seed), Interop.ToPairs(pairs)));
    }
}
