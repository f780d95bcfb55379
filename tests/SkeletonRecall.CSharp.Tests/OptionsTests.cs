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
                Runner.TestCase("prediction", () => Compare(new PredictOptions(), Pipeline.PredictorModule.standard)),
                Runner.TestCase("tversky", () => Compare(new TverskyOptions(), Core.Tversky.standard)),
                Runner.TestCase("focal", () => Compare(new FocalOptions(), Core.Focal.standard)),
                Runner.TestCase(
                    "precision guard",
                    () => Compare(new PrecisionGuardOptions(), Core.PrecisionGuard.standard)
                ),
                Runner.TestCase(
                    "centreline cross-entropy",
                    () => Compare(new CentrelineCrossEntropyOptions(), Core.CentrelineCrossEntropy.standard)
                ),
                Runner.TestCase("cbDice", () => Compare(new CbDiceOptions(), Core.CbDice.standard)),
                Runner.TestCase("scnp", () => Compare(new ScnpOptions(), Core.Scnp.standard)),
                Runner.TestCase(
                    "folders of images",
                    () =>
                        Compare(
                            new FolderOptions(),
                            Pipeline.PredictFolder.request(
                                Microsoft.FSharp.Collections.ListModule.Empty<string>(),
                                "in",
                                "out"
                            )
                        )
                ),
                Runner.TestCase(
                    "conversion",
                    () =>
                    {
                        var core = Pipeline.Conversion.standard;
                        Compare(
                            new ConversionOptions(),
                            core,
                            "Training",
                            "Test",
                            "IsHeldOut",
                            "Channels",
                            "Labels",
                            "Rule"
                        );
                        Check.Equal(
                            new ConversionOptions().Training.Single().Images,
                            core.Training[0].Images,
                            "images"
                        );
                        Check.Equal(
                            new ConversionOptions().Training.Single().Masks,
                            core.Training[0].Masks!.Value,
                            "masks"
                        );
                        Check.Equal(new ConversionOptions().Rule, MaskRule.Found(), "rule");
                        Check.Equal(core.Rule, Pipeline.MaskRule.NewFound(null, core.Labels), "the core's rule");
                        Check.Equal(core.Test.Length + core.Channels.Length + core.Labels.Length, 0, "nothing else");
                    }
                ),
                Runner.TestCase(
                    "vessels",
                    () =>
                    {
                        Compare(new VesselOptions(), Pipeline.Synthetic.standard, "Height", "Width");
                        Check.Equal(Pipeline.Synthetic.standard.Extent.ToString(), "256 x 256", "extent");
                    }
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
