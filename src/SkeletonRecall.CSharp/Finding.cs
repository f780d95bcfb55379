namespace SkeletonRecall.CSharp;

/// <summary>How much a finding weighs.</summary>
public enum Gravity
{
    /// <summary>Training would fail, or learn what is wrong.</summary>
    Wrong,

    /// <summary>Worth a look.</summary>
    Doubtful,
}

/// <summary>Something that was found in a data set.</summary>
/// <param name="Case">The name of the case that it is about; null where it is about the whole.</param>
/// <param name="Gravity">How much it weighs.</param>
/// <param name="Message">One line: where, what, and the cure.</param>
public sealed record Finding(string? Case, Gravity Gravity, string Message);
