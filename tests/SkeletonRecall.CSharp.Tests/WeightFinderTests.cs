namespace FacadeTests;

internal static class WeightFinderTests
{
    internal static Test All =>
        Runner.TestList(
            "WeightFinder",
            [Runner.TestCase("a weight for skeleton recall", Weigh), Runner.TestCase("what is wrong is said", Wrong)]
        );

    private static void Weigh()
    {
        var root = Directory.CreateTempSubdirectory("skeleton-recall-").FullName;
        try
        {
            Synthetic.WriteDataset(
                Path.Combine(root, "raw", "Dataset001_Toy"),
                3,
                options: new()
                {
                    Height = 64,
                    Width = 64,
                    Trees = 1,
                }
            );
            var report = WeightFinder.Run("1", new() { Root = root, Batches = 1 });
            Check.Equal(string.Join(" ", report.Terms.Select(term => term.Name)), "dice ce skeleton-recall", "terms");
            Check.True(report.Terms.All(term => term.LogitsNorm > 0 && term.WeightsNorm > 0), "every term pulls");
            Check.True(report.Terms[2].WeightAtLogits > 0, "a weight");
            Check.True(report.Suggested is { } suggested && suggested.NeedsSkeleton, "an objective");
        }
        finally
        {
            Directory.Delete(root, true);
        }
    }

    private static void Wrong()
    {
        var count = Check.Throws<ArgumentException>(() => WeightFinder.Run("1", new() { Batches = 0 }));
        Check.Contains(count.Message, "got 0");
        var missing = Check.Throws<ProblemException>(() => WeightFinder.Run("999", new() { Root = "nowhere" }));
        Check.Contains(missing.Message, "nowhere");
    }
}
