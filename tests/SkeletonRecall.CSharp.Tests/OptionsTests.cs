using System.Reflection;

namespace FacadeTests;

/// <summary>Options have the F# core's defaults, property by property.</summary>
internal static class OptionsTests
{
    internal static Test All =>
        Runner.TestList(
            "Options",
            [
                Runner.TestCase(
                    "tube",
                    () =>
                    {
                        Compare(new TubeOptions(), Core.Tube.standard, "Radius", "BallRadius");
                        Check.Equal(
                            Core.Tube.standard.Radius,
                            Core.TubeRadius.NewSteps(new TubeOptions().Radius),
                            "radius"
                        );
                        Check.Equal(new TubeOptions().BallRadius, null, "ball");
                    }
                ),
                Runner.TestCase("cross-entropy", () => Compare(new CrossEntropyOptions(), Core.CrossEntropy.standard)),
                Runner.TestCase("soft Dice", () => Compare(new SoftDiceOptions(), Core.SoftDice.standard)),
                Runner.TestCase(
                    "skeleton recall",
                    () => Compare(new SkeletonRecallOptions(), Core.SoftRecall.standard)
                ),
                Runner.TestCase(
                    "binary cross-entropy",
                    () => Compare(new BinaryCrossEntropyOptions(), Core.BinaryCrossEntropy.standard)
                ),
                Runner.TestCase(
                    "top-k cross-entropy",
                    () => Compare(new TopKCrossEntropyOptions(), Core.TopKCrossEntropy.standard)
                ),
                Runner.TestCase("soft clDice", () => Compare(new SoftClDiceOptions(), Core.SoftClDice.standard)),
                Runner.TestCase("planner", () => Compare(new PlannerOptions(), Pipeline.Planner.standard)),
                Runner.TestCase(
                    "training",
                    () =>
                    {
                        Compare(new TrainOptions(), Pipeline.Trainer.standard, "Measures");
                        Check.Same(
                            new TrainOptions().Measures.Select(measure => measure.Name()),
                            Pipeline.Trainer.standard.Measures.Select(Core.MeasureModule.print),
                            "measures"
                        );
                    }
                ),
                Runner.TestCase(
                    "evaluation",
                    () =>
                    {
                        Check.Equal(
                            new EvaluationOptions().Profile.Name,
                            Pipeline.Evaluation.standard.Profile.Name,
                            "profile"
                        );
                        Check.Same(
                            new EvaluationOptions().Measures.Select(measure => measure.Name()),
                            Pipeline.Evaluation.standard.Measures.Select(Core.MeasureModule.print),
                            "measures"
                        );
                    }
                ),
                Runner.TestCase(
                    "prediction",
                    () => Compare(new PredictOptions(), Pipeline.Inference.standard, "Mirror")
                ),
                Runner.TestCase(
                    "vessels",
                    () =>
                    {
                        Compare(new VesselOptions(), Pipeline.Synthetic.standard, "Height", "Width");
                        Check.Equal(Pipeline.Synthetic.standard.Extent.ToString(), "256 x 256", "extent");
                    }
                ),
                Runner.TestCase(
                    "prediction does not mirror",
                    () => Check.Equal(Pipeline.Inference.standard.MirrorAxes.Length, 0, "axes")
                ),
            ]
        );

    private static void Compare(object options, object core, params string[] apart)
    {
        var properties = options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance);
        foreach (var property in properties.Where(property => !apart.Contains(property.Name)))
        {
            var wanted = core.GetType().GetProperty(property.Name)!.GetValue(core);
            var got = property.GetValue(options);
            Check.Equal(Text(got), Text(wanted), property.Name);
        }
    }

    private static string Text(object? value) =>
        value switch
        {
            Core.Objective objective => Core.ObjectiveModule.print(objective),
            null => "none",
            _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!,
        };
}
