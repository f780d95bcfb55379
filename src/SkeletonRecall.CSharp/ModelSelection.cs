namespace SkeletonRecall.CSharp;

/// <summary>A trained model, by the three names of its folder.</summary>
/// <param name="Trainer">The trainer, e.g. <c>nnUNetTrainerSkeletonRecall</c>.</param>
/// <param name="PlansName">The plans, e.g. <c>nnUNetPlans</c>.</param>
/// <param name="Configuration">The configuration, e.g. <c>2d</c>.</param>
public sealed record ModelName(string Trainer, string PlansName, string Configuration);

/// <summary>How trained models are compared.</summary>
public sealed record SelectionOptions
{
    /// <summary>The models; null, the default, for all that the data set's results folder holds.</summary>
    public IReadOnlyList<ModelName>? Models { get; init; }

    /// <summary>Folds whose validation cases are put together; 0 to 4 by default.</summary>
    public IReadOnlyList<string> Folds { get; init; } = ["0", "1", "2", "3", "4"];

    /// <summary>
    /// Whether each pair of models is averaged and compared too, which needs the probabilities of their validation cases; true
    /// by default.
    /// </summary>
    public bool Ensembling { get; init; } = true;

    /// <summary>How the best one's postprocessing is decided.</summary>
    public PostprocessRule Rule { get; init; } = PostprocessRule.Thin;
}

/// <summary>A model or a pair of models, and what it came to.</summary>
/// <param name="Name">The name of its folder.</param>
/// <param name="Models">The models.</param>
/// <param name="Folder">The folder of its predictions of all validation cases.</param>
/// <param name="Dice">Mean over classes of the mean Dice over cases.</param>
public sealed record Candidate(string Name, IReadOnlyList<ModelName> Models, string Folder, double Dice);

/// <summary>Which of several trained models is the best.</summary>
/// <param name="Candidates">All of them, single models before pairs.</param>
/// <param name="Best">The best; the first of equal ones.</param>
public sealed record Selection(IReadOnlyList<Candidate> Candidates, Candidate Best);

/// <summary>Choosing between trained configurations and their ensembles by their validation cases.</summary>
public static class ModelSelection
{
    /// <summary>The models that a data set's results folder holds.</summary>
    /// <exception cref="ProblemException">There is no such data set.</exception>
    public static IReadOnlyList<ModelName> Models(Roots roots, string dataset)
    {
        ArgumentNullException.ThrowIfNull(roots);
        ArgumentNullException.ThrowIfNull(dataset);
        var raw = Interop.OrThrow(Pipeline.Store.datasetFolder(roots.Core, dataset));
        var results = Pipeline.Store.file(roots.Results, Pipeline.Store.name(raw));
        return Interop.FromList(
            Pipeline.RunFolder.models(results),
            names => new ModelName(names.Item1, names.Item2, names.Item3)
        );
    }

    /// <summary>
    /// Scores each model's validation cases, and those of each pair averaged, and decides on the best one's postprocessing.
    /// inference_information.json and inference_instructions.txt are written into the data set's results folder.
    /// </summary>
    /// <exception cref="ArgumentException">There is no model or no fold.</exception>
    /// <exception cref="ProblemException">A prediction is missing, or a file cannot be read or written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Selection FindBest(
        Roots roots,
        string dataset,
        SelectionOptions? options = null,
        IProgress<string>? notes = null,
        CancellationToken cancellation = default
    )
    {
        options ??= new();
        var models = options.Models ?? Models(roots, dataset);
        var (all, best) = Interop.OrThrow(
            Pipeline.FindBest.run(
                new(
                    roots.Core,
                    dataset,
                    Interop.ToList(
                        models,
                        model => new Pipeline.ModelName(model.Trainer, model.PlansName, model.Configuration)
                    ),
                    Interop.ToList(options.Folds),
                    options.Ensembling,
                    Postprocessing.RuleOf(options.Rule)
                ),
                cancellation,
                Interop.ToNotes(notes)
            )
        );
        return new(Interop.FromList(all, From), From(best));
    }

    private static Candidate From(Pipeline.Candidate core) =>
        new(
            core.Name,
            Interop.FromList(core.Models, model => new ModelName(model.Trainer, model.PlansName, model.Configuration)),
            core.Folder,
            core.Dice
        );
}
