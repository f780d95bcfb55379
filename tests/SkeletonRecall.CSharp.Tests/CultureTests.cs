using System.Globalization;

namespace FacadeTests;

/// <summary>Numbers are read and written with a point wherever the machine stands.</summary>
internal static class CultureTests
{
    /// <summary>The invariant culture with a decimal comma, in which 0.5 reads as 5.</summary>
    internal static CultureInfo Comma { get; } = MakeComma();

    internal static Test All =>
        Runner.TestList(
            "Culture",
            [
                Runner.TestCase("objectives", () => WithComma(Objectives)),
                Runner.TestCase("messages", () => WithComma(Messages)),
                Runner.TestCase("summary.json", () => WithComma(Summaries)),
            ]
        );

    private static CultureInfo MakeComma()
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NumberDecimalSeparator = ",";
        culture.NumberFormat.NumberGroupSeparator = ".";
        return culture;
    }

    private static void WithComma(Action test)
    {
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = Comma;
        try
        {
            test();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static void Objectives()
    {
        var objective = Objective.Parse("dice + 0.5*skeleton-recall");
        Check.Equal(objective, Objective.Parse(objective.ToString()), "read back");
        Check.Contains(objective.ToString(), "0.5*");
    }

    private static void Messages() =>
        Check.Contains(
            Check.Throws<ArgumentException>(() => Loss.Zero.Weighted(-0.5)).Message,
            "A weight is a finite number that is not negative; got -0.5."
        );

    private static void Summaries()
    {
        var labels = Check.Labels("01", "11");
        var scores = Evaluation.Score(new("D", ["grey"], ["line"]), "case", Check.Labels("01", "01"), labels);
        Check.Contains(Evaluation.SummaryJson(scores, name => (name, name)), "\"Dice\": 0.8");
    }
}
