namespace SkeletonRecall.CSharp;

/// <summary>
/// The report of one training run or of several, from the folders that they left: curves, scores with paired differences, and
/// the whole validation cases worst first, with every break and false bridge. One page of HTML that needs no network.
/// </summary>
public static class RunReport
{
    /// <summary>The page of some runs, the first of which is the baseline.</summary>
    /// <exception cref="ArgumentException">There is no folder.</exception>
    /// <exception cref="ProblemException">A folder is that of no run.</exception>
    public static string Page(params IReadOnlyList<string> folders) =>
        Interop.OrThrow(SkeletonRecall.Charts.RunReport.page(ListOf(folders)));

    /// <summary>Writes the page of some runs, the first of which is the baseline.</summary>
    /// <exception cref="ArgumentException">There is no folder.</exception>
    /// <exception cref="ProblemException">A folder is that of no run, or the page cannot be written.</exception>
    public static void Write(string path, params IReadOnlyList<string> folders)
    {
        ArgumentNullException.ThrowIfNull(path);
        Interop.OrThrow(SkeletonRecall.Charts.RunReport.write(path, ListOf(folders)));
    }

    private static Microsoft.FSharp.Collections.FSharpList<string> ListOf(IReadOnlyList<string> folders)
    {
        ArgumentNullException.ThrowIfNull(folders);
        if (folders.Count == 0)
        {
            throw new ArgumentException("A report is of one run or of several; got none.", nameof(folders));
        }
        return Interop.ToList(folders);
    }
}
