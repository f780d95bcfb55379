namespace SkeletonRecall.CSharp;

/// <summary>How data sets are measured and preprocessed.</summary>
public sealed record PrepareOptions
{
    /// <summary>Cases that are worked on at once, each in a thread of its own; 1 by default.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>
    /// Bytes that the cases at work may take together, a case that needs more being worked on alone; half of what the machine
    /// or the container has by default.
    /// </summary>
    public long Memory { get; init; } = Pipeline.Preparation.standardMemory;

    /// <summary>
    /// Whether a fingerprint that is there is measured anew, and cases that are there are preprocessed anew; false by default.
    /// </summary>
    public bool Clean { get; init; }

    internal Pipeline.PrepareRequest ToCore(Roots roots, string dataset)
    {
        ArgumentNullException.ThrowIfNull(roots);
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentOutOfRangeException.ThrowIfLessThan(Workers, 1);
        return new(roots.Core, dataset, Workers, Memory, Clean);
    }
}

/// <summary>What became of the cases of one or several configurations.</summary>
/// <param name="Folder">The folder of the preprocessed cases.</param>
/// <param name="Configurations">The configurations that use it.</param>
/// <param name="Made">Cases that were preprocessed now.</param>
/// <param name="Kept">Cases that were there already, made of the same files by the same plans.</param>
public sealed record PreparedFolder(string Folder, IReadOnlyList<string> Configurations, int Made, int Kept);

/// <summary>
/// Measuring, planning and preprocessing of data sets in their folders, as nnU-Net's <c>plan_and_preprocess</c> does; a data set
/// goes by its number, name or folder.
/// </summary>
public static class Preparation
{
    /// <summary>Measures a data set and writes dataset_fingerprint.json; one that is there is read.</summary>
    /// <exception cref="ProblemException">The data set cannot be read, or the file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Fingerprint Fingerprint(
        Roots roots,
        string dataset,
        PrepareOptions? options = null,
        IProgress<string>? notes = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    ) =>
        new(
            Interop.OrThrow(
                Pipeline.Preparation.fingerprint(
                    (options ?? new()).ToCore(roots, dataset),
                    cancellation,
                    Interop.ToNotes(notes),
                    Interop.ToReport(progress)
                )
            )
        );

    /// <summary>Plans a data set that was measured and writes its plans.</summary>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">There is no fingerprint, or plans of that name by somebody else are there.</exception>
    public static Plans Plan(Roots roots, string dataset, PlannerOptions? options = null) =>
        new(
            Interop.OrThrow(
                Pipeline.Preparation.plan(new PrepareOptions().ToCore(roots, dataset), (options ?? new()).ToCore())
            )
        );

    /// <summary>Crops, normalizes and resamples all cases by the plans; cases that are there and still right are kept.</summary>
    /// <param name="roots">Where everything lies.</param>
    /// <param name="dataset">The data set.</param>
    /// <param name="plans">The plans' name.</param>
    /// <param name="configurations">Names of configurations; all of the plans' for none.</param>
    /// <param name="options">How it is done.</param>
    /// <param name="notes">Hears what a person should know.</param>
    /// <param name="progress">Hears the share that is done.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ProblemException">Plans or a case cannot be read, or do not fit each other.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<PreparedFolder> Preprocess(
        Roots roots,
        string dataset,
        string plans = "nnUNetPlans",
        IReadOnlyList<string>? configurations = null,
        PrepareOptions? options = null,
        IProgress<string>? notes = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(plans);
        var request = (options ?? new()).ToCore(roots, dataset);
        var made = Interop.OrThrow(
            Pipeline.Preparation.preprocess(
                request,
                plans,
                Interop.ToList(configurations ?? All(request, plans)),
                cancellation,
                Interop.ToNotes(notes),
                Interop.ToReport(progress)
            )
        );
        return Interop.FromList(
            made,
            folder => new PreparedFolder(
                folder.Folder,
                Interop.FromList(folder.Configurations),
                folder.Made,
                folder.Kept
            )
        );
    }

    private static IEnumerable<string> All(Pipeline.PrepareRequest request, string plans)
    {
        var (_, dataset) = Interop.OrThrow(Pipeline.Preparation.dataset(request));
        return Interop
            .OrThrow(Pipeline.Preparation.readPlans(request.Roots, dataset.Name, plans))
            .Configurations.Select(pair => pair.Key);
    }
}
