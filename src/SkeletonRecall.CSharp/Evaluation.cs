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

    /// <summary>The class id, from 1; of a region its number, from 1.</summary>
    public int Label => Core.Label;

    /// <summary>The labels that make up the class: its id alone, or those of a region.</summary>
    public IReadOnlyList<int> Members => Interop.FromList(Core.Members);

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

    /// <summary>
    /// Everything that was measured, nnU-Net's own measures included.
    /// </summary>
    public IReadOnlyDictionary<Measure, double> Values => Core.Values.FromCore();

    /// <summary>The value of a measure; NaN where it was not asked for.</summary>
    public double Value(Measure measure) => Core.Value(measure.ToCore());

    /// <summary>Absolute differences of the numbers of components, tunnels and cavities.</summary>
    public Betti BettiErrors => new(Count(Measure.B0Error), Count(Measure.B1Error), Count(Measure.B2Error));

    private int Count(Measure measure) => (int)Value(measure);
}

/// <summary>What is measured, and by which convention.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Connectivity, empty masks, surfaces; the paper's by default.</summary>
    public Profile Profile { get; init; } = Profile.Paper;

    /// <summary>
    /// The measures, beside nnU-Net's own, which are always there; overlap, clDice, and Betti numbers with their errors by
    /// default.
    /// </summary>
    public IReadOnlyList<Measure> Measures { get; init; } =
        Interop.FromList(Pipeline.Evaluation.standard.Measures, measure => measure.FromCore());

    internal Pipeline.EvaluationOptions ToCore() =>
        new(Profile.Core, Interop.ToList(Measures, measure => measure.ToCore()));
}

/// <summary>One case of two folders.</summary>
/// <param name="Case">Its name.</param>
/// <param name="PredictionFile">The prediction's file; where it should be when it is missing.</param>
/// <param name="ReferenceFile">The reference's file; where it should be when it is missing.</param>
/// <param name="Scores">The scores of each class; none where the case has a problem.</param>
/// <param name="Problem">What is wrong with the case, in one line; null where it was scored.</param>
public sealed record CaseScores(
    string Case,
    string PredictionFile,
    string ReferenceFile,
    IReadOnlyList<Scores> Scores,
    string? Problem
);

/// <summary>Wilcoxon's signed-rank test of paired values, two-sided.</summary>
/// <param name="Statistic">The smaller of the two sums of ranks.</param>
/// <param name="P">The probability of such a difference or a greater one by chance; NaN without any difference.</param>
/// <param name="IsExact">Whether P is exact; else it is by the normal approximation.</param>
/// <param name="Count">The pairs that differ.</param>
public sealed record SignedRank(double Statistic, double P, bool IsExact, int Count);

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
    /// The scores of every foreground class of the data set, in the order of their ids, of the measures and by the
    /// convention that were chosen. Voxels of the data set's ignore label count nowhere.
    /// </summary>
    /// <exception cref="ArgumentException">The extents differ, or the profile's connectivity does not serve.</exception>
    public static IReadOnlyList<Scores> Score(
        EvaluationOptions options,
        Dataset dataset,
        string caseName,
        LabelMap prediction,
        LabelMap truth
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(caseName);
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        return Interop.FromList(
            Pipeline.Evaluation.score(options.ToCore(), dataset.Core, caseName, prediction.Core, truth.Core),
            core => new Scores(core)
        );
    }

    /// <summary>
    /// Scores every case of two folders, matched by name whatever the formats, in the order of their names. What is wrong
    /// with one case leaves the others alone.
    /// </summary>
    /// <param name="dataset">Classes and ignore label.</param>
    /// <param name="truth">The folder of true label maps.</param>
    /// <param name="prediction">The folder of predicted ones.</param>
    /// <param name="options">Measures and convention.</param>
    /// <param name="allowMissing">Whether cases without a counterpart are left out; each is a problem otherwise.</param>
    /// <param name="parallel">Cases that are scored at once; 0 for as many as there are cores.</param>
    /// <param name="progress">Hears the share that is done, 0 to 1.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="ProblemException">A folder cannot be read, or there is no common case.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static IReadOnlyList<CaseScores> Folders(
        Dataset dataset,
        string truth,
        string prediction,
        EvaluationOptions? options = null,
        bool allowMissing = false,
        int parallel = 0,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(prediction);
        var request = new Pipeline.EvaluateRequest(
            truth,
            prediction,
            dataset.Core,
            (options ?? new()).ToCore(),
            allowMissing,
            parallel
        );
        var cases = Interop.OrThrow(Pipeline.FolderEvaluation.run(request, cancellation, Interop.ToReport(progress)));
        return Interop.FromList(
            cases,
            core => new CaseScores(
                core.Case,
                core.Prediction,
                core.Reference,
                core.Outcome.IsOk ? Interop.FromList(core.Outcome.ResultValue, score => new Scores(score)) : [],
                core.Outcome.IsOk ? null : Pipeline.ProblemModule.message(core.Outcome.ErrorValue)
            )
        );
    }

    /// <summary>
    /// Wilcoxon's signed-rank test of pairs, one per case; equal to scipy's with its standard options. Pairs with NaN are
    /// left out.
    /// </summary>
    public static SignedRank Wilcoxon(IEnumerable<(double First, double Second)> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var core = Pipeline.SignedRank.test(Interop.ToPairs(pairs));
        return new(core.Statistic, core.P, core.IsExact, core.Count);
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
