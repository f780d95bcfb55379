namespace SkeletonRecall.CSharp;

/// <summary>nnU-Net's planners.</summary>
public enum PlannerKind
{
    /// <summary>The default: plain convolutions, 8 GB.</summary>
    Plain,

    /// <summary>Residual blocks, 8 GB, batches of at most 5 % of the data set.</summary>
    ResEnc,

    /// <summary>Residual blocks, 8 GB.</summary>
    ResEncM,

    /// <summary>Residual blocks, 24 GB.</summary>
    ResEncL,

    /// <summary>Residual blocks, 40 GB.</summary>
    ResEncXL,
}

/// <summary>What the planner may be told; the rest it decides by nnU-Net's rules.</summary>
public sealed record PlannerOptions
{
    /// <summary>Feature maps of the first stage, 32 by default; each further stage has twice as many.</summary>
    public int BaseFeatures { get; init; } = 32;

    /// <summary>The most feature maps of any stage; 512 by default.</summary>
    public int MaxFeatures { get; init; } = 512;

    /// <summary>The patch size (height, width), rounded up to what the network can halve; null chooses it.</summary>
    public IReadOnlyList<int>? PatchSize { get; init; }

    /// <summary>Patches per batch; null chooses by memory.</summary>
    public int? BatchSize { get; init; }

    /// <summary>Convolutions of each stage, in encoder and decoder; 2 by default.</summary>
    public int ConvsPerStage { get; init; } = 2;

    /// <summary>Which of nnU-Net's planners; the default one by default.</summary>
    public PlannerKind Kind { get; init; } = PlannerKind.Plain;

    /// <summary>GPU memory to plan for in GB; null is what the planner assumes.</summary>
    public double? MemoryTarget { get; init; }

    /// <summary>Target spacing in mm, one entry per axis of the files; null chooses it.</summary>
    public IReadOnlyList<double>? TargetSpacing { get; init; }

    /// <summary>The name of the plans; null is the planner's.</summary>
    public string? PlansName { get; init; }

    internal Pipeline.PlannerOptions ToCore() =>
        new(
            BaseFeatures,
            MaxFeatures,
            Interop.ToOption(PatchSize is null ? null : Interop.ToList(PatchSize)),
            Interop.ToOption(BatchSize),
            ConvsPerStage,
            Kind switch
            {
                PlannerKind.Plain => Pipeline.PlannerKind.Plain,
                PlannerKind.ResEnc => Pipeline.PlannerKind.ResEnc,
                PlannerKind.ResEncM => Pipeline.PlannerKind.ResEncM,
                PlannerKind.ResEncL => Pipeline.PlannerKind.ResEncL,
                PlannerKind.ResEncXL => Pipeline.PlannerKind.ResEncXL,
                _ => throw new ArgumentException($"{Kind} is no planner.", nameof(Kind)),
            },
            Interop.ToOption(MemoryTarget),
            Interop.ToOption(TargetSpacing is null ? null : Interop.ToList(TargetSpacing)),
            Interop.ToOption(PlansName)
        );
}

/// <summary>How cases are prepared, which patches are cut and which network sees them.</summary>
public sealed class Configuration
{
    internal Configuration(Pipeline.Configuration core) => Core = core;

    internal Pipeline.Configuration Core { get; }

    /// <summary>The configuration of planes of the given extents, by nnU-Net's rules.</summary>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">There are no images, volumes among them, or only tiny ones.</exception>
    public static Configuration Plan(Dataset dataset, IEnumerable<Extent> extents, PlannerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(extents);
        var result = Pipeline.Planner.plan2d(
            (options ?? new()).ToCore(),
            dataset.Core,
            Interop.ToList(extents, extent => extent.Core)
        );
        return new(Interop.OrThrow(result).Configurations["2d"]);
    }

    /// <summary>Patch size per axis, slowest first.</summary>
    public IReadOnlyList<int> PatchSize => Interop.FromList(Core.PatchSize);

    /// <summary>Patches per batch.</summary>
    public int BatchSize => Core.BatchSize;

    /// <summary>Whether Dice and recall sum over the batch before their ratio.</summary>
    public bool BatchDice => Core.BatchDice;

    /// <summary>Feature maps of each stage of the network, finest first.</summary>
    public IReadOnlyList<int> FeaturesPerStage => Interop.FromList(Core.Architecture.FeaturesPerStage);

    /// <summary>The stride with which each stage of the network begins, one entry per axis, finest stage first.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Strides =>
        Interop.FromList(Core.Architecture.Strides, stride => Interop.FromList(stride));
}
