namespace SkeletonRecall.CSharp;

/// <summary>Which weights to find, and on what.</summary>
public sealed record WeighOptions
{
    /// <summary>
    /// The folder with raw, preprocessed and results where nnUNet_raw, nnUNet_preprocessed and nnUNet_results are not set;
    /// ./skeleton-recall by default.
    /// </summary>
    public string? Root { get; init; }

    /// <summary>A checkpoint's file; none, an untrained network of the plans, by default.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>The configuration of an untrained network; <c>2d</c> by default.</summary>
    public string Configuration { get; init; } = "2d";

    /// <summary>The name of the plans that it is of; <c>nnUNetPlans</c> by default.</summary>
    public string PlansName { get; init; } = "nnUNetPlans";

    /// <summary>The objective; the checkpoint's, or the paper's without one, by default.</summary>
    public Objective? Objective { get; init; }

    /// <summary>Batches to measure, 4 by default; at least 1.</summary>
    public int Batches { get; init; } = 4;

    /// <summary>How hard a term with its weight should pull against all others together, 1 by default; above 0.</summary>
    public double Ratio { get; init; } = 1.0;

    /// <summary>Seed of the batches, and of the weights without a checkpoint; 0 by default.</summary>
    public int Seed { get; init; }

    /// <summary>Where tensors live; the processor by default.</summary>
    public Device Device { get; init; } = Device.Cpu;
}

/// <summary>How hard a term of an objective pulls: means over batches, without its weight.</summary>
/// <param name="Name">The term's name in the text form.</param>
/// <param name="Weight">Its weight in the objective.</param>
/// <param name="Value">Its value over all heads.</param>
/// <param name="LogitsNorm">The L2 norm of its gradient by the logits of all heads.</param>
/// <param name="WeightsNorm">The L2 norm of its gradient by the network's weights.</param>
/// <param name="WeightAtLogits">The weight that gives the wanted ratio at the logits; null where nothing pulls.</param>
/// <param name="WeightAtWeights">The same at the network's weights.</param>
public sealed record TermPull(
    string Name,
    double Weight,
    double Value,
    double LogitsNorm,
    double WeightsNorm,
    double? WeightAtLogits,
    double? WeightAtWeights
);

/// <summary>What the weight finder measured and advises.</summary>
/// <param name="Objective">What was weighed.</param>
/// <param name="Suggested">The objective to go on with; null where there is nothing to weigh.</param>
/// <param name="Terms">The objective's terms, in their order.</param>
public sealed record WeightReport(Objective Objective, Objective? Suggested, IReadOnlyList<TermPull> Terms);

/// <summary>
/// Finds the weight of a term: what it pulls at the logits and at the network's weights, beside the rest of the objective.
/// </summary>
public static class WeightFinder
{
    /// <summary>Measures on batches of a data set (number or name), as training draws them.</summary>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    /// <exception cref="ProblemException">The data set cannot be read, or the checkpoint does not fit it.</exception>
    public static WeightReport Run(string dataset, WeighOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        options ??= new();
        var weighed = Interop.OrThrow(
            Pipeline.Weighing.run(
                new(
                    Roots.Find(options.Root).Core,
                    dataset,
                    Interop.ToOption(options.Checkpoint),
                    options.Configuration,
                    options.PlansName,
                    Interop.ToOption(options.Objective?.Core),
                    options.Batches,
                    options.Ratio,
                    options.Seed,
                    options.Device.ToCore()
                ),
                Interop.ToReport(null)
            )
        );
        var report = weighed.Report;
        return new(
            new(weighed.Objective),
            Interop.ToReference(weighed.Suggested) is { } suggested ? new(suggested) : null,
            Interop.FromList(
                report.Terms,
                term => new TermPull(
                    term.Name,
                    term.Weight,
                    term.Value,
                    term.LogitsNorm,
                    term.WeightsNorm,
                    Interop.ToNullable(Pipeline.WeightFinder.atLogits(report, term)),
                    Interop.ToNullable(Pipeline.WeightFinder.atWeights(report, term))
                )
            )
        );
    }
}
