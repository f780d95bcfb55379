namespace SkeletonRecall.CSharp;

/// <summary>What one epoch of training came to.</summary>
/// <param name="Epoch">0 for the first epoch.</param>
/// <param name="LearningRate">The learning rate of the whole epoch.</param>
/// <param name="TrainLoss">Mean loss of the training iterations, all heads.</param>
/// <param name="ValidationLoss">Mean loss of the validation iterations, all heads; NaN without validation.</param>
/// <param name="Terms">Each term of the objective: its mean over the validation iterations, unweighted.</param>
/// <param name="PseudoDice">Dice of each foreground class over the epoch's validation patches; NaN where there is none.</param>
/// <param name="Measures">Measures on whole validation cases: the mean over cases of each class, then over classes; empty where the epoch had no such validation.</param>
/// <param name="Seconds">Wall time of the epoch.</param>
public sealed record EpochReport(
    int Epoch,
    double LearningRate,
    double TrainLoss,
    double ValidationLoss,
    IReadOnlyList<TermValue> Terms,
    IReadOnlyList<double> PseudoDice,
    IReadOnlyDictionary<Measure, double> Measures,
    double Seconds
)
{
    internal static EpochReport From(Pipeline.EpochReport core) =>
        new(
            core.Epoch,
            core.LearningRate,
            core.TrainLoss,
            core.ValidationLoss,
            Interop.FromList(core.Terms, pair => new TermValue(pair.Item1, pair.Item2)),
            Interop.FromList(core.PseudoDice),
            core.Measures.ToDictionary(pair => pair.Item1.FromCore(), pair => pair.Item2),
            core.Seconds
        );
}

/// <summary>What a run tells while it goes on.</summary>
public abstract record TrainProgress
{
    private protected TrainProgress() { }

    internal static TrainProgress From(Pipeline.Progress core) =>
        core switch
        {
            Pipeline.Progress.Step step => new TrainStep(step.epoch, step.iteration, step.loss),
            Pipeline.Progress.Epoch epoch => new TrainEpoch(EpochReport.From(epoch.Item)),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
}

/// <summary>One training iteration is done; epoch and iteration count from 0.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="Iteration">The iteration of the epoch.</param>
/// <param name="Loss">The loss before the step.</param>
public sealed record TrainStep(int Epoch, int Iteration, double Loss) : TrainProgress;

/// <summary>One epoch, validation included, is done.</summary>
/// <param name="Report">What it came to.</param>
public sealed record TrainEpoch(EpochReport Report) : TrainProgress;

/// <summary>The run is done.</summary>
/// <param name="Model">What it made.</param>
public sealed record TrainFinished(Model Model) : TrainProgress;
