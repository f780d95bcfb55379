namespace SkeletonRecall.CSharp;

/// <summary>When the removal of all but the largest component is accepted.</summary>
public enum PostprocessRule
{
    /// <summary>
    /// By Dice, as nnU-Net decides, and besides neither the mean clDice nor the mean b0 error may get worse: it cannot cost
    /// thin trees.
    /// </summary>
    Thin,

    /// <summary>nnU-Net's: by Dice alone. It can accept the loss of true branches that hang on nothing.</summary>
    Dice,
}

/// <summary>What postprocessing does to the mean Dice of a class or region.</summary>
/// <param name="Labels">The class, or the labels of the region.</param>
/// <param name="Before">Mean Dice before all steps.</param>
/// <param name="After">Mean Dice after them.</param>
public sealed record PostprocessingGain(IReadOnlyList<int> Labels, double Before, double After);

/// <summary>
/// What postprocessing was decided: for each entry in order, all but the largest component of the labels' union is removed.
/// </summary>
/// <param name="Steps">The labels of each step; none where nothing is removed.</param>
/// <param name="Gains">Mean Dice of each class or region before and after all steps; empty where it was not measured.</param>
public sealed record Postprocessing(IReadOnlyList<IReadOnlyList<int>> Steps, IReadOnlyList<PostprocessingGain> Gains)
{
    /// <summary>
    /// Decides by a folder of predictions and their true label maps. postprocessing.json is written beside the predictions, and
    /// the postprocessed label maps into <c>postprocessed</c> there.
    /// </summary>
    /// <exception cref="ProblemException">A folder or a file cannot be read or written, or sizes differ.</exception>
    public static Postprocessing Determine(
        Dataset dataset,
        string truth,
        string prediction,
        PostprocessRule rule = PostprocessRule.Thin
    )
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(prediction);
        var core = Interop.OrThrow(Pipeline.PostprocessFolder.determine(RuleOf(rule), dataset.Core, truth, prediction));
        return new(
            Interop.FromList(core.Steps, labels => Interop.FromList(labels)),
            [
                .. core.Before.Zip(
                    core.After,
                    (before, after) => new PostprocessingGain(Interop.FromList(before.Item1), before.Item2, after.Item2)
                ),
            ]
        );
    }

    /// <summary>
    /// Does to the label maps of a folder what a postprocessing.json says, nnU-Net's own included, and writes them into another.
    /// Returns their number.
    /// </summary>
    /// <exception cref="ProblemException">A file cannot be read or written.</exception>
    public static int Apply(Dataset dataset, string file, string input, string output)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        return Interop.OrThrow(Pipeline.PostprocessFolder.apply(dataset.Core, file, input, output));
    }

    /// <summary>Does all steps to a label map.</summary>
    public LabelMap Apply(LabelMap labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        return new(Pipeline.Postprocess.apply(Interop.ToList(Steps, step => Interop.ToList(step)), labels.Core));
    }

    internal static Pipeline.PostprocessRule RuleOf(PostprocessRule rule) =>
        rule switch
        {
            PostprocessRule.Thin => Pipeline.PostprocessRule.Thin,
            PostprocessRule.Dice => Pipeline.PostprocessRule.Dice,
            _ => throw new ArgumentException($"{rule} is no PostprocessRule.", nameof(rule)),
        };
}
