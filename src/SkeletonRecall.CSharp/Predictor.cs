namespace SkeletonRecall.CSharp;

/// <summary>How an image is covered with tiles.</summary>
public sealed record PredictOptions
{
    /// <summary>How far tiles lie apart at most, as a share of the patch, in (0, 1]; 0.5 by default.</summary>
    public double Step { get; init; } = 0.5;

    /// <summary>
    /// Whether each tile is also shown mirrored along the axes along which the model was trained to; false by default.
    /// </summary>
    public bool Mirror { get; init; }

    /// <summary>Tiles that the network gets at once; 4 by default.</summary>
    public int TilesAtOnce { get; init; } = 4;
}

/// <summary>
/// A network that labels whole images by overlapping tiles. It may be used from several threads, one of which predicts at a
/// time. Disposing it frees the network.
/// </summary>
public sealed class Predictor : IDisposable
{
    private readonly Lock one = new();
    private readonly Pipeline.Checkpoint checkpoint;
    private readonly Pipeline.Network network;
    private readonly Pipeline.InferenceOptions options;
    private bool disposed;

    internal Predictor(Model model, PredictOptions options)
    {
        LibTorch.Ensure();
        checkpoint = model.Core;
        var axes = options.Mirror ? model.MirrorAxes : [];
        this.options = new(options.Step, Interop.ToList(axes), options.TilesAtOnce);
        network = Interop.OrThrow(Pipeline.CheckpointModule.network(checkpoint));
    }

    /// <summary>Loads a checkpoint and makes its predictor.</summary>
    /// <exception cref="ProblemException">The file is missing, truncated or of another kind.</exception>
    public static Predictor Load(string path, PredictOptions? options = null) =>
        Model.Load(path).CreatePredictor(options);

    /// <summary>The class of each voxel of an image as it was read (it is normalized here).</summary>
    /// <exception cref="ArgumentException">The image has other channels than the model.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled between two batches of tiles.</exception>
    public LabelMap Predict(Image image, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        lock (one)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            return new(
                Pipeline.Inference.labels(
                    options,
                    checkpoint.Configuration,
                    Classes,
                    Interop.ToFunction((Pipeline.Tiles tiles) => Answer(tiles, cancellation)),
                    image.Core
                )
            );
        }
    }

    /// <summary>
    /// The class of each voxel of pixels (channel, spatial...), row-major, channel after channel, which are copied.
    /// </summary>
    /// <exception cref="ArgumentException">The number of pixels does not fit, or the model has other channels.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled between two batches of tiles.</exception>
    public LabelMap Predict(
        ReadOnlySpan<float> pixels,
        int channels,
        Extent extent,
        CancellationToken cancellation = default
    ) => Predict(new Image(channels, extent, pixels), cancellation);

    /// <summary>The probability of each class at each voxel, (class, spatial...), row-major.</summary>
    /// <exception cref="ArgumentException">The image has other channels than the model.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled between two batches of tiles.</exception>
    public float[] Probabilities(Image image, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        lock (one)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            var logits = Pipeline.Inference.logits(
                options,
                ExtentModule.ofShape(checkpoint.Configuration.PatchSize),
                Classes,
                Interop.ToFunction((Pipeline.Tiles tiles) => Answer(tiles, cancellation)),
                Pipeline.Normalize.image(checkpoint.Configuration.Normalization, image.Core)
            );
            return Pipeline.Inference.softmax(image.Core.Extent, logits);
        }
    }

    /// <summary>Frees the network.</summary>
    public void Dispose()
    {
        lock (one)
        {
            if (!disposed)
            {
                disposed = true;
                network.Module.Dispose();
            }
        }
    }

    private int Classes => Pipeline.DatasetModule.classes(checkpoint.Dataset);

    private float[] Answer(Pipeline.Tiles tiles, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return Pipeline.Inference.ofNetwork(network, tiles);
    }
}
