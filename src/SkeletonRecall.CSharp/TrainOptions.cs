namespace SkeletonRecall.CSharp;

/// <summary>What the tubes of training are grown from.</summary>
public enum SkeletonSource
{
    /// <summary>The skeleton of each patch, made after augmentation.</summary>
    Patch,

    /// <summary>The skeleton of the whole case, made once, moved with each patch and painted there.</summary>
    Cached,
}

/// <summary>How a run trains; the defaults are nnU-Net's with the Skeleton Recall objective.</summary>
public sealed record TrainOptions
{
    /// <summary>What is made small; <c>dice + ce + 1.0*skeleton-recall</c> by default.</summary>
    public Objective Objective { get; init; } = Objective.SkeletonRecall;

    /// <summary>What tubes are grown from; the skeleton of each patch by default, as upstream does.</summary>
    public SkeletonSource Skeletons { get; init; } = SkeletonSource.Patch;

    /// <summary>Epochs of the whole run, 1000 by default; the learning rate falls to 0 over them.</summary>
    public int Epochs { get; init; } = 1000;

    /// <summary>Training iterations per epoch, 250 by default; an epoch is no pass over the data.</summary>
    public int Iterations { get; init; } = 250;

    /// <summary>Validation iterations per epoch, 50 by default; 0 leaves validation out.</summary>
    public int ValidationIterations { get; init; } = 50;

    /// <summary>Learning rate of the first epoch; 0.01 by default.</summary>
    public double LearningRate { get; init; } = 0.01;

    /// <summary>Nesterov momentum; 0.99 by default.</summary>
    public double Momentum { get; init; } = 0.99;

    /// <summary>Weight decay (L2) on all parameters; 3e-5 by default.</summary>
    public double WeightDecay { get; init; } = 3e-5;

    /// <summary>Longest gradient (L2 over all parameters); 12 by default.</summary>
    public double Clip { get; init; } = 12;

    /// <summary>Share of each batch's patches that must show foreground; 0.33 by default.</summary>
    public double Oversampling { get; init; } = 0.33;

    /// <summary>Whether training mirrors along all axes, and prediction may; true by default.</summary>
    public bool Mirror { get; init; } = true;

    /// <summary>Seed of weights, patches and augmentation; 0 by default.</summary>
    public int Seed { get; init; }

    /// <summary>Threads that prepare batches; 1 by default.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Epochs between two files checkpoint_latest; 50 by default.</summary>
    public int SaveEvery { get; init; } = 50;

    /// <summary>
    /// Epochs between two validations on whole cases, which the last epoch has too; 0, the default, leaves them out.
    /// </summary>
    public int ValidateEvery { get; init; }

    /// <summary>
    /// What validations on whole cases measure, by the paper's profile; Dice, clDice and the errors of B0 and B1 by default.
    /// Dice is always among it.
    /// </summary>
    public IReadOnlyList<Measure> Measures { get; init; } =
    [Measure.Dice, Measure.ClDice, Measure.B0Error, Measure.B1Error];

    /// <summary>
    /// The measure on whole validation cases that decides which weights are the best, among those whose Dice is within 0.01
    /// of the best one; null, the default, leaves it to the moving pseudo-Dice of patches.
    /// </summary>
    public Measure? BestBy { get; init; }

    /// <summary>Where it is computed; the processor by default.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>What convolutions are computed in; single precision by default.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    internal Pipeline.TrainOptions ToCore() =>
        new(
            Objective.Core,
            Skeletons is SkeletonSource.Cached ? Pipeline.SkeletonSource.Cached : Pipeline.SkeletonSource.Patch,
            Epochs,
            Iterations,
            ValidationIterations,
            LearningRate,
            Momentum,
            WeightDecay,
            Clip,
            Oversampling,
            Mirror,
            Seed,
            Workers,
            SaveEvery,
            ValidateEvery,
            Interop.ToList(Measures, measure => measure.ToCore()),
            Interop.ToOption(BestBy?.ToCore()),
            Device.ToCore(),
            Precision.ToCore()
        );

    internal static TrainOptions From(Pipeline.TrainOptions core) =>
        new()
        {
            Objective = new(core.Objective),
            Skeletons = core.Skeletons.IsCached ? SkeletonSource.Cached : SkeletonSource.Patch,
            Epochs = core.Epochs,
            Iterations = core.Iterations,
            ValidationIterations = core.ValidationIterations,
            LearningRate = core.LearningRate,
            Momentum = core.Momentum,
            WeightDecay = core.WeightDecay,
            Clip = core.Clip,
            Oversampling = core.Oversampling,
            Mirror = core.Mirror,
            Seed = core.Seed,
            Workers = core.Workers,
            SaveEvery = core.SaveEvery,
            ValidateEvery = core.ValidateEvery,
            Measures = Interop.FromList(core.Measures, measure => measure.FromCore()),
            BestBy = core.BestBy is { } best ? best.Value.FromCore() : null,
            Device = core.Device.FromCore(),
            Precision = core.Precision.FromCore(),
        };
}
