namespace SkeletonRecall.CSharp;

/// <summary>A trained network with all that prediction and further training need: a checkpoint in memory.</summary>
public sealed class Model
{
    internal Model(Pipeline.Checkpoint core) => Core = core;

    internal Pipeline.Checkpoint Core { get; }

    /// <summary>
    /// Reads a checkpoint, ours or of Python's nnU-Net (<c>.pth</c>, with plans.json and dataset.json beside its fold): a
    /// file, or a folder or zip archive that holds one final checkpoint alone. A path may lead into a zip archive.
    /// </summary>
    /// <exception cref="ProblemException">The file is missing, truncated, of another kind, or a model that is not served.</exception>
    public static Model Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return new(Interop.OrThrow(Pipeline.ModelFile.load(path)));
    }

    /// <summary>
    /// The checkpoint in a run's folder to go on from: final, latest or best, the first that is there; null without any.
    /// </summary>
    /// <exception cref="ProblemException">The file cannot be read.</exception>
    public static Model? TryResume(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return Interop.ToReference(Interop.OrThrow(Pipeline.RunFolder.tryResume(folder))) is { } found
            ? new(found)
            : null;
    }

    /// <summary>Writes the checkpoint beside its place and moves it there: a failure leaves what was there before.</summary>
    /// <exception cref="ProblemException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Interop.OrThrow(Pipeline.CheckpointModule.save(path, Core));
    }

    /// <summary>The file that it was read from or written to by the run; empty for neither.</summary>
    public string Path => Core.Path;

    /// <summary>Channels and classes.</summary>
    public Dataset Dataset => new(Core.Dataset);

    /// <summary>How cases are prepared and which network sees them.</summary>
    public Configuration Configuration => new(Core.Configuration);

    /// <summary>How the run trains.</summary>
    public TrainOptions Options => TrainOptions.From(Core.Options);

    /// <summary>Epochs that are done.</summary>
    public int Epoch => Core.Epoch;

    /// <summary>What each epoch came to, oldest first.</summary>
    public IReadOnlyList<EpochReport> History => Interop.FromList(Core.History, EpochReport.From);

    /// <summary>Axes (0 = slowest of the patch) along which prediction may mirror.</summary>
    public IReadOnlyList<int> MirrorAxes => Interop.FromList(Core.MirrorAxes);

    /// <summary>A predictor with the weights of this model.</summary>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">The weights do not fit the configuration.</exception>
    public Predictor CreatePredictor(PredictOptions? options = null) =>
        new(
            Pipeline.PredictorModule.ofModel(
                (options ?? new()).ToCore(),
                Interop.OrThrow(Pipeline.Prediction.ofCheckpoints(Interop.ToList([Core])))
            )
        );
}
