using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace SkeletonRecall.CSharp;

/// <summary>What a run trains on.</summary>
/// <param name="Dataset">Channels and classes.</param>
/// <param name="Configuration">Patches and network.</param>
/// <param name="Folder">Where checkpoints and records go; made when it is missing.</param>
/// <param name="Training">The training cases, with labels.</param>
/// <param name="Validation">The validation cases, with labels; may be empty.</param>
public sealed record TrainSetup(
    Dataset Dataset,
    Configuration Configuration,
    string Folder,
    IReadOnlyList<Case> Training,
    IReadOnlyList<Case> Validation
)
{
    /// <summary>
    /// A loss of one's own in place of the objective's; null, the default, trains the objective. The objective still says what
    /// targets are prepared with (tubes, supervision), and its terms are what the log shows. Who resumes such a run gives the
    /// loss again: no file keeps it.
    /// </summary>
    public Loss? Loss { get; init; }

    /// <summary>
    /// What stands on the coarser heads beside <see cref="Loss"/>; null, the default, for the same. Targets there have a
    /// skeleton only where the objective's supervision is of all heads.
    /// </summary>
    public Loss? CoarseLoss { get; init; }

    internal Pipeline.TrainSetup ToCore(TrainOptions options)
    {
        var core = Pipeline.TrainSetupModule.create(options.ToCore(), Configuration.Core, Dataset.Core);
        return Loss is null
            ? core
            : Pipeline.TrainSetupModule.withLoss(Loss.ToFunction(), (CoarseLoss ?? Loss).ToFunction(), core);
    }
}

/// <summary>
/// Trains networks as nnU-Net does. A run leaves checkpoint_best, checkpoint_final, training_log.txt, run.json and
/// progress.csv in its folder. Cancellation leaves checkpoint_latest, from which the very next iteration can go on.
/// </summary>
public static class Trainer
{
    /// <summary>Trains in the calling thread; progress is reported in it too.</summary>
    /// <param name="options">How to train.</param>
    /// <param name="setup">What on.</param>
    /// <param name="resume">A model to go on from, bit for bit as if the run had not been stopped.</param>
    /// <param name="progress">Told of each iteration and epoch.</param>
    /// <param name="cancellation">Stops the run after the current iteration.</param>
    /// <exception cref="ArgumentException">
    /// Options are out of range, there is no training case, or a case lacks labels or has other channels.
    /// </exception>
    /// <exception cref="ProblemException">A file cannot be written, or the loss became infinite or NaN.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; checkpoint_latest is there.</exception>
    public static Model Run(
        TrainOptions options,
        TrainSetup setup,
        Model? resume = null,
        IProgress<TrainProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(setup);
        return new(
            Interop.OrThrow(
                Pipeline.Trainer.trainCases(
                    setup.ToCore(options),
                    setup.Folder,
                    Interop.ToOption(resume?.Core),
                    cancellation,
                    Interop.ToProcedure<Pipeline.Progress>(told => progress?.Report(TrainProgress.From(told))),
                    Interop.ToList(setup.Training, item => item.Core),
                    Interop.ToList(setup.Validation, item => item.Core)
                )
            )
        );
    }

    /// <summary>
    /// Trains in a thread of its own while the caller reads along: an iteration or epoch at a time and, last, the finished
    /// model. Leaving the loop early stops the run as cancellation does. Exceptions are those of <see cref="Run"/>.
    /// </summary>
    public static async IAsyncEnumerable<TrainProgress> RunAsync(
        TrainOptions options,
        TrainSetup setup,
        Model? resume = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var told = Channel.CreateUnbounded<TrainProgress>(new() { SingleReader = true, SingleWriter = true });
        var run = Task.Factory.StartNew(
            () => Tell(told.Writer, options, setup, resume, stop.Token),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );
        try
        {
            // The run's exception completes the channel, so that it ends this loop; what was told before comes first.
            await foreach (var item in told.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return item;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await run.ConfigureAwait(false);
        }
    }

    private static void Tell(
        ChannelWriter<TrainProgress> writer,
        TrainOptions options,
        TrainSetup setup,
        Model? resume,
        CancellationToken cancellation
    )
    {
        try
        {
            var model = Run(options, setup, resume, new Listener(writer), cancellation);
            writer.TryWrite(new TrainFinished(model));
            writer.Complete();
        }
        catch (Exception error)
        {
            writer.Complete(error);
        }
    }

    private sealed class Listener(ChannelWriter<TrainProgress> writer) : IProgress<TrainProgress>
    {
        public void Report(TrainProgress value) => writer.TryWrite(value);
    }
}
