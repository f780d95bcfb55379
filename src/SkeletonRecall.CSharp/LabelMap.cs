using System.Runtime.InteropServices;

namespace SkeletonRecall.CSharp;

/// <summary>
/// Class ids on a grid, 0 for background. A label map does not change: it holds a copy of the values that it is made from.
/// </summary>
public sealed class LabelMap
{
    internal LabelMap(Core.Volume<short> core) => Core = core;

    internal Core.Volume<short> Core { get; }

    /// <summary>A label map from row-major class ids, <c>extent.Count</c> of them.</summary>
    /// <exception cref="ArgumentException">The number of values does not fit the extent.</exception>
    public LabelMap(Extent extent, ReadOnlySpan<short> labels)
    {
        ArgumentNullException.ThrowIfNull(extent);
        Grids.RequireLength(nameof(labels), extent, extent.Count, labels.Length);
        Core = Volume.create(extent.Core, labels.ToArray());
    }

    /// <summary>A label map of a plane from [row, column].</summary>
    /// <exception cref="ArgumentException">An axis is empty.</exception>
    public static LabelMap FromArray(short[,] labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        return new(Grids.ExtentOf(labels), Grids.Flatten(labels, (short label) => label));
    }

    /// <summary>A label map of a volume from [slice, row, column].</summary>
    /// <exception cref="ArgumentException">An axis is empty.</exception>
    public static LabelMap FromArray(short[,,] labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        return new(Grids.ExtentOf(labels), Grids.Flatten(labels, (short label) => label));
    }

    /// <summary>
    /// A label map from a file of any format that is read: values as stored, except that a mask of 0 and 255 becomes 0 and 1, which is
    /// told to <paramref name="notes"/>.
    /// </summary>
    /// <exception cref="ProblemException">The file is missing or cannot be read.</exception>
    public static LabelMap Read(string path, IProgress<string>? notes = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        return new(Interop.Noted(Interop.OrThrow(Pipeline.Reader.mask(path)), notes));
    }

    /// <summary>Writes by the ending of the path: PNG, TIFF, NIfTI, NRRD, MetaImage or numpy files; 8 bits, 16 where a label is above 255.</summary>
    /// <exception cref="ArgumentException">Another ending, a negative label, or a volume as PNG.</exception>
    /// <exception cref="ProblemException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Interop.OrThrow(Pipeline.Reader.writeLabels(path, Core));
    }

    /// <summary>The size of the grid.</summary>
    public Extent Extent => new(Core.Extent);

    /// <summary>The class ids, row-major (the last axis runs fastest).</summary>
    public ReadOnlySpan<short> Labels => Core.Data;

    /// <summary>Distance between neighbouring voxel centres in mm, one entry per axis, slowest first.</summary>
    public IReadOnlyList<double> Spacing => Interop.FromList(Core.Spacing.Values);

    /// <summary>The class id of a pixel; in a volume, of one of the first slice.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It lies outside the extent.</exception>
    public short this[int row, int column] => this[0, row, column];

    /// <summary>The class id of a voxel.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It lies outside the extent.</exception>
    public short this[int slice, int row, int column] => Core.Data[Grids.Index(Extent, slice, row, column)];

    /// <summary>The class ids, row-major, in an array of the caller's own.</summary>
    public short[] ToArray() => (short[])Core.Data.Clone();

    /// <summary>Writes the class ids into memory that the caller holds.</summary>
    /// <typeparam name="T"><c>byte</c>, <c>short</c>, <c>int</c>, <c>float</c> and the other types of <see cref="PixelType"/>.</typeparam>
    /// <param name="target">The memory.</param>
    /// <param name="layout">How they are to lie; row-major without gaps by default.</param>
    /// <exception cref="ArgumentException">
    /// The layout does not fit the memory or these labels, or the type does not hold them; nothing is written then.
    /// </exception>
    public void CopyTo<T>(Span<T> target, PixelLayout? layout = null)
        where T : unmanaged =>
        Pipeline.Pixels.toSpan(
            (layout ?? PixelLayout.Planar(Extent)).ToCore(PixelLayout.TypeOf<T>()),
            Core,
            MemoryMarshal.AsBytes(target)
        );

    /// <summary>
    /// Writes the class ids to an address. How far the memory reaches is not known here: that every value of the layout lies in
    /// it is the caller's word.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// The address is 0, or the layout does not fit these labels, or the type does not hold them; nothing is written then.
    /// </exception>
    public void CopyTo(nint target, PixelType type, PixelLayout? layout = null)
    {
        Grids.RequireAddress(nameof(target), target);
        Pipeline.Pixels.write((layout ?? PixelLayout.Planar(Extent)).ToCore(type), Core, target);
    }

    /// <summary>All voxels of any class (labels above 0).</summary>
    public Mask Foreground() => new(Tube.binarize(Core));

    /// <summary>The voxels of one class.</summary>
    public Mask MaskOf(int label) =>
        new(MaskModule.ofVolume(Interop.ToFunction((short value) => value == label), Core));

    /// <summary>The labels inside a mask, 0 outside.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public LabelMap Within(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return new(Tube.assignClasses(Core, mask.Core));
    }

    /// <summary>
    /// The tubed skeleton, the target of the Skeleton Recall loss (Kirchhoff et al., ECCV 2024): the skeleton of the merged
    /// foreground, grown a little, with the class of each voxel's own label. By default equal to upstream's bit for bit.
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public LabelMap ToTube(TubeOptions? options = null) => new(Tube.ofLabels((options ?? new()).ToCore(), Core));

    /// <summary>
    /// The tubed skeletons of regions, which may overlap: one mask per region, which is a list of the labels that it
    /// consists of. A tube lies inside its region.
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of range, or a region has no labels.</exception>
    public IReadOnlyList<Mask> ToRegionTubes(IReadOnlyList<IReadOnlyList<short>> regions, TubeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(regions);
        var core = Interop.ToList(regions.Select(region => Interop.ToList(region)));
        var tubes = Tube.ofRegions((options ?? new()).ToCore(), core, Core);
        return [.. tubes.Select(tube => new Mask(tube))];
    }

    /// <summary>Whether the other has the same extent and class ids; spacing is not compared.</summary>
    public bool SameAs(LabelMap? other) => other is not null && Volume.equal(Core, other.Core);

    /// <summary>The extent.</summary>
    public override string ToString() => $"LabelMap of {Core.Extent}";
}
