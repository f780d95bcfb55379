namespace SkeletonRecall.CSharp;

/// <summary>One case: its image and, where it is known, its label map.</summary>
public sealed class Case
{
    internal Case(Pipeline.Case core) => Core = core;

    internal Pipeline.Case Core { get; }

    /// <summary>A case with a name that can stand as a file name on every system.</summary>
    /// <exception cref="ArgumentException">The name is no plain file name, or image and labels differ in size.</exception>
    public Case(string id, Image image, LabelMap? labels = null)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(image);
        Core = Pipeline.CaseModule.create(
            Pipeline.CaseIdModule.ofString(id),
            image.Core,
            Interop.ToOption(labels?.Core)
        );
    }

    /// <summary>The name of the case.</summary>
    public string Id => Pipeline.CaseIdModule.value(Core.Id);

    /// <summary>The image.</summary>
    public Image Image => new(Core.Image);

    /// <summary>The label map; null where it is not known.</summary>
    public LabelMap? Labels => Interop.ToReference(Core.Labels) is { } labels ? new(labels) : null;

    /// <summary>The name.</summary>
    public override string ToString() => Id;
}
