namespace FacadeTests;

/// <summary>What tests expect, and what several of them work on.</summary>
internal static class Check
{
    internal static void Equal<T>(T got, T wanted, string message) => Expect.equal(got, wanted, message);

    internal static void Same<T>(IEnumerable<T> got, IEnumerable<T> wanted, string message) =>
        Expect.equal(got.ToArray(), wanted.ToArray(), message);

    internal static void True(bool condition, string message) => Expect.isTrue(condition, message);

    internal static void Close(double got, double wanted, double tolerance, string message) =>
        Expect.isLessThanOrEqual(Math.Abs(got - wanted), tolerance, message);

    internal static void Contains(string text, string part) => Expect.stringContains(text, part, "message");

    internal static TException Throws<TException>(Action action)
        where TException : Exception
    {
        try
        {
            action();
        }
        catch (TException error)
        {
            return error;
        }
        throw new AssertException($"No {typeof(TException).Name} was thrown.");
    }

    /// <summary>Label maps as pictures: a dot is background, a digit a class.</summary>
    internal static LabelMap Labels(params string[] rows)
    {
        var labels = new short[rows.Length, rows[0].Length];
        for (var row = 0; row < rows.Length; row++)
        {
            for (var column = 0; column < rows[row].Length; column++)
            {
                labels[row, column] = rows[row][column] == '.' ? (short)0 : (short)(rows[row][column] - '0');
            }
        }
        return LabelMap.FromArray(labels);
    }

    internal static string[] Picture(LabelMap labels) =>
        [
            .. Enumerable
                .Range(0, labels.Extent.Height)
                .Select(row =>
                    string.Concat(
                        Enumerable
                            .Range(0, labels.Extent.Width)
                            .Select(column => labels[row, column] is 0 ? "." : $"{labels[row, column]}")
                    )
                ),
        ];

    /// <summary>The folder of the repository that these tests were built in.</summary>
    internal static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "SkeletonRecall.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("The repository of these tests is wanted.");
        }
        return folder.FullName;
    }

    internal static void InFolder(Action<string> test)
    {
        var folder = Directory.CreateTempSubdirectory("skeleton-recall-tests-").FullName;
        try
        {
            test(folder);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }
}
