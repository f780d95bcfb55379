using System.Text.Json;

namespace FacadeTests;

internal static class EvaluationTests
{
    internal static Test All =>
        Runner.TestList(
            "Evaluation",
            [
                Runner.TestCase("scores of a case", OneCase),
                Runner.TestCase("summary.json", Summary),
                Runner.TestCase("intervals", Intervals),
            ]
        );

    private static readonly Dataset Classes = new("Dataset001_Toy", ["grey"], ["line", "dot"]);
    private static readonly LabelMap Truth = Check.Labels("......", "111111", ".....2");
    private static readonly LabelMap Prediction = Check.Labels("......", "11.111", "......");

    private static void OneCase()
    {
        var scores = Evaluation.Score(Classes, "case", Prediction, Truth);
        Check.Same(scores.Select(score => score.Label), [1, 2], "classes");
        var line = scores[0];
        Check.Equal(line.Overlap, new Overlap(5, 0, 1, 12), "overlap");
        Check.Close(line.Dice, 10.0 / 11, 1e-15, "Dice");
        Check.Close(line.Recall, 5.0 / 6, 1e-15, "recall");
        Check.Equal(line.Precision, 1.0, "precision");
        Check.Equal(line.Prediction, new Betti(2, 0, 0), "two parts");
        Check.Equal(line.BettiErrors, new Betti(1, 0, 0), "one too many");
        Check.Close(line.ClDice, 10.0 / 11, 1e-15, "clDice");
        Check.Equal(scores[1].Dice, 0.0, "nothing found");
    }

    private static void Summary()
    {
        var scores = Evaluation.Score(Classes, "case", Prediction, Truth);
        using var json = JsonDocument.Parse(Evaluation.SummaryJson(scores, name => ($"p/{name}.png", $"t/{name}.png")));
        var item = json.RootElement.GetProperty("metric_per_case")[0];
        Check.Equal(item.GetProperty("prediction_file").GetString(), "p/case.png", "prediction");
        Check.Equal(item.GetProperty("reference_file").GetString(), "t/case.png", "reference");
        var dice = item.GetProperty("metrics").GetProperty("1").GetProperty("Dice").GetDouble();
        Check.Close(dice, 10.0 / 11, 1e-15, "Dice");
    }

    private static void Intervals()
    {
        var interval = Evaluation.Bootstrap([1, 2, 3, double.NaN]);
        Check.Equal((interval.Mean, interval.Count), (2.0, 3), "NaN is left out");
        Check.True(interval.Low < 2 && interval.High > 2, "around the mean");
        var paired = Evaluation.Paired([(1, 2), (3, 4)], seed: 1);
        Check.Equal(paired, new Interval(1, 1, 1, 2), "differences");
    }
}
