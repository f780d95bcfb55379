namespace SkeletonRecall.CSharp;

/// <summary>What kind of thing is wrong with a file, folder or value.</summary>
public enum ProblemKind
{
    /// <summary>A file or folder that is not there.</summary>
    Missing,

    /// <summary>A file that is there but cannot be read as what it should be.</summary>
    Unreadable,

    /// <summary>A file or folder that cannot be written.</summary>
    Unwritable,

    /// <summary>Two things that do not fit each other, or a value outside what is allowed.</summary>
    Mismatch,
}

/// <summary>
/// Something that is wrong with a user's files, folders or settings. The message is one line for a person: what, where,
/// and what was wanted.
/// </summary>
public sealed class ProblemException : Exception
{
    internal ProblemException(Pipeline.Problem problem)
        : base(Pipeline.ProblemModule.message(problem)) =>
        Kind =
            problem.IsMissing ? ProblemKind.Missing
            : problem.IsUnreadable ? ProblemKind.Unreadable
            : problem.IsUnwritable ? ProblemKind.Unwritable
            : ProblemKind.Mismatch;

    /// <summary>What kind of thing is wrong.</summary>
    public ProblemKind Kind { get; }
}
