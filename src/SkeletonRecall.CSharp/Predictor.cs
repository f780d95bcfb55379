using System.Runtime.InteropServices;

namespace SkeletonRecall.CSharp;

/// <summary>How a predictor covers images with tiles; the defaults are those of the command <c>predict</c>.</summary>
public sealed record PredictOptions
{
    /// <summary>How far tiles lie apart at most, as a share of the patch, in (0, 1]; 0.5 by default.</summary>
    public double Step { get; init; } = 0.5;

    /// <summary>
    /// Whether each tile is also shown mirrored along the axes along which the model was trained to; true by default. It
    /// takes 4 times as long in planes and 8 times in volumes.
    /// </summary>
    public bool Mirror { get; init; } = true;

    /// <summary>Tiles of one image that the network gets at once; null, the default, for 4 planes or 1 volume.</summary>
    public int? TilesAtOnce { get; init; }

    /// <summary>Small images of <see cref="Predictor.PredictMany"/> that the network gets at once; 16 by default.</summary>
    public int ImagesAtOnce { get; init; } = 16;

    internal Pipeline.PredictorOptions ToCore() => new(Step, Mirror, Interop.ToOption(TilesAtOnce), ImagesAtOnce);
}

/// <summary>
/// A trained model that labels images in memory, made once and used often: preprocessing, tiles, network, blending and the
/// way back to the image's own grid, exactly as the command <c>predict</c> does it, without touching the disk. Several threads may
/// predict with it at the same time: the networks are only read, and each call has buffers of its own. The calls share the
/// processor's cores, and torch's number of threads is left as the caller has set it. Disposing it frees the networks as
/// soon as calls that are under way have ended.
/// </summary>
public sealed class Predictor : IDisposable
{
    private readonly Pipeline.Predictor core;

    internal Predictor(Pipeline.Predictor core) => this.core = core;

    /// <summary>
    /// Loads a model, ours or of Python's nnU-Net, as the command <c>predict -m</c> does: a checkpoint's file, or the folder or zip
    /// archive of a model, whose folds are averaged.
    /// </summary>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">It is missing, damaged, of another kind, or a model that is not served.</exception>
    public static Predictor Load(string path, PredictOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Load(Interop.FromList(Interop.OrThrow(Pipeline.ModelFolder.checkpoints(path, "final", null))), options);
    }

    /// <summary>Loads the checkpoints of several folds, whose logits are averaged, and makes their predictor.</summary>
    /// <exception cref="ArgumentException">Options are out of range, or there is no checkpoint.</exception>
    /// <exception cref="ProblemException">
    /// A file is missing, truncated or of another kind, or the models cannot be averaged.
    /// </exception>
    public static Predictor Load(IReadOnlyList<string> paths, PredictOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return new(Interop.OrThrow(Pipeline.PredictorModule.load((options ?? new()).ToCore(), Interop.ToList(paths))));
    }

    /// <summary>What the first of its networks was trained as.</summary>
    public Model Model => new(core.Checkpoint);

    /// <summary>The class of each voxel of an image as it comes from scanner or camera, on its own grid.</summary>
    /// <exception cref="ProblemException">
    /// The image cannot be prepared as the model's were: other channels, a plane for a model of volumes, values that are no
    /// numbers.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled, between two batches of tiles or other steps.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed.</exception>
    public LabelMap Predict(Image image, CancellationToken cancellation = default) =>
        Run(image, false, cancellation).Labels;

    /// <summary>The class of each voxel of pixels that the caller holds: a span or an array.</summary>
    /// <typeparam name="T"><c>byte</c>, <c>ushort</c>, <c>short</c>, <c>float</c> and the other types of <see cref="PixelType"/>.</typeparam>
    /// <exception cref="ArgumentException">The layout does not fit the memory, or values would share bytes.</exception>
    /// <exception cref="ProblemException">As for images.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public LabelMap Predict<T>(ReadOnlySpan<T> pixels, PixelLayout layout, CancellationToken cancellation = default)
        where T : unmanaged => Predict(Image.FromPixels(pixels, layout), cancellation);

    /// <summary>
    /// The class of each voxel of pixels at an address. How far the memory reaches is not known here: that every value of the
    /// layout lies in it is the caller's word.
    /// </summary>
    /// <exception cref="ArgumentException">The address is 0, or values would share bytes.</exception>
    /// <exception cref="ProblemException">As for images.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public LabelMap Predict(
        nint pixels,
        PixelType type,
        PixelLayout layout,
        CancellationToken cancellation = default
    ) => Predict(Image.FromPointer(pixels, type, layout), cancellation);

    /// <summary>The same into memory that the caller holds; what does not fit is refused before anything is computed.</summary>
    /// <typeparam name="T">The type of the pixels.</typeparam>
    /// <typeparam name="TLabel">The type of the labels; <c>byte</c> holds classes up to 255.</typeparam>
    /// <param name="pixels">The pixels.</param>
    /// <param name="layout">How they lie.</param>
    /// <param name="labels">What is written.</param>
    /// <param name="labelLayout">How labels are to lie; row-major without gaps by default.</param>
    /// <param name="cancellation">Ends it; nothing is written then.</param>
    /// <exception cref="ArgumentException">A layout does not fit, or the type does not hold the model's classes.</exception>
    /// <exception cref="ProblemException">As for images.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void PredictInto<T, TLabel>(
        ReadOnlySpan<T> pixels,
        PixelLayout layout,
        Span<TLabel> labels,
        PixelLayout? labelLayout = null,
        CancellationToken cancellation = default
    )
        where T : unmanaged
        where TLabel : unmanaged
    {
        ArgumentNullException.ThrowIfNull(layout);
        labelLayout ??= PixelLayout.Planar(layout.Extent);
        RequireLabels(labelLayout, PixelLayout.TypeOf<TLabel>(), layout, MemoryMarshal.AsBytes(labels).Length);
        Predict(pixels, layout, cancellation).CopyTo(labels, labelLayout);
    }

    /// <summary>
    /// The same between two addresses. How far the memory reaches is not known here: that every value of the layouts lies in
    /// it is the caller's word.
    /// </summary>
    /// <param name="pixels">The address of the pixels.</param>
    /// <param name="type">Their type.</param>
    /// <param name="layout">How they lie.</param>
    /// <param name="labels">The address of what is written.</param>
    /// <param name="labelType">Its type; <see cref="PixelType.UInt8"/> holds classes up to 255.</param>
    /// <param name="labelLayout">How labels are to lie; row-major without gaps by default.</param>
    /// <param name="cancellation">Ends it; nothing is written then.</param>
    /// <exception cref="ArgumentException">An address is 0, a layout does not fit, or the type does not hold the classes.</exception>
    /// <exception cref="ProblemException">As for images.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void PredictInto(
        nint pixels,
        PixelType type,
        PixelLayout layout,
        nint labels,
        PixelType labelType,
        PixelLayout? labelLayout = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(layout);
        Grids.RequireAddress(nameof(labels), labels);
        labelLayout ??= PixelLayout.Planar(layout.Extent);
        RequireLabels(labelLayout, labelType, layout, null);
        Predict(pixels, type, layout, cancellation).CopyTo(labels, labelType, labelLayout);
    }

    /// <summary>Labels and probabilities in one pass.</summary>
    /// <exception cref="ProblemException">The image cannot be prepared as the model's were.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed.</exception>
    public Prediction PredictWithProbabilities(Image image, CancellationToken cancellation = default) =>
        Run(image, true, cancellation);

    /// <summary>Labels and probabilities of pixels that the caller holds.</summary>
    /// <typeparam name="T">The type of the pixels.</typeparam>
    /// <exception cref="ArgumentException">The layout does not fit the memory, or values would share bytes.</exception>
    /// <exception cref="ProblemException">The image cannot be prepared as the model's were.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Prediction PredictWithProbabilities<T>(
        ReadOnlySpan<T> pixels,
        PixelLayout layout,
        CancellationToken cancellation = default
    )
        where T : unmanaged => PredictWithProbabilities(Image.FromPixels(pixels, layout), cancellation);

    /// <summary>
    /// Predictions of several images, in their order. Those that one tile of the model shows whole go through the network
    /// together, <see cref="PredictOptions.ImagesAtOnce"/> at a time; larger ones one after the other. They are what each alone
    /// would give, up to the rounding of the network's sums.
    /// </summary>
    /// <param name="images">The images.</param>
    /// <param name="probabilities">Whether probabilities are wanted too.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ProblemException">The first image that cannot be prepared as the model's were.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed.</exception>
    public IReadOnlyList<Prediction> PredictMany(
        IReadOnlyList<Image> images,
        bool probabilities = false,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(images);
        return Interop.FromList(
            Interop.OrThrow(
                Pipeline.PredictorModule.predictMany(
                    core,
                    probabilities,
                    cancellation,
                    Interop.ToList(images, image => image.Core)
                )
            ),
            Prediction.From
        );
    }

    /// <summary>Frees the networks, at once or when the calls under way have ended.</summary>
    public void Dispose() => ((IDisposable)core).Dispose();

    private Prediction Run(Image image, bool probabilities, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Prediction.From(
            Interop.OrThrow(Pipeline.PredictorModule.predict(core, probabilities, cancellation, image.Core))
        );
    }

    private void RequireLabels(PixelLayout labels, PixelType type, PixelLayout pixels, long? bytes)
    {
        var dataset = Model.Dataset;
        var largest = dataset.Regions.Select(region => region.Paint).Append(dataset.Labels.Count - 1).Max();
        Pipeline.Pixels.checkLabels(Interop.ToOption(bytes), pixels.Extent.Core, 0, largest, labels.ToCore(type));
    }
}
