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
                Runner.TestCase("chosen measures", Chosen),
                Runner.TestCase("folders", Folders),
                Runner.TestCase("Wilcoxon's test", Wilcoxon),
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

    private static void Chosen()
    {
        var options = new EvaluationOptions { Profile = Profile.TopCow, Measures = [Measure.HausdorffDistance95] };
        var scores = Evaluation.Score(options, Classes, "case", Prediction, Truth);
        Check.Equal(scores[1].Value(Measure.HausdorffDistance95), 90.0, "a class that is missing");
        Check.True(double.IsNaN(scores[0].Value(Measure.ClDice)), "not asked for");
        Check.Close(scores[0].Values[Measure.Dice], 10.0 / 11, 1e-15, "nnU-Net's own");
    }

    private static void Folders() =>
        Check.InFolder(folder =>
        {
            var (truth, prediction) = ($"{folder}/truth", $"{folder}/prediction");
            Truth.Save($"{truth}/one.png");
            Prediction.Save($"{prediction}/one.png");
            Truth.Save($"{truth}/two.png");
            var shares = new List<double>();
            var cases = Evaluation.Folders(Classes, truth, prediction, progress: new Shares(shares));
            Check.Same(cases.Select(one => one.Case), ["one", "two"], "cases");
            Check.Close(cases[0].Scores[0].Dice, 10.0 / 11, 1e-15, "Dice");
            Check.Equal(cases[0].Problem, null, "no problem");
            Check.Equal(cases[1].Scores.Count, 0, "no scores");
            Check.Contains(cases[1].Problem!, "two");
            Check.Equal(shares.Max(), 1.0, "progress");
            Check.Equal(
                Evaluation.Folders(Classes, truth, prediction, allowMissing: true).Count,
                1,
                "missing ones are left out"
            );
            Check.Throws<ProblemException>(() => Evaluation.Folders(Classes, truth, $"{folder}/none"));
            Check.Throws<OperationCanceledException>(() =>
                Evaluation.Folders(Classes, truth, prediction, cancellation: new CancellationToken(true))
            );
        });

    private sealed class Shares(List<double> heard) : IProgress<double>
    {
        public void Report(double value) => heard.Add(value);
    }

    private static void Wilcoxon()
    {
        var test = Evaluation.Wilcoxon([(1, 2), (1, 3), (1, 4), (1, 5), (1, double.NaN)]);
        Check.Equal((test.Statistic, test.Count, test.IsExact), (0.0, 4, true), "all one way");
        Check.Close(test.P, 0.125, 1e-15, "p");
    }
}
