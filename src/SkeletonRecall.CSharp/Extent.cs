namespace SkeletonRecall.CSharp;

/// <summary>
/// The size of a plane (height, width) or of a volume (depth, height, width), in pixels or voxels. It carries its rank:
/// a volume of one slice is never taken for a plane.
/// </summary>
public sealed class Extent : IEquatable<Extent>
{
    internal Extent(Core.Extent core) => Core = core;

    internal Core.Extent Core { get; }

    /// <summary>A plane of the given size.</summary>
    /// <exception cref="ArgumentException">An axis is shorter than 1.</exception>
    public static Extent Plane(int height, int width) => new(SkeletonRecall.ExtentModule.plane(height, width));

    /// <summary>A volume of the given size.</summary>
    /// <exception cref="ArgumentException">An axis is shorter than 1.</exception>
    public static Extent Space(int depth, int height, int width) =>
        new(SkeletonRecall.ExtentModule.space(depth, height, width));

    /// <summary>2 for a plane, 3 for a volume.</summary>
    public int Rank => Core.Rank;

    /// <summary>Number of slices; 1 for a plane.</summary>
    public int Depth => Core.Depth;

    /// <summary>Number of rows.</summary>
    public int Height => Core.Height;

    /// <summary>Number of columns.</summary>
    public int Width => Core.Width;

    /// <summary>Number of pixels or voxels.</summary>
    public int Count => Core.Count;

    /// <summary>The axes, slowest first: height and width, with the depth before them for a volume.</summary>
    public IReadOnlyList<int> Shape => Interop.FromList(Core.Shape);

    /// <summary>Whether rank and axes are the same.</summary>
    public bool Equals(Extent? other) => other is not null && Core.Equals(other.Core);

    /// <summary>Whether the other is an extent of the same rank and axes.</summary>
    public override bool Equals(object? obj) => Equals(obj as Extent);

    /// <summary>A hash of rank and axes.</summary>
    public override int GetHashCode() => Core.GetHashCode();

    /// <summary>The axes, as in "256 x 256".</summary>
    public override string ToString() => Core.ToString();

    /// <summary>Whether rank and axes are the same.</summary>
    public static bool operator ==(Extent? left, Extent? right) => Equals(left, right);

    /// <summary>Whether rank or axes differ.</summary>
    public static bool operator !=(Extent? left, Extent? right) => !Equals(left, right);
}
