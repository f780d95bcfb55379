namespace SkeletonRecall.CSharp;

/// <summary>
/// Probabilities of each class (softmax) or region (sigmoid) at each voxel, on the grid of the image that was predicted.
/// </summary>
public sealed class Probabilities
{
    private readonly float[] values;

    internal Probabilities(int channels, Core.Extent extent, float[] values) =>
        (Channels, Extent, this.values) = (channels, new(extent), values);

    /// <summary>The classes, the background's first, or the regions.</summary>
    public int Channels { get; }

    /// <summary>The size of the grid.</summary>
    public Extent Extent { get; }

    /// <summary>The values, (channel, spatial...), row-major; what preprocessing cut away is background.</summary>
    public ReadOnlySpan<float> Values => values;

    /// <summary>The values of one channel.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such channel.</exception>
    public ReadOnlySpan<float> this[int channel]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(channel);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(channel, Channels);
            return values.AsSpan(channel * Extent.Count, Extent.Count);
        }
    }

    /// <summary>The values, (channel, spatial...), in an array of the caller's own.</summary>
    public float[] ToArray() => [.. values];
}

/// <summary>What was predicted of an image, on its own grid.</summary>
/// <param name="Labels">The class of each voxel; what preprocessing cut away is 0.</param>
/// <param name="Probabilities">Those of each class or region; null where they were not asked for.</param>
public sealed record Prediction(LabelMap Labels, Probabilities? Probabilities)
{
    internal static Prediction From(Pipeline.PredictedCase core) =>
        new(
            new(core.Labels),
            Interop.ToReference(core.Probabilities) is { } values
                ? new(values.Length / core.Labels.Extent.Count, core.Labels.Extent, values)
                : null
        );
}
