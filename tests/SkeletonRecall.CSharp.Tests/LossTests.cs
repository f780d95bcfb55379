namespace FacadeTests;

internal static class LossTests
{
    internal static Test All =>
        Runner.TestList(
            "Loss",
            [
                Runner.TestCase("a loss built from parts has the objective's value and gradient", Composed),
                Runner.TestCase("a loss of one's own", Custom),
                Runner.TestCase("weights and sums", Algebra),
                Runner.TestCase("logits that are mapped first", Mapped),
                Runner.TestCase("further losses", Further),
                Runner.TestCase("each is what its name in the text form is", Named),
                Runner.TestCase("regions", Regions),
                Runner.TestCase("heads", Heads),
                Runner.TestCase("targets", Targets),
                Runner.TestCase("messages", Messages),
            ]
        );

    internal static readonly LabelMap Labels = Check.Labels("0110", "0112", "0022", "0002");

    internal static Target NewTarget() => Target.FromLabels(Labels, new());

    internal static torch.Tensor Logits()
    {
        LibTorch.Ensure();
        var values = Enumerable.Range(0, 48).Select(index => Math.Sin(index * 1.7)).ToArray();
        return torch.tensor(values, [1, 3, 4, 4]).requires_grad_(true);
    }

    /// <summary>The loss of the usual logits and its gradient.</summary>
    internal static (double Value, double[] Gradient) Differentiate(Func<torch.Tensor, Target, torch.Tensor> evaluate)
    {
        LibTorch.Ensure();
        using var scope = torch.NewDisposeScope();
        var logits = Logits();
        using var target = NewTarget();
        var value = evaluate(logits, target);
        value.backward();
        return (value.item<double>(), logits.grad!.data<double>().ToArray());
    }

    private static void Near(double[] got, double[] wanted, string message)
    {
        Check.Equal(got.Length, wanted.Length, message);
        Check.Close(got.Zip(wanted).Max(pair => Math.Abs(pair.First - pair.Second)), 0, 1e-12, message);
    }

    private static void Composed()
    {
        var composed = Loss.SoftDice() + Loss.CrossEntropy() + 0.7 * Loss.SkeletonRecall();
        var summed = Loss.Sum(Loss.SoftDice(), Loss.CrossEntropy(), Loss.SkeletonRecall().Weighted(0.7));
        var (value, gradient) = Differentiate(composed.Evaluate);
        var objective = Core.ObjectiveModule.withRecallWeight(0.7, Core.ObjectiveModule.skeletonRecall);
        var (wanted, wantedGradient) = Differentiate(
            (logits, target) =>
                Core.ObjectiveModule.loss(
                    objective,
                    Core.LossModule.headWeights(1),
                    Microsoft.FSharp.Collections.ListModule.OfSeq([logits]),
                    Microsoft.FSharp.Collections.ListModule.OfSeq([
                        Core.TargetModule.withSkeleton(target.Skeleton!, Core.TargetModule.ofClasses(target.Ids!)),
                    ])
                )
        );
        Check.Close(value, wanted, 1e-12, "value");
        Near(gradient, wantedGradient, "gradient");
        Check.True(gradient.Any(entry => entry != 0), "there is a gradient");
        Near(Differentiate(summed.Evaluate).Gradient, wantedGradient, "gradient of the sum");

        var parsed = Objective.Parse("dice + ce + 0.7*skeleton-recall").ToLoss();
        Near(Differentiate(parsed.Evaluate).Gradient, wantedGradient, "gradient of the text");

        using var logits = Logits();
        using var target = NewTarget();
        Check.True(composed.Check(logits, target).Passed, "finite differences agree");
    }

    private static void Custom()
    {
        var squares = Loss.Custom((logits, _) => logits.square().mean());
        var (value, gradient) = Differentiate(squares.Evaluate);
        using var logits = Logits();
        using var target = NewTarget();
        var values = logits.data<double>().ToArray();
        Check.Close(value, values.Average(entry => entry * entry), 1e-12, "value");
        Near(gradient, [.. values.Select(entry => 2 * entry / 48)], "gradient");

        var tidy = Loss.Custom(
            (logits, _) =>
            {
                using var square = logits.square();
                return square.mean();
            }
        );
        Check.True(tidy.Check(logits, target).Passed, "one that frees what it makes passes the check");
        var biased = Loss.Custom((logits, _) => logits.detach().square().mean() + 0 * logits.sum());
        Check.True(!biased.Check(logits, target).Passed, "one with a wrong gradient does not");

        var both = Loss.CrossEntropy() + 2.0 * squares;
        var expected = Differentiate(Loss.CrossEntropy().Evaluate).Value + 2 * value;
        Check.Close(Differentiate(both.Evaluate).Value, expected, 1e-12, "among others");
    }

    private static void Algebra()
    {
        var entropy = Differentiate(Loss.CrossEntropy().Evaluate);
        Check.Equal(Differentiate(Loss.Sum().Evaluate).Value, 0.0, "no losses");
        Check.Equal(Differentiate(Loss.Zero.Evaluate).Value, 0.0, "zero");
        var thrice = Differentiate((3.0 * Loss.CrossEntropy()).Evaluate);
        Check.Close(thrice.Value, 3 * entropy.Value, 1e-12, "weighted");
        Near(thrice.Gradient, [.. entropy.Gradient.Select(entry => 3 * entry)], "weighted gradient");
        var never = Loss.Custom((_, _) => throw new InvalidOperationException("evaluated"));
        Check.Equal(Differentiate((0.0 * never).Evaluate).Value, 0.0, "weight 0 is not evaluated");
        var smooth = Loss.CrossEntropy(new() { LabelSmoothing = 0.5 });
        Check.True(Differentiate(smooth.Evaluate).Value != entropy.Value, "options arrive");
    }

    private static void Mapped()
    {
        var doubled = Loss.CrossEntropy().MapLogits((logits, _) => logits * 2);
        using var logits = Logits();
        using var twice = logits * 2;
        using var target = NewTarget();
        using var wanted = Loss.CrossEntropy().Evaluate(twice, target);
        Check.Close(Differentiate(doubled.Evaluate).Value, wanted.item<double>(), 1e-12, "value");
        Check.True(doubled.Check(logits, target).Passed, "finite differences agree");
    }

    private static void Further()
    {
        var entropy = Differentiate(Loss.CrossEntropy().Evaluate).Value;
        var all = Differentiate(Loss.TopKCrossEntropy(new() { Percent = 100 }).Evaluate).Value;
        Check.Close(all, entropy, 1e-12, "all voxels");
        Check.True(Differentiate(Loss.TopKCrossEntropy().Evaluate).Value > entropy, "the hardest ones");
        var dice = Differentiate(Loss.SoftDice().Evaluate).Value;
        Check.Close(Differentiate(Loss.SoftDice(new() { Plain = true }).Evaluate).Value, dice, 1e-12, "plain Dice");
        var three = Differentiate(Loss.SoftClDice(new() { Iterations = 3 }).Evaluate).Value;
        Check.True(three is > 0 and < 1, "clDice");
        var half = Differentiate(Loss.SoftClDice(new() { Iterations = 3, DiceShare = 0.5 }).Evaluate).Value;
        Check.True(half != three, "options arrive");
        using var logits = Logits();
        using var target = NewTarget();
        Check.True(Loss.SoftClDice(new() { Iterations = 1 }).Check(logits, target).Passed, "finite differences agree");
    }

    private static void Named()
    {
        foreach (
            var (name, loss) in new (string, Loss)[]
            {
                ("tversky", Loss.Tversky()),
                ("focal", Loss.Focal()),
                ("boundary", Loss.Boundary()),
                ("precision-guard", Loss.PrecisionGuard()),
                ("clce", Loss.CentrelineCrossEntropy()),
                ("cbdice", Loss.CbDice()),
                ("scnp(ce)", Loss.CrossEntropy().WithNeighbourPenalty()),
            }
        )
        {
            // With a weight, since a name alone may stand for a whole recipe.
            var wanted = Differentiate(Objective.Parse($"0.5*{name}").ToLoss().Evaluate);
            var found = Differentiate(loss.Weighted(0.5).Evaluate);
            Check.Close(found.Value, wanted.Value, 1e-12, name);
            Near(found.Gradient, wanted.Gradient, name);
        }
        var even = Differentiate(Loss.Tversky(new() { FalsePositives = 0.5, FalseNegatives = 0.5 }).Evaluate).Value;
        Check.True(even != Differentiate(Loss.Tversky().Evaluate).Value, "options arrive");
    }

    private static void Regions()
    {
        using var scope = torch.NewDisposeScope();
        var logits = Logits();
        var target = Target.FromRegions(torch.ones([1, 3, 4, 4]));
        var wanted = (1 + (-logits.detach()).exp()).log().mean().item<double>();
        Check.Close(Loss.BinaryCrossEntropy().Evaluate(logits, target).item<double>(), wanted, 1e-12, "by hand");
        Check.Close(Loss.CrossEntropy().Evaluate(logits, target).item<double>(), wanted, 1e-12, "cross-entropy, too");
        Check.True((Loss.SoftDice() + Loss.SoftClDice(new() { Iterations = 1 })).Check(logits, target).Passed, "Dice");
    }

    private static void Heads()
    {
        Check.Same(HeadLoss.HeadWeights(3), [2.0 / 3, 1.0 / 3, 0.0], "weights");
        var single = Differentiate(Loss.CrossEntropy().Evaluate).Value;
        var heads = HeadLoss.DeepSupervision((0.5, Loss.CrossEntropy()), (0.25, Loss.CrossEntropy()));
        var (value, _) = Differentiate((logits, target) => heads.Evaluate([logits, logits], [target, target]));
        Check.Close(value, 0.75 * single, 1e-12, "weighted sum");
        using var logits = Logits();
        using var target = NewTarget();
        Check.Throws<ArgumentException>(() => heads.Evaluate([logits], [target]));
    }

    private static void Targets()
    {
        using var target = NewTarget();
        Check.Same(target.Ids!.shape, [1L, 1L, 4L, 4L], "shape");
        Check.Same(target.Ids!.data<short>().ToArray(), Labels.ToArray(), "ids");
        Check.Same(target.Skeleton!.data<short>().ToArray(), Labels.ToTube().ToArray(), "skeleton");
        Check.True(target.Valid is null && target.Regions is null, "nothing else");
        using var channels = torch.tensor(new[] { 1f, 0f, 0f, 1f }, [1, 2, 1, 2]);
        using var oneHot = Target.FromOneHot(channels);
        Check.Same(oneHot.Ids!.data<short>().ToArray(), new short[] { 0, 1 }, "one-hot");
        Check.Throws<ArgumentException>(() => Target.FromOneHot(torch.zeros(1, 2, 1, 2)));
        using var batch = Target.FromLabels([Labels, Labels, Labels]);
        Check.Same(batch.Ids!.shape, [3L, 1L, 4L, 4L], "a batch");
        Check.True(batch.Skeleton is null, "no skeleton unless wanted");
    }

    private static void Messages()
    {
        using var logits = Logits();
        using var bare = Target.FromLabels(Labels);
        Check.Contains(
            Check.Throws<ArgumentException>(() => Loss.SkeletonRecall().Evaluate(logits, bare)).Message,
            "Skeleton recall needs the tubed skeleton of the labels"
        );
        using var large = Target.FromLabels(Check.Labels("01", "10"));
        Check.Contains(
            Check.Throws<ArgumentException>(() => Loss.CrossEntropy().Evaluate(logits, large)).Message,
            "is wanted, to fit the logits"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => _ = -1.5 * Loss.CrossEntropy()).Message,
            "A weight is a finite number that is not negative; got -1.5."
        );
        Check.Throws<ArgumentException>(() => Target.FromLabels([]));
    }
}
