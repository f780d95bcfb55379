namespace SkeletonRecall.CSharp;

/// <summary>Images and masks of one part of a data set, by patterns with one star, which stands for the name of the case.</summary>
/// <param name="Images">The images, such as <c>images/*.jpg</c>.</param>
/// <param name="Masks">The masks, such as <c>masks/*_mask.png</c>; null where the part has none.</param>
public sealed record ConversionPart(string Images, string? Masks);

/// <summary>How the values of masks become labels.</summary>
public abstract record MaskRule
{
    private protected MaskRule() { }

    /// <summary>
    /// By what is found: 0 and one other value are background and foreground; values 0, 1, 2 ... stay; other values and colours
    /// become 0, 1, 2 ... in ascending order. Values between 0 and full white are refused unless
    /// <see cref="ConversionOptions.Labels"/> says how many classes there are.
    /// </summary>
    /// <param name="background">The value of the background; null for 0 or black, else what is found most often.</param>
    public static MaskRule Found(int? background = null) => new FoundRule(background);

    /// <summary>1 where the brightest channel is above the threshold.</summary>
    public static MaskRule Above(double threshold) => new AboveRule(threshold);

    /// <summary>Only these values, and the label that each becomes.</summary>
    public static MaskRule Fixed(IReadOnlyDictionary<int, int> labels) => new FixedRule(labels);

    internal abstract Pipeline.MaskRule ToCore(IReadOnlyList<string> names);

    private sealed record FoundRule(int? Background) : MaskRule
    {
        internal override Pipeline.MaskRule ToCore(IReadOnlyList<string> names) =>
            Pipeline.MaskRule.NewFound(Interop.ToOption(Background), Interop.ToList(names));
    }

    private sealed record AboveRule(double Threshold) : MaskRule
    {
        internal override Pipeline.MaskRule ToCore(IReadOnlyList<string> names) =>
            Pipeline.MaskRule.NewAbove(Threshold);
    }

    private sealed record FixedRule(IReadOnlyDictionary<int, int> Labels) : MaskRule
    {
        internal override Pipeline.MaskRule ToCore(IReadOnlyList<string> names) =>
            Pipeline.MaskRule.NewFixed(Interop.ToPairs(Labels.Select(pair => (pair.Key, pair.Value))));
    }
}

/// <summary>How a folder of images and masks becomes a data set in nnU-Net's raw layout.</summary>
public sealed record ConversionOptions
{
    /// <summary>What is trained on; of several parts the first whose images are there. images/* and masks/* by default.</summary>
    public IReadOnlyList<ConversionPart> Training { get; init; } = [new("images/*", "masks/*")];

    /// <summary>What is held out, taken in the same way; nothing by default.</summary>
    public IReadOnlyList<ConversionPart> Test { get; init; } = [];

    /// <summary>Which cases of <see cref="Training"/>, by name, are held out; null, the default, for none.</summary>
    public Func<string, bool>? IsHeldOut { get; init; }

    /// <summary>Names of the channels; none, the default, for R, G and B of colours and <c>grey</c> of one channel.</summary>
    public IReadOnlyList<string> Channels { get; init; } = [];

    /// <summary>Names of the classes but the background; none, the default, for <c>foreground</c> or <c>class 1</c> ...</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>How values become labels; by what is found by default.</summary>
    public MaskRule Rule { get; init; } = MaskRule.Found();

    /// <summary>The spacing in mm of volumes whose files say none; null by default.</summary>
    public double? Spacing { get; init; }

    /// <summary>Whether images without a mask are left out; false, the default, makes them a problem.</summary>
    public bool SkipUnpaired { get; init; }

    /// <summary>The ending to write; null, the default, for .png of planes and .nii.gz of volumes.</summary>
    public string? Ending { get; init; }

    /// <summary>Whether volumes are turned to right, anterior, superior; false by default.</summary>
    public bool ToRas { get; init; }

    internal Pipeline.Recipe ToCore()
    {
        var standard = Pipeline.Conversion.standard;
        return new(
            Parts(Training),
            Parts(Test),
            IsHeldOut is { } isHeldOut ? Interop.ToFunction(isHeldOut) : standard.IsHeldOut,
            standard.Case,
            Interop.ToList(Channels),
            Interop.ToList(Labels),
            Rule.ToCore(Labels),
            Interop.ToOption(Spacing),
            SkipUnpaired,
            Interop.ToOption(Ending),
            ToRas,
            standard.Clean
        );
    }

    private static Microsoft.FSharp.Collections.FSharpList<Pipeline.ConversionPart> Parts(
        IReadOnlyList<ConversionPart> parts
    ) => Interop.ToList(parts, part => new Pipeline.ConversionPart(part.Images, Interop.ToOption(part.Masks)));
}

/// <summary>Data sets of the paper whose layouts are known.</summary>
public enum PublicDataset
{
    /// <summary>Massachusetts Roads.</summary>
    Roads,

    /// <summary>DRIVE, vessels of the retina.</summary>
    Drive,

    /// <summary>Cracks in concrete, NCCD-PF; the layout is unverified.</summary>
    Cracks,

    /// <summary>ToothFairy, the canal in the jaw.</summary>
    ToothFairy,

    /// <summary>TopCoW, the circle of Willis; see <see cref="PublicOptions"/>.</summary>
    TopCow,
}

/// <summary>How TopCoW's volumes were taken.</summary>
public enum Angiography
{
    /// <summary>By magnetic resonance.</summary>
    Mr,

    /// <summary>By computed tomography.</summary>
    Ct,

    /// <summary>The volumes of both.</summary>
    Both,
}

/// <summary>What is taken of a public data set that offers a choice.</summary>
public sealed record PublicOptions
{
    /// <summary>Of TopCoW: which volumes; those by magnetic resonance by default.</summary>
    public Angiography Angiography { get; init; } = Angiography.Mr;

    /// <summary>Of TopCoW: one class of all arteries in place of 13; false by default.</summary>
    public bool Binary { get; init; }
}

/// <summary>What came of a conversion.</summary>
/// <param name="Dataset">The data set.</param>
/// <param name="Held">Cases that are held out, in imagesTs.</param>
/// <param name="Notes">What a person should know: which values became which labels, what was left out.</param>
public sealed record Converted(Dataset Dataset, int Held, IReadOnlyList<string> Notes);

/// <summary>Making data sets in nnU-Net's raw layout; nothing is overwritten, and a data set is there whole or not at all.</summary>
public static class Conversion
{
    /// <summary>Makes a data set from a folder of images and masks.</summary>
    /// <param name="source">The folder.</param>
    /// <param name="target">The data set's folder, which is not there yet, by custom <c>Dataset001_Name</c>.</param>
    /// <param name="options">How.</param>
    /// <param name="workers">Cases that are worked on at once, each in memory.</param>
    /// <param name="progress">Hears the share that is done.</param>
    /// <param name="cancellation">Ends it; nothing is left then.</param>
    /// <exception cref="ProblemException">Files are missing, cannot be read, or masks are no labels.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Converted Run(
        string source,
        string target,
        ConversionOptions? options = null,
        int workers = 2,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    ) => Run((options ?? new()).ToCore(), source, target, workers, progress, cancellation);

    /// <summary>Makes a data set from the download of a public one.</summary>
    /// <param name="kind">Which one.</param>
    /// <param name="source">The folder of the download.</param>
    /// <param name="target">The data set's folder, which is not there yet.</param>
    /// <param name="options">What is taken of it.</param>
    /// <param name="workers">Cases that are worked on at once, each in memory.</param>
    /// <param name="progress">Hears the share that is done.</param>
    /// <param name="cancellation">Ends it; nothing is left then.</param>
    /// <exception cref="ProblemException">Files are missing or cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Converted Run(
        PublicDataset kind,
        string source,
        string target,
        PublicOptions? options = null,
        int workers = 2,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        options ??= new();
        var recipe = kind switch
        {
            PublicDataset.Roads => Pipeline.PublicDatasets.roads,
            PublicDataset.Drive => Pipeline.PublicDatasets.drive,
            PublicDataset.Cracks => Pipeline.PublicDatasets.cracks,
            PublicDataset.ToothFairy => Interop.OrThrow(Pipeline.PublicDatasets.toothFairy(source)),
            PublicDataset.TopCow => Pipeline.PublicDatasets.topCow(options.Binary, NameOf(options.Angiography)),
            _ => throw new ArgumentException($"{kind} is no PublicDataset.", nameof(kind)),
        };
        return Run(recipe, source, target, workers, progress, cancellation);
    }

    private static string NameOf(Angiography angiography) =>
        angiography switch
        {
            Angiography.Mr => "mr",
            Angiography.Ct => "ct",
            Angiography.Both => "both",
            _ => throw new ArgumentException($"{angiography} is no Angiography.", nameof(angiography)),
        };

    private static Converted Run(
        Pipeline.Recipe recipe,
        string source,
        string target,
        int workers,
        IProgress<double>? progress,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        var made = Interop.OrThrow(
            Pipeline.Conversion.run(recipe, workers, cancellation, Interop.ToReport(progress), source, target)
        );
        return new(new(made.Dataset), made.Held, Interop.FromList(made.Notes));
    }
}
