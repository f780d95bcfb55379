using System.Runtime.InteropServices;

namespace SkeletonRecall.CSharp;

/// <summary>
/// An image of one or several channels on one grid. An image does not change: it holds a copy of the values that it is
/// made from.
/// </summary>
public sealed class Image
{
    internal Image(Pipeline.Image core) => Core = core;

    internal Pipeline.Image Core { get; }

    /// <summary>An image from (channel, spatial...) values, row-major, channel after channel; spacing 1 mm.</summary>
    /// <exception cref="ArgumentException">The number of values is not channels times the extent's count.</exception>
    public Image(int channels, Extent extent, ReadOnlySpan<float> pixels)
    {
        ArgumentNullException.ThrowIfNull(extent);
        Core = Pipeline.ImageModule.create(channels, extent.Core, pixels.ToArray());
    }

    /// <summary>A grey plane from [row, column].</summary>
    public static Image FromArray(float[,] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        return new(1, Grids.ExtentOf(pixels), Grids.Flatten(pixels, (float value) => value));
    }

    /// <summary>A grey volume from [slice, row, column].</summary>
    public static Image FromArray(float[,,] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        return new(1, Grids.ExtentOf(pixels), Grids.Flatten(pixels, (float value) => value));
    }

    /// <summary>
    /// An image from pixels that the caller holds, which are copied; values outside single precision become infinite.
    /// </summary>
    /// <typeparam name="T"><c>byte</c>, <c>ushort</c>, <c>short</c>, <c>float</c> and the other types of <see cref="PixelType"/>.</typeparam>
    /// <exception cref="ArgumentException">The layout does not fit the memory, or values would share bytes.</exception>
    public static Image FromPixels<T>(ReadOnlySpan<T> pixels, PixelLayout layout)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new(Pipeline.Pixels.ofSpan(layout.ToCore(PixelLayout.TypeOf<T>()), MemoryMarshal.AsBytes(pixels)));
    }

    /// <summary>
    /// An image from pixels at an address, which are copied. How far the memory reaches is not known here: that every value of
    /// the layout lies in it is the caller's word.
    /// </summary>
    /// <exception cref="ArgumentException">The address is 0, or values would share bytes.</exception>
    public static Image FromPointer(nint pixels, PixelType type, PixelLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Grids.RequireAddress(nameof(pixels), pixels);
        return new(Pipeline.Pixels.read(layout.ToCore(type), pixels));
    }

    /// <summary>
    /// An image from its files of any format that is read (PNG, TIFF, NIfTI and others), one channel after the other; a colour file has three channels.
    /// </summary>
    /// <exception cref="ProblemException">A file is missing or cannot be read, or the sizes differ.</exception>
    public static Image Read(params IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return new(Interop.OrThrow(Pipeline.Reader.image(Interop.ToList(paths))));
    }

    /// <summary>Writes by the ending of the path: PNG takes a plane of 1, 3 or 4 channels in 8 bits, or 16 where a value is above 255; TIFF, NIfTI, NRRD, MetaImage and numpy files take float32.</summary>
    /// <exception cref="ArgumentException">What the format cannot hold, or another ending.</exception>
    /// <exception cref="ProblemException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Interop.OrThrow(Pipeline.Reader.writeImage(path, Core));
    }

    /// <summary>Number of channels.</summary>
    public int Channels => Core.Channels;

    /// <summary>The size of the grid.</summary>
    public Extent Extent => new(Core.Extent);

    /// <summary>Distance between neighbouring voxel centres in mm, one entry per axis, slowest first.</summary>
    public IReadOnlyList<double> Spacing => Interop.FromList(Core.Spacing.Values);

    /// <summary>The values, (channel, spatial...), row-major.</summary>
    public ReadOnlySpan<float> Pixels => Core.Data;

    /// <summary>The image as a tensor (1, channels, spatial...), which the caller disposes.</summary>
    public Tensor ToTensor() =>
        Tensors.ofArray(Interop.ToList<long>([1, Channels, .. Extent.Shape.Select(size => (long)size)]), Core.Data);

    /// <summary>Channels and extent.</summary>
    public override string ToString() => $"Image of {Channels} x {Core.Extent}";
}
