namespace SkeletonRecall.CSharp;

/// <summary>How a folder of images is labelled.</summary>
public sealed record FolderOptions
{
    /// <summary>
    /// The folder of the first stage's label maps of the same images, for the second stage of a cascade; null, the default, for
    /// other models.
    /// </summary>
    public string? FirstStage { get; init; }

    /// <summary>How far tiles lie apart at most, as a share of the patch, in (0, 1]; 0.5 by default.</summary>
    public double Step { get; init; } = 0.5;

    /// <summary>Whether tiles are mirrored along the axes that training mirrored; true by default.</summary>
    public bool Mirror { get; init; } = true;

    /// <summary>Whether cases are left alone whose label map (and probabilities) is there; false by default.</summary>
    public bool KeepExisting { get; init; }

    /// <summary>Whether probabilities are kept too, as nnU-Net's .npz files; false by default.</summary>
    public bool SaveProbabilities { get; init; }

    /// <summary>Which part of the cases is predicted: every <see cref="Parts"/>-th from this number on; 0 by default.</summary>
    public int Part { get; init; }

    /// <summary>Into how many parts the cases are shared out; 1 by default.</summary>
    public int Parts { get; init; } = 1;

    /// <summary>Where the network lives; the processor by default.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>In what convolutions are computed; single precision by default.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    internal Pipeline.PredictRequest ToCore(IReadOnlyList<string> checkpoints, string input, string output) =>
        new(
            Interop.ToList(checkpoints),
            input,
            output,
            Interop.ToOption(FirstStage is { } folder ? Pipeline.FirstStageFolder.NewLabelMaps(folder) : null),
            Step,
            Mirror,
            KeepExisting,
            SaveProbabilities,
            Part,
            Parts,
            Device.ToCore(),
            Precision.ToCore()
        );
}

/// <summary>From folders of images and predictions to folders of label maps, as nnU-Net's commands do.</summary>
public static class FolderPrediction
{
    /// <summary>
    /// Labels every image of a folder, or one image file, by one checkpoint or the mean of several, and returns the written
    /// files.
    /// </summary>
    /// <param name="checkpoints">The checkpoints' files.</param>
    /// <param name="input">A folder of images named CASE_0000 with the data set's ending, or one image file.</param>
    /// <param name="output">The folder of the label maps.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Hears the share that is done.</param>
    /// <param name="cancellation">Ends it between two cases.</param>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">A file cannot be read or written, or does not fit the model.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<string> Run(
        IReadOnlyList<string> checkpoints,
        string input,
        string output,
        FolderOptions? options = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoints);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        return Interop.FromList(
            Interop.OrThrow(
                Pipeline.PredictFolder.run(
                    (options ?? new()).ToCore(checkpoints, input, output),
                    cancellation,
                    Interop.ToReport(progress)
                )
            )
        );
    }

    /// <summary>
    /// Averages the probabilities of several folders of predictions, case by case, and writes label maps; returns their files.
    /// </summary>
    /// <param name="folders">The folders, each with the same .npz files.</param>
    /// <param name="output">The folder of the label maps.</param>
    /// <param name="saveProbabilities">Whether the mean probabilities are kept too.</param>
    /// <exception cref="ArgumentException">There is no folder.</exception>
    /// <exception cref="ProblemException">Folders or files differ, or cannot be read or written.</exception>
    public static IReadOnlyList<string> Ensemble(
        IReadOnlyList<string> folders,
        string output,
        bool saveProbabilities = false
    )
    {
        ArgumentNullException.ThrowIfNull(folders);
        ArgumentNullException.ThrowIfNull(output);
        if (folders.Count == 0)
        {
            throw new ArgumentException("An ensemble has at least one member; got none.", nameof(folders));
        }
        return Interop.FromList(
            Interop.OrThrow(Pipeline.Ensemble.run(Interop.ToList(folders), output, saveProbabilities))
        );
    }
}
