namespace SkeletonRecall.CSharp;

/// <summary>A data set on disk in nnU-Net's raw layout: dataset.json, imagesTr and labelsTr.</summary>
public sealed class DatasetFolder
{
    private readonly IReadOnlyList<string> trainingIds;

    private DatasetFolder(string path, Dataset dataset, IReadOnlyList<string> trainingIds) =>
        (Path, Dataset, this.trainingIds) = (path, dataset, trainingIds);

    /// <summary>Reads dataset.json and lists the training cases.</summary>
    /// <exception cref="ProblemException">
    /// The folder or a file is missing, an image has no label map, or the number of cases is another than dataset.json says.
    /// </exception>
    public static DatasetFolder Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var dataset = Interop.OrThrow(Pipeline.Store.readDataset(path));
        var ids = Interop.OrThrow(Pipeline.Store.trainingIds(path, dataset));
        return new(path, new(dataset), Interop.FromList(ids, Pipeline.CaseIdModule.value));
    }

    /// <summary>
    /// Looks through a data set as nnU-Net's integrity check does, every finding at once; an empty list where all is well.
    /// </summary>
    /// <param name="path">The folder with dataset.json.</param>
    /// <param name="workers">Cases that are read at once, each in memory.</param>
    /// <param name="progress">Hears the share that is done.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ProblemException">dataset.json is missing or cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<Finding> Verify(
        string path,
        int workers = 2,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        var verified = Interop.OrThrow(
            Pipeline.Verification.run(workers, cancellation, Interop.ToReport(progress), path)
        );
        return Interop.FromList(
            verified.Findings,
            finding => new Finding(
                Interop.ToReference(finding.Case) is { } id ? Pipeline.CaseIdModule.value(id) : null,
                finding.Gravity.IsWrong ? Gravity.Wrong : Gravity.Doubtful,
                finding.Message
            )
        );
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>What dataset.json says.</summary>
    public Dataset Dataset { get; }

    /// <summary>The names of the training cases, sorted.</summary>
    public IReadOnlyList<string> TrainingIds => trainingIds;

    /// <summary>
    /// One training case. What the reader has to say, as that 255 was taken for 1, goes to <paramref name="notes"/>.
    /// </summary>
    /// <exception cref="ProblemException">A file is missing or cannot be read, or holds a label of no class.</exception>
    public Case ReadTrainingCase(string id, IProgress<string>? notes = null)
    {
        ArgumentNullException.ThrowIfNull(id);
        var result = Pipeline.Store.readTrainingCase(Path, Dataset.Core, Pipeline.CaseIdModule.ofString(id));
        return new(Interop.Noted(Interop.OrThrow(result), notes));
    }

    /// <summary>All training cases in the order of their names, each read when its turn comes.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ProblemException">As for <see cref="ReadTrainingCase"/>.</exception>
    public IEnumerable<Case> ReadTrainingCases(
        IProgress<string>? notes = null,
        CancellationToken cancellation = default
    )
    {
        foreach (var id in TrainingIds)
        {
            cancellation.ThrowIfCancellationRequested();
            yield return ReadTrainingCase(id, notes);
        }
    }

    /// <summary>
    /// nnU-Net's five folds of the training cases: for each, the names of the cases to train on and to validate with.
    /// </summary>
    /// <exception cref="ArgumentException">There are fewer than five cases.</exception>
    public IReadOnlyList<Fold> FiveFolds() =>
        Interop.FromList(
            Pipeline.Splits.fiveFold(Interop.ToList(TrainingIds, Pipeline.CaseIdModule.ofString)),
            fold => new Fold(
                Interop.FromList(fold.Train, Pipeline.CaseIdModule.value),
                Interop.FromList(fold.Validation, Pipeline.CaseIdModule.value)
            )
        );
}

/// <summary>Which cases are trained on and which ones judge the training.</summary>
/// <param name="Train">Names of the training cases.</param>
/// <param name="Validation">Names of the validation cases.</param>
public sealed record Fold(IReadOnlyList<string> Train, IReadOnlyList<string> Validation);
