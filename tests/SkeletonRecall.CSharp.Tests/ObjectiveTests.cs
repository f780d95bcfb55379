namespace FacadeTests;

internal static class ObjectiveTests
{
    internal static Test All =>
        Runner.TestList(
            "Objective",
            [
                Runner.TestCase("texts and presets", Texts),
                Runner.TestCase("changes", Changes),
                Runner.TestCase("terms for a log", Terms),
                Runner.TestCase("a wrong text points at the place", Wrong),
            ]
        );

    private static void Texts()
    {
        Check.Equal(Objective.SkeletonRecall.ToString(), "dice + ce + 1.0*skeleton-recall", "the paper's");
        Check.Equal(Objective.NnUNet.ToString(), "dice + ce", "nnU-Net's");
        Check.Equal(Objective.Parse("dice + ce"), Objective.NnUNet, "read back");
        var all = Objective.Parse("ce + 0.5*skeleton-recall(tube-radius=3) on all-heads");
        Check.Equal(all.Tube, new TubeOptions { Radius = 3 }, "radius");
        Check.Equal(all.Supervision, Supervision.AllHeads, "supervision");
        foreach (var supervision in Enum.GetValues<Supervision>())
            Check.Equal(all.WithSupervision(supervision).Supervision, supervision, "supervision comes back");
        Check.True(all.NeedsSkeleton && !Objective.NnUNet.NeedsSkeleton, "who needs skeletons");
    }

    private static void Changes()
    {
        var changed = Objective.SkeletonRecall.WithRecallWeight(0.25).WithTubeRadius(4);
        Check.Equal(changed.ToString(), "dice + ce + 0.25*skeleton-recall(tube-radius=4)", "weight and radius");
        foreach (var supervision in Enum.GetValues<Supervision>())
        {
            Check.Equal(changed.WithSupervision(supervision).Supervision, supervision, "supervision");
        }
        Check.Contains(Objective.NnUNet.WithBatchDice(true).ToString(), "batch-dice");
    }

    private static void Terms()
    {
        using var logits = LossTests.Logits();
        using var target = LossTests.NewTarget();
        var terms = Objective.SkeletonRecall.Breakdown(logits, target);
        Check.Same(terms.Select(term => term.Name), ["dice", "ce", "skeleton-recall"], "names");
        var (total, _) = LossTests.Differentiate(Objective.SkeletonRecall.ToLoss().Evaluate);
        Check.Close(terms.Sum(term => term.Value), total, 1e-12, "they add up");
        var heads = Objective.NnUNet.ToHeadLoss(HeadLoss.HeadWeights(1));
        var (single, _) = LossTests.Differentiate((logits, target) => heads.Evaluate([logits], [target]));
        Check.Close(single, terms[0].Value + terms[1].Value, 1e-12, "one head");
    }

    private static void Wrong()
    {
        var error = Check.Throws<FormatException>(() => Objective.Parse("dice + cake"));
        Check.Contains(error.Message, "'cake' is no loss");
        Check.True(!Objective.TryParse("dice +", out var none, out var reason), "refused");
        Check.True(none is null && reason!.Length > 0, "with a reason");
        Check.Contains(
            Check.Throws<ArgumentException>(() => Objective.NnUNet.WithTubeRadius(3)).Message,
            "the objective has no term skeleton-recall"
        );
    }
}
