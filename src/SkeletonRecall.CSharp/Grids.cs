namespace SkeletonRecall.CSharp;

/// <summary>C#'s rectangular arrays as rows of values, slowest axis first.</summary>
internal static class Grids
{
    internal static Extent ExtentOf<T>(T[,] values) => Extent.Plane(values.GetLength(0), values.GetLength(1));

    internal static Extent ExtentOf<T>(T[,,] values) =>
        Extent.Space(values.GetLength(0), values.GetLength(1), values.GetLength(2));

    /// <summary>All values of a rectangular array, converted, the last axis running fastest.</summary>
    internal static TOut[] Flatten<TIn, TOut>(Array values, Func<TIn, TOut> convert)
    {
        var flat = new TOut[values.Length];
        var next = 0;
        foreach (TIn value in values)
        {
            flat[next++] = convert(value);
        }
        return flat;
    }

    /// <summary>The position of a voxel in the flat array.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It lies outside.</exception>
    internal static int Index(Extent extent, int slice, int row, int column)
    {
        Require(nameof(slice), slice, extent.Depth);
        Require(nameof(row), row, extent.Height);
        Require(nameof(column), column, extent.Width);
        return (slice * extent.Height + row) * extent.Width + column;
    }

    internal static void RequireLength(string name, Extent extent, long wanted, int got)
    {
        if (got != wanted)
        {
            throw new ArgumentException($"{extent} needs {wanted} values; the array holds {got}.", name);
        }
    }

    internal static void RequireAddress(string name, nint address)
    {
        if (address == 0)
        {
            throw new ArgumentException("The address of pixels is wanted; got 0.", name);
        }
    }

    private static void Require(string name, int value, int size)
    {
        if (value < 0 || value >= size)
        {
            throw new ArgumentOutOfRangeException(name, $"{name} {value} is outside 0..{size - 1}.");
        }
    }
}
