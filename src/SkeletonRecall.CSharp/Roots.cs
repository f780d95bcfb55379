namespace SkeletonRecall.CSharp;

/// <summary>The three folders that hold everything, as nnU-Net has them.</summary>
public sealed class Roots
{
    internal Roots(Pipeline.Roots core) => Core = core;

    internal Pipeline.Roots Core { get; }

    /// <summary>
    /// The folders raw, preprocessed and results of <paramref name="root"/>. Without it the environment variables nnUNet_raw,
    /// nnUNet_preprocessed and nnUNet_results count, each for itself, and <c>./skeleton-recall</c> stands in for those that are
    /// not set.
    /// </summary>
    public static Roots Find(string? root = null) =>
        new(
            Pipeline.Store.roots(
                Interop.ToFunction<string, Microsoft.FSharp.Core.FSharpOption<string>?>(name =>
                    Interop.ToOption(Environment.GetEnvironmentVariable(name))
                ),
                Interop.ToOption(root)
            )
        );

    /// <summary>Data sets as they came: <c>Dataset001_Name/imagesTr</c> and so on.</summary>
    public string Raw => Core.Raw;

    /// <summary>What is made of them before training.</summary>
    public string Preprocessed => Core.Preprocessed;

    /// <summary>Trained models and their results.</summary>
    public string Results => Core.Results;

    /// <summary>The folder of a data set by its number, name or path.</summary>
    /// <exception cref="ProblemException">There is none, or several have the number.</exception>
    public string DatasetFolder(string dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return Interop.OrThrow(Pipeline.Store.rawFolder(Core, dataset));
    }
}
