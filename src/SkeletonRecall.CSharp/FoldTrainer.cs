namespace SkeletonRecall.CSharp;

/// <summary>One fold of one configuration to train from nnU-Net's folders: which data, which network, which recipe.</summary>
public sealed record FoldOptions
{
    /// <summary>The configuration; <c>2d</c> by default.</summary>
    public string Configuration { get; init; } = "2d";

    /// <summary>The fold: <c>0</c> (the default), <c>1</c>, ... or <c>all</c>.</summary>
    public string Fold { get; init; } = "0";

    /// <summary>The trainer's name in the results folder; <c>nnUNetTrainerSkeletonRecall</c> by default.</summary>
    public string Trainer { get; init; } = "nnUNetTrainerSkeletonRecall";

    /// <summary>The plans' name; <c>nnUNetPlans</c> by default.</summary>
    public string PlansName { get; init; } = "nnUNetPlans";

    /// <summary>How planes are planned where there are no plans at all.</summary>
    public PlannerOptions Planner { get; init; } = new();

    /// <summary>How the run trains.</summary>
    public TrainOptions Train { get; init; } = new();

    /// <summary>Axes of the patch (0 = slowest) along which training mirrors; null, the default, for all of them.</summary>
    public IReadOnlyList<int>? MirrorAxes { get; init; }

    /// <summary>A checkpoint whose weights the run begins with; none by default.</summary>
    public string? PretrainedWeights { get; init; }

    /// <summary>Whether the heads of the pretrained weights are taken too; false by default, as in nnU-Net.</summary>
    public bool PretrainedHeads { get; init; }

    /// <summary>Whether a run that was stopped goes on where it was; false, the default, begins anew.</summary>
    public bool Continue { get; init; }

    /// <summary>Whether the validation cases are predicted whole and scored at the end; true by default.</summary>
    public bool Validate { get; init; } = true;

    /// <summary>Whether their probabilities are kept, for ensembles; false by default.</summary>
    public bool SaveProbabilities { get; init; }

    internal Pipeline.TrainRequest ToCore(Roots roots, string dataset) =>
        new(
            roots.Core,
            dataset,
            Configuration,
            Fold,
            Trainer,
            PlansName,
            Planner.ToCore(),
            Train.ToCore(),
            Interop.ToOption(MirrorAxes is null ? null : Interop.ToList(MirrorAxes)),
            Interop.ToOption(PretrainedWeights is null ? null : Tuple.Create(PretrainedWeights, PretrainedHeads)),
            Continue,
            Validate,
            SaveProbabilities
        );
}

/// <summary>Training from nnU-Net's folders, as the command <c>train</c> does.</summary>
public static class FoldTrainer
{
    /// <summary>
    /// Trains a fold in the calling thread and returns its folder, in which checkpoint_final.safetensors lies. Cases come from
    /// the preprocessed folder where they were preprocessed by the plans; else they are read and preprocessed here and held in
    /// memory.
    /// </summary>
    /// <param name="roots">Where everything lies.</param>
    /// <param name="dataset">The data set, by number or name.</param>
    /// <param name="options">What is trained.</param>
    /// <param name="notes">Hears what a person should know.</param>
    /// <param name="progress">Told of each iteration and epoch.</param>
    /// <param name="cancellation">Stops the run after the current iteration; it can go on from there.</param>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">A file cannot be read or written, or the loss became infinite or NaN.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; checkpoint_latest is there.</exception>
    public static string Run(
        Roots roots,
        string dataset,
        FoldOptions? options = null,
        IProgress<string>? notes = null,
        IProgress<TrainProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(roots);
        ArgumentNullException.ThrowIfNull(dataset);
        return Interop.OrThrow(
            Pipeline.Pipeline.train(
                (options ?? new()).ToCore(roots, dataset),
                cancellation,
                Interop.ToNotes(notes),
                Interop.ToProcedure<Pipeline.Progress>(told => progress?.Report(TrainProgress.From(told)))
            )
        );
    }

    /// <summary>
    /// The checkpoints of a model's folder (of all its folds that have one, or of fold_all), as
    /// <see cref="Predictor.Load(IReadOnlyList{string}, PredictOptions?)"/> takes them.
    /// </summary>
    /// <param name="roots">Where everything lies.</param>
    /// <param name="dataset">The data set, by number or name.</param>
    /// <param name="options">Which model: its trainer, plans and configuration count.</param>
    /// <exception cref="ProblemException">There is no such data set, or no fold is trained to its end.</exception>
    public static IReadOnlyList<string> Checkpoints(Roots roots, string dataset, FoldOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(roots);
        options ??= new();
        var model = Pipeline.Store.modelFolder(
            roots.Core,
            Pipeline.Store.name(Interop.OrThrow(Pipeline.Store.datasetFolder(roots.Core, dataset))),
            options.Trainer,
            options.PlansName,
            options.Configuration
        );
        return Interop.FromList(Interop.OrThrow(Pipeline.ModelFolder.checkpoints(model, "final", null)));
    }
}
