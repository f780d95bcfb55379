namespace SkeletonRecall.CSharp;

/// <summary>The shape by which one step of a dilation grows.</summary>
public enum Element
{
    /// <summary>The voxel and its neighbours along the axes: 4 in a plane, 6 in a volume.</summary>
    Cross,

    /// <summary>The voxel and all that touch it: 8 in a plane, 26 in a volume.</summary>
    Box,
}

/// <summary>Which voxels count as neighbours; the value is their number.</summary>
public enum Connectivity
{
    /// <summary>In a plane, pixels that share a side.</summary>
    Four = 4,

    /// <summary>In a plane, pixels that share a side or a corner.</summary>
    Eight = 8,

    /// <summary>In a volume, voxels that share a face.</summary>
    Six = 6,

    /// <summary>In a volume, voxels that share a face or an edge.</summary>
    Eighteen = 18,

    /// <summary>In a volume, voxels that share a face, an edge or a corner.</summary>
    TwentySix = 26,
}

/// <summary>A way of thinning a mask; both give what scikit-image's skeletonize of the same method gives.</summary>
public enum Thinning
{
    /// <summary>Zhang and Suen's, with scikit-image's table: planes only.</summary>
    Zhang,

    /// <summary>Lee, Kashyap and Chu's: volumes, and planes taken as volumes of one slice.</summary>
    Lee,
}

internal static class Neighbourhood
{
    internal static Core.Element ToCore(this Element element) =>
        element switch
        {
            Element.Cross => SkeletonRecall.Element.Cross,
            Element.Box => SkeletonRecall.Element.Box,
            _ => throw Unknown(nameof(element), element),
        };

    internal static Core.Connectivity ToCore(this Connectivity connectivity) =>
        connectivity switch
        {
            Connectivity.Four => SkeletonRecall.Connectivity.Four,
            Connectivity.Eight => SkeletonRecall.Connectivity.Eight,
            Connectivity.Six => SkeletonRecall.Connectivity.Six,
            Connectivity.Eighteen => SkeletonRecall.Connectivity.Eighteen,
            Connectivity.TwentySix => SkeletonRecall.Connectivity.TwentySix,
            _ => throw Unknown(nameof(connectivity), connectivity),
        };

    internal static Core.Thinning ToCore(this Thinning thinning) =>
        thinning switch
        {
            Thinning.Zhang => SkeletonRecall.Thinning.Zhang,
            Thinning.Lee => SkeletonRecall.Thinning.Lee,
            _ => throw Unknown(nameof(thinning), thinning),
        };

    /// <summary>The dual pair of a foreground; that by which skeletons are thinned where none is given.</summary>
    internal static Core.ConnectivityPair ToPair(this Connectivity? foreground, Core.Extent extent) =>
        foreground is { } given
            ? ConnectivityPairModule.dual(given.ToCore())
            : ConnectivityPairModule.standard(extent.Rank);

    /// <summary>The connectivity that was given, or the one by which skeletons hang together: 8 or 26.</summary>
    internal static Core.Connectivity ToForeground(this Connectivity? connectivity, Core.Extent extent) =>
        connectivity is { } given ? given.ToCore() : ConnectivityPairModule.standard(extent.Rank).Foreground;

    private static ArgumentException Unknown<T>(string name, T value)
        where T : struct, Enum =>
        new($"{value} is no {typeof(T).Name}; one of {string.Join(", ", Enum.GetNames<T>())} is wanted.", name);
}
