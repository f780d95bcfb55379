using System.Diagnostics.CodeAnalysis;

namespace SkeletonRecall.CSharp;

/// <summary>
/// A set of pixels or voxels, one bit each. Masks do not change: each method returns a new one. Array code of this kind
/// does not load libtorch.
/// </summary>
public sealed class Mask
{
    internal Mask(Core.Mask core) => Core = core;

    internal Core.Mask Core { get; }

    /// <summary>A mask of a plane from [row, column].</summary>
    /// <exception cref="ArgumentException">An axis is empty.</exception>
    public static Mask FromArray(bool[,] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Make(Grids.ExtentOf(values), Grids.Flatten(values, (bool value) => value));
    }

    /// <summary>A mask of a volume from [slice, row, column].</summary>
    /// <exception cref="ArgumentException">An axis is empty.</exception>
    public static Mask FromArray(bool[,,] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Make(Grids.ExtentOf(values), Grids.Flatten(values, (bool value) => value));
    }

    /// <summary>A mask from row-major values, <c>extent.Count</c> of them.</summary>
    /// <exception cref="ArgumentException">The number of values does not fit the extent.</exception>
    public static Mask FromArray(Extent extent, ReadOnlySpan<bool> values)
    {
        ArgumentNullException.ThrowIfNull(extent);
        Grids.RequireLength(nameof(values), extent, extent.Count, values.Length);
        return Make(extent, values.ToArray());
    }

    /// <summary>The mask without any voxel.</summary>
    public static Mask Empty(Extent extent)
    {
        ArgumentNullException.ThrowIfNull(extent);
        return new(MaskModule.empty(extent.Core));
    }

    /// <summary>The size of the grid.</summary>
    public Extent Extent => new(Core.Extent);

    /// <summary>Number of voxels in the mask.</summary>
    public int Count => MaskModule.count(Core);

    /// <summary>Whether no voxel is in the mask.</summary>
    public bool IsEmpty => MaskModule.isEmpty(Core);

    /// <summary>Whether a pixel is in the mask; in a volume, one of the first slice.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It lies outside the extent.</exception>
    public bool this[int row, int column] => this[0, row, column];

    /// <summary>Whether a voxel is in the mask.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It lies outside the extent.</exception>
    public bool this[int slice, int row, int column]
    {
        get
        {
            Grids.Index(Extent, slice, row, column);
            return MaskModule.get(Core, slice, row, column);
        }
    }

    /// <summary>The mask as row-major values, <c>Extent.Count</c> of them.</summary>
    public bool[] ToArray() => Array.ConvertAll(MaskModule.toVolume(Core).Data, value => value != 0);

    /// <summary>The voxels of both masks.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public Mask Intersect(Mask other) => new(MaskModule.intersect(Core, CoreOf(other)));

    /// <summary>The voxels of either mask.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public Mask Union(Mask other) => new(MaskModule.union(Core, CoreOf(other)));

    /// <summary>The voxels of this mask that the other lacks.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public Mask Except(Mask other) => new(MaskModule.difference(Core, CoreOf(other)));

    /// <summary>The voxels that this mask lacks.</summary>
    public Mask Complement() => new(MaskModule.complement(Core));

    /// <summary>Whether the other has the same extent and voxels.</summary>
    public bool SameAs([NotNullWhen(true)] Mask? other) => other is not null && MaskModule.equal(Core, other.Core);

    /// <summary>The mask grown by a number of steps (0 or more) of an element.</summary>
    /// <exception cref="ArgumentException">The number of steps is negative.</exception>
    public Mask Dilate(int steps, Element element = Element.Cross) =>
        new(Morphology.dilate(element.ToCore(), steps, Core));

    /// <summary>
    /// The mask shrunk by a number of steps (0 or more) of an element; nothing is eaten from the border of the grid.
    /// </summary>
    /// <exception cref="ArgumentException">The number of steps is negative.</exception>
    public Mask Erode(int steps, Element element = Element.Cross) =>
        new(Morphology.erode(element.ToCore(), steps, Core));

    /// <summary>The mask grown by a Euclidean ball of a radius in mm, by its spacing.</summary>
    /// <exception cref="ArgumentException">The radius is not a finite number above 0.</exception>
    public Mask DilateBall(double millimetres) =>
        new(Morphology.dilate(SkeletonRecall.Element.NewBall(millimetres), 1, Core));

    /// <summary>
    /// The mask shrunk by a Euclidean ball of a radius in mm, by its spacing; nothing is eaten from the border of the grid.
    /// </summary>
    /// <exception cref="ArgumentException">The radius is not a finite number above 0.</exception>
    public Mask ErodeBall(double millimetres) =>
        new(Morphology.erode(SkeletonRecall.Element.NewBall(millimetres), 1, Core));

    /// <summary>
    /// The distance in mm of each voxel, row-major, to the nearest voxel that is not in the mask; 0 outside the mask, and
    /// infinity everywhere where the mask fills the grid.
    /// </summary>
    public double[] DistanceToBackground() => Distance.toBackground(Core).Data;

    /// <summary>
    /// The distance in mm of each voxel, row-major, to the nearest voxel of the mask; infinity everywhere where the mask is
    /// empty.
    /// </summary>
    public double[] DistanceToMask() => Distance.toMask(Core).Data;

    /// <summary>
    /// The skeleton: curves one voxel wide through the middle of the mask that keep its topology. By default Zhang's
    /// method for planes and Lee's for volumes, bit for bit as scikit-image's skeletonize. With the guard it has the
    /// components, tunnels and cavities of the mask also where scikit-image's erases a structure.
    /// </summary>
    /// <exception cref="ArgumentException">Zhang's method is asked for on a volume.</exception>
    public Mask Skeletonize(Thinning? thinning = null, bool guard = false)
    {
        var method = thinning is { } given ? given.ToCore() : Skeleton.standard(Core.Extent);
        return new(guard ? Skeleton.thinGuarded(method, Core) : Skeleton.thinBy(method, Core));
    }

    /// <summary>
    /// The skeleton without its spurs: branches from a junction to an end that are shorter than a length in mm. Of a
    /// fork's two tips the longer one stays as part of the main curve; topology stays as it is. The mask should be a skeleton.
    /// </summary>
    /// <exception cref="ArgumentException">The length is negative or NaN.</exception>
    public Mask Prune(double shorterThan) => new(Skeleton.prune(shorterThan, Core));

    /// <summary>The number of components; by default of pixels that share a corner (8, or 26 in a volume).</summary>
    /// <exception cref="ArgumentException">The connectivity is not one of the mask's rank.</exception>
    public int CountComponents(Connectivity? connectivity = null) =>
        Components.count(connectivity.ToForeground(Core.Extent), Core);

    /// <summary>
    /// The component of each voxel, row-major: 0 off the mask, then from 1 in raster order of their first voxels. By
    /// default pixels that share a corner (8, or 26 in a volume) hang together.
    /// </summary>
    /// <exception cref="ArgumentException">The connectivity is not one of the mask's rank.</exception>
    public int[] LabelComponents(Connectivity? connectivity = null) =>
        Components.label(connectivity.ToForeground(Core.Extent), Core).Item1.Data;

    /// <summary>Extent and number of voxels.</summary>
    public override string ToString() => $"Mask of {Core.Extent}, {Count} set";

    private static Mask Make(Extent extent, bool[] values) =>
        new(MaskModule.ofVolume(Interop.ToFunction((bool value) => value), Volume.create(extent.Core, values)));

    private static Core.Mask CoreOf(Mask other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return other.Core;
    }
}
