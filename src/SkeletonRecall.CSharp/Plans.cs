namespace SkeletonRecall.CSharp;

/// <summary>What the planner decided for a data set: nnU-Net's plans.json.</summary>
public sealed class Plans
{
    internal Plans(Pipeline.Plans core) => Core = core;

    internal Pipeline.Plans Core { get; }

    /// <summary>Plans by nnU-Net's rules from what was measured of a data set.</summary>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    /// <exception cref="ProblemException">The data set cannot be planned, e.g. for images that are too small.</exception>
    public static Plans Of(Dataset dataset, Fingerprint fingerprint, PlannerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(fingerprint);
        return new(
            Interop.OrThrow(Pipeline.Planner.ofFingerprint((options ?? new()).ToCore(), dataset.Core, fingerprint.Core))
        );
    }

    /// <summary>Plans from the text of their file, nnU-Net's own included; the path serves the messages.</summary>
    /// <exception cref="ProblemException">The text is no plans.json.</exception>
    public static Plans Parse(string json, string path = "nnUNetPlans.json")
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(path);
        return new(Interop.OrThrow(Pipeline.PlansModule.parse(path, json)));
    }

    /// <summary>The name of the data set.</summary>
    public string DatasetName => Core.DatasetName;

    /// <summary>The name of the plans.</summary>
    public string Name => Core.PlansName;

    /// <summary>Axis i of the transposed images is axis <c>Transpose[i]</c> of the files.</summary>
    public IReadOnlyList<int> Transpose => Interop.FromList(Core.Transpose);

    /// <summary>The configurations by name: <c>2d</c>, <c>3d_fullres</c>, <c>3d_lowres</c>.</summary>
    public IReadOnlyDictionary<string, Configuration> Configurations =>
        Core.Configurations.ToDictionary(pair => pair.Key, pair => new Configuration(pair.Value));

    /// <summary>Why configurations of the file cannot be used here, by their names.</summary>
    public IReadOnlyDictionary<string, string> NotServed =>
        Core.NotServed.ToDictionary(pair => pair.Key, pair => pair.Value.Reason);

    /// <summary>
    /// A case as training sees it: axes in the plans' order, cropped to what is not zero, normalized and resampled to the
    /// configuration's spacing. A label is -1 for background outside the non-zero part.
    /// </summary>
    /// <exception cref="ArgumentException">The plans have no such configuration.</exception>
    /// <exception cref="ProblemException">The case has other channels than planned, or values that are no numbers.</exception>
    public Case Preprocess(string configuration, Dataset dataset, Case item)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(item);
        if (!Configurations.TryGetValue(configuration, out var found))
        {
            throw new ArgumentException(
                $"The plans have {string.Join(", ", Configurations.Keys)}; got '{configuration}'.",
                nameof(configuration)
            );
        }
        var made = Interop.OrThrow(Pipeline.Preprocess.@case(Core.Transpose, found.Core, dataset.Core, item.Core));
        return new(Pipeline.CaseModule.create(made.Id, made.Image, made.Labels));
    }

    /// <summary>The text of nnU-Net's file.</summary>
    public string ToJson() => Pipeline.PlansModule.print(Core);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
