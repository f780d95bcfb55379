using System.Globalization;

namespace SkeletonRecall.CSharp;

/// <summary>What one value of pixels in memory is, in the machine's byte order.</summary>
public enum PixelType
{
    /// <summary>8 bits without sign: <c>byte</c>.</summary>
    UInt8,

    /// <summary>8 bits with sign: <c>sbyte</c>.</summary>
    Int8,

    /// <summary>16 bits without sign: <c>ushort</c>.</summary>
    UInt16,

    /// <summary>16 bits with sign: <c>short</c>.</summary>
    Int16,

    /// <summary>32 bits without sign: <c>uint</c>.</summary>
    UInt32,

    /// <summary>32 bits with sign: <c>int</c>.</summary>
    Int32,

    /// <summary>64 bits without sign: <c>ulong</c>.</summary>
    UInt64,

    /// <summary>64 bits with sign: <c>long</c>.</summary>
    Int64,

    /// <summary>Single precision: <c>float</c>.</summary>
    Float32,

    /// <summary>Double precision: <c>double</c>.</summary>
    Float64,
}

/// <summary>In what strides are counted.</summary>
public enum StrideUnit
{
    /// <summary>In values of the pixels' type.</summary>
    Values,

    /// <summary>In bytes.</summary>
    Bytes,
}

/// <summary>
/// How pixels lie in memory that the caller holds. <see cref="Planar"/> and <see cref="Interleaved"/> make the usual ones;
/// strides serve for padded rows, parts of larger images, bottom-up bitmaps and channels in another order.
/// </summary>
public sealed record PixelLayout
{
    /// <summary>The size of the grid.</summary>
    public required Extent Extent { get; init; }

    /// <summary>Number of channels; 1 by default.</summary>
    public int Channels { get; init; } = 1;

    /// <summary>Distance between voxel centres in mm, one entry per axis, slowest first; null, the default, is 1 mm.</summary>
    public IReadOnlyList<double>? Spacing { get; init; }

    /// <summary>In what <see cref="Offset"/> and strides are counted; values by default.</summary>
    public StrideUnit Unit { get; init; } = StrideUnit.Values;

    /// <summary>From the beginning of the memory to the first value: channel 0 of the first voxel; 0 by default.</summary>
    public long Offset { get; init; }

    /// <summary>
    /// From a value to the same voxel's in the next channel, negative where memory runs the other way; null, the default,
    /// puts channel after channel without gaps.
    /// </summary>
    public long? ChannelStride { get; init; }

    /// <summary>
    /// From a value to its neighbour along each axis, slowest axis first, negative where memory runs the other way; null, the
    /// default, leaves no gaps, the last axis running fastest.
    /// </summary>
    public IReadOnlyList<long>? Strides { get; init; }

    /// <summary>Channel after channel without gaps, the last axis running fastest.</summary>
    public static PixelLayout Planar(Extent extent, int channels = 1) => new() { Extent = extent, Channels = channels };

    /// <summary>The channels of each voxel side by side without gaps, as in RGBRGB.</summary>
    public static PixelLayout Interleaved(Extent extent, int channels)
    {
        ArgumentNullException.ThrowIfNull(extent);
        var strides = new long[extent.Rank];
        long step = channels;
        for (var axis = extent.Rank - 1; axis >= 0; axis--)
        {
            strides[axis] = step;
            step *= extent.Shape[axis];
        }
        return new()
        {
            Extent = extent,
            Channels = channels,
            ChannelStride = 1,
            Strides = strides,
        };
    }

    /// <summary>The pixel type of a type of C#.</summary>
    /// <exception cref="ArgumentException">It is no type of pixels.</exception>
    internal static PixelType TypeOf<T>()
        where T : unmanaged =>
        default(T) switch
        {
            byte => PixelType.UInt8,
            sbyte => PixelType.Int8,
            ushort => PixelType.UInt16,
            short => PixelType.Int16,
            uint => PixelType.UInt32,
            int => PixelType.Int32,
            ulong => PixelType.UInt64,
            long => PixelType.Int64,
            float => PixelType.Float32,
            double => PixelType.Float64,
            _ => throw new ArgumentException(
                $"Pixels are whole numbers of 8 to 64 bits, float or double; got {typeof(T).Name}."
            ),
        };

    private static Pipeline.NumberType NumberOf(PixelType type) =>
        type switch
        {
            PixelType.UInt8 => Pipeline.NumberType.UInt8,
            PixelType.Int8 => Pipeline.NumberType.Int8,
            PixelType.UInt16 => Pipeline.NumberType.UInt16,
            PixelType.Int16 => Pipeline.NumberType.Int16,
            PixelType.UInt32 => Pipeline.NumberType.UInt32,
            PixelType.Int32 => Pipeline.NumberType.Int32,
            PixelType.UInt64 => Pipeline.NumberType.UInt64,
            PixelType.Int64 => Pipeline.NumberType.Int64,
            PixelType.Float32 => Pipeline.NumberType.Float32,
            PixelType.Float64 => Pipeline.NumberType.Float64,
            _ => throw new ArgumentException($"{type} is no PixelType."),
        };

    internal Pipeline.PixelLayout ToCore(PixelType type)
    {
        ArgumentNullException.ThrowIfNull(Extent);
        var dense = Pipeline.Pixels.planar(NumberOf(type), Channels, Extent.Core);
        // Of a dense layout of one channel, the last stride is one value.
        var unit = Unit is StrideUnit.Bytes ? 1 : dense.Strides[Extent.Rank - 1];

        long InBytes(long stride)
        {
            try
            {
                return checked(stride * unit);
            }
            catch (OverflowException)
            {
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture, $"A stride of {stride} values is beyond any memory.")
                );
            }
        }

        return new(
            dense.Type,
            Channels,
            Extent.Core,
            Spacing is null ? dense.Spacing : SpacingModule.ofList(Interop.ToList(Spacing)),
            InBytes(Offset),
            ChannelStride is { } channel ? InBytes(channel) : dense.ChannelStride,
            Strides is null ? dense.Strides : Interop.ToList(Strides, InBytes)
        );
    }
}
